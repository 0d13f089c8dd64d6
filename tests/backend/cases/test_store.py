"""Cases in the database: what belongs together, one person who takes it, and moves that the database refuses as the table does."""

from collections.abc import Awaitable, Callable
from itertools import product

import psycopg
import pytest

from backend.alerts import store as alerts
from backend.alerts.model import Subject
from backend.cases import store as cases
from backend.cases.lifecycle import NEXT, Action, Disposition, Move, State
from backend.cases.store import OUTAGE_MIN
from backend.db.pool import Connection, Pool
from backend.errors import IllegalMove, NotFound, Taken
from contract.events import EventKind
from contract.status import HEARTBEAT_S
from tests.backend.cases.calls import bring
from tests.backend.street import NOW, at_once, event, letter, one, rows, seconds, settle, write

pytestmark = pytest.mark.store

Do = Callable[[Connection, int], Awaitable[None]]


async def close(conn: Connection, case_id: int, by: str = "wang") -> None:
    held = await alerts.hold_case(conn, case_id)
    await cases.close(conn, case_id, by=by, disposition=Disposition.FALSE, text="", alert_ids=held, now=NOW)
    for alert_id in held:
        await alerts.close(conn, alert_id, by=by, disposition=Disposition.FALSE, text="", now=NOW)


DO: dict[Move, Do] = {
    Move.TAKE: lambda conn, case_id: cases.take(conn, case_id, by="wang", now=NOW),
    Move.RESOLVE: lambda conn, case_id: cases.resolve(conn, case_id, by="wang", text="", now=NOW),
    Move.CLOSE: close,
    Move.GIVE_BACK: lambda conn, case_id: cases.give_back(conn, case_id, by="wang", now=NOW),
}
REACH: dict[State, list[Do]] = {
    State.NEW: [],
    State.TAKEN: [DO[Move.TAKE]],
    State.IN_HAND: [lambda conn, case_id: cases.begin(conn, case_id, by="wang", now=NOW)],
    State.RESOLVED: [DO[Move.TAKE], DO[Move.RESOLVE]],
    State.CLOSED: [DO[Move.TAKE], DO[Move.RESOLVE], close],
}


async def reach(conn: Connection, state: State) -> int:
    case_id = await bring(conn)
    for step in REACH[state]:
        async with conn.transaction():
            await step(conn, case_id)
    return case_id


# -- moves -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "move"), list(product(State, DO)))
async def test_a_move_is_made_or_refused_as_the_table_says(street: Connection, state: State, move: Move) -> None:
    case_id = await reach(street, state)
    before = await one(street, "SELECT state, version FROM care_case")
    if (state, move) in NEXT:
        async with street.transaction():
            await DO[move](street, case_id)
        assert (await one(street, "SELECT state FROM care_case"))["state"] == NEXT[state, move]
    else:
        with pytest.raises(IllegalMove):
            async with street.transaction():
                await DO[move](street, case_id)
        assert await one(street, "SELECT state, version FROM care_case") == before


async def test_the_database_refuses_exactly_what_the_table_does(street: Connection) -> None:
    """Every pair of states by a bare UPDATE that keeps all CHECKs: only the trigger is left to refuse it."""
    allowed = {(state, after) for (state, move), after in NEXT.items() if move is not Move.WITHDRAW}
    refused = set()
    for state, after in product(State, State):
        if state is after:
            continue
        case_id = await reach(street, state)
        try:
            async with street.transaction(force_rollback=True):
                await street.execute(FORCE, {"id": case_id, "state": after, "by": "wang", "now": NOW})
        except psycopg.errors.IntegrityConstraintViolation as error:
            assert f"cannot go from {state} to {after}" in str(error)
            refused.add((state, after))
        await street.execute(END_ALL)
    assert set(product(State, State)) - allowed - {(state, state) for state in State} == refused


