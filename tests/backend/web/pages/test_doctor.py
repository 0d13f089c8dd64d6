"""The doctor's page."""

import pytest

from backend.db.pool import Pool
from tests.backend.web.conftest import Clock, SignedIn, offer_visit, open_alert, pass_offer_on
from tests.backend.web.pages.test_operator import PART, text_of

pytestmark = pytest.mark.store


async def test_an_offer_says_why_where_and_what_happened(signed_in: SignedIn, street: Pool) -> None:
    await offer_visit(street, alert_id=await open_alert(street))
    text = text_of(await (await signed_in("li")).get("/doctor"))
    for expected in ("您签约的居民", "王秀英", "幸福里 1 号", "血氧偏低", "紧急：60 分钟内到", "接单", "无法前往"):
        assert expected in text


async def test_an_offer_shows_when_it_ends(signed_in: SignedIn, street: Pool) -> None:
    await offer_visit(street)
    assert 'class="until" datetime="2026-03-01T03:13:00+00:00"' in (await (await signed_in("li")).get("/doctor")).text


async def test_a_doctor_who_is_not_asked_sees_no_offer(signed_in: SignedIn, street: Pool) -> None:
    await offer_visit(street)
    assert "暂无派单" in text_of(await (await signed_in("yang")).get("/doctor"))


async def test_a_visit_is_led_step_by_step_to_its_findings(signed_in: SignedIn, street: Pool) -> None:
    visit_id = await offer_visit(street, alert_id=await open_alert(street))
    client = await signed_in("li")
    next_button = {"accept": "我已出发", "depart": "我已到达", "arrive": "出诊记录"}
    for step, expected in next_button.items():
        assert expected in text_of(await client.post(f"/doctor/visits/{visit_id}/{step}", headers=PART))
    form = {"findings": "血氧 95 %", "outcome": "treated"}
    text = text_of(await client.post(f"/doctor/visits/{visit_id}/finish", data=form, headers=PART))
    assert "王秀英 血氧偏低 · 已在家中处理 血氧 95 %" in text


async def test_an_accepted_visit_shows_whom_to_call_and_what_to_know(signed_in: SignedIn, street: Pool) -> None:
    async with street.connection() as conn:
        await conn.execute("UPDATE elder SET allergies = '{青霉素}', latitude = 21.27, longitude = 110.36 WHERE id = 'elder-1'")
    visit_id = await offer_visit(street)
    client = await signed_in("li")
    page = await client.post(f"/doctor/visits/{visit_id}/accept", headers=PART)
    for expected in ("青霉素", "王芳", "geo:21.27,110.36", "tel:13800000001"):
        assert expected in page.text


async def test_who_was_too_slow_hears_it_plainly(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    visit_id = await offer_visit(street)
    async with street.connection() as conn:
        clock.advance(60)
        await pass_offer_on(conn, now=clock.at)
    await (await signed_in("yang")).post(f"/doctor/visits/{visit_id}/accept", headers=PART)
    answer = await (await signed_in("li")).post(f"/doctor/visits/{visit_id}/accept", headers=PART)
    assert (answer.status_code, answer.text) == (409, "已被杨医生抢先接下。")


async def test_operators_have_no_doctors_page(signed_in: SignedIn) -> None:
    assert (await (await signed_in("wang")).get("/doctor")).status_code == 404
