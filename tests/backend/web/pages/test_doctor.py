"""The doctor's page."""

import pytest

from backend.db.pool import Pool
from backend.dispatch import store as dispatch
from backend.dispatch.progress_store import ZONE
from backend.people import accounts
from tests.backend.dispatch import rounds
from tests.backend.street import NOW, one, rows
from tests.backend.web.conftest import PASSWORD, Clock, SignedIn, offer_visit, open_alert, pass_offer_on
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


async def plan(pool: Pool, clock: Clock, *doctors: str) -> list[int]:
    """A published plan of today: a stop of elder-1 for each doctor, then one of elder-2 for the first."""
    async with pool.connection() as conn:
        await accounts.set_pin(conn, "li", "4711")
        homes = [("elder-1", "hypertension_followup", [doctor]) for doctor in doctors] + [("elder-2", "other", [doctors[0]])]
        return await rounds.publish(conn, clock.at.astimezone(ZONE).date(), clock.at, homes)


FORM = {
    "findings": "头晕", "outcome": "treated", "sheet": "hypertension", "pin": "4711", "hypertension.blood_pressure_systolic": "168",
    "hypertension.blood_pressure_diastolic": "96",
}  # fmt: skip


async def test_a_stop_of_the_plan_goes_its_way_and_its_findings_fill_the_due_list(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    first, second = await plan(street, clock, "doctor-li")
    client = await signed_in("li")
    page = text_of(await client.get("/doctor"))
    for expected in ("今日计划", "王秀英 高血压随访", "张建国", "11:12"):
        assert expected in page
    for step in ("depart", "arrive"):
        assert (await client.post(f"/doctor/stops/{first}/{step}", headers=PART)).status_code == 200
    advice = await client.post(f"/doctor/stops/{first}/advice", data=FORM, headers=PART)
    assert text_of(advice).strip() == "高血压随访: 首次控制不满意 (血压未达标) 下次 2026-03-15 前"
    unfinished = await client.post(f"/doctor/stops/{first}/advice", data={"sheet": "hypertension"}, headers=PART)
    assert unfinished.status_code == 422
    wrong = await client.post(f"/doctor/stops/{first}/finish", data=FORM | {"pin": "0000"}, headers=PART)
    assert (wrong.status_code, "PIN" in wrong.text) == (403, True)
    page = text_of(await client.post(f"/doctor/stops/{first}/finish", data=FORM, headers=PART))
    assert "首次控制不满意" in page
    assert "下次 2026-03-15 前" in page
    assert (await client.post(f"/doctor/stops/{second}/skip", data={"reason": "in_hospital"}, headers=PART)).status_code == 200
    async with street.connection() as conn:
        listed = await rows(conn, "SELECT kind, state, due_on::text, source FROM due_visit ORDER BY id")
    assert listed == [
        {"kind": "hypertension_followup", "state": "done", "due_on": "2026-03-01", "source": "import"},
        {"kind": "other", "state": "due", "due_on": "2026-03-01", "source": "import"},
        {"kind": "two_week_check", "state": "due", "due_on": "2026-03-15", "source": "findings"},
    ]


async def test_the_doctor_may_set_another_next_date_after_today(signed_in: SignedIn, street: Pool, clock: Clock) -> None:
    first, _ = await plan(street, clock, "doctor-li")
    client = await signed_in("li")
    for step in ("depart", "arrive"):
        await client.post(f"/doctor/stops/{first}/{step}", headers=PART)
    url, well = (
        f"/doctor/stops/{first}/finish",
        FORM | {"hypertension.blood_pressure_systolic": "128", "hypertension.blood_pressure_diastolic": "80"},
    )
    assert (await client.post(url, data=well | {"next_on": "2026-03-01"}, headers=PART)).status_code == 422
    assert (await client.post(url, data=well | {"next_on": "2026-04-20"}, headers=PART)).status_code == 200
    async with street.connection() as conn:
        assert await one(conn, "SELECT kind, opens_on::text, due_on::text FROM due_visit WHERE source = 'findings'") == {
            "kind": "hypertension_followup", "opens_on": "2026-04-06", "due_on": "2026-04-20",
        }  # fmt: skip


async def test_what_a_doctor_wrote_for_a_visit_that_has_gone_is_kept_as_a_note(signed_in: SignedIn, street: Pool) -> None:
    visit_id = await offer_visit(street)
    note = {"text": "门没有关"}
    again = {"Idempotency-Key": "b2a4e0c1-5ec0-4c55-9a57-6d1f6a1a2b3c", "Said-At": "2026-03-01T03:12:00+00:00"}
    for _ in range(2):
        assert (await (await signed_in("li")).post(f"/doctor/visits/{visit_id}/note", data=note, headers=PART | again)).status_code == 204
    assert (await (await signed_in("cao")).post(f"/doctor/visits/{visit_id}/note", data=note, headers=PART)).status_code == 404
    async with street.connection() as conn:
        await dispatch.assign(conn, visit_id, doctor_id="doctor-yang", by="wang", now=NOW)
    assert text_of(await (await signed_in("yang")).get("/doctor")).count("李医生 门没有关") == 1


async def test_setting_a_pin_begins_no_session(signed_in: SignedIn, street: Pool) -> None:
    client = await signed_in("li")
    async with street.connection() as conn:
        before = await one(conn, "SELECT count(*) AS n FROM session")
        assert (await client.post("/doctor/pin", data={"password": PASSWORD, "pin": "4711"})).status_code == 303
        assert (await client.post("/doctor/pin", data={"password": "wrong", "pin": "4712"})).status_code == 422
        assert await one(conn, "SELECT count(*) AS n FROM session") == before
        assert await accounts.check_pin(conn, "li", "4711", now=NOW)


async def test_operators_have_no_doctors_page(signed_in: SignedIn) -> None:
    assert (await (await signed_in("wang")).get("/doctor")).status_code == 404
