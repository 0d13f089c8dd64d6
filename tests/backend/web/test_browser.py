"""The pages in a real browser: nothing sticks out, the console stays clean, keys work, and blindness is loud and heals by itself."""

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI

from backend.db.pool import Pool
from backend.dispatch.progress_store import ZONE
from backend.people import accounts, families
from backend.readings import store as readings
from backend.readings.model import Columns, Home
from backend.web.language import STATIC
from contract.quantities import QuantityName, Statistic
from tests.backend.dispatch import rounds
from tests.backend.street import one, rows
from tests.backend.web.conftest import PASSWORD, Clock, consent, offer_visit, open_alert, serving

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
from playwright.async_api import Browser, ConsoleMessage, Error, Locator, Page, async_playwright, expect  # noqa: E402

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(not (STATIC / "vendor" / "htmx.min.js").exists(), reason="run `make web` first: it fetches the browser libraries"),
]

DESK = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
AGED = """
async () => {
  const cache = await caches.open("jiahu-doctor");
  const page = await cache.match("/doctor");
  await cache.put("/doctor", new Response(await page.text(), { headers: { date: new Date(Date.now() - 13 * 3_600_000).toUTCString() } }));
}
"""
FALL = """
INSERT INTO event (gateway_id, event_id, device_id, elder_id, kind, at, received_at, confidence, acceleration, alert_id)
VALUES ('gw-1', 'w:1', 'wearable-1', 'elder-1', 'fall', %(at)s, %(at)s, 0.91, %(window)s, %(alert_id)s)
"""


@pytest.fixture
def clock() -> Clock:
    """The browser's clock runs, so the server's begins at the same time."""
    return Clock(datetime.now(UTC))


@pytest.fixture
async def busy_street(street: Pool, clock: Clock) -> int:
    """A street with values, a fall with its window, and an offer to the signed doctor. Returns the alert's id."""
    columns = Columns(
        "wearable-1", QuantityName.HEART_RATE, Statistic.SAMPLE, clock.at - timedelta(minutes=30), [s * 1000 for s in range(1800)],
        [70.0 + s % 9 for s in range(1800)],
    )  # fmt: skip
    alert_id = await open_alert(street, rule_id="fall", now=clock.at)
    window = json.dumps({"rate_hz": 50, "x": [0, 2500, 900], "y": [0, 0, 100], "z": [1000, 900, 100]})
    async with street.connection() as conn, conn.transaction():
        await readings.store(conn, [(Home("gw-1", "elder-1"), columns)], received_at=clock.at)
        await conn.execute(FALL, {"at": clock.at, "window": window, "alert_id": alert_id})
        await conn.execute("UPDATE contract SET ends_on = '2099-12-31', signed_on = '2020-01-01'")
        await conn.execute("UPDATE shift SET ends_at = '2099-12-31'")
    await offer_visit(street, alert_id=alert_id, now=clock.at)
    await consent(street, *families.THINGS, now=clock.at)
    return alert_id


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with async_playwright() as tool:
        yield await tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])


@pytest.fixture
async def url(app: FastAPI) -> AsyncIterator[str]:
    """The application's address, until all pages are closed."""
    async with serving(app) as address:
        yield address


OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture
async def open_page(url: str, browser: Browser) -> AsyncIterator[OpenPage]:
    """Opens a page in which an account is signed in; the test fails when the console shows an error, unless it expects errors."""
    wrong: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(message.text)

    async with AsyncExitStack() as stack:

        async def open_one(
            path: str,
            *,
            account: str = "wang",
            size: dict[str, int] = DESK,
            language: str = "zh",
            server: str = url,
            expects_errors: bool = False,
        ) -> Page:
            context = await stack.enter_async_context(await browser.new_context(viewport=size))  # type: ignore[arg-type]
            await context.request.post(f"{server}/api/session", data={"name": account, "password": PASSWORD})
            await context.request.post(f"{server}/language", form={"language": language})
            page = await context.new_page()
            if not expects_errors:
                page.on("console", note)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            await page.goto(server + path)
            return page

        yield open_one
    assert wrong == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("account", "path"),
    [
        ("wang", "/operator"), ("wang", "/operator/alerts/{alert}"), ("li", "/doctor"), ("fang", "/family"),
        ("wang", "/elders/elder-1/family"),
    ],
)  # fmt: skip
async def test_nothing_sticks_out_of_the_screen(
    busy_street: int, open_page: OpenPage, *, account: str, path: str, language: str, size: dict[str, int]
) -> None:
    page = await open_page(path.format(alert=busy_street), account=account, size=size, language=language)
    await expect(page.locator("body")).to_contain_text("王秀英")
    wide, high = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert wide <= size["width"]
    assert "/operator" not in path or size is PHONE or high <= size["height"]


async def test_charts_are_drawn(busy_street: int, open_page: OpenPage) -> None:
    page = await open_page(f"/operator/alerts/{busy_street}")
    await expect(page.locator(".fall canvas")).to_be_visible()
    await expect(page.locator(".chart canvas")).to_be_visible()


