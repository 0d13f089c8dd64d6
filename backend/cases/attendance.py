"""How soon somebody was at the home: the visits that were asked for in a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from backend.db.pool import Connection

Row = dict[str, Any]

TARGETS: tuple[tuple[int, float, str], ...] = ((45, 0.90, "TSA"), (60, 1.0, "TSA"))
"""Minutes from the request to the home, share of visits, source: MASCOT Telecare report 2015-16 under the TSA code."""
JUDGED = ("emergency", "urgent")
"""Classes that the targets are about; others are made on a day that was agreed."""

VISITS = """
SELECT v.class, v.state, v.requested_at, there.at AS at_home_at
FROM visit v
JOIN elder e ON e.id = v.elder_id
LEFT JOIN LATERAL (SELECT min(s.at) AS at FROM visit_step s WHERE s.visit_id = v.id AND s.state = 'at_home') there ON true
WHERE v.requested_at >= %(from_at)s AND v.requested_at < %(to_at)s AND (%(areas)s::text[] IS NULL OR e.area_id = ANY(%(areas)s))
ORDER BY v.requested_at, v.id
"""


@dataclass(frozen=True, slots=True)
class Attendance:
    """Visits of one class. `within` counts those who were there in at most so many minutes; `late` are over the last target by now.

    `due` could have been there: neither cancelled nor still inside the last target. Minutes are None where nobody has arrived.
    """

    asked: int
    cancelled: int
    arrived: int
    due: int
    within: dict[int, int]
    median_min: float | None
    longest_min: float | None

    def share(self, minutes: int) -> float | None:
        """There within so many minutes, of those that were due; None where none was."""
        return self.within[minutes] / self.due if self.due else None


def count(rows: Sequence[Row], *, now: datetime) -> Attendance:
    """Count rows of VISITS. Pure."""
    last_min = max(minutes for minutes, _, _ in TARGETS)
    took = [(row["at_home_at"] - row["requested_at"]).total_seconds() / 60 for row in rows if row["at_home_at"] is not None]
    open_rows = [row for row in rows if row["at_home_at"] is None and row["state"] != "cancelled"]
    overdue = [row for row in open_rows if (now - row["requested_at"]).total_seconds() / 60 > last_min]
    return Attendance(
        asked=len(rows),
        cancelled=len(rows) - len(took) - len(open_rows),
        arrived=len(took),
        due=len(took) + len(overdue),
        within={minutes: sum(one <= minutes for one in took) for minutes, _, _ in TARGETS},
        median_min=median(took) if took else None,
        longest_min=max(took, default=None),
    )


async def by_class(
    conn: Connection, *, from_at: datetime, to_at: datetime, now: datetime, areas: Sequence[str] | None = None
) -> dict[str, Attendance]:
    """Visits asked for in [from_at, to_at), by class, the most urgent first."""
    rows = await (await conn.execute(VISITS, {"from_at": from_at, "to_at": to_at, "areas": areas})).fetchall()
    found = {name: [row for row in rows if row["class"] == name] for name in ("emergency", "urgent", "same_day", "by_date")}
    return {name: count(of_class, now=now) for name, of_class in found.items() if of_class}
