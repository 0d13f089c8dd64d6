"""What the pages and the API read of alerts, cases and visits, joined over the features, read-only.

Everything is "which ids, then their details": lists, single pages and live updates show the same rows from the same statements.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from backend.db.pool import Connection

Row = dict[str, Any]

CALLS_MAX = 1_000
"""Calls that ring, the most pressing priority first and of that the newest: more of them ring no louder."""
URGENT_ROWS_MAX = 100
"""Calls of high priority that nobody has taken and that have a row however short the list is to be, the oldest first."""
LIST_MAX = 200
"""Rows of a list: more than anybody reads; the newest are kept."""

ELDER_VISIT_IDS = "SELECT id FROM visit WHERE elder_id = %(elder_id)s ORDER BY requested_at DESC LIMIT %(limit)s"
ALERTS = """
SELECT a.id, a.version, a.elder_id, e.name AS elder_name, coalesce(e.zone, 'Asia/Shanghai') AS zone, a.gateway_id, a.rule_id,
       r.body AS rule, a.priority, a.level, a.state, a.condition, a.opened_at, a.known_at, a.changed_at, a.last_at, a.count, a.evidence,
       a.case_id, c.state AS case_state, c.taken_by, coalesce(taker.title, c.taken_by) AS taken_title, c.taken_at,
       a.closed_at, a.disposition, v.id AS visit_id, v.state AS visit_state, v.rounds AS visit_rounds, v.rung AS visit_rung,
       v.doctor_name
FROM alert a
JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version
LEFT JOIN elder e ON e.id = a.elder_id
LEFT JOIN care_case c ON c.id = a.case_id
LEFT JOIN account taker ON taker.name = c.taken_by
LEFT JOIN LATERAL (
    SELECT v.id, v.state, v.rounds, v.rung, d.name AS doctor_name FROM visit v LEFT JOIN doctor d ON d.id = v.doctor_id
    WHERE v.alert_id = a.id ORDER BY v.id DESC LIMIT 1
) v ON true
WHERE a.id = ANY(%(ids)s)
ORDER BY array_position(ARRAY['high', 'medium', 'low', 'technical'], a.priority), a.state = 'closed', c.state <> 'new', a.opened_at, a.id
"""
OPEN_ALERT_PLACES = """
SELECT id, elder_id, later, rank, taken, at FROM (
    SELECT a.id, a.elder_id, 0 AS later, array_position(ARRAY['high', 'medium', 'low', 'technical'], a.priority) AS rank,
           (coalesce(c.state, 'new') <> 'new')::integer AS taken, a.opened_at AS at
    FROM alert a LEFT JOIN care_case c ON c.id = a.case_id WHERE a.state <> 'closed'
) one
WHERE (later, rank, taken, at, id) > (%(later)s, %(rank)s, %(taken)s, %(at)s, %(id)s) ORDER BY later, rank, taken, at, id LIMIT %(limit)s
"""
ELDER_ALERT_IDS = "SELECT id FROM alert WHERE elder_id = %(elder_id)s ORDER BY opened_at DESC LIMIT %(limit)s"
CASE_ALERT_IDS = "SELECT id FROM alert WHERE case_id = %(case_id)s ORDER BY state = 'closed', opened_at LIMIT %(limit)s"
CASES = """
SELECT c.id, c.version, c.elder_id, e.name AS elder_name, coalesce(e.zone, 'Asia/Shanghai') AS zone, c.gateway_id, c.is_group, c.priority,
       c.state, c.opened_at, c.known_at, c.changed_at, c.waiting_since, c.taken_by, coalesce(taker.title, c.taken_by) AS taken_title,
       c.taken_at, c.begun_at, c.resolved_at, coalesce(closer.title, c.closed_by) AS closed_title, c.closed_at, c.disposition, c.next_step,
       c.next_at, c.flagged_at, lead.id AS alert_id, lead.rule, lead.condition, lead.last_at, lead.count, lead.evidence,
       about.rules AS about, about.alerts_open, about.alerts_total,
       v.id AS visit_id, v.state AS visit_state, v.rounds AS visit_rounds, v.rung AS visit_rung, v.doctor_name,
       c.rests_until, ARRAY(SELECT coalesce(x.title, n) FROM unnest(c.asked) AS n LEFT JOIN account x ON x.name = n) AS asked,
       c.rests_until IS NOT NULL OR c.priority = 'technical' AND NOT c.is_group AND EXISTS (
           SELECT FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version
           WHERE coalesce(a.elder_id, 'gateway:' || a.gateway_id) = coalesce(c.elder_id, 'gateway:' || c.gateway_id) AND a.state <> 'closed'
               AND a.case_id <> c.id AND r.body ->> 'kind' = 'absence' AND r.body ->> 'of' = 'gateway'
       ) AS is_muted
