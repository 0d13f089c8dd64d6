"""Whole stories at the operators' desk in a real browser; JIAHU_PICTURES names a folder that keeps their pictures for people to look at."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.db.pool import Pool
from simulators.servers import free_port
from tests.backend.street import one, rows
from tests.backend.web.conftest import Clock, open_alert
from tests.backend.web.in_browser import (
    DESK,
    IN_BROWSER,
    PHONE,
    WIDE,
    OpenPage,
    browser,
    busy_street,
    clock,
    faults,
    open_page,
    playwright,
    url,
)

assert playwright
from playwright.async_api import Page, expect  # noqa: E402

__all__ = ["browser", "busy_street", "clock", "open_page", "url"]

pytestmark = IN_BROWSER

HOUSE = Path(__file__).parents[3]
MANY = """
WITH home AS (
    INSERT INTO gateway (id) SELECT 'many-' || n FROM generate_series(1, 10000) AS n RETURNING id
), opened AS (
    INSERT INTO care_case (gateway_id, priority, opened_at, known_at, changed_at, waiting_since, next_step, next_at)
    SELECT id, 'technical', %(at)s, %(at)s, %(at)s, %(at)s, 'stale', %(at)s + interval '1 day' FROM home RETURNING id, gateway_id
)
INSERT INTO alert (gateway_id, rule_id, rule_version, priority, level, opened_at, known_at, changed_at, last_at, case_id)
SELECT gateway_id, 'battery_low', 1, 'technical', 'technical', %(at)s, %(at)s, %(at)s, %(at)s, id FROM opened
"""


@pytest.fixture
def picture(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[Page, str], Awaitable[None]]:
    """Takes a picture of a page."""
    folder = Path(os.environ.get("JIAHU_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    async def take(page: Page, name: str) -> None:
        await page.screenshot(path=folder / f"{name}.png")

    return take


Picture = Callable[[Page, str], Awaitable[None]]


async def size_of(page: Page) -> list[int]:
    """Width and height of what the page holds, in pixels."""
    size: list[int] = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    return size


async def test_a_whole_case_without_the_mouse_on_one_screen(street: Pool, busy_street: int, open_page: OpenPage, picture: Picture) -> None:
    page = await open_page("/operator")
    press, typed = page.keyboard.press, page.keyboard.type
    await press("j")
    await expect(page.locator("#take kbd")).to_have_text("T")
    assert await size_of(page) == [DESK["width"], DESK["height"]]
    assert await page.evaluate("document.activeElement.id") == "centre"  # Tab goes on from the case
    await picture(page, "case_new")
    await press("t")
    await expect(page.locator("#status .held")).to_contain_text("坐席 王芳")
    await press("p")
    await expect(page.locator("#plan .results kbd").first).to_have_text("1")
    await press("2")
    await expect(page.locator("#lines")).to_contain_text("无人接听")
    await press("n")
    await typed("邻居去看了")
    await press("Control+Enter")
    await expect(page.locator("#lines")).to_contain_text("邻居去看了")
    await expect(page.locator("#actions details[open]")).to_have_count(0)
    await press("d")
    await typed("头晕，请上门")
    await picture(page, "case_dispatch")
    await press("Control+Enter")
    await expect(page.locator("#lines")).to_contain_text("发起派单")
    await expect(page.locator("#actions details[open]")).to_have_count(0)
    await press("c")
    await press("ArrowDown")
    assert await size_of(page) == [DESK["width"], DESK["height"]]
    await press("Control+Enter")
    await expect(page.locator("#status .held")).to_contain_text("结案")
    await expect(page.locator("#queue")).to_contain_text("一切平静")
    await picture(page, "case_closed")
    async with street.connection() as conn:
        done = await one(conn, "SELECT state, disposition, taken_by, closed_by FROM care_case")
    assert done == {"state": "closed", "disposition": "real", "taken_by": "wang", "closed_by": "wang"}


async def test_of_two_who_press_at_once_one_wins_and_the_other_reads_who(
    street: Pool, busy_street: int, open_page: OpenPage, picture: Picture
) -> None:
    pages = [await open_page(f"/operator/alerts/{busy_street}", account=name, expects_errors=True) for name in ("wang", "liu")]
    await asyncio.gather(*(page.keyboard.press("t") for page in pages))
    for page in pages:
        await expect(page.locator("#status .held")).to_be_visible()
    async with street.connection() as conn:
        [winner] = await rows(conn, "SELECT taken_by, title FROM care_case JOIN account ON account.name = taken_by")
        takes = await rows(conn, "SELECT by FROM case_step WHERE action = 'taken'")
    assert [row["by"] for row in takes] == [winner["taken_by"]]
    for page in pages:
        await expect(page.locator("#status .held")).to_contain_text(winner["title"])
    loser = pages[winner["taken_by"] == "wang"]
    await expect(loser.locator("#toast")).to_contain_text(f"已被{winner['title']}抢先接下")
    await picture(loser, "race_lost")


async def test_an_sos_stands_above_ten_thousand_technical_alerts(street: Pool, clock: Clock, open_page: OpenPage, picture: Picture) -> None:
    async with street.connection() as conn:
        await conn.execute(MANY, {"at": clock.at - timedelta(hours=2)})
    page = await open_page("/operator")
    await expect(page.locator("#count")).to_have_text("10000")
    assert await page.locator("#queue .row").count() == 40
    await expect(page.locator("#queue .rest")).to_contain_text("另有 9960 条")
    await open_alert(street, "elder-2", rule_id="sos", now=clock.at)
    await expect(page.locator("#queue .row").first).to_contain_text("张建国")
    await expect(page.locator("#queue .row").first).to_have_class("row high new")
    await picture(page, "ten_thousand")
    await page.keyboard.press("j")
    await expect(page.locator("#banner")).to_contain_text("紧急呼叫")
    await page.locator("#queue .rest button").click()
    await expect(page.locator("#queue .row")).to_have_count(80)
    assert await size_of(page) == [DESK["width"], DESK["height"]]


class WebProcess:
    """`python -m backend web` on a port of its own, so that it can be killed."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._config = folder / "backend.toml"
        broker = '[broker]\nhost = "127.0.0.1"\nport = 1\n'
        self._config.write_text(f'[database]\nurl = "{database_url}"\n{broker}[web]\nport = {self._port}\n', "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it answers a few seconds later."""
        environment = os.environ | {"JIAHU_BROKER_PASSWORD": "none"}
        arguments = [sys.executable, "-m", "backend", "web", "--config", str(self._config)]
        self._process = subprocess.Popen(arguments, cwd=HOUSE, env=environment, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """Without a word."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def web_process(tmp_path: Path, database_url: str) -> Iterator[WebProcess]:
    """The web process, started."""
    process = WebProcess(tmp_path, database_url)
    process.start()
    yield process
    process.kill()


async def test_a_killed_server_costs_no_word_and_comes_back_by_itself(
    street: Pool, busy_street: int, clock: Clock, web_process: WebProcess, open_page: OpenPage, picture: Picture
) -> None:
    await answers(web_process.url)
    page = await open_page(f"/operator/alerts/{busy_street}", server=web_process.url, expects_errors=True)
    await page.keyboard.press("n")
    await page.keyboard.type("她说头")
    web_process.kill()
    await expect(page.locator("#stale")).to_contain_text("数据中断，自", timeout=15_000)
    await page.keyboard.type("很晕")
    await picture(page, "server_gone")
    await open_alert(street, "elder-2", rule_id="sos", now=clock.at)
    web_process.start()
    await expect(page.locator("#stale")).to_be_hidden(timeout=20_000)
    await expect(page.locator("#queue")).to_contain_text("张建国")
    await expect(page.locator("#actions textarea").first).to_have_value("她说头很晕")
    await page.reload()
    await expect(page.locator("#actions textarea").first).to_have_value("她说头很晕")
    await expect(page.locator("#actions textarea").first).to_be_visible()
    await page.locator("#actions textarea").first.press("Control+Enter")
    await expect(page.locator("#lines")).to_contain_text("她说头很晕")
    await page.reload()
    await expect(page.locator("#actions textarea").first).to_have_value("")


async def answers(address: str) -> None:
    """Wait until a server listens there."""
    host, port = address.removeprefix("http://").split(":")
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_desk_is_usable_by_everybody(
    street: Pool, busy_street: int, open_page: OpenPage, picture: Picture, language: str
) -> None:
    page = await open_page("/operator", language=language)
    assert await faults(page) == []
    await page.keyboard.press("j")
    await expect(page.locator("#take")).to_be_visible()
    await expect(page.locator(".chart canvas").first).to_be_visible()
    assert await faults(page) == []
    await page.keyboard.press("t")
    await page.keyboard.press("p")
    await expect(page.locator("#plan .results")).to_be_visible()
    for key in ("d", "Escape", "c", "Escape", "n"):
        await page.keyboard.press(key)
    assert await faults(page) == []
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    assert await faults(page) == []
    await picture(page, f"help_large_{language}")
    await page.goto(page.url.rsplit("/operator", 1)[0] + "/operator/elders/elder-1")
    assert await faults(page) == []
    await page.emulate_media(color_scheme="dark")
    assert await faults(page) == []


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_pictures_of_every_size_and_as_the_colour_blind_see_it(
    street: Pool, busy_street: int, open_page: OpenPage, picture: Picture, clock: Clock, language: str
) -> None:
    for rule_id, priority in (("heart_rate_high", "medium"), ("battery_low", "technical")):
        await open_alert(street, "elder-2", rule_id=rule_id, priority=priority, now=clock.at)
    for name, size in (("1366", DESK), ("1920", WIDE), ("390", PHONE)):
        page = await open_page(f"/operator/alerts/{busy_street}", size=size, language=language)
        await expect(page.locator(".fall canvas")).to_be_visible()
        assert (await size_of(page))[0] <= size["width"]
        if size is PHONE:
            box = await page.locator("#take").bounding_box()
            assert box is not None and box["y"] + box["height"] <= size["height"]
        await picture(page, f"case_{name}_{language}")
        if size is WIDE:
            await as_the_colour_blind(page, picture)


async def as_the_colour_blind(page: Page, picture: Picture) -> None:
    """The same page for eyes without one kind of cones: Chromium simulates them."""
    session: Any = await page.context.new_cdp_session(page)
    for kind in ("deuteranopia", "protanopia"):
        await session.send("Emulation.setEmulatedVisionDeficiency", {"type": kind})
        await picture(page, kind)
