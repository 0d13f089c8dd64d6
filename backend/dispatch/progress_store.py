"""How far a published day is: its stops with what has become of them, and the locks of whoever changes it.

One order of locks everywhere, so that no two wait for each other: the team (its plans of a day), then the dues by their ids, which guard
the stops of their visits too, then visits that are no stops or stops of those dues. A due visit is changed only under its lock.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backend.db.pool import Connection
from backend.dispatch.day.progress import Driven
from backend.dispatch.lifecycle import SkipReason, VisitState

ZONE = ZoneInfo("Asia/Shanghai")
"""All of a team's homes are in one zone: that of the country."""

DRIVEN = """
SELECT p.due_id, p.side, p.doctor_id, p.half, p.starts_at, p.ends_at, p.leg_min, e.latitude, e.longitude, v.state, v.changed_at
FROM day_plan y
JOIN plan_stop p ON p.plan_id = y.id
JOIN due_visit d ON d.id = p.due_id
JOIN elder e ON e.id = d.elder_id
LEFT JOIN LATERAL (
    SELECT v.state, v.changed_at FROM visit v
    WHERE v.due_id = p.due_id AND v.due_side = p.side AND v.state <> 'cancelled' AND v.requested_at >= %(from)s ORDER BY v.id DESC LIMIT 1
) v ON true
WHERE y.team_id = %(team_id)s AND y.day = %(day)s AND y.state = 'published' AND p.skipped_at IS NULL
ORDER BY p.doctor_id, p.half DESC, p.position
"""


LOCK_TEAM = "SELECT id FROM team WHERE id = %(team_id)s FOR NO KEY UPDATE"
LOCK_DUES = """
SELECT d.id FROM due_visit d
WHERE d.id IN (
    SELECT s.due_id FROM plan_stop s JOIN day_plan y ON y.id = s.plan_id
    WHERE y.team_id = %(team_id)s AND y.day = %(day)s AND (y.state = 'published' OR y.id = %(plan_id)s)
    UNION SELECT due_id FROM plan_unserved WHERE plan_id = %(plan_id)s
) ORDER BY d.id FOR NO KEY UPDATE
"""
LOCK_DUES_OF_VISIT = """
SELECT d.id FROM due_visit d JOIN visit v ON v.elder_id = d.elder_id
WHERE v.id = %(visit_id)s AND (d.state = 'due' OR d.id = v.due_id) ORDER BY d.id FOR NO KEY UPDATE OF d
"""
SKIP = """
UPDATE plan_stop SET skipped_at = %(now)s, skip_reason = %(reason)s
WHERE plan_id = %(plan_id)s AND due_id = %(due_id)s AND side = ANY(%(sides)s) AND skipped_at IS NULL
"""
BACK_TO_LIST = "UPDATE due_visit SET promised_at = NULL, promised_doctor_id = NULL WHERE id = %(due_id)s AND state = 'due'"


def midnight(day: date) -> datetime:
    """The instant at which the day begins."""
    return datetime.combine(day, time(), ZONE)


async def driven(conn: Connection, team_id: str, day: date) -> dict[tuple[str, str], list[Driven]]:
    """The published plan's tours by (doctor, half), without what was skipped; empty when none is published."""
    tours: dict[tuple[str, str], list[Driven]] = {}
    rows = await (await conn.execute(DRIVEN, {"team_id": team_id, "day": day, "from": midnight(day)})).fetchall()
    for row in rows:
        tours.setdefault((row["doctor_id"], row["half"]), []).append(_driven(row))
    return tours


def _driven(row: Mapping[str, Any]) -> Driven:
    place = None if row["latitude"] is None or row["longitude"] is None else (row["latitude"], row["longitude"])
    state = None if row["state"] is None else VisitState(row["state"])
    leg = timedelta(minutes=row["leg_min"])
    return Driven(row["due_id"], row["side"], row["starts_at"], row["ends_at"], leg, place, state, row["changed_at"])


async def lock_day(conn: Connection, team_id: str, day: date, *, plan_id: int | None = None) -> None:
    """Lock a team's published day for a change; with `plan_id`, what that plan is about too. Others who change it wait."""
    values = {"team_id": team_id, "day": day, "plan_id": plan_id}
    await conn.execute(LOCK_TEAM, values)
    await conn.execute(LOCK_DUES, values)


async def lock_dues_of(conn: Connection, visit_id: int) -> None:
    """Lock what the end of this visit may change on its elder's due list."""
    await conn.execute(LOCK_DUES_OF_VISIT, {"visit_id": visit_id})


async def skip(
    conn: Connection, plan_id: int, due_id: int, *, sides: Sequence[int] = (0, 1), reason: SkipReason, now: datetime
) -> None:  # fmt: skip
    """Stops of a due visit are not made, and it is back on the due list."""
    values = {"plan_id": plan_id, "due_id": due_id, "sides": list(sides), "reason": reason, "now": now}
    await conn.execute(SKIP, values)
    await back_to_list(conn, due_id)


async def back_to_list(conn: Connection, due_id: int) -> None:
    """Nothing is promised of a due visit any more."""
    await conn.execute(BACK_TO_LIST, {"due_id": due_id})
