"""Visits in the database: requests, offers with their clocks, and every step with who and when.

The caller owns the transaction. A request row is locked before it moves, so that two doctors who accept at once find exactly one winner;
the unique index `visit_offer_one_winner` says the same again. A visit that nobody is on the way to has exactly one timer, `next_at`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from backend.config import PlanConfig
from backend.db.apart import apart
from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.dispatch import candidate_store
from backend.dispatch.day.assemble import HABITS
from backend.dispatch.ladder import BY_DATE, SAME_DAY, URGENT, Candidate, Ladder, to_ask
from backend.dispatch.lifecycle import NEXT, DeclineReason, Outcome, VisitMove, VisitState, Why
from backend.errors import BadInput, IllegalMove, NotFound, Taken

LADDERS: Mapping[str, Ladder] = {"emergency": URGENT, "urgent": URGENT, "same_day": SAME_DAY, "by_date": BY_DATE}
"""By class of visit."""

DEPART_GRACE = timedelta(minutes=5)
"""Who is not on the way within 5 min of the promised departure is replaced; our own choice."""
DEPART_MAX = timedelta(hours=24)
OFFER_AGAIN = timedelta(seconds=10)
"""An offer that failed is tried again after so long, behind those of all other homes."""
OFFER_LEASE = timedelta(seconds=5)
"""A visit is one worker's for so long while it looks for who may make it; then, should that one have died, any other's."""

OPEN_OF_ALERT = "SELECT id FROM visit WHERE alert_id = %(alert_id)s AND state NOT IN ('done', 'cancelled')"
REQUEST = """
INSERT INTO visit (elder_id, alert_id, class, reason, requested_at, requested_by, changed_at, next_at, search_at)
VALUES (%(elder_id)s, %(alert_id)s, %(visit_class)s, %(reason)s, %(now)s, %(by)s, %(now)s, %(now)s, %(now)s)
ON CONFLICT (alert_id) WHERE state NOT IN ('done', 'cancelled') DO NOTHING
RETURNING id
"""
BEGIN_STOP = """
INSERT INTO visit (elder_id, class, reason, requested_at, requested_by, changed_at, next_at, search_at, due_id, due_side)
VALUES (%(elder_id)s, 'by_date', %(reason)s, %(now)s, %(by)s, %(now)s, %(now)s, %(now)s, %(due_id)s, %(side)s)
ON CONFLICT (due_id, due_side) WHERE state NOT IN ('done', 'cancelled') DO NOTHING
RETURNING id
"""
COLUMNS = "id, elder_id, alert_id, class, state, doctor_id, rounds, rung, search_at, depart_by, due_id"
LOCK = f"SELECT {COLUMNS} FROM visit WHERE id = %(id)s FOR UPDATE"
LEASE_DUE = """
UPDATE visit SET next_at = %(until)s
WHERE id = (SELECT id FROM visit WHERE next_at <= %(now)s ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, elder_id, state, next_at, version
"""
CLAIM_LEASED = f"""
SELECT {COLUMNS} FROM visit WHERE id = %(id)s AND version = %(version)s AND next_at >= %(leased_until)s FOR UPDATE
"""
"""Nobody has changed it since. Another may have leased it after us: whoever has looked first serves, so slow ones shut out none."""
MOVE = """
UPDATE visit SET state = %(state)s, doctor_id = %(doctor_id)s, next_at = %(next_at)s, rounds = %(rounds)s, rung = %(rung)s,
    search_at = %(search_at)s, depart_by = %(depart_by)s, findings = %(findings)s, outcome = %(outcome)s, changed_at = %(now)s,
    version = version + 1
WHERE id = %(id)s
"""
OWES_ROOM = "room_owed = CASE WHEN room_of IS NULL THEN room_owed ELSE room_owed || room_of END, room_of = NULL"
WANTS_ROOM = f"UPDATE visit SET room_at = %(now)s, {OWES_ROOM} WHERE id = %(id)s AND due_id IS NULL"
GIVES_ROOM_BACK = f"UPDATE visit SET room_at = %(now)s, {OWES_ROOM} WHERE id = %(id)s AND room_of IS NOT NULL"
POSTPONE = "UPDATE visit SET next_at = %(next_at)s WHERE id = %(id)s"
CALLED_120 = """
UPDATE visit SET called_120_at = %(now)s, changed_at = %(now)s, version = version + 1 WHERE id = %(id)s AND called_120_at IS NULL
"""
STEP = """
INSERT INTO visit_step (visit_id, at, by, state, doctor_id, detail)
VALUES (%(id)s, %(now)s, %(by)s, %(state)s, %(doctor_id)s, %(detail)s)
"""
ASKED = "SELECT doctor_id, answer IS NULL AS is_open FROM visit_offer WHERE visit_id = %(id)s AND round = %(round)s"
OFFER = """
INSERT INTO visit_offer (visit_id, round, doctor_id, why, offered_at, widens_at, way_s, cost)
VALUES (%(id)s, %(round)s, %(doctor_id)s, %(why)s, %(now)s, %(widens_at)s, %(way_s)s, %(cost)s)
"""
TAKE = """
INSERT INTO visit_offer (visit_id, round, doctor_id, why, offered_at, widens_at, answer, answered_at)
VALUES (%(id)s, %(round)s, %(doctor_id)s, %(why)s, %(now)s, %(now)s, 'accepted', %(now)s)
ON CONFLICT (visit_id, round, doctor_id) DO UPDATE SET answer = 'accepted', answered_at = %(now)s, decline_reason = NULL
"""
WAS_ASKED = "SELECT FROM visit_offer WHERE visit_id = %(id)s AND doctor_id = %(doctor_id)s"
ASKING = """
SELECT a.name, o.round, v.class AS visit_class FROM visit v
JOIN visit_offer o ON o.visit_id = v.id AND o.answer IS NULL
JOIN account a ON a.doctor_id = o.doctor_id AND a.is_active
WHERE v.id = %(id)s ORDER BY o.id
"""
KNOWN_DOCTOR = "SELECT FROM doctor WHERE id = %(doctor_id)s"
ANSWER = """
UPDATE visit_offer SET answer = %(answer)s, answered_at = %(now)s, decline_reason = %(reason)s
WHERE visit_id = %(id)s AND doctor_id = %(doctor_id)s AND answer IS NULL
RETURNING id
"""
ANSWER_ALL = "UPDATE visit_offer SET answer = %(answer)s, answered_at = %(now)s WHERE visit_id = %(id)s AND answer IS NULL"
RELEASE = "UPDATE visit_offer SET answer = 'released' WHERE visit_id = %(id)s AND answer = 'accepted'"


ONCE = """
INSERT INTO visit_once (key, visit_id, step, by, said_at, at) VALUES (%(key)s, %(id)s, %(step)s, %(by)s, %(said_at)s, %(now)s)
ON CONFLICT (key) DO NOTHING RETURNING key
"""


@dataclass(frozen=True, slots=True)
class Once:
    """What a page says of a step that it may send again: its key, and when the person took it."""

    key: UUID
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Ready:
    """A visit whose timer ran out. `candidates`: best first; None where nobody had to be found. `is_failed`: they could not be.

    `leased_until`, `version`: its timer while nobody else works on it, and its state.
    """

    visit_id: int
    leased_until: datetime
    version: int
    candidates: Sequence[Candidate] | None
    is_failed: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """A visit whose timer ran out. `reached`: the rung that its search has just come to, None where it has not widened.

    `is_failed`: the step could not be taken, and is tried again after OFFER_AGAIN.
    """

    visit_id: int
    elder_id: str
    alert_id: int | None
    reached: int | None
    is_failed: bool = False


async def request(conn: Connection, *, elder_id: str, alert_id: int | None, visit_class: str, reason: str, by: str, now: datetime) -> int:
    """Ask for a visit. Returns its id; where the alert already has an open visit, that one's."""
    values = {"elder_id": elder_id, "alert_id": alert_id, "visit_class": visit_class, "reason": reason, "by": by, "now": now}
    while (row := await (await conn.execute(REQUEST, values)).fetchone()) is None:
        if (there_is := await (await conn.execute(OPEN_OF_ALERT, values)).fetchone()) is not None:
            return int(there_is["id"])  # else it has ended between the two questions, and a new one can be asked for
    await _step(conn, row["id"], by=by, state=VisitState.REQUESTED, doctor_id=None, now=now, detail={"reason": reason})
    return int(row["id"])


async def next_due(conn: Connection, *, now: datetime, habits: PlanConfig = HABITS) -> Ready | None:
    """The visit whose timer ran out first, for OFFER_LEASE this worker's alone, with who may make it; None when none is due.

    A router that is slow is waited for here, while the visit is not locked: to be called outside of a transaction.
    """
    visit = await (await conn.execute(LEASE_DUE, {"now": now, "until": now + OFFER_LEASE})).fetchone()
    if visit is None:
        return None
    if visit["state"] == VisitState.ACCEPTED:
        return Ready(visit["id"], visit["next_at"], visit["version"], None)
    candidates: Sequence[Candidate] | None = None
    async with apart(conn, "nobody can be found for a visit", event="offer_failed", visit_id=visit["id"]) as found:
        candidates = await candidate_store.candidates_for(conn, visit["elder_id"], now=now, habits=habits)
    return Ready(visit["id"], visit["next_at"], visit["version"], candidates, found.is_failed)


async def offer_due(conn: Connection, ready: Ready, *, now: datetime, retry_s: float) -> Served | None:
    """Serve a visit whose timer has run out: replace a doctor who has not left, or ask whom the ladder says next.

    Returns None when somebody else has served or changed it meanwhile. Safe with any number of workers. `retry_s`: when all were asked, how
    long until it looks again.
    """
    visit = await (
        await conn.execute(CLAIM_LEASED, {"id": ready.visit_id, "leased_until": ready.leased_until, "version": ready.version})
    ).fetchone()
    if visit is None:
        return None  # whoever changed it has set its timer
    reached = None
    async with apart(conn, "a visit cannot be offered", event="offer_failed", visit_id=visit["id"]) as offer:
        if visit["state"] == VisitState.ACCEPTED:
            await _release(conn, visit, by="system", now=now, detail={"not_left_by": visit["depart_by"].isoformat()})
        elif ready.candidates is not None:
            reached = await _widen(conn, visit, ready.candidates, now=now, retry_s=retry_s)
    if ready.is_failed or offer.is_failed:  # whatever is wrong with one visit must not keep doctors from all other homes
        await conn.execute(POSTPONE, {"id": visit["id"], "next_at": now + OFFER_AGAIN})
    return Served(visit["id"], visit["elder_id"], visit["alert_id"], reached, ready.is_failed or offer.is_failed)


async def _widen(conn: Connection, visit: dict[str, Any], candidates: Sequence[Candidate], *, now: datetime, retry_s: float) -> int | None:
    """Ask more doctors, or begin a new round when everybody has declined. Returns the rung when it is a new one."""
    ladder = LADDERS[visit["class"]]
    age_s = (now - visit["search_at"]).total_seconds()
    rung = max(ladder.rung(age_s), visit["rung"])
    asked = await _asked(conn, visit)
    chosen = to_ask(candidates, asked=asked.keys(), is_anyone_asked=any(asked.values()), rung=rung)
    step_s = ladder.next_s(age_s)
    next_at = visit["search_at"] + timedelta(seconds=step_s) if step_s is not None else now + timedelta(seconds=retry_s)
    after = visit | {"rung": rung}
    is_news = rung > visit["rung"]
    if chosen:
        if is_news:
            await _step(conn, visit["id"], by="system", state=VisitState.OFFERED, doctor_id=None, now=now, detail={"rung": rung})
        await _move(conn, after, VisitMove.OFFER, by="system", now=now, next_at=next_at, detail=_asking(chosen[0]))
        for candidate in chosen:
            await _offer(conn, visit, candidate, now=now, widens_at=next_at)
        for candidate in chosen[1:]:
            await _step(conn, visit["id"], by="system", state=VisitState.OFFERED, doctor_id=None, now=now, detail=_asking(candidate))
    elif any(asked.values()):
        if is_news:
            await _move(conn, after, VisitMove.OFFER, by="system", now=now, next_at=next_at, detail={"rung": rung})
        else:
            await conn.execute(POSTPONE, {"id": visit["id"], "next_at": next_at})
    else:
        next_at = min(next_at, now + timedelta(seconds=retry_s))
        after |= {"rounds": visit["rounds"] + 1}
        await _move(conn, after, VisitMove.LAPSE, by="system", now=now, next_at=next_at, detail={"nobody": True, "rung": rung})
    return rung if is_news else None


def _asking(candidate: Candidate) -> dict[str, Any]:
    """What the trail says of a doctor who is asked."""
    return {"offered_to": candidate.doctor_id, "why": candidate.why, "way_s": candidate.way_s}


async def _offer(conn: Connection, visit: dict[str, Any], candidate: Candidate, *, now: datetime, widens_at: datetime) -> None:
    values = {"id": visit["id"], "round": visit["rounds"], "doctor_id": candidate.doctor_id, "why": candidate.why, "now": now}
    way_s = None if candidate.way_s is None else round(candidate.way_s)
    await conn.execute(OFFER, values | {"widens_at": widens_at, "way_s": way_s, "cost": json.dumps(candidate.terms())})


async def _asked(conn: Connection, visit: dict[str, Any]) -> dict[str, bool]:
    """Who was asked in this round, and whether the offer is still open."""
    rows = await (await conn.execute(ASKED, {"id": visit["id"], "round": visit["rounds"]})).fetchall()
    return {row["doctor_id"]: row["is_open"] for row in rows}


async def asking(conn: Connection, visit_id: int) -> list[dict[str, Any]]:
    """Accounts of the doctors whose answer is awaited: `name`, `round` of the search, `visit_class`."""
    return await (await conn.execute(ASKING, {"id": visit_id})).fetchall()


async def accept(conn: Connection, visit_id: int, *, doctor_id: str, by: str, now: datetime, leaves_in: timedelta = timedelta(0)) -> bool:
    """Accept an offer and promise to leave in `leaves_in`; who does not is replaced DEPART_GRACE later. The day's plan makes room later on.

    False where this doctor has the visit already: nothing changes, the first promise stands.

    Raises Taken when another doctor has the visit, IllegalMove when the offer is no longer open, NotFound, BadInput for a strange promise.
    """
    visit = await _lock(conn, visit_id)
    if visit["doctor_id"] not in (None, doctor_id):
        raise Taken(visit["doctor_id"])
    if visit["doctor_id"] == doctor_id and visit["state"] in (VisitState.ACCEPTED, VisitState.ON_THE_WAY, VisitState.AT_HOME):
        return False
    await _answer(conn, visit_id, doctor_id, answer="accepted", now=now)
    await conn.execute(ANSWER_ALL, {"id": visit_id, "answer": "withdrawn", "now": now})
    await _promise(conn, visit | {"doctor_id": doctor_id}, VisitMove.ACCEPT, by=by, now=now, leaves_in=leaves_in)
    return True


async def assign(conn: Connection, visit_id: int, *, doctor_id: str, by: str, now: datetime, leaves_in: timedelta = timedelta(0)) -> None:
    """Give the visit to a doctor who said yes by telephone; whoever had it before is released.

    Raises IllegalMove once somebody is on the way, NotFound for a visit or doctor that is none, BadInput for a strange promise.
    """
    visit = await _lock(conn, visit_id)
    if await (await conn.execute(KNOWN_DOCTOR, {"doctor_id": doctor_id})).fetchone() is None:
        raise NotFound(f"there is no doctor {doctor_id}")
    await conn.execute(RELEASE, {"id": visit_id})
    await _give(conn, visit, doctor_id, why=Why.BY_HAND, by=by, now=now, leaves_in=leaves_in)


async def begin_stop(
    conn: Connection, *, due_id: int, side: int, elder_id: str, reason: str, doctor_id: str, by: str, now: datetime
) -> int:
    """Make a stop of the day's plan a visit that this doctor has accepted. Returns its id. Raises IllegalMove when it has begun."""
    values = {"due_id": due_id, "side": side, "elder_id": elder_id, "reason": reason, "by": by, "now": now}
    row = await (await conn.execute(BEGIN_STOP, values)).fetchone()
    if row is None:
        raise IllegalMove(f"the planned visit {due_id} has begun already")
    await _step(conn, row["id"], by=by, state=VisitState.REQUESTED, doctor_id=None, now=now, detail={"reason": reason, "due_id": due_id})
    await _give(conn, await _lock(conn, row["id"]), doctor_id, why=Why.PLANNED, by=by, now=now, leaves_in=timedelta(0))
    return int(row["id"])


async def _give(conn: Connection, visit: dict[str, Any], doctor_id: str, *, why: Why, by: str, now: datetime, leaves_in: timedelta) -> None:
    await conn.execute(TAKE, {"id": visit["id"], "round": visit["rounds"], "doctor_id": doctor_id, "why": why, "now": now})
    await conn.execute(ANSWER_ALL, {"id": visit["id"], "answer": "withdrawn", "now": now})
    await _promise(conn, visit | {"doctor_id": doctor_id}, VisitMove.ASSIGN, by=by, now=now, leaves_in=leaves_in, why=why)


async def _promise(
    conn: Connection, visit: dict[str, Any], move: VisitMove, *, by: str, now: datetime, leaves_in: timedelta, why: Why | None = None
) -> None:
    if not timedelta(0) <= leaves_in <= DEPART_MAX:
        raise BadInput("a departure is promised for now or the next 24 hours")
    depart_by = now + leaves_in
    detail = {"depart_by": depart_by.isoformat(), "by_hand": why is Why.BY_HAND}
    await _move(conn, visit | {"depart_by": depart_by}, move, by=by, now=now, next_at=depart_by + DEPART_GRACE, detail=detail)
    await conn.execute(WANTS_ROOM, {"id": visit["id"], "now": now})


async def release(conn: Connection, visit_id: int, *, doctor_id: str, by: str, reason: DeclineReason, now: datetime) -> None:
    """The doctor who accepted cannot come after all; others are asked at once. A planned stop is skipped instead. Raises as `depart`."""
    visit = await _own(conn, visit_id, doctor_id)
    if visit["due_id"] is not None:
        raise IllegalMove(f"visit {visit_id} is a stop of the plan: it is skipped, not given back")
    await _release(conn, visit, by=by, now=now, detail={"reason": reason})


async def _release(conn: Connection, visit: dict[str, Any], *, by: str, now: datetime, detail: dict[str, Any]) -> None:
    """Look for somebody else, from the first widening on: the time that was lost must not be lost again."""
    await conn.execute(RELEASE, {"id": visit["id"]})
    started_s = LADDERS[visit["class"]].second_s
    after = visit | {
        "doctor_id": None, "rounds": visit["rounds"] + 1, "rung": 1, "search_at": now - timedelta(seconds=started_s), "depart_by": None,
    }  # fmt: skip
    await _move(conn, after, VisitMove.RELEASE, by=by, now=now, next_at=now, detail=detail | {"released": visit["doctor_id"]})
    await conn.execute(GIVES_ROOM_BACK, {"id": visit["id"], "now": now})


async def decline(conn: Connection, visit_id: int, *, doctor_id: str, reason: DeclineReason, by: str, now: datetime) -> None:
    """Decline an offer with a reason; others are asked at once unless somebody is still thinking it over.

    Raises IllegalMove when the offer is no longer open, NotFound.
    """
    visit = await _lock(conn, visit_id)
    await _answer(conn, visit_id, doctor_id, answer="declined", now=now, reason=reason)
    detail = {"declined_by": doctor_id, "reason": reason}
    is_anyone_left = any((await _asked(conn, visit)).values())
    move = VisitMove.OFFER if is_anyone_left else VisitMove.LAPSE
    await _move(conn, visit, move, by=by, now=now, next_at=now, detail=detail)


async def is_first(conn: Connection, visit_id: int, once: Once | None, *, step: str, by: str, now: datetime) -> bool:
    """False for a step that was taken already: its answer was lost on the way, and the page has sent it again."""
    if once is None:
        return True
    await _lock(conn, visit_id)
    values = {"key": once.key, "id": visit_id, "step": step, "by": by, "said_at": once.said_at, "now": now}
    return await (await conn.execute(ONCE, values)).fetchone() is not None


async def called_120(conn: Connection, visit_id: int, *, by: str, now: datetime) -> None:
    """Somebody has called 120 for this elder; the first call's time stands. Raises NotFound."""
    visit = await _lock(conn, visit_id)
    if (await conn.execute(CALLED_120, {"id": visit_id, "now": now})).rowcount:
        await _step(conn, visit_id, by=by, state=visit["state"], doctor_id=visit["doctor_id"], now=now, detail={"called": "120"})


async def depart(conn: Connection, visit_id: int, *, doctor_id: str, by: str, now: datetime) -> float | None:
    """The doctor is on the way. Returns the expected travel time in seconds, None when unknown.

    Raises IllegalMove, NotFound, or Taken when the visit is another doctor's.
    """
    visit = await _own(conn, visit_id, doctor_id)
    way_s = await candidate_store.way_s(conn, visit["elder_id"], doctor_id, now=now)
    await _move(conn, visit, VisitMove.DEPART, by=by, now=now, detail={"way_s": round(way_s)} if way_s else {})
    return way_s


async def arrive(conn: Connection, visit_id: int, *, doctor_id: str, by: str, now: datetime) -> None:
    """The doctor is at the home. Raises as `depart`."""
    await _move(conn, await _own(conn, visit_id, doctor_id), VisitMove.ARRIVE, by=by, now=now)


async def finish(conn: Connection, visit_id: int, *, doctor_id: str, findings: str, outcome: Outcome, by: str, now: datetime) -> None:
    """The visit is done, with what was found. Raises as `depart`."""
    visit = await _own(conn, visit_id, doctor_id)
    await _move(conn, visit, VisitMove.FINISH, by=by, now=now, findings=findings, outcome=outcome, detail={"outcome": outcome})


async def note(conn: Connection, visit_id: int, *, doctor_id: str, text: str, by: str, now: datetime) -> None:
    """Keep what a doctor who was asked has to say of a visit, whoever makes it now. Raises NotFound for a doctor who never was."""
    visit = await _lock(conn, visit_id)
    if await (await conn.execute(WAS_ASKED, {"id": visit_id, "doctor_id": doctor_id})).fetchone() is None:
        raise NotFound(f"visit {visit_id} was never this doctor's")
    await _step(conn, visit_id, by=by, state=visit["state"], doctor_id=doctor_id, now=now, detail={"note": text})


async def cancel(conn: Connection, visit_id: int, *, by: str, reason: str, now: datetime) -> None:
    """The visit is not needed. Raises IllegalMove once the doctor is at the home, NotFound."""
    visit = await _lock(conn, visit_id)
    await _move(conn, visit, VisitMove.CANCEL, by=by, now=now, detail={"reason": reason})
    await conn.execute(ANSWER_ALL, {"id": visit_id, "answer": "withdrawn", "now": now})
    await conn.execute(GIVES_ROOM_BACK, {"id": visit_id, "now": now})


async def _lock(conn: Connection, visit_id: int) -> dict[str, Any]:
    visit = await (await conn.execute(LOCK, {"id": visit_id})).fetchone()
    if visit is None:
        raise NotFound(f"there is no visit {visit_id}")
    return visit


async def _own(conn: Connection, visit_id: int, doctor_id: str) -> dict[str, Any]:
    visit = await _lock(conn, visit_id)
    if visit["doctor_id"] is None:
        raise IllegalMove(f"visit {visit_id} has not been accepted yet")
    if visit["doctor_id"] != doctor_id:
        raise Taken(visit["doctor_id"])
    return visit


async def _answer(
    conn: Connection, visit_id: int, doctor_id: str, *, answer: str, now: datetime, reason: DeclineReason | None = None
) -> None:
    values = {"id": visit_id, "doctor_id": doctor_id, "answer": answer, "reason": reason, "now": now}
    if await (await conn.execute(ANSWER, values)).fetchone() is None:
        raise IllegalMove(f"visit {visit_id} is not offered to this doctor now; the offer may have run out")


async def _move(
    conn: Connection,
    visit: dict[str, Any],
    move: VisitMove,
    *,
    by: str,
    now: datetime,
    next_at: datetime | None = None,
    findings: str | None = None,
    outcome: Outcome | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Take a step that the table allows. `visit` is the locked row, with the doctor, round and promise it shall have afterwards."""
    state = NEXT.get((VisitState(visit["state"]), move))
    if state is None:
        raise IllegalMove(f"visit {visit['id']} is {visit['state']}; the step '{move}' is not allowed there")
    kept = {name: visit[name] for name in ("id", "doctor_id", "rounds", "rung", "search_at", "depart_by")}
    values = kept | {"state": state, "next_at": next_at, "findings": findings, "outcome": outcome, "now": now}
    await conn.execute(MOVE, values)
    await _step(conn, visit["id"], by=by, state=state, doctor_id=visit["doctor_id"], now=now, detail=detail or {})


async def _step(
    conn: Connection, visit_id: int, *, by: str, state: str, doctor_id: str | None, now: datetime, detail: dict[str, Any]
) -> None:
    values = {"id": visit_id, "by": by, "state": state, "doctor_id": doctor_id, "now": now, "detail": json.dumps(detail)}
    await conn.execute(STEP, values)
    await hint(conn, LIVE_CHANNEL)
