"""How far a published day is: its stops with what has become of them."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backend.db.pool import Connection
from backend.dispatch.day.progress import Driven
from backend.dispatch.lifecycle import VisitState

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
