"""The map of institutions: the nearest open one, one touch to call, one to go there."""

from datetime import datetime

import pytest

from backend.db.pool import Connection, Pool
from backend.institutions import store
from tests.backend.web.conftest import Clock, SignedIn
from tests.backend.web.pages.test_operator import text_of

HOME = (29.52, 106.51)
FILE = """id,kind,name,address,phone,latitude,longitude,hours
near,clinic,巷口诊所,柳树巷 1 号,000 0009 0500,29.521,106.511,Mo-Fr 08:00-12:00
far,hospital,人民医院,河湾大道 1 号,000 0009 0400,29.56,106.56,24/7
unknown,clinic,不知时间诊所,柳树巷 2 号,,29.5201,106.5101,
nowhere,nursing,上门护理站,小草路 12 号,000 0009 0700,,,24/7
"""


@pytest.mark.store
@pytest.mark.parametrize(
    ("local", "nearest"), [((2026, 3, 2, 9, 0), "near"), ((2026, 3, 2, 3, 12), "far")], ids=["monday 09:00", "monday 03:12"]
)
async def test_the_nearest_open_one_depends_on_the_hour(conn: Connection, local: tuple[int, int, int, int, int], nearest: str) -> None:
    await store.save(conn, store.parse(FILE))
    found = await store.listed(conn, near=HOME, limit=3)
    assert ([row["id"] for row in found.rows], found.total) == (["unknown", "near", "far"], 4)
    assert (await store.listed(conn, near=HOME)).rows[-1]["id"] == "nowhere", "no coordinates: last"
    hours = await store.open_hours(conn, datetime(*local))
    assert (await store.listed(conn, near=HOME, hours=hours, limit=1)).rows[0]["id"] == nearest


@pytest.mark.store
async def test_beside_an_elder_the_nearest_comes_first_and_the_look_is_written_down(
    signed_in: SignedIn, street: Pool, clock: Clock
) -> None:
    async with street.connection() as conn:
        await store.save(conn, store.parse(FILE))
        await conn.execute("UPDATE elder SET latitude = 29.52, longitude = 106.51 WHERE id = 'elder-1'")
    page = await (await signed_in("wang")).get("/institutions?elder=elder-1")
    assert text_of(page).index("最近的营业机构") < text_of(page).index("人民医院") < text_of(page).index("不知时间诊所")
    assert 'href="tel:00000090400"' in page.text
    assert 'href="geo:29.56,106.56?q=29.56,106.56"' in page.text
    assert (await (await signed_in("cao")).get("/institutions?elder=elder-1")).status_code == 404
    async with street.connection() as conn:
        row = await (await conn.execute("SELECT count(*) AS n FROM audit WHERE subject = 'elder:elder-1' AND action = 'viewed'")).fetchone()
    assert row == {"n": 1}


@pytest.mark.store
async def test_only_administrators_change_the_directory(signed_in: SignedIn) -> None:
    form = {"id": "new-1", "kind": "clinic", "name": "新诊所", "hours": "08:00-17:30", "is_active": "true"}
    assert (await (await signed_in("wang")).post("/institutions", data=form)).status_code == 404
    admin = await signed_in("root")
    refused = await admin.post("/institutions", data=form | {"hours": "by day"})
    assert refused.status_code == 422
    assert "新诊所" in refused.text
    assert (await admin.post("/institutions", data=form)).status_code == 303
    assert "新诊所" in text_of(await admin.get("/institutions"))
    again = await admin.post("/institutions", data=form | {"name": "另一家"})
    assert again.status_code == 422
    assert "编号已被" in again.text
    assert (await admin.post("/institutions", data=form | {"name": "改名诊所", "is_known": "true"})).status_code == 303
    assert "改名诊所" in text_of(await admin.get("/institutions?open_only=true&search=诊所"))
    assert (await admin.get("/institutions?search=%00")).status_code == 422
    assert 'value="08:00-17:30"' in (await admin.get("/institutions/edit?id=new-1")).text