FROM care_case c
LEFT JOIN elder e ON e.id = c.elder_id
LEFT JOIN account taker ON taker.name = c.taken_by
LEFT JOIN account closer ON closer.name = c.closed_by
LEFT JOIN LATERAL (
    SELECT a.id, r.body AS rule, a.condition, a.last_at, a.count, a.evidence
    FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version WHERE a.case_id = c.id
    ORDER BY a.state = 'closed', array_position(ARRAY['high', 'medium', 'low', 'technical'], a.priority), a.opened_at, a.id LIMIT 1
) lead ON true
LEFT JOIN LATERAL (
    SELECT coalesce(
               jsonb_agg(jsonb_build_object('rule_id', one.rule_id, 'title', one.title, 'alerts', one.alerts) ORDER BY one.first), '[]'
           ) AS rules,
           coalesce(sum(one.open), 0)::integer AS alerts_open, coalesce(sum(one.alerts), 0)::integer AS alerts_total
    FROM (
        SELECT a.rule_id, (array_agg(r.body -> 'title'))[1] AS title, count(*) AS alerts,
               count(*) FILTER (WHERE a.state <> 'closed') AS open, min(a.id) AS first
        FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version WHERE a.case_id = c.id GROUP BY a.rule_id
    ) one
) about ON true
LEFT JOIN LATERAL (
    SELECT v.id, v.state, v.rounds, v.rung, d.name AS doctor_name
    FROM alert a JOIN visit v ON v.alert_id = a.id LEFT JOIN doctor d ON d.id = v.doctor_id
    WHERE a.case_id = c.id ORDER BY v.id DESC LIMIT 1
) v ON true
WHERE c.id = ANY(%(ids)s)
ORDER BY (c.state = 'new' AND c.priority <> 'technical') IS NOT TRUE,
         array_position(ARRAY['high', 'medium', 'low', 'technical'], c.priority), c.state <> 'new', c.opened_at, c.id
