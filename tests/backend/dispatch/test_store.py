"""Visits in the database: who is asked, when the next one is, and that exactly one doctor goes."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from backend.db.pool import Connection, Pool
from backend.dispatch import store as dispatch
from backend.dispatch.lifecycle import DeclineReason, Outcome
from backend.errors import IllegalMove, NotFound, Taken
from tests.backend.street import NOW, at_once, one, rows, seconds, settle

OFFER_S = 60
RETRY_S = 30
LI, YANG, CAO = "doctor-li", "doctor-yang", "doctor-cao"


async def ask(conn: Connection, elder_id: str = "elder-1", *, now: datetime = NOW) -> int:
    return await dispatch.request(conn, elder_id=elder_id, alert_id=None, visit_class="urgent", reason="跌倒", by="system", now=now)


async def tick(conn: Connection, now: datetime) -> int | None:
    async with conn.transaction():
        return await dispatch.offer_due(conn, now=now, offer_s=OFFER_S, retry_s=RETRY_S)


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


async def test_the_own_doctor_then_the_own_team_then_the_fallback_team_are_asked(street: Connection) -> None:
    await ask(street)
    for step in range(3):
        await tick(street, NOW + seconds(OFFER_S * step))
    offers = await rows(street, "SELECT doctor_id, why, answer FROM visit_offer ORDER BY id")
    assert offers == [
        {"doctor_id": LI, "why": "own_doctor", "answer": "expired"},
        {"doctor_id": YANG, "why": "own_team", "answer": "expired"},
        {"doctor_id": CAO, "why": "fallback_team", "answer": None},
    ]


async def test_an_offer_is_due_at_once_and_the_next_one_when_it_runs_out(street: Connection) -> None:
    await ask(street)
    assert await tick(street, NOW) is not None
    assert (await visit(street))["next_at"] == NOW + seconds(OFFER_S)
    assert await tick(street, NOW + seconds(OFFER_S - 0.001)) is None
    assert await asked(street) == [LI]
    await tick(street, NOW + seconds(OFFER_S))
    assert await asked(street) == [LI, YANG]


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


async def test_a_decline_asks_the_next_at_once_and_keeps_the_reason(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await decline(street, visit_id, LI, NOW + seconds(5))
    assert await visit(street) == {"state": "requested", "doctor_id": None, "next_at": NOW + seconds(5), "rounds": 0}
    await tick(street, NOW + seconds(5))
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


async def test_after_everybody_was_asked_the_round_begins_anew(street: Connection) -> None:
    await ask(street)
    for step in range(4):
        await tick(street, NOW + seconds(OFFER_S * step))
    assert await visit(street) == {"state": "requested", "doctor_id": None, "next_at": NOW + seconds(180 + RETRY_S), "rounds": 1}
    await tick(street, NOW + seconds(180 + RETRY_S))
    assert await asked(street) == [LI, YANG, CAO, LI]


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
            names = {"id": doctor_id, "visit_id": visit_id, "now": NOW, "until": NOW + seconds(OFFER_S)}
            await conn.execute("INSERT INTO doctor (id, team_id, name, role) VALUES (%(id)s, 'team-a', 'x', 'gp')", names)
            await conn.execute(
                "INSERT INTO visit_offer (visit_id, round, doctor_id, why, offered_at, expires_at) "
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


async def test_an_offer_that_ran_out_cannot_be_accepted_or_declined(street: Connection) -> None:
    visit_id = await ask(street)
    await tick(street, NOW)
    await tick(street, NOW + seconds(OFFER_S))
    for answer in (accept, decline):
        with pytest.raises(IllegalMove, match="the offer may have run out"):
            await answer(street, visit_id, LI, NOW + seconds(OFFER_S))
    assert (await visit(street))["state"] == "offered"


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


Anything = Callable[[Connection, int, str, datetime], Awaitable[object]]
ANYTHING: list[Anything] = [accept, decline, lambda conn, _, __, now: tick(conn, now)]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_an_open_visit_has_a_timer_and_at_most_one_open_offer(street: Connection, seed: int) -> None:
    visit_id = await ask(street)
    chance, now = random.Random(seed), NOW
    for _ in range(40):
        now += seconds(chance.choice([0, 1, 10, RETRY_S, OFFER_S]))
        doctor_id = chance.choice([LI, YANG, CAO])
        with suppress(IllegalMove):
            await chance.choice(ANYTHING)(street, visit_id, doctor_id, now)
        found = await visit(street)
        is_open = found["state"] in ("requested", "offered")
        open_offers = await rows(street, "SELECT id FROM visit_offer WHERE answer IS NULL")
        assert (found["next_at"] is not None) == is_open
        assert len(open_offers) == (found["state"] == "offered")
