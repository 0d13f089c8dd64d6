"""Signed records: written once, and the class of the one before counts."""

from datetime import date

import psycopg
import pytest

from backend.db.pool import Connection
from backend.dispatch import store as dispatch
from backend.people import accounts
from backend.records import store as records
from backend.records.followup import Condition, Control, Found, judge
from backend.records.forms import Answers
from backend.records.store import Record
from tests.backend.street import NOW, TODAY, one, seconds

H = Condition.HYPERTENSION


async def record(conn: Connection, *, systolic: float, later_s: float = 0) -> Record:
    visit_id = await dispatch.request(
        conn, elder_id="elder-1", alert_id=None, visit_class="by_date", reason="随访", by="system", now=NOW + seconds(later_s)
    )
    before = await records.previous(conn, "elder-1", H)
    advice = judge(H, Found(80, systolic, 80), previous=before, on=TODAY)
    answers: dict[str, Answers] = {"hypertension": {"blood_pressure_systolic": systolic, "blood_pressure_diastolic": 80.0}}
    return Record(visit_id, "elder-1", answers, {H: advice}, "头晕", "", advice.next_on)


@pytest.fixture
async def signed(street: Connection) -> Connection:
    await accounts.add(street, name="li", role="doctor", title="李医生", password="password-li", doctor_id="doctor-li")
    return street


async def test_the_second_follow_up_that_is_not_satisfied_refers(signed: Connection) -> None:
    for number, control in enumerate([Control.FIRST_NOT, Control.SECOND_NOT]):
        found = await record(signed, systolic=160, later_s=number)
        await records.save(signed, found, by="li", now=NOW + seconds(number))
        assert await records.previous(signed, "elder-1", H) is control
    assert await one(signed, "SELECT refer, next_on FROM visit_record ORDER BY signed_at DESC LIMIT 1") == {
        "refer": True,
        "next_on": date(2026, 3, 15),
    }


async def test_only_changes_are_typed(signed: Connection) -> None:
    for number, systolic in enumerate([150.0, 140.0]):
        await records.save(signed, await record(signed, systolic=systolic, later_s=number), by="li", now=NOW + seconds(number))
    assert (await records.last_answers(signed, "elder-1"))["hypertension"]["blood_pressure_systolic"] == 140
    assert await records.last_answers(signed, "elder-2") == {}


async def test_a_signed_record_is_never_changed(signed: Connection) -> None:
    found = await record(signed, systolic=120)
    await records.save(signed, found, by="li", now=NOW)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="never changed"):
        await signed.execute("UPDATE visit_record SET refer = true")
    with pytest.raises(psycopg.errors.UniqueViolation):
        await records.save(signed, found, by="li", now=NOW)


async def test_what_is_signed_has_a_digest_that_any_change_changes(signed: Connection) -> None:
    await records.save(signed, await record(signed, systolic=120), by="li", now=NOW)
    first = (await one(signed, "SELECT digest FROM visit_record"))["digest"]
    assert first != records.digest_of({"anything": "else"})
    assert len(first) == 64


async def test_a_pin_locks_after_five_wrong_ones_and_none_is_no_pin(signed: Connection) -> None:
    assert await accounts.check_pin(signed, "li", "", now=NOW)
    await accounts.set_pin(signed, "li", "4711")
    assert not await accounts.check_pin(signed, "li", "", now=NOW)
    for _ in range(4):
        assert not await accounts.check_pin(signed, "li", "0000", now=NOW)
    assert not await accounts.check_pin(signed, "li", "4711", now=NOW)
    assert await accounts.check_pin(signed, "li", "4711", now=NOW + accounts.LOCK)
    assert not await accounts.check_pin(signed, "nobody", "4711", now=NOW)