"""
QUEUE = """
WITH gateway_rule AS MATERIALIZED (
    SELECT id, version FROM rule WHERE body ->> 'kind' = 'absence' AND body ->> 'of' = 'gateway'
), silent AS MATERIALIZED (
    SELECT coalesce(a.elder_id, 'gateway:' || a.gateway_id) AS subject, min(a.case_id) AS first_case_id, max(a.case_id) AS last_case_id
    FROM alert a JOIN gateway_rule r ON r.id = a.rule_id AND r.version = a.rule_version WHERE a.state <> 'closed' GROUP BY 1
), waiting AS MATERIALIZED (
    SELECT c.id, c.priority, array_position(ARRAY['high', 'medium', 'low', 'technical'], c.priority) AS rank, c.state, c.opened_at,
           c.rests_until IS NOT NULL
           OR c.priority = 'technical' AND NOT c.is_group AND coalesce(s.first_case_id <> c.id OR s.last_case_id <> c.id, false) AS is_muted
    FROM care_case c LEFT JOIN silent s ON s.subject = coalesce(c.elder_id, 'gateway:' || c.gateway_id)
    WHERE c.state <> 'closed'
), call AS (
    SELECT id, priority, rank, opened_at FROM waiting WHERE NOT is_muted AND state = 'new' AND priority <> 'technical'
    ORDER BY rank, opened_at DESC, id LIMIT %(calls_max)s
)
SELECT (SELECT jsonb_object_agg(priority, n) FROM (SELECT priority, count(*) AS n FROM waiting WHERE NOT is_muted GROUP BY 1) c) AS counts,
       (SELECT count(*) FROM waiting WHERE is_muted) AS resting,
       ARRAY(
           SELECT id FROM waiting WHERE NOT is_muted
           ORDER BY (state = 'new' AND priority <> 'technical') IS NOT TRUE, rank, state <> 'new', opened_at, id
           LIMIT greatest(%(limit)s, (SELECT least(count(*), %(urgent_max)s) FROM call WHERE priority = 'high'))
       ) AS ids,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'priority', l.priority) ORDER BY l.rank, l.opened_at, l.id), '[]')
        FROM call l LEFT JOIN LATERAL (
            SELECT a.condition FROM alert a WHERE a.case_id = l.id
            ORDER BY a.state = 'closed', array_position(ARRAY['high', 'medium', 'low', 'technical'], a.priority), a.opened_at, a.id LIMIT 1
        ) lead ON true WHERE lead.condition IS DISTINCT FROM 'cancelled') AS calls
"""
"""How many cases there are by priority, how many more rest, the first that do not, and the calls that ring. Muted means what it does in
CASES, and the order is the same. A call whose most pressing alert was cancelled in the home waits, but does not ring."""
OPEN_CASE_PLACES = """
SELECT id, elder_id, later, rank, taken, at FROM (
    SELECT id, elder_id, opened_at AS at, ((state = 'new' AND priority <> 'technical') IS NOT TRUE)::integer AS later,
           array_position(ARRAY['high', 'medium', 'low', 'technical'], priority) AS rank, (state <> 'new')::integer AS taken
    FROM care_case WHERE state <> 'closed'
) one
WHERE (later, rank, taken, at, id) > (%(later)s, %(rank)s, %(taken)s, %(at)s, %(id)s) ORDER BY later, rank, taken, at, id LIMIT %(limit)s
"""
HELD_CASE_IDS = "SELECT id FROM care_case WHERE state <> 'closed' AND taken_by = %(name)s"
ELDER_CASE_IDS = "SELECT id FROM care_case WHERE elder_id = %(elder_id)s ORDER BY opened_at DESC LIMIT %(limit)s"
CASE_OF_ALERT = "SELECT case_id AS id FROM alert WHERE id = %(alert_id)s AND case_id IS NOT NULL"
GROUP_HOMES = """
SELECT a.id, a.elder_id, e.name AS elder_name, e.address, e.ability, a.gateway_id, a.opened_at, a.state, t.name AS team_name
FROM alert a
LEFT JOIN elder e ON e.id = a.elder_id
LEFT JOIN contract k ON k.elder_id = a.elder_id AND k.cancelled_on IS NULL
LEFT JOIN team t ON t.id = k.team_id
WHERE a.case_id = %(case_id)s ORDER BY a.state = 'closed', t.name, a.gateway_id LIMIT %(limit)s
"""
VISITS = """
SELECT v.id, v.version, v.elder_id, e.name AS elder_name, e.zone, e.address, e.latitude, e.longitude, v.alert_id, v.class AS visit_class,
       v.reason, v.state, v.doctor_id, d.name AS doctor_name, d.phone AS doctor_phone, v.requested_at,
       v.changed_at, v.next_at, v.rounds, v.rung, v.depart_by, v.called_120_at, v.findings, v.outcome,
       v.due_id, due.kind AS due_kind, r.next_on, r.control,
       coalesce((
           SELECT jsonb_agg(jsonb_build_object('who', coalesce(a.title, s.by), 'text', s.detail ->> 'note') ORDER BY s.id)
           FROM visit_step s LEFT JOIN account a ON a.name = s.by WHERE s.visit_id = v.id AND s.detail ? 'note'
       ), '[]') AS notes,
       coalesce((
           SELECT jsonb_agg(jsonb_build_object('doctor_id', o.doctor_id, 'doctor_name', od.name, 'doctor_phone', od.phone, 'why', o.why,
                                               'offered_at', o.offered_at, 'widens_at', o.widens_at, 'way_s', o.way_s,
                                               'cost', o.cost) ORDER BY o.id)
           FROM visit_offer o JOIN doctor od ON od.id = o.doctor_id WHERE o.visit_id = v.id AND o.answer IS NULL
       ), '[]') AS offers