END_ALL = """
WITH ended AS (UPDATE alert SET state = 'closed', closed_at = now(), closed_by = 'x', disposition = 'test' WHERE state <> 'closed')
UPDATE care_case SET state = 'closed', closed_at = now(), closed_by = 'system', disposition = 'test', next_step = NULL, next_at = NULL
WHERE state <> 'closed'
"""
FORCE = """
UPDATE care_case SET state = %(state)s, taken_by = CASE WHEN %(state)s = 'new' THEN NULL ELSE coalesce(taken_by, %(by)s) END,
    taken_at = CASE WHEN %(state)s = 'new' THEN NULL ELSE coalesce(taken_at, %(now)s) END,
    closed_by = CASE WHEN %(state)s = 'closed' THEN %(by)s END, closed_at = CASE WHEN %(state)s = 'closed' THEN %(now)s::timestamptz END,
    disposition = CASE WHEN %(state)s = 'closed' THEN 'false' END,
    next_step = CASE WHEN %(state)s <> 'closed' THEN 'second' END, next_at = CASE WHEN %(state)s <> 'closed' THEN %(now)s::timestamptz END
WHERE id = %(id)s
"""


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE care_case SET next_at = NULL",
        "UPDATE care_case SET taken_by = 'wang', taken_at = now()",
        "UPDATE care_case SET state = 'closed', closed_by = 'system', closed_at = now(), next_step = NULL, next_at = NULL",
        "UPDATE care_case SET state = 'taken'",
    ],
    ids=["open without a timer", "new and somebody's", "closed without a code", "taken by nobody"],
)
async def test_the_database_keeps_what_every_case_must_have(street: Connection, change: str) -> None:
    await bring(street)
    with pytest.raises(psycopg.errors.CheckViolation):
        await street.execute(change.encode())


@pytest.mark.parametrize("change", ["UPDATE case_step SET by = 'nobody'", "DELETE FROM case_step"])
async def test_the_history_cannot_be_changed(street: Connection, change: str) -> None:
    await bring(street)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="rows of case_step are never changed or deleted"):
        await street.execute(change.encode())


async def test_a_case_that_never_was_is_not_found(street: Connection) -> None:
    with pytest.raises(NotFound, match="there is no case 4711"):
        await cases.take(street, 4711, by="wang", now=NOW)


# -- who has it ------------------------------------------------------------------------------------------------------------------------


async def test_of_many_who_take_at_once_one_wins_and_the_others_learn_who(pool: Pool) -> None:
    async with pool.connection() as conn:
        await settle(conn)

    for _ in range(40):  # `python -m benchmarks cases` does it 10 000 times
        async with pool.connection() as conn:
            case_id = await bring(conn)
        said = await at_once(pool, 4, lambda conn, number: try_to_take(conn, case_id, f"operator-{number}"))  # noqa: B023
        assert len(set(said)) == 1, "all know the same winner"
        async with pool.connection() as conn:
            steps = await rows(conn, f"SELECT by FROM case_step WHERE case_id = {case_id} AND action = 'taken'")
            assert steps == [{"by": said[0]}]
            async with conn.transaction():
                await cases.resolve(conn, case_id, by="x", text="", now=NOW)
                await close(conn, case_id)


async def try_to_take(conn: Connection, case_id: int, by: str) -> str:
    """Returns who has it afterwards, as this person was told."""
    try:
        async with conn.transaction():
            await cases.take(conn, case_id, by=by, now=NOW)
    except Taken as taken:
        return taken.by
    return by


async def test_who_acts_on_a_case_that_nobody_has_takes_it(street: Connection) -> None:
    case_id = await bring(street)
    await cases.begin(street, case_id, by="liu", now=NOW)
    assert await one(street, "SELECT state, taken_by FROM care_case") == {"state": "in_hand", "taken_by": "liu"}
    assert [row["action"] for row in await rows(street, "SELECT action FROM case_step ORDER BY id")] == ["opened", "taken", "begun"]


async def test_what_has_been_handed_over_is_the_other_persons(street: Connection) -> None:
    case_id = await reach(street, State.IN_HAND)
    await cases.hand_over(street, case_id, to="liu", by="wang", now=NOW)
    assert await one(street, "SELECT state, taken_by FROM care_case") == {"state": "in_hand", "taken_by": "liu"}


# -- what belongs together -------------------------------------------------------------------------------------------------------------


