"""What the list of elders and an elder's page read beside `read.py`, read-only."""

from collections.abc import Collection
from datetime import datetime

from backend.db.pool import Connection
from backend.web.read import Row

LINES = """
SELECT e.id, e.name, e.pinyin, e.sex, e.born_on, e.phone, e.address, a.name AS area_name, t.name AS team_name, g.online, g.heard_at,
       open.id AS case_id, open.priority
FROM elder e
LEFT JOIN area a ON a.id = e.area_id
LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL
    AND (%(now)s::timestamptz AT TIME ZONE e.zone)::date BETWEEN c.signed_on AND c.ends_on
LEFT JOIN team t ON t.id = c.team_id
LEFT JOIN LATERAL (SELECT bool_or(online IS TRUE) AS online, max(heard_at) AS heard_at FROM gateway WHERE elder_id = e.id) g ON true
LEFT JOIN LATERAL (
    SELECT id, priority FROM care_case WHERE elder_id = e.id AND state <> 'closed'
    ORDER BY array_position(ARRAY['high', 'medium', 'low', 'technical'], priority), opened_at LIMIT 1
) open ON true
WHERE e.id = ANY(%(ids)s) ORDER BY e.pinyin, e.id
"""
VISITS = """
SELECT v.id, v.class AS visit_class, v.reason, v.state, v.requested_at, v.changed_at, v.findings, v.outcome, d.name AS doctor_name,
       r.signed_at, r.next_on, r.refer, r.refer_to, r.control, coalesce(signer.title, r.signed_by) AS signed_title
FROM visit v
LEFT JOIN doctor d ON d.id = v.doctor_id
LEFT JOIN visit_record r ON r.visit_id = v.id
LEFT JOIN account signer ON signer.name = r.signed_by
WHERE v.elder_id = %(elder_id)s ORDER BY v.requested_at DESC, v.id DESC LIMIT %(limit)s
"""
DUE = """
SELECT kind, opens_on, due_on FROM due_visit WHERE elder_id = %(elder_id)s AND state = 'due' ORDER BY due_on LIMIT %(limit)s
"""
CASES = """
SELECT c.id, c.priority, c.state, c.opened_at, c.closed_at, c.disposition,
       coalesce((
           SELECT jsonb_agg(one.title ORDER BY one.first) FROM (
               SELECT (array_agg(r.body -> 'title'))[1] AS title, min(a.id) AS first
               FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version WHERE a.case_id = c.id GROUP BY a.rule_id
           ) one
       ), '[]') AS titles
FROM care_case c WHERE c.elder_id = %(elder_id)s ORDER BY c.opened_at DESC LIMIT %(limit)s
"""
QUANTITIES = """
SELECT DISTINCT quantity FROM series WHERE elder_id = %(elder_id)s AND statistic IN ('sample', 'mean') AND last_at IS NOT NULL
"""
SHOWN = 20
"""Newest visits and cases of the page; the board has more of them."""


async def lines(conn: Connection, ids: Collection[str], *, now: datetime) -> list[Row]:
    """Elders as lines of a list, by their pinyin."""
    return await _all(conn, LINES, {"ids": list(ids), "now": now})


async def visits(conn: Connection, elder_id: str) -> list[Row]:
    """The newest SHOWN visits with what was signed at them."""
    return await _all(conn, VISITS, {"elder_id": elder_id, "limit": SHOWN})


async def due(conn: Connection, elder_id: str) -> list[Row]:
    """Visits by plan that are still to be made, the next first."""
    return await _all(conn, DUE, {"elder_id": elder_id, "limit": SHOWN})


async def cases(conn: Connection, elder_id: str) -> list[Row]:
    """The newest SHOWN cases with the titles of their rules."""
    return await _all(conn, CASES, {"elder_id": elder_id, "limit": SHOWN})


async def quantities(conn: Connection, elder_id: str) -> set[str]:
    """What was ever measured."""
    return {row["quantity"] for row in await _all(conn, QUANTITIES, {"elder_id": elder_id})}


async def _all(conn: Connection, statement: str, values: Row) -> list[Row]:
    return await (await conn.execute(statement, values)).fetchall()