FROM visit v
JOIN elder e ON e.id = v.elder_id
LEFT JOIN doctor d ON d.id = v.doctor_id
LEFT JOIN due_visit due ON due.id = v.due_id
LEFT JOIN visit_record r ON r.visit_id = v.id
WHERE v.id = ANY(%(ids)s)
ORDER BY v.requested_at, v.id
"""
OPEN_VISIT_PLACES = """
SELECT id, elder_id, later, rank, taken, at FROM (
    SELECT id, elder_id, 0 AS later, 0 AS rank, 0 AS taken, requested_at AS at FROM visit WHERE state NOT IN ('done', 'cancelled')
) one
WHERE (later, rank, taken, at, id) > (%(later)s, %(rank)s, %(taken)s, %(at)s, %(id)s) ORDER BY later, rank, taken, at, id LIMIT %(limit)s
"""
DOCTOR_VISIT_IDS = """
SELECT id FROM visit WHERE doctor_id = %(doctor_id)s AND state NOT IN ('done', 'cancelled')
UNION
SELECT visit_id FROM visit_offer WHERE doctor_id = %(doctor_id)s AND answer IS NULL
"""
CASE_VISIT_IDS = "SELECT v.id FROM visit v JOIN alert a ON a.id = v.alert_id WHERE a.case_id = %(case_id)s"
DONE_VISIT_IDS = """
SELECT id FROM visit WHERE doctor_id = %(doctor_id)s AND state IN ('done', 'cancelled') AND changed_at >= %(since)s
ORDER BY changed_at DESC LIMIT %(limit)s
"""
DOCTORS = "SELECT id AS doctor_id, name AS doctor_name, phone AS doctor_phone FROM doctor WHERE id = ANY(%(ids)s)"
ALERT_STEPS = """
SELECT s.at, s.by, coalesce(a.title, s.by) AS who, s.action, s.detail FROM alert_step s LEFT JOIN account a ON a.name = s.by
WHERE s.alert_id = ANY(%(alert_ids)s) ORDER BY s.id
"""
CASE_STEPS = """
SELECT s.at, s.by, coalesce(a.title, s.by) AS who, s.action, s.detail, other.title AS to_title,
       ARRAY(SELECT coalesce(x.title, n) FROM jsonb_array_elements_text(s.detail -> 'told') AS n LEFT JOIN account x ON x.name = n) AS told,
       joined.body -> 'title' AS alert_title
FROM case_step s
LEFT JOIN account a ON a.name = s.by
LEFT JOIN account other ON other.name = s.detail ->> 'to'
LEFT JOIN alert j ON j.id = (s.detail ->> 'alert_id')::bigint
LEFT JOIN rule joined ON joined.id = j.rule_id AND joined.version = j.rule_version
WHERE s.case_id = %(case_id)s ORDER BY s.id
"""
EVENTS = """
SELECT id, at, kind, device_id, confidence, detail FROM event
WHERE alert_id = ANY(%(alert_ids)s) OR (elder_id = %(elder_id)s AND at BETWEEN %(from_at)s AND %(to_at)s)
ORDER BY at DESC LIMIT %(limit)s
"""
VISIT_STEPS = """
SELECT s.at, s.by, coalesce(a.title, s.by) AS who, s.state, d.name AS doctor_name, asked.name AS asked_name, s.detail
FROM visit v
JOIN visit_step s ON s.visit_id = v.id
LEFT JOIN account a ON a.name = s.by
LEFT JOIN doctor d ON d.id = s.doctor_id
LEFT JOIN doctor asked ON asked.id = coalesce(s.detail ->> 'offered_to', s.detail ->> 'declined_by', s.detail ->> 'released')
WHERE v.alert_id = ANY(%(alert_ids)s) ORDER BY s.id
"""
NOTIFICATIONS = """
SELECT coalesce(n.sent_at, n.due_at) AS at, n.state, n.channel, n.read_at, n.doubts,
       coalesce(n.name, x.title, split_part(n.person, '/', 1)) AS person
