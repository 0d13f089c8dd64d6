"""The pages of families, and the staff's side of them, by WCAG 2.2 AA: at the width of a telephone, in both languages and schemes."""

from typing import Literal

import pytest

from backend.db.pool import Pool
from backend.people import families
from tests.backend.web.conftest import Clock, consent, open_alert
from tests.backend.web.in_browser import IN_BROWSER, PHONE, OpenPage, browser, busy_street, clock, faults, open_page, url

__all__ = ["browser", "busy_street", "clock", "open_page", "url"]

pytestmark = IN_BROWSER


@pytest.mark.parametrize(("language", "scheme"), [("zh", "light"), ("en", "dark")])
async def test_every_page_around_families_keeps_the_rules_of_wcag(
    busy_street: int, street: Pool, clock: Clock, open_page: OpenPage, language: str, scheme: Literal["light", "dark"]
) -> None:
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
        await page.emulate_media(color_scheme=scheme)
        found += [f"{path}: {fault}" for fault in await faults(page)]
        await page.context.close()
    assert found == []
