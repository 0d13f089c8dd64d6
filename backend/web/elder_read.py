"""What the pages read of an elder: the file with its gateways, the newest values, and what the elder's own page shows. Read-only."""

from collections.abc import Collection
from datetime import datetime

from backend.db.pool import Connection
from backend.web.read import LIST_MAX, Row, rows_of

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
ELDER = """
SELECT e.id, e.name, e.pinyin, e.sex, e.born_on, e.phone, e.address, e.access_note, e.latitude, e.longitude,
       e.conditions, e.drugs, e.allergies, e.zone, e.ability, e.ability_on,
       EXISTS (SELECT FROM elder_photo p WHERE p.elder_id = e.id) AS has_photo,
       t.name AS team_name, t.phone AS team_phone, d.name AS doctor_name, d.phone AS doctor_phone, c.ends_on
FROM elder e
LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL
    AND (%(now)s::timestamptz AT TIME ZONE e.zone)::date BETWEEN c.signed_on AND c.ends_on
LEFT JOIN team t ON t.id = c.team_id
LEFT JOIN doctor d ON d.id = c.doctor_id
WHERE e.id = %(elder_id)s
"""
CONTACTS = "SELECT position, name, relation, phone, has_key, notify_channel FROM contact WHERE elder_id = %(elder_id)s ORDER BY position"
GATEWAYS = """
SELECT g.id, g.online, g.heard_at, coalesce(g.status -> 'devices', '[]') AS devices, (g.status ->> 'live_until')::timestamptz AS live_until,
       (SELECT max(o.until) FROM command o
        WHERE o.gateway_id = g.id AND o.body ->> 'kind' = 'live_view' AND o.done_at IS NULL AND o.until > %(now)s) AS live_asked_until
FROM gateway g WHERE g.elder_id = %(elder_id)s ORDER BY g.id
"""
GATEWAY = """
SELECT g.id, g.online, g.heard_at, g.elder_id, e.name AS elder_name,
       coalesce(g.status -> 'devices', '[]') AS devices, coalesce(g.status -> 'nearby', '[]') AS nearby
FROM gateway g LEFT JOIN elder e ON e.id = g.elder_id WHERE g.id = %(gateway_id)s
"""
LATEST = """
SELECT DISTINCT ON (quantity) quantity, last_at, last_value FROM series
WHERE elder_id = %(elder_id)s AND statistic IN ('sample', 'mean') AND last_at IS NOT NULL
ORDER BY quantity, last_at DESC
"""
SIGNS = "SELECT name, at FROM last_sign WHERE elder_id = %(elder_id)s"
PROMISED = """
SELECT v.kind, v.promised_at, d.name AS doctor_name FROM due_visit v JOIN doctor d ON d.id = v.promised_doctor_id
WHERE v.elder_id = %(elder_id)s AND v.state = 'due' AND v.promised_at >= %(now)s ORDER BY v.promised_at LIMIT %(limit)s
"""
DOCTORS_TO_CALL = """
SELECT d.name, d.phone, t.name AS team_name
FROM contract c
JOIN team own ON own.id = c.team_id
JOIN team t ON t.id IN (own.id, own.fallback_team_id)
JOIN doctor d ON d.team_id = t.id
WHERE c.elder_id = %(elder_id)s AND c.cancelled_on IS NULL AND d.role = 'gp' AND d.phone <> ''
ORDER BY d.id <> c.doctor_id, t.id <> own.id, d.name
"""


async def elder(conn: Connection, elder_id: str, *, now: datetime) -> Row | None:
    """An elder's file with contract, contacts and gateways; None when there is no such elder."""
    row = await (await conn.execute(ELDER, {"elder_id": elder_id, "now": now})).fetchone()
    if row is None:
        return None
    contacts = await rows_of(conn, CONTACTS, {"elder_id": elder_id})
    return row | {"contacts": contacts, "gateways": await rows_of(conn, GATEWAYS, {"elder_id": elder_id, "now": now})}


async def latest(conn: Connection, elder_id: str) -> dict[str, Row]:
    """The newest value of each quantity with its time, whatever its age."""
    return {row["quantity"]: row for row in await rows_of(conn, LATEST, {"elder_id": elder_id})}


async def signs_of_life(conn: Connection, elder_id: str) -> dict[str, datetime]:
    """When each sign of life was heard last, by its name."""
    return {row["name"]: row["at"] for row in await rows_of(conn, SIGNS, {"elder_id": elder_id})}


async def promised_visits(conn: Connection, elder_id: str, *, now: datetime) -> list[Row]:
    """Planned visits that the elder was promised, soonest first."""
    return await rows_of(conn, PROMISED, {"elder_id": elder_id, "now": now, "limit": LIST_MAX})


async def doctors_to_call(conn: Connection, elder_id: str | None) -> list[Row]:
    """Family doctors of the signed team and its stand-in who have a phone: the signed doctor first."""
    return await rows_of(conn, DOCTORS_TO_CALL, {"elder_id": elder_id})


async def gateway(conn: Connection, gateway_id: str) -> Row | None:
    """A gateway as it last said it is, with its elder; None when there is no such gateway."""
    return await (await conn.execute(GATEWAY, {"gateway_id": gateway_id})).fetchone()


async def lines(conn: Connection, ids: Collection[str], *, now: datetime) -> list[Row]:
    """Elders as lines of a list, by their pinyin."""
    return await rows_of(conn, LINES, {"ids": list(ids), "now": now})


async def visits(conn: Connection, elder_id: str) -> list[Row]:
    """The newest SHOWN visits with what was signed at them."""
    return await rows_of(conn, VISITS, {"elder_id": elder_id, "limit": SHOWN})


async def due(conn: Connection, elder_id: str) -> list[Row]:
    """Visits by plan that are still to be made, the next first."""
    return await rows_of(conn, DUE, {"elder_id": elder_id, "limit": SHOWN})


async def cases(conn: Connection, elder_id: str) -> list[Row]:
    """The newest SHOWN cases with the titles of their rules."""
    return await rows_of(conn, CASES, {"elder_id": elder_id, "limit": SHOWN})


async def quantities(conn: Connection, elder_id: str) -> set[str]:
    """What was ever measured."""
    return {row["quantity"] for row in await rows_of(conn, QUANTITIES, {"elder_id": elder_id})}
