"""An urgent visit in a running day: who is asked and why, and what becomes of the stops behind it."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from psycopg.errors import LockNotAvailable

from backend.config import PlanConfig, RouterConfig
from backend.db.pool import Connection, Pool
from backend.dispatch import candidate_store, progress_store, round_store, running
from backend.dispatch import store as dispatch
from backend.dispatch.lifecycle import DeclineReason, SkipReason
from tests.backend.dispatch import rounds
from tests.backend.dispatch.test_day_store import DAY, MORNING, PLACES
from tests.backend.dispatch.test_roads import Router, router  # noqa: F401
from tests.backend.street import one

LI, YANG = "doctor-li", "doctor-yang"
NINE = MORNING + timedelta(hours=1)


@pytest.fixture
async def dues(street: Connection) -> list[int]:
    """Dr Li has stops at 9:00, 9:30, ... near home-1, Dr Yang one at 9:00 far away; the urgent home is elder-1, a patient of Dr Li."""
    await street.execute(PLACES)
    await street.execute("UPDATE team SET latitude = 29.50, longitude = 106.50")
    stops = [(f"home-{number}", "other", [LI]) for number in (1, 2, 3, 4)]
    return await rounds.publish(street, DAY, NINE, [*stops, ("home-9", "other", [YANG])])


async def ask(conn: Connection, now: Any = NINE) -> int:
    return await dispatch.request(conn, elder_id="elder-1", alert_id=None, visit_class="urgent", reason="跌倒", by="system", now=now)


async def taken(conn: Connection, now: datetime) -> int:
    """An urgent visit that Dr Li has accepted."""
    visit_id = await ask(conn, now)
    async with conn.transaction():
        await dispatch.assign(conn, visit_id, doctor_id=LI, by="li", now=now)
    return visit_id


async def test_a_candidate_comes_between_stops_and_says_what_others_pay(street: Connection, dues: list[int]) -> None:
    now = NINE + timedelta(minutes=5)  # Dr Li is at home-1 until 9:20, and home-2 is next
    found = {one.doctor_id: one for one in await candidate_store.candidates_for(street, "elder-1", now=now)}
    li, yang = found[LI], found[YANG]
    assert li.way_s is not None
    assert yang.way_s is not None
    assert li.way_s >= 45 * 60, "what has begun and is next comes first"
    assert li.terms().get("others", 0.0) == li.others_s
    assert yang.way_s < 20 * 60, "who has not set out can leave at once"


async def test_the_curve_of_the_team_is_the_way_of_who_has_no_plan(street: Connection) -> None:
    await street.execute(PLACES)
    await street.execute("UPDATE team SET latitude = 29.50, longitude = 106.50")
    [before, *_] = await candidate_store.candidates_for(street, "elder-1", now=NINE)
    await street.execute("INSERT INTO travel_curve VALUES ('team-a', 60, 0, 30, 99, 5, now()), ('team-b', 60, 0, 30, 99, 5, now())")
    [after, *_] = await candidate_store.candidates_for(street, "elder-1", now=NINE)
    km = (before.way_s - 6.2 * 60) / (1.34 * 60)  # type: ignore[operator]
    assert after.way_s == pytest.approx(60 + 30 * km)


async def test_a_router_is_asked_before_the_curve(street: Connection, router: Router) -> None:  # noqa: F811
    await street.execute(PLACES)
    await street.execute("UPDATE team SET latitude = 29.50, longitude = 106.50")
    habits = PlanConfig(router=RouterConfig(url=router.url, limit_s=5))
    [first, *_] = await candidate_store.candidates_for(street, "elder-1", now=NINE, habits=habits)
    assert first.way_s == 270.0
    router.spoils = "broken"
    [first, *_] = await candidate_store.candidates_for(street, "elder-1", now=NINE, habits=habits)
    assert first.way_s != 270.0


async def test_stops_behind_an_urgent_visit_move_and_those_begun_and_next_do_not(street: Connection, dues: list[int]) -> None:
    now = NINE + timedelta(minutes=5)
    before = await round_store.of_doctor(street, LI, DAY)
    visit_id = await taken(street, now)
    assert await running.make_room(street, visit_id, LI, now=now) >= 1
    after = await round_store.of_doctor(street, LI, DAY)
    assert [(row["due_id"], row["starts_at"]) for row in after[:2]] == [(row["due_id"], row["starts_at"]) for row in before[:2]]
    told = {row["due_id"]: row["promised_at"] for row in before}
    assert all(row["promised_at"] == told[row["due_id"]] for row in after), "what was promised is still known"
    moved = await round_store.of_doctor(street, YANG, DAY)
    assert {row["due_id"] for row in after} | {row["due_id"] for row in moved} == set(dues), "who could not wait has another doctor"
    promised = "SELECT count(*) AS n FROM due_visit d JOIN plan_stop p ON p.due_id = d.id WHERE p.doctor_id <> d.promised_doctor_id"
    assert (await one(street, promised))["n"] == 0, "the family is told who comes now"
    assert after[2]["starts_at"] - after[1]["ends_at"] > timedelta(minutes=25), "the urgent visit is between"
    assert await running.make_room(street, await ask(street, now), "doctor-cao", now=now) == 0, "no plan, nothing to move"


async def test_a_day_that_is_full_gives_visits_back_to_the_list(street: Connection, dues: list[int]) -> None:
    await street.execute("UPDATE shift SET starts_at = %(from)s, ends_at = %(to)s", {"from": MORNING, "to": NINE + timedelta(minutes=125)})
    await street.execute("UPDATE plan_stop SET starts_at = starts_at + interval '5 minutes', ends_at = ends_at + interval '10 minutes'")
    await street.execute("DELETE FROM shift WHERE doctor_id <> 'doctor-li'")
    now = NINE - timedelta(minutes=20)
    moved = await running.make_room(street, await taken(street, now), LI, now=now)
    assert moved >= 1
    left = await one(street, "SELECT count(*) AS n FROM plan_stop p JOIN due_visit d ON d.id = p.due_id "
                             "WHERE p.skip_reason = 'urgent_visit' AND d.promised_at IS NULL AND d.state = 'due'")  # fmt: skip
    skipped = await one(street, "SELECT count(*) AS n FROM plan_stop WHERE skipped_at IS NOT NULL")
    assert left == skipped


async def test_a_day_that_cannot_be_worked_out_stops_no_offer(street: Connection, dues: list[int]) -> None:
    await street.execute("ALTER TABLE plan_stop RENAME COLUMN leg_min TO gone")
    async with street.transaction():
        found = await candidate_store.candidates_for(street, "elder-1", now=NINE)
        assert {LI, YANG} <= {one.doctor_id for one in found}
        assert (await one(street, "SELECT 1 AS n"))["n"] == 1, "the transaction around it goes on"


async def test_room_that_could_not_be_made_is_made_later(street: Connection, dues: list[int]) -> None:
    now = NINE + timedelta(minutes=5)
    await taken(street, now)
    await street.execute("ALTER TABLE plan_stop RENAME COLUMN leg_min TO gone")
    assert await running.make_due_room(street, now=now), "it fails, and the visit is accepted all the same"
    await street.execute("ALTER TABLE plan_stop RENAME COLUMN gone TO leg_min")
    before = await round_store.of_doctor(street, LI, DAY)
    assert not await running.make_due_room(street, now=now)
    later = now + running.ROOM_AGAIN
    assert await running.make_due_room(street, now=later)
    assert await round_store.of_doctor(street, LI, DAY) != before
    assert not await running.make_due_room(street, now=later + timedelta(hours=1)), "once it is made, it is made"


async def round_of(conn: Connection, doctor_id: str = LI) -> list[tuple[Any, ...]]:
    stops = await round_store.of_doctor(conn, doctor_id, DAY)
    return [(row["due_id"], row["starts_at"], row["promised_at"], row["skip_reason"]) for row in stops]


@pytest.mark.parametrize("end", ["released", "cancelled", "replaced"])
async def test_who_has_an_urgent_visit_no_longer_has_the_room_back(street: Connection, dues: list[int], end: str) -> None:
    now = NINE + timedelta(minutes=5)
    before = await round_of(street)
    visit_id = await taken(street, now)
    assert await running.make_due_room(street, now=now)
    assert not set(await round_of(street)) <= set(before), "somebody waits longer"
    async with street.transaction():
        if end == "released":
            await dispatch.release(street, visit_id, doctor_id=LI, by="li", reason=DeclineReason.WITH_PATIENT, now=now)
        elif end == "cancelled":
            await dispatch.cancel(street, visit_id, by="wang", reason="误报", now=now)
        else:
            await dispatch.assign(street, visit_id, doctor_id=YANG, by="wang", now=now)
    assert await running.make_due_room(street, now=now)
    after = await round_of(street)
    assert set(after) <= set(before), "as it was promised; what another doctor makes by now stays there"
    assert len(after) + len(await round_of(street, YANG)) == len(dues)
    assert not await running.make_due_room(street, now=now + timedelta(hours=1))


OWED = "SELECT room_of, room_owed, room_at IS NOT NULL AS waits FROM visit"


async def test_who_has_it_now_has_room_though_the_last_doctors_day_cannot_be_changed(street: Connection, dues: list[int]) -> None:
    now = NINE + timedelta(minutes=5)
    before = await round_of(street)
    visit_id = await taken(street, now)
    assert await running.make_due_room(street, now=now)
    async with street.transaction():
        await dispatch.assign(street, visit_id, doctor_id=YANG, by="wang", now=now)
    # giving back fails, making room does not
    await street.execute(
        "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$; "
        "CREATE TRIGGER fails BEFORE UPDATE OF room_owed ON visit FOR EACH ROW "
        "WHEN (cardinality(new.room_owed) < cardinality(old.room_owed)) EXECUTE FUNCTION fails()"
    )
    assert await running.make_due_room(street, now=now)
    assert await one(street, OWED) == {"room_of": YANG, "room_owed": [LI], "waits": True}
    yangs = await round_of(street, YANG)
    later = now + running.ROOM_AGAIN
    assert await running.make_due_room(street, now=later)
    assert await round_of(street, YANG) == yangs, "not made once more"
    await street.execute("DROP TRIGGER fails ON visit")
    assert await running.make_due_room(street, now=later + running.ROOM_AGAIN)
    assert await one(street, OWED) == {"room_of": YANG, "room_owed": [], "waits": False}
    assert set(await round_of(street)) <= set(before), "the last doctor's day is as it was promised"
    assert not await running.make_due_room(street, now=later + timedelta(hours=1))


async def test_what_an_urgent_visit_pushed_out_comes_back_when_it_is_not_made(street: Connection, dues: list[int]) -> None:
    await street.execute("UPDATE shift SET starts_at = %(from)s, ends_at = %(to)s", {"from": MORNING, "to": NINE + timedelta(minutes=118)})
    await street.execute("DELETE FROM shift WHERE doctor_id <> 'doctor-li'")
    now = NINE - timedelta(minutes=20)
    visit_id = await taken(street, now)
    assert await running.make_due_room(street, now=now)
    pushed = [row for row in await round_of(street) if row[3] is not None]
    assert pushed
    async with street.transaction():
        await dispatch.cancel(street, visit_id, by="wang", reason="误报", now=now)
    assert await running.make_due_room(street, now=now)
    after = await round_of(street)
    assert all(row[3] is None for row in after)
    assert all(promised is not None and abs(starts - promised) <= timedelta(minutes=30) for _, starts, promised, _ in after)
    assert all(one[1] + timedelta(minutes=20) <= other[1] for one, other in pairwise(after))


async def test_no_room_is_made_for_who_was_replaced_meanwhile(street: Connection, dues: list[int]) -> None:
    now = NINE + timedelta(minutes=5)
    before = await round_of(street)
    visit_id = await taken(street, now)
    async with street.transaction():
        await dispatch.assign(street, visit_id, doctor_id="doctor-cao", by="wang", now=now)
    assert await running.make_room(street, visit_id, LI, now=now) == 0
    assert await round_of(street) == before


async def test_two_urgent_visits_taken_at_once_both_have_room(pool: Pool, street: Connection, dues: list[int]) -> None:
    now = NINE + timedelta(minutes=5)
    for _ in range(2):
        await taken(street, now)

    async def make() -> bool:
        async with pool.connection() as conn:
            return await running.make_due_room(conn, now=now)

    assert sorted(await asyncio.gather(make(), make(), make())) == [False, True, True]
    assert (await one(street, "SELECT count(*) AS n FROM visit WHERE room_at IS NOT NULL"))["n"] == 0
    stops = [row for row in await round_store.of_doctor(street, LI, DAY) if row["skipped_at"] is None]
    assert all(one["ends_at"] <= other["starts_at"] for one, other in pairwise(stops))
    assert all(other["starts_at"] - stops[1]["ends_at"] > 2 * timedelta(minutes=25) for other in stops[2:]), "both are between"
    assert len(stops) >= 2


async def test_a_change_of_the_day_waits_for_another(pool: Pool, street: Connection, dues: list[int]) -> None:
    async with pool.connection() as other, other.transaction():
        await progress_store.lock_day(other, "team-a", DAY)
        await street.execute("SET lock_timeout = '50ms'")
        with pytest.raises(LockNotAvailable):
            async with street.transaction():
                await round_store.skip(street, dues[0], doctor_id=LI, reason=SkipReason.REFUSED, by="li", now=NINE)
        with pytest.raises(LockNotAvailable):
            async with street.transaction():
                await progress_store.lock_day(street, "team-a", DAY)
    async with street.transaction():
        begun = await round_store.begin(street, dues[0], doctor_id=LI, by="li", now=NINE)
    async with pool.connection() as other, other.transaction():
        await round_store.begin(other, dues[0], doctor_id=LI, by="li", now=NINE)
        with pytest.raises(LockNotAvailable):  # as `steps.finish` does, before it locks the visit
            await progress_store.lock_dues_of(street, begun.visit_id)