async def test_a_fall_a_press_and_low_oxygen_within_minutes_are_one_case_and_one_doctor(street: Connection) -> None:
    for sequence, kind in enumerate((EventKind.FALL, EventKind.SOS), start=1):
        await write(street, letter(event(kind, sequence=sequence, at=NOW + seconds(40 * sequence))), now=NOW + seconds(40 * sequence))
    assert await bring(street, "spo2_low", "medium", at=NOW + seconds(290)) == (await one(street, "SELECT id FROM care_case"))["id"]
    assert (await one(street, "SELECT priority FROM care_case"))["priority"] == "high"
    assert len(await rows(street, "SELECT id FROM visit")) == 1
    assert [row["action"] for row in await rows(street, "SELECT action FROM case_step ORDER BY id")] == [
        "opened", "dispatched", "joined", "joined",
    ]  # fmt: skip


async def test_what_comes_later_than_five_minutes_is_a_case_of_its_own(street: Connection) -> None:
    first = await bring(street, "fall")
    assert await bring(street, "spo2_low", at=NOW + seconds(301)) != first


async def test_the_next_of_a_chain_belongs_to_it(street: Connection) -> None:
    first = await bring(street, "fall")
    assert await bring(street, "sos", at=NOW + seconds(290)) == first
    assert await bring(street, "spo2_low", at=NOW + seconds(580)) == first


async def test_another_home_is_another_case(street: Connection) -> None:
    assert await bring(street) != await bring(street, subject=Subject("elder-2", "gw-2"))


async def test_technical_trouble_of_a_home_is_one_case_apart_from_its_calls(street: Connection) -> None:
    call = await bring(street, "sos")
    trouble = await bring(street, "device_lost", "technical")
    assert trouble != call
    assert await bring(street, "battery_low", "technical", at=NOW + seconds(9_000)) == trouble


async def test_a_rule_may_say_itself_what_it_belongs_to(street: Connection) -> None:
    await street.execute("""UPDATE rule SET body = body || '{"groups": {"with": ["fall"], "within_s": 60}}' WHERE id = 'spo2_low'""")
    press, fall = await bring(street, "sos"), await bring(street, "fall", at=NOW + seconds(400))
    assert press != fall
    assert await bring(street, "spo2_low", at=NOW + seconds(450)) == fall


async def test_two_alerts_of_one_home_at_the_same_instant_are_one_case(pool: Pool) -> None:
    async with pool.connection() as conn:
        await settle(conn)
    kinds = ("sos", "fall", "spo2_low", "heart_rate_high")
    found = await at_once(pool, 4, lambda conn, number: bring(conn, kinds[number]))
    assert len(set(found)) == 1


# -- how urgent it is ------------------------------------------------------------------------------------------------------------------


async def test_a_case_that_gets_worse_waits_for_somebody_again(street: Connection) -> None:
    case_id = await bring(street, "spo2_low", "medium")
    await cases.take(street, case_id, by="wang", now=NOW + seconds(5))
    await bring(street, "sos", at=NOW + seconds(100))
    case = await one(street, "SELECT state, priority, taken_by, waiting_since, next_step, next_at FROM care_case")
    waits = {"waiting_since": NOW + seconds(100), "next_step": "second", "next_at": NOW + seconds(160)}
    assert case == {"state": "new", "priority": "high", "taken_by": None} | waits


async def test_one_that_is_as_urgent_as_before_stays_with_whoever_has_it(street: Connection) -> None:
    case_id = await bring(street, "fall")
    await cases.take(street, case_id, by="wang", now=NOW + seconds(5))
    await bring(street, "sos", at=NOW + seconds(100))
    assert await one(street, "SELECT state, taken_by FROM care_case") == {"state": "taken", "taken_by": "wang"}


async def test_something_new_in_a_resolved_case_wakes_it(street: Connection) -> None:
    await reach(street, State.RESOLVED)
    await bring(street, "spo2_low", "medium", at=NOW + seconds(100))
    assert (await one(street, "SELECT state FROM care_case"))["state"] == "new"


async def test_nobody_closes_what_they_cannot_have_seen(street: Connection) -> None:
    case_id = await reach(street, State.RESOLVED)
    seen = await alerts.hold_case(street, case_id)
    await bring(street, "fall", at=NOW + seconds(1))
    await cases.take(street, case_id, by="wang", now=NOW)
    await cases.resolve(street, case_id, by="wang", text="", now=NOW)
    with pytest.raises(IllegalMove, match="something new"):
        await cases.close(street, case_id, by="wang", disposition=Disposition.REAL, text="", alert_ids=seen, now=NOW)


