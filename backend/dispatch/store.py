"""Visits in the database: requests, offers with their clocks, and every step with who and when.

The caller owns the transaction. A request row is locked before it moves, so that two doctors who accept at once find exactly one winner;
the unique index `visit_offer_one_winner` says the same again.
"""

import json
import logging
from datetime import datetime, timedelta
from typing import Any

from psycopg import DataError

from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.dispatch.lifecycle import NEXT, Candidate, DeclineReason, Outcome, VisitMove, VisitState, Why, next_doctor
from backend.errors import IllegalMove, NotFound, Taken

logger = logging.getLogger(__name__)


OPEN_OF_ALERT = "SELECT id FROM visit WHERE alert_id = %(alert_id)s AND state NOT IN ('done', 'cancelled')"
REQUEST = """
INSERT INTO visit (elder_id, alert_id, class, reason, requested_at, requested_by, changed_at, next_at)
VALUES (%(elder_id)s, %(alert_id)s, %(visit_class)s, %(reason)s, %(now)s, %(by)s, %(now)s, %(now)s)
ON CONFLICT (alert_id) WHERE state NOT IN ('done', 'cancelled') DO NOTHING
RETURNING id
"""
LOCK = "SELECT id, elder_id, state, doctor_id, rounds FROM visit WHERE id = %(id)s FOR UPDATE"
CLAIM_DUE = """
SELECT id, elder_id, state, doctor_id, rounds FROM visit WHERE next_at <= %(now)s ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
MOVE = """
UPDATE visit SET state = %(state)s, doctor_id = %(doctor_id)s, next_at = %(next_at)s, rounds = %(rounds)s, findings = %(findings)s,
    outcome = %(outcome)s, changed_at = %(now)s, version = version + 1
WHERE id = %(id)s
"""
POSTPONE = "UPDATE visit SET next_at = %(next_at)s WHERE id = %(id)s"
STEP = """
INSERT INTO visit_step (visit_id, at, by, state, doctor_id, detail)
VALUES (%(id)s, %(now)s, %(by)s, %(state)s, %(doctor_id)s, %(detail)s)
"""
CANDIDATES = """
WITH signed AS (
    SELECT c.team_id, c.doctor_id FROM contract c JOIN elder e ON e.id = c.elder_id
    WHERE c.elder_id = %(elder_id)s AND c.cancelled_on IS NULL
        AND (%(now)s::timestamptz AT TIME ZONE e.zone)::date BETWEEN c.signed_on AND c.ends_on
), asked_team AS (
    SELECT team_id AS id, 'own_team' AS why FROM signed
    UNION ALL
    SELECT t.fallback_team_id, 'fallback_team' FROM team t JOIN signed s ON s.team_id = t.id WHERE t.fallback_team_id IS NOT NULL
)
SELECT d.id AS doctor_id,
       CASE WHEN d.id = (SELECT doctor_id FROM signed) THEN 'own_doctor' ELSE a.why END AS why,
       (SELECT count(*) FROM visit v WHERE v.doctor_id = d.id AND v.state IN ('accepted', 'on_the_way', 'at_home')) AS open_visits
FROM doctor d
JOIN asked_team a ON a.id = d.team_id
WHERE d.role = 'gp' AND EXISTS (SELECT FROM shift s WHERE s.doctor_id = d.id AND %(now)s >= s.starts_at AND %(now)s < s.ends_at)
"""
ASKED = "SELECT doctor_id FROM visit_offer WHERE visit_id = %(id)s AND round = %(round)s"
OFFER = """
INSERT INTO visit_offer (visit_id, round, doctor_id, why, offered_at, expires_at)
VALUES (%(id)s, %(round)s, %(doctor_id)s, %(why)s, %(now)s, %(expires_at)s)
"""
ANSWER = """
UPDATE visit_offer SET answer = %(answer)s, answered_at = %(now)s, decline_reason = %(reason)s
WHERE visit_id = %(id)s AND doctor_id = %(doctor_id)s AND answer IS NULL
RETURNING id
"""
ANSWER_ALL = """
UPDATE visit_offer SET answer = %(answer)s, answered_at = %(now)s WHERE visit_id = %(id)s AND answer IS NULL RETURNING doctor_id
"""


async def request(conn: Connection, *, elder_id: str, alert_id: int | None, visit_class: str, reason: str, by: str, now: datetime) -> int:
    """Ask for a visit. Returns its id; where the alert already has an open visit, that one's."""
    values = {"elder_id": elder_id, "alert_id": alert_id, "visit_class": visit_class, "reason": reason, "by": by, "now": now}
    while (row := await (await conn.execute(REQUEST, values)).fetchone()) is None:
        if (there_is := await (await conn.execute(OPEN_OF_ALERT, values)).fetchone()) is not None:
            return int(there_is["id"])  # else it has ended between the two questions, and a new one can be asked for
    await _step(conn, row["id"], by=by, state=VisitState.REQUESTED, doctor_id=None, now=now, detail={"reason": reason})
    return int(row["id"])


async def offer_due(conn: Connection, *, now: datetime, offer_s: float, retry_s: float) -> int | None:
    """Serve one visit whose timer has run out: expire its offer, then ask the next doctor, or begin a new round after `retry_s`.

    Returns the visit's id, None when nothing is due. Safe with any number of workers.
    """
    visit = await (await conn.execute(CLAIM_DUE, {"now": now})).fetchone()
    if visit is None:
        return None
    for row in await (await conn.execute(ANSWER_ALL, {"id": visit["id"], "answer": "expired", "now": now})).fetchall():
        await _step(conn, visit["id"], by="system", state=visit["state"], doctor_id=row["doctor_id"], now=now, detail={"offer": "expired"})
    try:
        async with conn.transaction():
            await _offer_next(conn, visit, now=now, offer_s=offer_s, retry_s=retry_s)
    except DataError:  # a row that cannot be read must not keep doctors from all other homes
        logger.exception("visit %s cannot be offered", visit["id"], extra={"event": "offer_failed", "visit_id": visit["id"]})
        await conn.execute(POSTPONE, {"id": visit["id"], "next_at": now + timedelta(seconds=retry_s)})
    return int(visit["id"])


