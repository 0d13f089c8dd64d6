"""A published day as it is driven: each doctor's stops, which become visits or are skipped. The caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.dispatch import progress_store
from backend.dispatch import store as visits
from backend.dispatch.lifecycle import Outcome, SkipReason
from backend.dispatch.progress_store import ZONE, midnight
from backend.errors import IllegalMove, NotFound, Taken

ROUND = """
SELECT p.due_id, p.side, p.half, p.position, p.starts_at, p.ends_at, p.leg_min, p.terms, p.skipped_at, p.skip_reason,
       d.kind, d.note, d.state AS due_state, d.elder_id, e.name AS elder_name, e.address, e.zone, e.latitude, e.longitude, d.promised_at,
       partner.name AS partner_name, other.starts_at AS partner_starts_at, v.id AS visit_id, v.state AS visit_state, v.outcome
FROM plan_stop p
JOIN day_plan y ON y.id = p.plan_id
JOIN due_visit d ON d.id = p.due_id
JOIN elder e ON e.id = d.elder_id
LEFT JOIN plan_stop other ON other.plan_id = p.plan_id AND other.due_id = p.due_id AND other.side <> p.side
LEFT JOIN doctor partner ON partner.id = other.doctor_id
LEFT JOIN LATERAL (
    SELECT v.id, v.state, v.outcome FROM visit v
    WHERE v.due_id = p.due_id AND v.due_side = p.side AND v.state <> 'cancelled' AND v.requested_at >= %(from)s ORDER BY v.id DESC LIMIT 1
) v ON true
WHERE y.state = 'published' AND p.doctor_id = %(doctor_id)s AND y.day = %(day)s ORDER BY p.starts_at
"""
LOCK_DUE = "SELECT id, elder_id, kind, roles, state FROM due_visit WHERE id = %(due_id)s FOR NO KEY UPDATE"
HAS_BEGUN = """
SELECT id FROM visit WHERE due_id = %(due_id)s AND doctor_id = %(doctor_id)s AND state <> 'cancelled' AND outcome IS DISTINCT FROM 'not_met'
ORDER BY id DESC LIMIT 1
"""
OWN_VISIT = """
SELECT id FROM visit WHERE due_id = %(due_id)s AND doctor_id = %(doctor_id)s AND state <> 'cancelled' ORDER BY id DESC LIMIT 1
"""
STOP = """
SELECT p.plan_id, p.side, p.doctor_id, p.skipped_at FROM plan_stop p JOIN day_plan y ON y.id = p.plan_id
WHERE p.due_id = %(due_id)s AND y.state = 'published' ORDER BY y.day DESC, p.doctor_id <> %(doctor_id)s
"""
SIDES_DONE = """
SELECT count(DISTINCT due_side) AS n FROM visit WHERE due_id = %(due_id)s AND state = 'done' AND outcome <> 'not_met'
"""
DONE = "UPDATE due_visit SET state = 'done', done_on = %(on)s WHERE id = %(due_id)s AND state = 'due'"
DUE_OF = "SELECT due_id FROM visit WHERE id = %(visit_id)s AND due_id IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Begun:
    """The visit that a stop has become. `is_new`: by this very step."""

    visit_id: int
    is_new: bool


async def of_doctor(conn: Connection, doctor_id: str, day: date) -> list[dict[str, Any]]:
    """What the published plan gives a doctor on a day, in order, with what has become of each stop."""
    return await (await conn.execute(ROUND, {"doctor_id": doctor_id, "day": day, "from": midnight(day)})).fetchall()


async def begin(conn: Connection, due_id: int, *, doctor_id: str, by: str, now: datetime) -> Begun:
    """Make a stop a visit of this doctor, or say which it is already.

    Raises NotFound when no published plan has it, Taken when it is somebody else's, IllegalMove when it was skipped or is done.
    """
    due = await _lock_due(conn, due_id)
    own = await (await conn.execute(HAS_BEGUN, {"due_id": due_id, "doctor_id": doctor_id})).fetchone()
    if own is not None:
        return Begun(int(own["id"]), is_new=False)
    stop = await _stop(conn, due_id, doctor_id)
    if stop["skipped_at"] is not None or due["state"] != "due":
        raise IllegalMove(f"the planned visit {due_id} is off the list")
    visit_id = await visits.begin_stop(
        conn, due_id=due_id, side=stop["side"], elder_id=due["elder_id"], reason=due["kind"], doctor_id=doctor_id, by=by, now=now
    )
    return Begun(visit_id, is_new=True)


async def own_visit(conn: Connection, due_id: int, doctor_id: str) -> int | None:
    """The newest visit that this doctor makes, or made, of a due visit, whether anybody was met or not."""
    row = await (await conn.execute(OWN_VISIT, {"due_id": due_id, "doctor_id": doctor_id})).fetchone()
    return None if row is None else int(row["id"])


async def skip(conn: Connection, due_id: int, *, doctor_id: str, reason: SkipReason, by: str, now: datetime) -> None:
    """This stop is not made today; the visit goes back to the due list. To skip it again changes nothing.

    Raises IllegalMove once the doctor is at the home: such a visit ends with its outcome. Raises NotFound, Taken as `begin`.
    """
    await _lock_due(conn, due_id)
    stop = await _stop(conn, due_id, doctor_id)
    if stop["skipped_at"] is not None:
        return
    if (visit_id := await own_visit(conn, due_id, doctor_id)) is not None:
        await visits.cancel(conn, visit_id, by=by, reason=reason, now=now)
    await progress_store.skip(conn, stop["plan_id"], due_id, sides=[stop["side"]], reason=reason, now=now)
    await hint(conn, LIVE_CHANNEL)


async def finish(conn: Connection, visit_id: int, outcome: Outcome, *, now: datetime) -> None:
    """A visit has ended. Where it was a stop, what was due is done when all of its people were there, and due again when nobody was met.

    Whoever calls this has called `progress_store.lock_dues_of` before locking the visit.
    """
    row = await (await conn.execute(DUE_OF, {"visit_id": visit_id})).fetchone()
    if row is None:
        return
    due = await _lock_due(conn, row["due_id"])
    if outcome is Outcome.NOT_MET:
        await progress_store.back_to_list(conn, row["due_id"])
        return
    done = await (await conn.execute(SIDES_DONE, row)).fetchone()
    if done is not None and done["n"] >= len(due["roles"]):
        await conn.execute(DONE, row | {"on": now.astimezone(ZONE).date()})


async def _lock_due(conn: Connection, due_id: int) -> dict[str, Any]:
    due = await (await conn.execute(LOCK_DUE, {"due_id": due_id})).fetchone()
    if due is None:
        raise NotFound(f"nothing is due under {due_id}")
    return due


async def _stop(conn: Connection, due_id: int, doctor_id: str) -> dict[str, Any]:
    stops: Sequence[dict[str, Any]] = await (await conn.execute(STOP, {"due_id": due_id, "doctor_id": doctor_id})).fetchall()
    if not stops:
        raise NotFound(f"no published plan has {due_id}")
    newest = [stop for stop in stops if stop["plan_id"] == stops[0]["plan_id"]]
    own = next((stop for stop in newest if stop["doctor_id"] == doctor_id), None)
    if own is None:
        raise Taken(stops[0]["doctor_id"])
    return own
