"""The card's own routes: who may set and see a picture, and a live view from the button to the gateway's word that it is over."""

import json
from datetime import timedelta

import pytest

from backend.commands import store as commands
from backend.db.pool import Pool
from backend.people.photos import BYTES_MAX
from contract.commands import COMMAND, LiveView
from tests.backend.street import NOW, one, rows
from tests.backend.web.conftest import Clock, SignedIn, open_case
from tests.backend.web.pages.test_operator import PART, text_of

pytestmark = pytest.mark.store

JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
PHOTO = "/operator/elders/elder-1/photo"


async def test_a_picture_is_set_by_an_administrator_and_seen_by_operators_alone(signed_in: SignedIn, street: Pool) -> None:
    root, wang, doctor = [await signed_in(name) for name in ("root", "wang", "li")]
    assert (await wang.get(PHOTO)).status_code == 404
    assert 'class="face" aria-hidden' in (await wang.get("/operator/elders/elder-1")).text
    assert (await wang.post(PHOTO, files={"photo": ("a.jpg", JPEG)})).status_code == 404
    assert (await root.post(PHOTO, files={"photo": ("a.jpg", JPEG)})).status_code == 303
    seen = await wang.get(PHOTO)
    assert (seen.content, seen.headers["content-type"], seen.headers["cache-control"]) == (JPEG, "image/jpeg", "no-store")
    assert f'src="{PHOTO}"' in (await wang.get("/operator/elders/elder-1")).text
    assert (await doctor.get(PHOTO)).status_code == 404
    async with street.connection() as conn:
        assert [row["action"] for row in await rows(conn, "SELECT action FROM audit WHERE action LIKE 'photo%'")] == ["photo_set"]
    assert (await root.post(PHOTO, files={"photo": ("", b"")})).status_code == 303
    assert (await wang.get(PHOTO)).status_code == 404


@pytest.mark.parametrize("image", [b"<svg onload=alert(1)>", b"GIF89a" + bytes(50), JPEG + bytes(BYTES_MAX)], ids=["svg", "gif", "large"])
async def test_what_is_no_small_picture_is_refused(signed_in: SignedIn, image: bytes) -> None:
    assert (await (await signed_in("root")).post(PHOTO, files={"photo": ("a.jpg", image)})).status_code in (413, 422)


async def test_a_live_view_is_asked_for_shown_as_it_goes_on_and_over(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    case_id = await open_case(street)
    wang = await signed_in("wang")
    vitals = f"/operator/elders/elder-1/vitals?case={case_id}"
    form = {"case_id": str(case_id)}
    assert (await wang.post("/operator/elders/elder-1/live", data=form, headers=PART)).status_code == 422  # its gateway is off line
    async with street.connection() as conn:
        await conn.execute("UPDATE gateway SET online = true WHERE id = 'gw-1'")
    assert "实时查看 V" in text_of(await wang.get(vitals))
    assert "正在请求家中实时数据" in text_of(await wang.post("/operator/elders/elder-1/live", data=form, headers=PART))
    async with street.connection() as conn, conn.transaction():
        [(gateway_id, payload)] = await commands.take_due(conn, now=clock.at)
        asked = COMMAND.validate_json(payload)
        await commands.done(conn, gateway_id, [asked.id], now=clock.at)
        status = json.dumps({"live_until": (NOW + timedelta(seconds=300)).isoformat()})
        await conn.execute("UPDATE gateway SET status = %s WHERE id = 'gw-1'", (status,))
    assert (gateway_id, asked) == ("gw-1", LiveView(id=asked.id, until=NOW + timedelta(seconds=300)))
    assert "● 实时查看" in text_of(await wang.get(vitals))
    assert "实时查看至 11:17:00" in text_of(await wang.get(f"/operator/cases/{case_id}/story"))
    clock.advance(301)
    assert "实时查看 V" in text_of(await wang.get(vitals))


async def test_a_live_view_of_another_elder_or_by_a_doctor_is_refused(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    form = {"case_id": str(case_id)}
    assert (await (await signed_in("wang")).post("/operator/elders/elder-2/live", data=form)).status_code == 404
    assert (await (await signed_in("li")).post("/operator/elders/elder-1/live")).status_code == 404
    async with street.connection() as conn:
        assert (await one(conn, "SELECT count(*) AS n FROM command"))["n"] == 0


async def test_the_band_on_a_chart_is_the_elders_own_where_there_is_an_override(signed_in: SignedIn, street: Pool) -> None:
    case_id = await open_case(street)
    async with street.connection() as conn:
        await conn.execute(
            "INSERT INTO rule_override (elder_id, rule_id, patch, reason, by, created_at, until) "
            """VALUES ('elder-1', 'spo2_low', '{"levels": [{"name": "urgent", "below": 85}]}', '慢阻肺', 'root', now(), '2099-12-31')"""
        )
    text = text_of(await (await signed_in("wang")).get(f"/operator/cases/{case_id}"))
    assert "&lt; 85 · 个人限值" in text
    assert "&lt; 88" not in text