FROM notification n
LEFT JOIN account x ON 'account:' || x.name = split_part(n.person, '/', 1)
WHERE (n.alert_id = ANY(%(alert_ids)s) OR n.case_id = %(case_id)s
    OR n.visit_id = ANY(ARRAY(SELECT v.id FROM visit v WHERE v.alert_id = ANY(%(alert_ids)s)))) AND n.attempts > 0 ORDER BY n.id
"""
FALL_WINDOW = """
SELECT at, confidence, acceleration FROM event WHERE alert_id = ANY(%(alert_ids)s) AND acceleration IS NOT NULL ORDER BY at DESC LIMIT 1
"""
HOMES = """
SELECT e.id, e.name, e.address, g.online, g.heard_at, coalesce(v.latest, '{}') AS latest, a.id AS case_id, a.priority
FROM elder e
JOIN LATERAL (
    SELECT bool_or(online IS TRUE) AS online, max(heard_at) AS heard_at FROM gateway WHERE elder_id = e.id HAVING count(*) > 0
) g ON true
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(quantity, jsonb_build_object('value', last_value, 'at', last_at)) AS latest
    FROM (
        SELECT DISTINCT ON (quantity) quantity, last_value, last_at FROM series
        WHERE elder_id = e.id AND quantity = ANY(%(quantities)s) AND statistic IN ('sample', 'mean') AND last_at IS NOT NULL
        ORDER BY quantity, last_at DESC
    ) newest
) v ON true
LEFT JOIN LATERAL (
    SELECT id, priority FROM care_case WHERE elder_id = e.id AND state <> 'closed'
    ORDER BY array_position(ARRAY['high', 'medium', 'low', 'technical'], priority), opened_at LIMIT 1
) a ON true
ORDER BY e.id LIMIT %(limit)s
"""
PERSON = """
SELECT coalesce((SELECT title FROM account WHERE name = %(id)s), (SELECT name FROM doctor WHERE id = %(id)s), %(id)s) AS name
"""
PULSE = """
SELECT count(DISTINCT g.elder_id) AS homes_total, count(DISTINCT g.elder_id) FILTER (WHERE g.online) AS homes_online,
       max(g.heard_at) AS last_received_at,
       (SELECT coalesce(sum(readings), 0)::bigint FROM gateway_log) AS readings_total,
       (SELECT coalesce(jsonb_object_agg(priority, n), '{}') FROM (
           SELECT priority, count(*) AS n FROM care_case WHERE state <> 'closed' GROUP BY priority
       ) open) AS open_cases
