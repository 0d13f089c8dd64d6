"""A published day on its way: stops become visits, are done or skipped, and a new plan leaves alone what has begun."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from backend.db.pool import Connection
from backend.dispatch import day_store, plan_store, round_store
from backend.dispatch import store as dispatch
from backend.dispatch.day import run
from backend.dispatch.lifecycle import Outcome, SkipReason
from backend.errors import BadInput, IllegalMove, NotFound, Taken
from tests.backend.dispatch import rounds
from tests.backend.dispatch.test_day_store import DAY, MORNING, PLACES, QUICK, add, due
from tests.backend.street import one, rows

LI, YANG = "doctor-li", "doctor-yang"
NINE = MORNING + timedelta(hours=1)


@pytest.fixture
async def dues(street: Connection) -> list[int]:
    """Three stops of Dr Li, one of them with the nurse, and one of Dr Yang; the first at 9:00."""
    await street.execute(PLACES)
    homes = [("home-1", (LI,)), ("home-2", (LI, "nurse-wu")), ("home-3", (LI,)), ("home-4", (YANG,))]
    return await rounds.publish(street, DAY, NINE, [(home, "hypertension_followup", doctors) for home, doctors in homes])


async def begin(conn: Connection, due_id: int, doctor_id: str = LI, now: datetime = NINE) -> int:
    async with conn.transaction():
        begun = await round_store.begin(conn, due_id, doctor_id=doctor_id, by=doctor_id, now=now)
        if begun.is_new:
            await dispatch.depart(conn, begun.visit_id, doctor_id=doctor_id, by=doctor_id, now=now)
    return begun.visit_id


async def finish(conn: Connection, visit_id: int, outcome: Outcome = Outcome.WELL, doctor_id: str = LI, now: datetime = NINE) -> None:
    async with conn.transaction():
        await dispatch.arrive(conn, visit_id, doctor_id=doctor_id, by=doctor_id, now=now)
        await dispatch.finish(conn, visit_id, doctor_id=doctor_id, findings="-", outcome=outcome, by=doctor_id, now=now)
        await round_store.finish(conn, visit_id, outcome, now=now)


async def skip(conn: Connection, due_id: int, reason: SkipReason = SkipReason.NOT_AT_HOME, doctor_id: str = LI) -> None:
    async with conn.transaction():
        await round_store.skip(conn, due_id, doctor_id=doctor_id, reason=reason, by=doctor_id, now=NINE)


async def state(conn: Connection, due_id: int) -> dict[str, Any]:
    return await one(conn, f"SELECT state, promised_at IS NOT NULL AS is_promised FROM due_visit WHERE id = {due_id}")


async def replan(conn: Connection, now: datetime) -> dict[int, str]:
    """A new plan, published: who goes where."""
    plan_id = await run.plan_now(conn, "team-a", DAY, by="test", seed=1, limit=QUICK, now=now)
    async with conn.transaction():
        await plan_store.publish(conn, plan_id, now=now)
    return {row["due_id"]: row["doctor_id"] for row in await plan_store.stops(conn, plan_id) if row["side"] == 0}


async def test_a_stop_becomes_a_visit_with_every_step_written_and_is_done(street: Connection, dues: list[int]) -> None:
    visit_id = await begin(street, dues[0])
    assert await begin(street, dues[0]) == visit_id, "to begin again changes nothing"
    await finish(street, visit_id)
    steps = await rows(street, "SELECT state, doctor_id FROM visit_step ORDER BY id")
    assert [row["state"] for row in steps] == ["requested", "accepted", "on_the_way", "at_home", "done"]
    assert await one(street, "SELECT why, answer FROM visit_offer") == {"why": "planned", "answer": "accepted"}
    assert await state(street, dues[0]) == {"state": "done", "is_promised": True}
    listed = await round_store.of_doctor(street, LI, DAY)
    assert [row["visit_state"] for row in listed] == ["done", None, None]


async def test_a_visit_of_two_is_done_when_both_were_there(street: Connection, dues: list[int]) -> None:
    [shown] = [row for row in await round_store.of_doctor(street, LI, DAY) if row["due_id"] == dues[1]]
    assert shown["partner_name"] == "吴护士"
    await finish(street, await begin(street, dues[1]))
    assert (await state(street, dues[1]))["state"] == "due"
    await finish(street, await begin(street, dues[1], "nurse-wu"), doctor_id="nurse-wu")
    assert (await state(street, dues[1]))["state"] == "done"


async def test_where_nobody_was_met_it_is_due_again_but_not_today(street: Connection, dues: list[int]) -> None:
    await finish(street, await begin(street, dues[0]), Outcome.NOT_MET)
    assert await state(street, dues[0]) == {"state": "due", "is_promised": False}
    day = await day_store.assemble(street, "team-a", DAY, now=NINE)
    assert dues[0] not in {one.id for one in day.dues}


async def test_who_met_nobody_can_go_again_on_another_day_and_a_day_that_is_over_gives_no_right(
    street: Connection, dues: list[int]
) -> None:
    await finish(street, await begin(street, dues[0]), Outcome.NOT_MET)
    await street.execute("UPDATE day_plan SET day = day - 1")
    await rounds.publish(street, DAY, NINE, [("home-9", "other", (LI,))])
    today = "(SELECT max(id) FROM day_plan)"
    await street.execute(f"UPDATE plan_stop SET due_id = {dues[0]} WHERE plan_id = {today}".encode())
    assert (await round_store.begin(street, dues[0], doctor_id=LI, by=LI, now=NINE)).is_new
    await street.execute(f"UPDATE plan_stop SET due_id = {dues[2]}, doctor_id = 'doctor-yang' WHERE plan_id = {today}".encode())
    with pytest.raises(Taken):
        await begin(street, dues[2])


async def test_a_skipped_stop_goes_back_to_the_list_with_its_reason(street: Connection, dues: list[int]) -> None:
    await begin(street, dues[0])
    await skip(street, dues[0])
    await skip(street, dues[0])
    await skip(street, dues[2], SkipReason.NO_TIME)
    assert (await one(street, "SELECT state FROM visit"))["state"] == "cancelled"
    assert await state(street, dues[0]) == {"state": "due", "is_promised": False}
    assert [row["skip_reason"] for row in await round_store.of_doctor(street, LI, DAY)] == ["not_at_home", None, "no_time"]
    with pytest.raises(IllegalMove):
        await begin(street, dues[0])
    planned = await replan(street, NINE - timedelta(hours=1))
    assert dues[0] not in planned
    assert dues[2] in planned, "who only had no time is planned again"


async def test_who_is_at_the_home_ends_the_visit_and_does_not_skip_it(street: Connection, dues: list[int]) -> None:
    visit_id = await begin(street, dues[0])
    async with street.transaction():
        await dispatch.arrive(street, visit_id, doctor_id=LI, by=LI, now=NINE)
    with pytest.raises(IllegalMove):
        await skip(street, dues[0])
    with pytest.raises(IllegalMove, match="skipped"):
        await dispatch.release(street, visit_id, doctor_id=LI, by=LI, reason="other", now=NINE)  # type: ignore[arg-type]


async def test_another_doctors_stop_is_not_mine(street: Connection, dues: list[int]) -> None:
    with pytest.raises(Taken):
        await begin(street, dues[3])
    with pytest.raises(NotFound):
        await begin(street, 999)


async def test_a_new_plan_keeps_what_has_begun_and_what_is_next(street: Connection, dues: list[int]) -> None:
    await begin(street, dues[0], now=NINE - timedelta(minutes=50))  # long before its time: only the doctor's word says so
    before = await round_store.of_doctor(street, LI, DAY)
    await add(street, *(due(f"home-{number}") for number in range(5, 10)))
    planned = await replan(street, NINE - timedelta(minutes=45))
    after = await round_store.of_doctor(street, LI, DAY)
    assert [(row["due_id"], row["starts_at"]) for row in after[:2]] == [(row["due_id"], row["starts_at"]) for row in before[:2]]
    assert {dues[0], dues[1]} < planned.keys()
    assert len(planned) == 9


async def test_a_draft_that_takes_a_visit_from_who_has_begun_it_is_refused(street: Connection, dues: list[int]) -> None:
    plan_id = await run.plan_now(street, "team-a", DAY, by="test", seed=1, limit=QUICK, now=NINE - timedelta(hours=1))
    await street.execute("UPDATE plan_stop SET doctor_id = 'doctor-yang' WHERE plan_id = %s AND due_id = %s", [plan_id, dues[0]])
    await begin(street, dues[0])
    with pytest.raises(BadInput, match="begun"):
        await plan_store.publish(street, plan_id, now=NINE)
