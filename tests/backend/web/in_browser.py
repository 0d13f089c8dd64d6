"""What every test in a real browser needs: Chromium, a street to look at, pages in which somebody is signed in, and axe's rules."""

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from backend.db.pool import Pool
from backend.people import families
from backend.readings import store as readings
from backend.readings.model import Columns, Home
from backend.web.language import STATIC
from contract.quantities import QuantityName, Statistic
from tests.backend.web.conftest import PASSWORD, Clock, consent, offer_visit, open_alert, serving

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, async_playwright, expect  # noqa: E402

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[3] / "node_modules" / "axe-core" / "axe.min.js"
FETCHED = AXE.exists() and (STATIC / "vendor" / "htmx.min.js").exists()
IN_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(not FETCHED, reason="run `make web` first: it fetches the browser libraries"),
]
"""Marks of a module whose tests drive a browser."""
expect.set_options(timeout=15_000)  # ms, on a machine that does other things too; what is there already is not waited for

DESK: ViewportSize = {"width": 1366, "height": 768}
PHONE: ViewportSize = {"width": 390, "height": 844}
WIDE: ViewportSize = {"width": 1920, "height": 1080}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FAULTS = """
tags => axe.run(document, {runOnly: tags}).then(found => found.violations.flatMap(one => one.nodes.map(
    node => `${one.id}: ${node.target} ${node.failureSummary}`)))
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


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with async_playwright() as tool:
        yield await tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser of the test's own."""
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def url(app: FastAPI) -> AsyncIterator[str]:
    """The application's address, until all pages are closed."""
    async with serving(app) as address:
        yield address


async def faults(page: Page) -> list[str]:
    """Where the page breaks a rule of WCAG 2.2 AA, by axe."""
    if await page.evaluate("!window.axe"):
        await page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = await page.evaluate(FAULTS, WCAG)
    return found


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
            size: ViewportSize = DESK,
            language: str = "zh",
            server: str = url,
            expects_errors: bool = False,
        ) -> Page:
            context = await stack.enter_async_context(await browser.new_context(viewport=size))
            await context.request.post(f"{server}/api/session", data={"name": account, "password": PASSWORD})
            await context.request.post(f"{server}/language", form={"language": language})
            page = await context.new_page()
            if not expects_errors:
                page.on("console", note)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            await page.goto(server + path)
            return page

        yield open_one
    assert not wrong, wrong
