"""Visits in the database: who is asked, when the next one is, and that exactly one doctor goes."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from backend.db.pool import Connection, Pool
from backend.dispatch import store as dispatch
from backend.dispatch.ladder import URGENT
from backend.dispatch.lifecycle import DeclineReason, Outcome
from backend.dispatch.store import DEPART_GRACE, OFFER_LEASE, Served
from backend.errors import IllegalMove, NotFound, Taken
from tests.backend.street import NOW, at_once, one, rows, seconds, settle

RETRY_S = 30
SECOND_S, BOARD_S, BACKUP_S = URGENT.steps_s
GRACE_S = DEPART_GRACE.total_seconds()
LI, YANG, CAO = "doctor-li", "doctor-yang", "doctor-cao"


async def ask(conn: Connection, elder_id: str = "elder-1", *, now: datetime = NOW) -> int:
    return await dispatch.request(conn, elder_id=elder_id, alert_id=None, visit_class="urgent", reason="跌倒", by="system", now=now)


async def tick(conn: Connection, now: datetime) -> Served | None:
    ready = await dispatch.next_due(conn, now=now)
    if ready is None:
        return None
    async with conn.transaction():
        return await dispatch.offer_due(conn, ready, now=now, retry_s=RETRY_S)


async def accept(conn: Connection, visit_id: int, doctor_id: str, now: datetime = NOW) -> None:
    async with conn.transaction():
        await dispatch.accept(conn, visit_id, doctor_id=doctor_id, by=doctor_id, now=now)


async def decline(conn: Connection, visit_id: int, doctor_id: str, now: datetime = NOW) -> None:
    async with conn.transaction():
        await dispatch.decline(conn, visit_id, doctor_id=doctor_id, reason=DeclineReason.TOO_FAR, by=doctor_id, now=now)


async def visit(conn: Connection) -> dict[str, Any]:
    return await one(conn, "SELECT state, doctor_id, next_at, rounds FROM visit")


async def asked(conn: Connection) -> list[str]:
    return [row["doctor_id"] for row in await rows(conn, "SELECT doctor_id FROM visit_offer ORDER BY id")]


async def off_duty(conn: Connection, *doctor_ids: str) -> None:
    await conn.execute("DELETE FROM shift WHERE doctor_id = ANY(%(ids)s)", {"ids": list(doctor_ids)})


async def test_the_search_widens_and_every_offer_stays_open(street: Connection) -> None:
    await ask(street)
    reached = []
    for at_s in (0, SECOND_S, BOARD_S, BACKUP_S):
        served = await tick(street, NOW + seconds(at_s))
        assert served is not None
        reached.append(served.reached)
    assert reached == [None, 1, 2, 3]
    offers = await rows(street, "SELECT doctor_id, why, answer, offered_at FROM visit_offer ORDER BY id")
    assert [(row["doctor_id"], row["why"], row["answer"], row["offered_at"] - NOW) for row in offers] == [
        (LI, "own_doctor", None, seconds(0)),
        (YANG, "own_team", None, seconds(SECOND_S)),
        (CAO, "fallback_team", None, seconds(BACKUP_S)),
    ]
    assert (await one(street, "SELECT rung FROM visit"))["rung"] == 3


async def test_an_offer_is_due_at_once_and_the_next_step_when_it_says(street: Connection) -> None:
    await ask(street)
    assert await tick(street, NOW) is not None
    assert (await visit(street))["next_at"] == NOW + seconds(SECOND_S)
    assert (await one(street, "SELECT widens_at FROM visit_offer"))["widens_at"] == NOW + seconds(SECOND_S)
    assert await tick(street, NOW + seconds(SECOND_S - 0.001)) is None
    assert await asked(street) == [LI]
    await tick(street, NOW + seconds(SECOND_S))
    assert await asked(street) == [LI, YANG]


async def test_a_worker_that_was_away_catches_up_with_the_clock(street: Connection) -> None:
    await ask(street)
    served = await tick(street, NOW + seconds(BACKUP_S))
    assert served is not None and served.reached == 3
    assert sorted(await asked(street)) == sorted([LI, YANG, CAO])


async def test_the_nearer_colleague_is_asked_before_a_signed_doctor_far_away(street: Connection) -> None:
    await street.execute("UPDATE team SET latitude = 30.0, longitude = 106.0")
    await street.execute("UPDATE elder SET latitude = 30.0, longitude = 106.01")
    first = await ask(street, "elder-2")  # li stands at a home 60 km away
    await dispatch.assign(street, first, doctor_id=LI, by="wang", now=NOW)
    await dispatch.depart(street, first, doctor_id=LI, by="li", now=NOW)
    await street.execute("UPDATE elder SET latitude = 30.5 WHERE id = 'elder-2'")
    await ask(street)
    await tick(street, NOW)
    offer = await one(street, "SELECT doctor_id, way_s, cost FROM visit_offer WHERE why <> 'by_hand'")
    assert offer["doctor_id"] == YANG
    assert offer["way_s"] == pytest.approx(450, abs=5)  # 6.2 min + 1.34 min/km, about 0.96 km
    assert offer["cost"] == {"way": pytest.approx(450, abs=5), "not_own": 720, "displaced": 0}


async def test_who_is_not_on_duty_is_not_asked(street: Connection) -> None:
    await off_duty(street, LI)
    await ask(street)
    await tick(street, NOW)
    assert await asked(street) == [YANG]


@pytest.mark.parametrize(("starts_at", "ends_at", "is_asked"), [(0, 60, True), (-60, 0, False), (1, 60, False)])
async def test_a_shift_has_its_first_second_and_not_its_last(street: Connection, starts_at: int, ends_at: int, is_asked: bool) -> None:
    await off_duty(street, LI, YANG, CAO)
    shift = {"starts_at": NOW + seconds(starts_at), "ends_at": NOW + seconds(ends_at)}
    await street.execute("INSERT INTO shift VALUES ('doctor-li', %(starts_at)s, %(ends_at)s)", shift)
    await ask(street)
    await tick(street, NOW)
    assert (await asked(street) == [LI]) == is_asked


async def test_a_nurse_is_never_sent(street: Connection) -> None:
    await off_duty(street, LI, YANG, CAO)
    await ask(street)
    await tick(street, NOW)
    assert await asked(street) == []


async def test_workers_look_for_doctors_for_different_visits_and_only_the_first_of_two_serves_one(street: Connection) -> None:
    first, second = await ask(street), await ask(street, "elder-2")
    one_worker = await dispatch.next_due(street, now=NOW)
    other = await dispatch.next_due(street, now=NOW)
    assert one_worker is not None and other is not None
    assert {one_worker.visit_id, other.visit_id} == {first, second}
    assert await dispatch.next_due(street, now=NOW) is None, "nobody works out again what another works on"
    late = NOW + OFFER_LEASE
    again = await dispatch.next_due(street, now=late)
    assert again is not None
    taken_over, slow = (again, one_worker) if again.visit_id == one_worker.visit_id else (again, other)
    for ready, is_served in ((slow, True), (taken_over, False), (slow, False)):  # whoever has looked first
        async with street.transaction():
            served = await dispatch.offer_due(street, ready, now=late, retry_s=RETRY_S)
        assert (served is not None) == is_served
    assert await asked(street) == [LI]
    [found] = await rows(street, "SELECT next_at FROM visit WHERE state = 'offered'")
    assert found["next_at"] == NOW + seconds(SECOND_S), "the search widens when it was promised, whoever died on the way"


async def test_a_decline_while_a_worker_looks_is_served_at_once_and_not_by_what_it_found(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    later = NOW + seconds(SECOND_S)
    ready = await dispatch.next_due(street, now=later)
    assert ready is not None
    await decline(street, visit_id, LI, later)
    async with street.transaction():
        assert await dispatch.offer_due(street, ready, now=later, retry_s=RETRY_S) is None
    assert await tick(street, later) is not None
    assert len(await asked(street)) > 1


async def test_a_decline_asks_the_next_at_once_and_keeps_the_reason(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await decline(street, visit_id, LI, NOW + seconds(5))
    assert await visit(street) == {"state": "requested", "doctor_id": None, "next_at": NOW + seconds(5), "rounds": 0}
    await tick(street, NOW + seconds(5))
    assert (await visit(street))["next_at"] == NOW + seconds(SECOND_S)
    assert await asked(street) == [LI, YANG]
    assert (await rows(street, "SELECT answer, decline_reason FROM visit_offer ORDER BY id"))[0] == {
        "answer": "declined",
        "decline_reason": "too_far",
    }


async def test_nobody_on_duty_leaves_it_open_with_a_timer_and_counts_the_rounds(street: Connection) -> None:
    await off_duty(street, LI, YANG, CAO)
    await ask(street)
    for count in range(3):
        now = NOW + seconds(RETRY_S * count)
        await tick(street, now)
        assert await visit(street) == {"state": "requested", "doctor_id": None, "next_at": now + seconds(RETRY_S), "rounds": count + 1}
    assert await tick(street, NOW + seconds(RETRY_S * 3 - 1)) is None


async def test_a_decline_leaves_the_others_time_to_think(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await tick(street, NOW + seconds(SECOND_S))
    await decline(street, visit_id, LI, NOW + seconds(65))
    assert (await visit(street))["state"] == "offered"
    await tick(street, NOW + seconds(65))
    assert await asked(street) == [LI, YANG]


async def test_after_everybody_declined_the_round_begins_anew(street: Connection) -> None:
    visit_id = await ask(street)
    for doctor_id in (LI, YANG, CAO):
        await tick(street, NOW)
        await decline(street, visit_id, doctor_id)
    await tick(street, NOW)
    assert await visit(street) == {"state": "requested", "doctor_id": None, "next_at": NOW + seconds(RETRY_S), "rounds": 1}
    await tick(street, NOW + seconds(RETRY_S))
    assert await asked(street) == [LI, YANG, CAO, LI]


async def test_a_late_yes_is_still_a_yes(street: Connection) -> None:
    visit_id = await ask(street)
    for at_s in (0, SECOND_S, BOARD_S, BACKUP_S):
        await tick(street, NOW + seconds(at_s))
    await accept(street, visit_id, LI, NOW + seconds(600))
    assert (await visit(street))["doctor_id"] == LI


async def test_who_has_not_left_five_minutes_after_the_promise_is_replaced(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    async with street.transaction():
        await dispatch.accept(street, visit_id, doctor_id=LI, by="li", now=NOW, leaves_in=seconds(600))
    assert (await visit(street))["next_at"] == NOW + seconds(600 + GRACE_S)
    late = NOW + seconds(600 + GRACE_S)
    assert await tick(street, late - seconds(0.001)) is None
    await tick(street, late)
    assert await visit(street) == {"state": "requested", "doctor_id": None, "next_at": late, "rounds": 1}
    await tick(street, late)
    assert sorted((await asked(street))[1:]) == sorted([LI, YANG])
    await accept(street, visit_id, YANG, late)
    answers = await rows(street, "SELECT doctor_id, answer FROM visit_offer ORDER BY id")
    assert {"doctor_id": LI, "answer": "released"} in answers and {"doctor_id": YANG, "answer": "accepted"} in answers


async def test_who_left_in_time_keeps_the_visit(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await accept(street, visit_id, LI)
    await dispatch.depart(street, visit_id, doctor_id=LI, by="li", now=NOW + seconds(60))
    assert await tick(street, NOW + seconds(86_400)) is None


@pytest.mark.parametrize("is_on_the_way", [False, True])
async def test_a_doctor_who_cannot_come_after_all_gives_it_back_and_others_are_asked_at_once(
    street: Connection, is_on_the_way: bool
) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await accept(street, visit_id, LI)
    if is_on_the_way:
        await dispatch.depart(street, visit_id, doctor_id=LI, by="li", now=NOW)
    async with street.transaction():
        await dispatch.release(street, visit_id, doctor_id=LI, by="li", reason=DeclineReason.OTHER, now=NOW + seconds(30))
    await tick(street, NOW + seconds(30))
    assert YANG in (await asked(street))[1:]


async def test_an_operator_gives_it_to_whoever_said_yes_by_telephone(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    async with street.transaction():
        await dispatch.assign(street, visit_id, doctor_id=CAO, by="wang", now=NOW, leaves_in=seconds(600))
    assert await visit(street) == {"state": "accepted", "doctor_id": CAO, "next_at": NOW + seconds(600 + GRACE_S), "rounds": 0}
    answers = await rows(street, "SELECT doctor_id, why, answer FROM visit_offer ORDER BY id")
    assert answers == [
        {"doctor_id": LI, "why": "own_doctor", "answer": "withdrawn"},
        {"doctor_id": CAO, "why": "by_hand", "answer": "accepted"},
    ]
    async with street.transaction():
        await dispatch.assign(street, visit_id, doctor_id=LI, by="wang", now=NOW)
    assert (await visit(street))["doctor_id"] == LI
    with pytest.raises(NotFound, match="there is no doctor doctor-who"):
        await dispatch.assign(street, visit_id, doctor_id="doctor-who", by="wang", now=NOW)


async def test_the_first_call_of_120_stands(street: Connection) -> None:
    visit_id = await ask(street)
    for later_s in (0, 60):
        await dispatch.called_120(street, visit_id, by="wang", now=NOW + seconds(later_s))
    assert (await one(street, "SELECT called_120_at FROM visit"))["called_120_at"] == NOW
    assert len(await rows(street, "SELECT id FROM visit_step WHERE detail ->> 'called' = '120'")) == 1


async def test_an_elder_without_a_contract_waits_visibly(street: Connection) -> None:
    await street.execute("DELETE FROM contract")
    await ask(street)
    await tick(street, NOW)
    assert await visit(street) == {"state": "requested", "doctor_id": None, "next_at": NOW + seconds(RETRY_S), "rounds": 1}


@pytest.mark.parametrize(
    ("now", "is_asked"),
    [
        ("2026-02-27T16:00:00Z", True),  # 28 February, 00:00 in Shanghai: the first day
        ("2026-02-27T15:59:59Z", False),
        ("2026-03-01T15:59:59Z", True),  # 1 March, 23:59:59 in Shanghai: the last day
        ("2026-03-01T16:00:00Z", False),
    ],
)
async def test_a_contract_runs_by_the_days_of_the_elders_own_zone(street: Connection, now: str, is_asked: bool) -> None:
    await street.execute("ALTER TABLE contract DROP CONSTRAINT contract_check")
    await street.execute("UPDATE contract SET signed_on = '2026-02-28', ends_on = '2026-03-01'")
    await street.execute("UPDATE shift SET starts_at = '2026-02-01'")
    at = datetime.fromisoformat(now)
    await ask(street, now=at)
    await tick(street, at)
    assert bool(await asked(street)) == is_asked


async def test_a_cancelled_contract_binds_nobody(street: Connection) -> None:
    await street.execute("UPDATE contract SET cancelled_on = '2026-02-01'")
    await ask(street)
    await tick(street, NOW)
    assert await asked(street) == []


async def test_the_less_busy_of_a_team_is_asked_first(street: Connection) -> None:
    await street.execute("INSERT INTO doctor (id, team_id, name, role) VALUES ('doctor-bai', 'team-a', '白医生', 'gp')")
    await street.execute("INSERT INTO shift VALUES ('doctor-bai', '2026-02-28T00:00Z', '2026-03-03T00:00Z')")
    await off_duty(street, LI)
    first = await ask(street)
    await tick(street, NOW)
    assert await asked(street) == ["doctor-bai"]
    await accept(street, first, "doctor-bai")
    await ask(street)
    await tick(street, NOW)
    assert (await asked(street))[-1] == YANG


async def test_of_twenty_accepts_at_once_one_wins_and_nineteen_learn_who(pool: Pool) -> None:
    async with pool.connection() as conn:
        await settle(conn)
        visit_id = await ask(conn)
        doctors = [f"doctor-{number}" for number in range(20)]
        for doctor_id in doctors:
            names = {"id": doctor_id, "visit_id": visit_id, "now": NOW, "until": NOW + seconds(SECOND_S)}
            await conn.execute("INSERT INTO doctor (id, team_id, name, role) VALUES (%(id)s, 'team-a', 'x', 'gp')", names)
            await conn.execute(
                "INSERT INTO visit_offer (visit_id, round, doctor_id, why, offered_at, widens_at) "
                "VALUES (%(visit_id)s, 0, %(id)s, 'by_hand', %(now)s, %(until)s)",
                names,
            )
        await conn.execute("UPDATE visit SET state = 'offered'")

    async def try_to_accept(conn: Connection, number: int) -> str:
        try:
            await accept(conn, visit_id, doctors[number])
        except Taken as taken:
            return taken.by
        return "mine"

    said = await at_once(pool, 20, try_to_accept)
    async with pool.connection() as conn:
        winner = await one(conn, "SELECT doctor_id FROM visit_offer WHERE answer = 'accepted'")
        assert (await visit(conn))["doctor_id"] == winner["doctor_id"]
        assert len(await rows(conn, "SELECT id FROM visit_offer WHERE answer = 'withdrawn'")) == 19
    assert sorted(said) == sorted(["mine"] + [winner["doctor_id"]] * 19)


async def test_workers_at_once_offer_each_visit_once(pool: Pool) -> None:
    async with pool.connection() as conn:
        await settle(conn)
        for _ in range(10):
            await ask(conn)

    async def work(conn: Connection, _: int) -> int:
        served = 0
        while await tick(conn, NOW) is not None:
            served += 1
        return served

    served = await at_once(pool, 4, work)
    async with pool.connection() as conn:
        assert len(await asked(conn)) == sum(served) == 10


async def test_a_doctor_who_was_not_asked_cannot_accept(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    with pytest.raises(IllegalMove, match=f"visit {visit_id} is not offered to this doctor now"):
        await accept(street, visit_id, CAO)


async def test_an_answer_is_given_once(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await decline(street, visit_id, LI)
    for answer in (accept, decline):
        with pytest.raises(IllegalMove, match="the offer may have run out"):
            await answer(street, visit_id, LI, NOW + seconds(1))
    assert (await visit(street))["state"] == "requested"


async def test_a_visit_goes_its_way_with_who_and_when(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await accept(street, visit_id, LI, NOW + seconds(20))
    await dispatch.depart(street, visit_id, doctor_id=LI, by="li", now=NOW + seconds(40))
    await dispatch.arrive(street, visit_id, doctor_id=LI, by="li", now=NOW + seconds(600))
    await dispatch.finish(street, visit_id, doctor_id=LI, findings="血压 150/90", outcome=Outcome.TREATED, by="li", now=NOW + seconds(1500))
    steps = await rows(street, "SELECT state, at, doctor_id FROM visit_step ORDER BY id")
    assert [(row["state"], row["at"] - NOW, row["doctor_id"]) for row in steps] == [
        ("requested", seconds(0), None),
        ("offered", seconds(0), None),
        ("accepted", seconds(20), LI),
        ("on_the_way", seconds(40), LI),
        ("at_home", seconds(600), LI),
        ("done", seconds(1500), LI),
    ]
    assert await one(street, "SELECT findings, outcome FROM visit") == {"findings": "血压 150/90", "outcome": "treated"}


async def test_no_step_can_be_skipped(street: Connection) -> None:
    visit_id = await ask(street)
    with pytest.raises(IllegalMove, match="has not been accepted yet"):
        await dispatch.depart(street, visit_id, doctor_id=LI, by="li", now=NOW)
    await tick(street, NOW)
    await accept(street, visit_id, LI)
    with pytest.raises(IllegalMove, match="is accepted; the step 'arrive' is not allowed there"):
        await dispatch.arrive(street, visit_id, doctor_id=LI, by="li", now=NOW)


async def test_another_doctor_cannot_take_my_steps(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await accept(street, visit_id, LI)
    with pytest.raises(Taken, match="already taken by doctor-li"):
        await dispatch.depart(street, visit_id, doctor_id=YANG, by="yang", now=NOW)


async def test_a_cancelled_visit_withdraws_its_offer_and_is_asked_of_nobody(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    async with street.transaction():
        await dispatch.cancel(street, visit_id, by="wang", reason="wrong button", now=NOW)
    assert await visit(street) == {"state": "cancelled", "doctor_id": None, "next_at": None, "rounds": 0}
    assert (await one(street, "SELECT answer FROM visit_offer"))["answer"] == "withdrawn"
    assert await tick(street, NOW + seconds(86_400)) is None


async def test_a_visit_cannot_be_cancelled_once_the_doctor_is_there(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await accept(street, visit_id, LI)
    await dispatch.depart(street, visit_id, doctor_id=LI, by="li", now=NOW)
    await dispatch.arrive(street, visit_id, doctor_id=LI, by="li", now=NOW)
    with pytest.raises(IllegalMove):
        await dispatch.cancel(street, visit_id, by="wang", reason="too late", now=NOW)


async def test_an_alert_has_one_open_visit_however_often_it_is_asked_for(street: Connection) -> None:
    await street.execute(
        "INSERT INTO alert (elder_id, rule_id, rule_version, priority, level, opened_at, known_at, changed_at, last_at) "
        "VALUES ('elder-1', 'fall', 1, 'high', 'emergency', %(now)s, %(now)s, %(now)s, %(now)s)",
        {"now": NOW},
    )
    [alert] = await rows(street, "SELECT id FROM alert")
    wanted: dict[str, Any] = {"elder_id": "elder-1", "alert_id": alert["id"], "visit_class": "urgent", "reason": "跌倒", "by": "system"}
    first = await dispatch.request(street, **wanted, now=NOW)
    assert await dispatch.request(street, **wanted, now=NOW) == first
    await dispatch.cancel(street, first, by="wang", reason="", now=NOW)
    assert await dispatch.request(street, **wanted, now=NOW) != first


async def test_a_visit_that_never_was_is_not_found(street: Connection) -> None:
    with pytest.raises(NotFound, match="there is no visit 4711"):
        await accept(street, 4711, LI)


async def test_one_visit_that_waits_does_not_hold_up_another(street: Connection) -> None:
    await street.execute("DELETE FROM contract WHERE elder_id = 'elder-1'")
    await ask(street, "elder-1")
    await ask(street, "elder-2")
    while await tick(street, NOW) is not None:
        pass
    assert await asked(street) == [CAO]


async def depart(conn: Connection, visit_id: int, doctor_id: str, now: datetime) -> None:
    async with conn.transaction():
        await dispatch.depart(conn, visit_id, doctor_id=doctor_id, by=doctor_id, now=now)


async def give_back(conn: Connection, visit_id: int, doctor_id: str, now: datetime) -> None:
    async with conn.transaction():
        await dispatch.release(conn, visit_id, doctor_id=doctor_id, by=doctor_id, reason=DeclineReason.OTHER, now=now)


async def give(conn: Connection, visit_id: int, doctor_id: str, now: datetime) -> None:
    async with conn.transaction():
        await dispatch.assign(conn, visit_id, doctor_id=doctor_id, by="wang", now=now)


Anything = Callable[[Connection, int, str, datetime], Awaitable[object]]
ANYTHING: list[Anything] = [accept, decline, depart, give_back, give, *[lambda conn, _, __, now: tick(conn, now)] * 4]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_a_visit_nobody_is_on_the_way_to_has_a_timer(street: Connection, seed: int) -> None:
    visit_id = await ask(street)
    chance, now = random.Random(seed), NOW
    for _ in range(60):
        now += seconds(chance.choice([0, 1, 10, RETRY_S, SECOND_S, GRACE_S]))
        doctor_id = chance.choice([LI, YANG, CAO])
        with suppress(IllegalMove, Taken):
            await chance.choice(ANYTHING)(street, visit_id, doctor_id, now)
        found = await visit(street)
        winners = await rows(street, "SELECT doctor_id FROM visit_offer WHERE answer = 'accepted'")
        open_offers = await rows(street, "SELECT id FROM visit_offer WHERE answer IS NULL")
        assert (found["next_at"] is not None) == (found["state"] in ("requested", "offered", "accepted"))
        assert bool(open_offers) == (found["state"] == "offered")
        assert [row["doctor_id"] for row in winners] == ([found["doctor_id"]] if found["doctor_id"] else [])