async def test_keys_keep_away_while_somebody_types(busy_street: int, open_page: OpenPage) -> None:
    page = await open_page(f"/operator/alerts/{busy_street}")
    await page.keyboard.press("n")
    await page.keyboard.type("told to wait, jack took it")
    await expect(page.locator("#actions textarea").first).to_have_value("told to wait, jack took it")
    await expect(page.locator("#take")).to_be_visible()


async def test_a_new_alert_appears_and_typed_text_stays(street: Pool, busy_street: int, open_page: OpenPage) -> None:
    page = await open_page(f"/operator/alerts/{busy_street}")
    await page.keyboard.press("n")
    await page.keyboard.type("half a sen")
    await open_alert(street, "elder-2", rule_id="sos")
    await expect(page.locator("#queue")).to_contain_text("张建国")
    await page.keyboard.type("tence")
    await expect(page.locator("#actions textarea").first).to_have_value("half a sentence")


async def test_a_doctor_accepts_and_finishes_on_a_phone(busy_street: int, open_page: OpenPage) -> None:
    page = await open_page("/doctor", account="li", size=PHONE)
    for button in ("接单", "我已出发", "我已到达"):
        await page.get_by_role("button", name=button, exact=True).click()
    await page.locator("textarea[name=findings]").fill("神志清，无外伤")
    await page.locator("select[name=outcome]").select_option("well")
    await page.get_by_role("button", name="出诊完成").click()
    await expect(page.locator("#visits .lines")).to_contain_text("神志清，无外伤")


async def test_a_visit_goes_on_through_a_dead_spot_and_counts_once(busy_street: int, street: Pool, open_page: OpenPage) -> None:
    async with street.connection() as conn:
        await accounts.set_pin(conn, "li", "4711")
        await conn.execute("UPDATE elder SET conditions = '{高血压}', born_on = '1941-03-08' WHERE id = 'elder-1'")
    page = await open_page("/doctor", account="li", size=PHONE, expects_errors=True)
    await page.evaluate("navigator.serviceWorker.ready")
    await page.reload()  # now through the worker, which keeps it
    await page.get_by_role("button", name="接单", exact=True).click()
    await expect(page.get_by_role("button", name="我已出发")).to_be_visible()
    await page.reload()
    await page.context.set_offline(True)
    await page.get_by_role("button", name="我已出发").click()
    await page.get_by_role("button", name="我已到达").click()
    await expect(page.locator(".queued")).to_be_visible()
    await page.reload()  # the telephone was put away meanwhile
    await page.locator("textarea[name=findings]").fill("头晕")
    await page.locator("select[name=outcome]").select_option("treated")
    await page.get_by_label("高血压随访").check()
    await page.get_by_label("收缩压").first.fill("182")
    await page.get_by_label("舒张压").first.fill("96")
    await page.get_by_label("签名PIN码").fill("4711")
    await page.get_by_role("button", name="出诊完成").click()
    await page.context.set_offline(False)
    await expect(page.locator("#visits .lines")).to_contain_text("头晕", timeout=20_000)
    async with street.connection() as conn:
        taken = await rows(conn, "SELECT step FROM visit_once ORDER BY said_at")
        record = await one(conn, "SELECT control, reasons, refer, answers, signed_by FROM visit_record")
    assert [row["step"] for row in taken] == ["accept", "depart", "arrive", "finish"]
    assert (record["control"], record["refer"], record["signed_by"]) == ({"hypertension": "emergency"}, True, "li")
    assert record["answers"]["hypertension"]["blood_pressure_systolic"] == 182


@pytest.mark.parametrize("way", ["the session is over", "signed out", "half a day later"])
async def test_a_doctors_page_is_kept_for_who_is_signed_in_alone(busy_street: int, street: Pool, open_page: OpenPage, way: str) -> None:
    page = await open_page("/doctor", account="li", size=PHONE, expects_errors=True)
    await page.evaluate("navigator.serviceWorker.ready")
    await page.reload()
    kept = "caches.match('/doctor').then((page) => Boolean(page))"
    assert await page.evaluate(kept)
    await page.context.set_offline(True)
    await page.reload()
    await expect(page.get_by_text("王秀英").first).to_be_visible()
    if way == "half a day later":
        await page.evaluate(AGED)
        with pytest.raises(Error, match="ERR_"):
            await page.reload()
        return
    await page.context.set_offline(False)
    if way == "signed out":
        await page.evaluate("document.querySelector('form[action=\"/sign-out\"]').requestSubmit()")
    else:
        async with street.connection() as conn:
            await conn.execute("DELETE FROM session")
        await page.goto(page.url)
    await expect(page.locator("input[name=password]").first).to_be_visible()
    assert not await page.evaluate(kept)


