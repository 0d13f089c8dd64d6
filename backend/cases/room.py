"""The room as it is now: what waits, who works on how much, who is out."""

from datetime import datetime
from typing import Any

from backend.db.pool import Connection

Row = dict[str, Any]

QUEUE = """
SELECT p.priority, coalesce(c.waiting, 0) AS waiting, coalesce(c.taken, 0) AS taken, c.oldest_at
FROM unnest(ARRAY['high', 'medium', 'low', 'technical']) WITH ORDINALITY AS p (priority, place)
LEFT JOIN (
    SELECT priority, count(*) FILTER (WHERE state = 'new') AS waiting, count(*) FILTER (WHERE state <> 'new') AS taken,
           min(waiting_since) FILTER (WHERE state = 'new') AS oldest_at
    FROM care_case WHERE state <> 'closed' AND rests_until IS NULL GROUP BY priority
) c USING (priority)
ORDER BY p.place
"""
PEOPLE = """
SELECT a.title, d.parts, coalesce(h.cases, 0) AS cases, h.since
FROM account a
LEFT JOIN (
    SELECT account_name, array_agg(DISTINCT part) AS parts FROM duty WHERE %(now)s >= starts_at AND %(now)s < ends_at GROUP BY account_name
) d ON d.account_name = a.name
LEFT JOIN (
    SELECT taken_by, count(*) AS cases, min(taken_at) AS since FROM care_case WHERE state <> 'closed' GROUP BY taken_by
) h ON h.taken_by = a.name
WHERE a.is_active AND (d.parts IS NOT NULL OR h.cases > 0)
ORDER BY d.parts IS NULL, cases DESC, a.title
"""
DOCTORS = """
SELECT d.name, v.state, v.class AS visit_class, v.changed_at
FROM visit v LEFT JOIN doctor d ON d.id = v.doctor_id
WHERE v.state IN ('on_the_way', 'at_home') OR v.state IN ('requested', 'offered', 'accepted') AND v.class <> 'by_date'
ORDER BY v.state NOT IN ('requested', 'offered'), v.changed_at
"""


async def queue(conn: Connection) -> list[Row]:
    """Open cases of each priority, the most urgent first, without those that rest: waiting since when, and taken."""
    return await (await conn.execute(QUEUE)).fetchall()


async def people(conn: Connection, *, now: datetime) -> list[Row]:
    """Who is on duty, and who has cases: title, parts of the duty (None off duty), open cases, the oldest taken since."""
    return await (await conn.execute(PEOPLE, {"now": now})).fetchall()


async def doctors_out(conn: Connection) -> list[Row]:
    """Visits that somebody makes or is looked for now, those without a doctor first."""
    return await (await conn.execute(DOCTORS)).fetchall()