async def test_technical_trouble_that_ends_by_itself_closes_its_case(street: Connection) -> None:
    await write(street, letter(event(EventKind.DEVICE_LOST, sequence=1)))
    assert (await one(street, "SELECT state FROM care_case"))["state"] == "new"
    await write(street, letter(event(EventKind.DEVICE_FOUND, sequence=2, at=NOW + seconds(9))), now=NOW + seconds(9))
    assert await one(street, "SELECT state, closed_by, disposition FROM care_case") == {
        "state": "closed", "closed_by": "system", "disposition": "technical",
    }  # fmt: skip


# -- outages ---------------------------------------------------------------------------------------------------------------------------


async def silent(conn: Connection, number: int, *, at_s: float = 0) -> int:
    await conn.execute("INSERT INTO gateway (id) VALUES (%(id)s) ON CONFLICT DO NOTHING", {"id": f"home-{number}"})
    at = NOW + seconds(at_s)
    return await bring(conn, "gateway_silent", "technical", at=at, now=at, subject=Subject(None, f"home-{number}"))


async def test_ten_gateways_silent_within_a_minute_are_one_group_item_and_nine_are_not(street: Connection) -> None:
    for number in range(9):
        await silent(street, number, at_s=number)
    assert len(await rows(street, "SELECT id FROM care_case WHERE state = 'new' AND NOT is_group")) == 9
    group = await silent(street, 9, at_s=10)
    assert await rows(street, "SELECT id, is_group FROM care_case WHERE state = 'new'") == [{"id": group, "is_group": True}]
    assert await silent(street, 10, at_s=200) == group, "it grows"
    assert await silent(street, 11, at_s=600) != group, "long after it is another trouble"


async def test_homes_that_die_at_once_are_one_item_though_last_heard_a_heartbeat_apart(street: Connection) -> None:
    for number in range(OUTAGE_MIN):
        await silent(street, number, at_s=number * HEARTBEAT_S / (OUTAGE_MIN - 1))
    assert [row["is_group"] for row in await rows(street, "SELECT is_group FROM care_case WHERE state = 'new'")] == [True]


async def test_gateways_that_fall_silent_one_by_one_are_no_outage(street: Connection) -> None:
    for number in range(15):
        await silent(street, number, at_s=10 * number)
    assert await rows(street, "SELECT id FROM care_case WHERE is_group") == []


async def test_a_group_item_ends_with_its_last_home(street: Connection) -> None:
    for number in range(10):
        await silent(street, number)
    for row in await rows(street, "SELECT id FROM alert ORDER BY id"):
        assert (await one(street, "SELECT state FROM care_case WHERE is_group"))["state"] == "new"
        await alerts.close(street, row["id"], by="system", disposition=Disposition.TECHNICAL, text="", now=NOW)
        await cases.follow(street, row["id"], now=NOW)
    assert (await one(street, "SELECT state FROM care_case WHERE is_group"))["state"] == "closed"


async def test_a_thousand_gateways_in_many_transactions_at_once_and_an_sos_on_top(pool: Pool) -> None:
    async with pool.connection() as conn:
        await settle(conn)

    async def some(conn: Connection, side: int) -> None:
        for number in range(side, 200, 4):
            await silent(conn, number)

    await at_once(pool, 4, some)
    async with pool.connection() as conn:
        call = await bring(conn, "sos")
        shown = await rows(conn, "SELECT id, priority, is_group FROM care_case WHERE state <> 'closed' ORDER BY priority = 'technical'")
        assert [row["is_group"] for row in shown] == [False, True]
        assert shown[0]["id"] == call
        assert (await one(conn, "SELECT count(*) AS n FROM alert WHERE rule_id = 'gateway_silent'"))["n"] == 200


async def test_the_history_says_who_did_what(street: Connection) -> None:
    case_id = await reach(street, State.TAKEN)
    await cases.write_down(street, case_id, by="wang", action=Action.NOTED, detail={"text": "电话无人接听"}, now=NOW)
    step = (await rows(street, "SELECT by, action, detail FROM case_step ORDER BY id"))[-1]
    assert step == {"by": "wang", "action": "noted", "detail": {"text": "电话无人接听"}}