async def test_a_morning_from_sign_in_to_the_last_visit_with_a_dead_spot_in_the_middle(
    street: Pool, clock: Clock, browser: Browser, url: str
) -> None:
    """Three stops: one with a network, one without, and one that goes to a colleague meanwhile: what was typed for it stays."""
    async with street.connection() as conn:
        await accounts.set_pin(conn, "li", "4711")
        await conn.execute("UPDATE contract SET ends_on = '2099-12-31', team_id = 'team-a', doctor_id = 'doctor-li'")
        await conn.execute("UPDATE elder SET latitude = 29.52 + 0.01 * right(id, 1)::int, longitude = 106.5")
        await conn.execute("INSERT INTO elder (id, name, sex, address) VALUES ('elder-3', '赵桂兰', 'female', '幸福里 3 号')")
        stops = [("elder-1", "hypertension_followup"), ("elder-2", "elder_checkup"), ("elder-3", "other")]
        dues = await rounds.publish(conn, clock.at.astimezone(ZONE).date(), clock.at, [(*stop, ["doctor-li"]) for stop in stops])
    page = await (await browser.new_context(viewport={"width": 360, "height": 740})).new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto(f"{url}/doctor")
    await page.locator("input[name=name]").first.fill("li")
    await page.locator("input[name=password]").first.fill(PASSWORD)
    await page.get_by_role("button", name="登录", exact=True).click()
    await expect(page.locator("#round > ol > li")).to_have_count(3)
    await expect(page.locator("#round .route circle")).to_have_count(2)
    await page.evaluate("navigator.serviceWorker.ready")
    await page.reload()

    async def go(name: str) -> Locator:
        """Unfold a stop, set out and arrive. Returns its card."""
        await page.locator("#round summary.stop", has_text=name).click()
        card = page.locator(f"article[data-name={name}]")
        await card.get_by_role("button", name="我已出发").click()
        await card.get_by_role("button", name="我已到达").click()
        return card

    async def end(card: Locator, findings: str) -> None:
        await card.locator("textarea[name=findings]").fill(findings)
        await card.locator("select[name=outcome]").select_option("well")
        await card.get_by_label("签名PIN码").fill("4711")
        await card.get_by_role("button", name="出诊完成").click()

    card = await go("王秀英")
    await card.get_by_label("收缩压").first.fill("136")
    await card.get_by_label("舒张压").first.fill("82")
    await end(card, "血压平稳")
    await expect(page.locator("#round > ol > li").first).to_have_class("done")
    await page.reload()
    await page.context.set_offline(True)
    await end(await go("张建国"), "走路稳")
    await end(await go("赵桂兰"), "左膝肿")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    async with street.connection() as conn:
        await conn.execute("UPDATE plan_stop SET doctor_id = 'doctor-yang' WHERE due_id = %s", [dues[2]])
    await page.context.set_offline(False)
    await expect(page.locator("#kept .refused")).to_contain_text("已被杨医生抢先接下", timeout=20_000)
    await page.reload()  # it stays until the doctor says so
    await expect(page.locator("#kept .refused dd", has_text="左膝肿")).to_be_visible()
    await expect(page.locator("#round > ol > li")).to_have_count(2)
    await page.get_by_role("button", name="丢弃").click()
    await expect(page.locator("#kept")).to_be_hidden()
    async with street.connection() as conn:
        made = await rows(conn, "SELECT elder_id, state, findings FROM visit ORDER BY id")
        listed = await rows(conn, "SELECT state FROM due_visit WHERE source = 'import' ORDER BY id")
    assert [tuple(row.values()) for row in made] == [("elder-1", "done", "血压平稳"), ("elder-2", "done", "走路稳")]
    assert [row["state"] for row in listed] == ["done", "done", "due"]
    assert faults == []


async def test_an_offer_appears_on_the_phone_by_itself(street: Pool, clock: Clock, open_page: OpenPage) -> None:
    async with street.connection() as conn:
        await conn.execute("UPDATE contract SET ends_on = '2099-12-31'")
        await conn.execute("UPDATE shift SET ends_at = '2099-12-31'")
    page = await open_page("/doctor", account="li", size=PHONE)
    await expect(page.locator("#visits")).to_contain_text("暂无派单")
    await offer_visit(street, now=clock.at)
    await expect(page.locator("#offers")).to_contain_text("王秀英")


async def test_a_family_writes_to_the_centre_and_sees_withdrawn_consent_at_once(
    busy_street: int, street: Pool, clock: Clock, open_page: OpenPage
) -> None:
    page = await open_page("/family", account="fang", size=PHONE)
    await expect(page.locator(".mood")).to_contain_text("王秀英")
    await page.locator("textarea[name=text]").fill("妈妈今天吃药了吗？")
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator(".letters")).to_contain_text("妈妈今天吃药了吗？")
    await page.locator("textarea[name=text]").fill("half a sentence")
    async with street.connection() as conn:
        await families.withdraw(conn, "elder-1", (await one(conn, "SELECT id FROM family_consent"))["id"], by="wang", now=clock.at)
    await expect(page.locator(".kin")).to_have_count(0, timeout=5_000)
    await expect(page.locator("#family")).not_to_contain_text("王秀英")