FROM gateway g WHERE g.elder_id IS NOT NULL
"""


class Place(NamedTuple):
    """Where a row stands in a list of what is open: it is sorted by these. What a list does not sort by is 0."""

    later: int
    rank: int
    taken: int
    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Queue:
    """The head of the queue. `counts`: all open cases that do not rest, by priority; `resting`: the others.

    `calls`: id and priority of the calls that nobody has taken, at most CALLS_MAX, whether they are in the head or not.
    """

    cases: list[Row]
    counts: dict[str, int]
    resting: int
    calls: list[Row]


async def elder_visits(conn: Connection, elder_id: str) -> list[Row]:
    """The newest LIST_MAX visits of an elder, open or ended, newest first."""
    found = await visits(conn, await _ids(conn, ELDER_VISIT_IDS, {"elder_id": elder_id, "limit": LIST_MAX}))
    return found[::-1]


async def alerts(conn: Connection, ids: Collection[int]) -> list[Row]:
    """Details of alerts by priority, then those that nobody has taken, then age."""
    return await rows_of(conn, ALERTS, {"ids": sorted(ids)})


async def open_alert_places(conn: Connection, after: Place, limit: int | None) -> list[Row]:
    """The places of open alerts that come after a place, in the order of `alerts`: a Place each, and elder_id. No limit: all of them."""
    return await rows_of(conn, OPEN_ALERT_PLACES, after._asdict() | {"limit": limit})


async def elder_alerts(conn: Connection, elder_id: str) -> list[Row]:
    """The newest LIST_MAX alerts of an elder, open or closed."""
    return await alerts(conn, await _ids(conn, ELDER_ALERT_IDS, {"elder_id": elder_id, "limit": LIST_MAX}))


async def cases(conn: Connection, ids: Collection[int]) -> list[Row]:
    """Details of cases in the order of the queue: calls that nobody has taken before all else, then priority, then age.

    `alert_id`, `rule`, `condition` and `evidence` are those of its most pressing alert, `about` counts its alerts by rule. `is_muted`:
    it rests, or is technical trouble of a home whose gateway is silent, which says nothing that the gateway's own item does not say.
    """
    return await rows_of(conn, CASES, {"ids": sorted(ids)})


async def open_case_places(conn: Connection, after: Place, limit: int | None) -> list[Row]:
    """The places of open cases that come after a place, in the order of `cases`: a Place each, and elder_id. No limit: all of them."""
    return await rows_of(conn, OPEN_CASE_PLACES, after._asdict() | {"limit": limit})


async def queue(conn: Connection, *, limit: int) -> Queue:
    """The first `limit` open cases that do not rest, in the order of the queue, and how many there are.

    There are more of them where more calls of high priority wait than that: all of these, at most URGENT_ROWS_MAX.
    """
    row = (await rows_of(conn, QUEUE, {"limit": limit, "calls_max": CALLS_MAX, "urgent_max": URGENT_ROWS_MAX}))[0]
    counts = {name: row["counts"][name] for name in ("high", "medium", "low", "technical") if name in (row["counts"] or {})}
    return Queue(await cases(conn, row["ids"]), counts, row["resting"], row["calls"])


async def held_cases(conn: Connection, name: str) -> list[Row]:
    """Open cases that somebody has, in the order of the queue."""
    return await cases(conn, await _ids(conn, HELD_CASE_IDS, {"name": name}))


async def elder_cases(conn: Connection, elder_id: str) -> list[Row]:
    """The newest LIST_MAX cases of an elder, open or closed."""
    return await cases(conn, await _ids(conn, ELDER_CASE_IDS, {"elder_id": elder_id, "limit": LIST_MAX}))


async def case_of_alert(conn: Connection, alert_id: int) -> int | None:
    """The case of an alert; None for one that does not exist, or is older than cases."""
    found = await _ids(conn, CASE_OF_ALERT, {"alert_id": alert_id})
    return found[0] if found else None


async def case_alerts(conn: Connection, case_id: int) -> list[Row]:
    """The alerts of a case, open ones first, at most LIST_MAX."""
    return await alerts(conn, await _ids(conn, CASE_ALERT_IDS, {"case_id": case_id, "limit": LIST_MAX}))


async def group_homes(conn: Connection, case_id: int) -> list[Row]:
    """The homes of a group item with their teams, those still in trouble first, at most LIST_MAX."""
    return await rows_of(conn, GROUP_HOMES, {"case_id": case_id, "limit": LIST_MAX})


async def case_steps(conn: Connection, case_id: int) -> list[Row]:
    """What happened to a case, oldest first."""
    return await rows_of(conn, CASE_STEPS, {"case_id": case_id})


async def visits(conn: Connection, ids: Collection[int]) -> list[Row]:
    """Details of visits with their unanswered offers, oldest request first."""
    return await rows_of(conn, VISITS, {"ids": sorted(ids)})


async def open_visit_places(conn: Connection, after: Place, limit: int | None) -> list[Row]:
    """The places of visits that are neither done nor cancelled after a place, oldest request first: a Place each, and elder_id."""
    return await rows_of(conn, OPEN_VISIT_PLACES, after._asdict() | {"limit": limit})


async def doctors_visits(conn: Connection, doctor_id: str) -> list[Row]:
    """The open visits that a doctor has, and those that are offered to it."""
    return await visits(conn, await _ids(conn, DOCTOR_VISIT_IDS, {"doctor_id": doctor_id}))


async def case_visits(conn: Connection, case_id: int) -> list[Row]:
    """Visits of one case, the newest last."""
    return await visits(conn, await _ids(conn, CASE_VISIT_IDS, {"case_id": case_id}))


async def ended_visits(conn: Connection, doctor_id: str, *, since: datetime) -> list[Row]:
    """What a doctor has done (or was spared) since then."""
    return await visits(conn, await _ids(conn, DONE_VISIT_IDS, {"doctor_id": doctor_id, "since": since, "limit": LIST_MAX}))


async def doctors(conn: Connection, ids: Collection[str]) -> dict[str, Row]:
    """Name and telephone of doctors, by id."""
    return {row["doctor_id"]: row for row in await rows_of(conn, DOCTORS, {"ids": list(ids)})}


async def alert_steps(conn: Connection, alert_ids: Collection[int]) -> list[Row]:
    """What happened to alerts, oldest first."""
    return await rows_of(conn, ALERT_STEPS, {"alert_ids": list(alert_ids)})


async def events(conn: Connection, case: Row, alert_ids: Collection[int], *, before: timedelta, now: datetime) -> list[Row]:
    """Events of a case's alerts, and what else happened in that home from `before` its opening until now, the newest LIST_MAX."""
    span = {"from_at": case["opened_at"] - before, "to_at": case["closed_at"] or now}
    return await rows_of(conn, EVENTS, span | {"alert_ids": list(alert_ids), "elder_id": case["elder_id"], "limit": LIST_MAX})