async def _offer_next(conn: Connection, visit: dict[str, Any], *, now: datetime, offer_s: float, retry_s: float) -> None:
    candidate = next_doctor(await _candidates(conn, visit["elder_id"], now), await _asked(conn, visit))
    if candidate is None:
        await _move(
            conn, visit | {"rounds": visit["rounds"] + 1}, VisitMove.LAPSE, by="system", now=now, detail={"nobody": True},
            next_at=now + timedelta(seconds=retry_s),
        )  # fmt: skip
        return
    expires_at = now + timedelta(seconds=offer_s)
    values = {"id": visit["id"], "round": visit["rounds"], "doctor_id": candidate.doctor_id, "why": candidate.why}
    await conn.execute(OFFER, values | {"now": now, "expires_at": expires_at})
    await _move(
        conn, visit, VisitMove.OFFER, by="system", now=now, next_at=expires_at,
        detail={"offered_to": candidate.doctor_id, "why": candidate.why},
    )  # fmt: skip


async def _candidates(conn: Connection, elder_id: str, now: datetime) -> list[Candidate]:
    rows = await (await conn.execute(CANDIDATES, {"elder_id": elder_id, "now": now})).fetchall()
    return [Candidate(row["doctor_id"], Why(row["why"]), row["open_visits"]) for row in rows]


async def _asked(conn: Connection, visit: dict[str, Any]) -> frozenset[str]:
    rows = await (await conn.execute(ASKED, {"id": visit["id"], "round": visit["rounds"]})).fetchall()
    return frozenset(row["doctor_id"] for row in rows)


async def accept(conn: Connection, visit_id: int, *, doctor_id: str, by: str, now: datetime) -> None:
    """Accept an offer. Raises Taken when another doctor has the visit, IllegalMove when the offer is no longer open, NotFound."""
    visit = await _lock(conn, visit_id)
    if visit["doctor_id"] not in (None, doctor_id):
        raise Taken(visit["doctor_id"])
    await _answer(conn, visit_id, doctor_id, answer="accepted", now=now)
    await conn.execute(ANSWER_ALL, {"id": visit_id, "answer": "withdrawn", "now": now})
    await _move(conn, visit | {"doctor_id": doctor_id}, VisitMove.ACCEPT, by=by, now=now)


async def decline(conn: Connection, visit_id: int, *, doctor_id: str, reason: DeclineReason, by: str, now: datetime) -> None:
    """Decline an offer with a reason; the next doctor is asked at once. Raises IllegalMove when the offer is no longer open, NotFound."""
    visit = await _lock(conn, visit_id)
    await _answer(conn, visit_id, doctor_id, answer="declined", now=now, reason=reason)
    await _move(conn, visit, VisitMove.LAPSE, by=by, now=now, next_at=now, detail={"declined_by": doctor_id, "reason": reason})


async def depart(conn: Connection, visit_id: int, *, doctor_id: str, by: str, now: datetime) -> None:
    """The doctor is on the way. Raises IllegalMove, NotFound, or Taken when the visit is another doctor's."""
    await _move(conn, await _own(conn, visit_id, doctor_id), VisitMove.DEPART, by=by, now=now)


async def arrive(conn: Connection, visit_id: int, *, doctor_id: str, by: str, now: datetime) -> None:
    """The doctor is at the home. Raises as `depart`."""
    await _move(conn, await _own(conn, visit_id, doctor_id), VisitMove.ARRIVE, by=by, now=now)


async def finish(conn: Connection, visit_id: int, *, doctor_id: str, findings: str, outcome: Outcome, by: str, now: datetime) -> None:
    """The visit is done, with what was found. Raises as `depart`."""
    visit = await _own(conn, visit_id, doctor_id)
    await _move(conn, visit, VisitMove.FINISH, by=by, now=now, findings=findings, outcome=outcome, detail={"outcome": outcome})


async def cancel(conn: Connection, visit_id: int, *, by: str, reason: str, now: datetime) -> None:
    """The visit is not needed. Raises IllegalMove once the doctor is at the home, NotFound."""
    visit = await _lock(conn, visit_id)
    await _move(conn, visit, VisitMove.CANCEL, by=by, now=now, detail={"reason": reason})
    await conn.execute(ANSWER_ALL, {"id": visit_id, "answer": "withdrawn", "now": now})


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
    """Take a step that the table allows. `visit` is the locked row, with the doctor and round it shall have afterwards."""
    state = NEXT.get((VisitState(visit["state"]), move))
    if state is None:
        raise IllegalMove(f"visit {visit['id']} is {visit['state']}; the step '{move}' is not allowed there")
    values = {"id": visit["id"], "state": state, "doctor_id": visit["doctor_id"], "rounds": visit["rounds"], "now": now}
    await conn.execute(MOVE, values | {"next_at": next_at, "findings": findings, "outcome": outcome})
    await _step(conn, visit["id"], by=by, state=state, doctor_id=visit["doctor_id"], now=now, detail=detail or {})


async def _step(
    conn: Connection, visit_id: int, *, by: str, state: str, doctor_id: str | None, now: datetime, detail: dict[str, Any]
) -> None:
    values = {"id": visit_id, "by": by, "state": state, "doctor_id": doctor_id, "now": now, "detail": json.dumps(detail)}
    await conn.execute(STEP, values)
    await hint(conn, LIVE_CHANNEL)
