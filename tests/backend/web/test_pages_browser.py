"""The other pages in a real browser: usable by everybody (axe), on a telephone too; map, search and wall by keys alone."""

import pytest
from fastapi import FastAPI

from backend.db.pool import Pool
from backend.institutions import store
from tests.backend.web.conftest import open_alert
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
from tests.backend.web.pages.test_institutions import FILE

assert playwright
from playwright.async_api import ViewportSize, expect  # noqa: E402

__all__ = ["browser", "busy_street", "clock", "open_page", "url"]

pytestmark = IN_BROWSER

PAGES = ("/elders", "/elders/elder-1", "/institutions?elder=elder-1", "/wall", "/operator/report", "/institutions/edit")


@pytest.fixture
async def placed(street: Pool) -> None:
    """Homes and institutions with coordinates."""
    async with street.connection() as conn:
        await store.save(conn, store.parse(FILE))
        await conn.execute("UPDATE elder SET latitude = 29.52, longitude = 106.51 WHERE id = 'elder-1'")


@pytest.mark.parametrize(("size", "language"), [(DESK, "zh"), (PHONE, "en")], ids=["desk", "phone"])
async def test_pages_are_usable_by_everybody(
    busy_street: int, placed: None, open_page: OpenPage, size: ViewportSize, language: str
) -> None:
    page = await open_page("/elders", account="root", size=size, language=language)
    home = page.url.removesuffix("/elders")
    for path in PAGES:
        await page.goto(home + path)
        await expect(page.locator("main")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
        assert await faults(page) == [], path
    await page.locator("button.menu").click()
    await expect(page.locator("#menu a[href='/wall']")).to_be_visible()
    assert await faults(page) == []


async def test_an_elder_is_searched_and_opened_by_keys_alone(busy_street: int, placed: None, open_page: OpenPage) -> None:
    page = await open_page("/elders")
    await page.keyboard.type("建国")
    await expect(page.locator("#found tbody tr")).to_have_count(1)
    await page.keyboard.press("Tab")
    await page.keyboard.press("/")  # back to the field, what was typed is replaced
    await page.keyboard.type("秀英")
    await expect(page.locator("#found a.open")).to_have_text("王秀英")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text("王秀英")
    await expect(page.locator(".chart canvas")).to_be_visible()
    await expect(page.locator(".map .pin.home")).to_have_text("王秀英")


async def test_a_place_on_the_map_is_opened_by_keys_and_stands_on_a_plain_grid(placed: None, open_page: OpenPage) -> None:
    page = await open_page("/institutions?elder=elder-1")
    await expect(page.locator(".map .square").first).to_be_attached()
    await expect(page.locator(".leaflet-control-scale-line")).to_contain_text("m")
    marker = page.get_by_role("button", name="人民医院")
    await marker.focus()
    await page.keyboard.press("Enter")
    popup = page.locator(".leaflet-popup")
    await expect(popup).to_contain_text("河湾大道 1 号")
    await expect(popup.locator("a[href^='tel:']")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(popup).to_have_count(0)
    await expect(marker).to_be_focused()


async def test_the_wall_follows_by_itself_and_says_when_it_is_blind(street: Pool, app: FastAPI, open_page: OpenPage, placed: None) -> None:
    page = await open_page("/wall", size=WIDE, expects_errors=True)
    await expect(page.locator("#wall .queue tr").nth(1).locator("td").first).to_have_text("0")
    await open_alert(street, rule_id="sos", now=app.state.web.clock())
    await expect(page.locator("#wall .queue tr").nth(1).locator("td").first).to_have_text("1")
    assert await page.evaluate("document.documentElement.scrollHeight") <= WIDE["height"]
    await page.context.set_offline(True)
    app.state.web.live.stop()
    await expect(page.locator("#stale")).to_be_visible(timeout=20_000)
    await page.context.set_offline(False)
    await expect(page.locator("#stale")).to_be_hidden(timeout=20_000)