async def visit_steps(conn: Connection, alert_ids: Collection[int]) -> list[Row]:
    """What happened to the visits of alerts, oldest first."""
    return await rows_of(conn, VISIT_STEPS, {"alert_ids": list(alert_ids)})


async def notifications(conn: Connection, case_id: int, alert_ids: Collection[int]) -> list[Row]:
    """Messages about a case, its alerts and their visits that were sent, or tried."""
    return await rows_of(conn, NOTIFICATIONS, {"case_id": case_id, "alert_ids": list(alert_ids)})


async def fall_window(conn: Connection, alert_ids: Collection[int]) -> Row | None:
    """The newest event of these alerts with raw acceleration: {rate_hz, x, y, z} in mg."""
    return await (await conn.execute(FALL_WINDOW, {"alert_ids": list(alert_ids)})).fetchone()


async def person(conn: Connection, account_or_doctor_id: str) -> str:
    """What people call an account or a doctor."""
    rows = await rows_of(conn, PERSON, {"id": account_or_doctor_id})
    return str(rows[0]["name"])


async def homes(conn: Connection, quantities: Collection[str]) -> list[Row]:
    """Homes with a gateway, the first LIST_MAX by id: on line, newest values, most pressing open case."""
    return await rows_of(conn, HOMES, {"quantities": list(quantities), "limit": LIST_MAX})


async def pulse(conn: Connection) -> Row:
    """Counts over all homes: on line, readings ever stored, newest message, open cases by priority."""
    row = await (await conn.execute(PULSE)).fetchone()
    assert row is not None
    return row


async def rows_of(conn: Connection, statement: str, values: Row) -> list[Row]:
    """All rows that a statement finds."""
    return await (await conn.execute(statement, values)).fetchall()


async def _ids(conn: Connection, statement: str, values: Row) -> list[int]:
    return [row["id"] for row in await rows_of(conn, statement, values)]
