"""The pages of families, and the staff's side of them, by WCAG 2.2 AA: at the width of a telephone, in both languages and schemes."""

import pytest

from backend.db.pool import Pool
from backend.people import families
from tests.backend.web.conftest import Clock, consent, open_alert
from tests.backend.web.test_browser import PHONE, OpenPage, browser, busy_street, clock, open_page, pytestmark, url
from tests.backend.web.test_desk_browser import AXE, FAULTS, WCAG

__all__ = ["browser", "busy_street", "clock", "open_page", "pytestmark", "url"]


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_around_families_keeps_the_rules_of_wcag(
    busy_street: int, street: Pool, clock: Clock, open_page: OpenPage, language: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not here: run `make web`")
    await open_alert(street, rule_id="sos", now=clock.at)
    waiting = await consent(street, "state", account=None, now=clock.at)
    async with street.connection() as conn:
        token = await families.invite(conn, "elder-1", waiting, by="wang", now=clock.at)
        await families.write_to_centre(conn, "elder-1", text="?", by="fang", now=clock.at)
        await families.write_to_family(conn, "elder-1", text="!", to_name=None, by="wang", now=clock.at)
    found = []
    for account, path in (
        ("fang", "/family"),
        ("wang", "/elders/elder-1/family"),
        ("wang", "/operator/letters"),
        ("li", "/operator/channels"),
        ("cao", f"/join/{token}"),
    ):
        page = await open_page(path, account=account, size=PHONE, language=language)
        await page.evaluate(AXE.read_text("utf-8"))
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            found += [f"{path} {scheme}: {fault}" for fault in await page.evaluate(FAULTS, WCAG)]
        await page.context.close()
    assert found == []
