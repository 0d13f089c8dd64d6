"""What the pages and the API read, joined over the features, read-only: with `series.py` the only SQL of the web process.

Everything is "which ids, then their details": lists, single pages and live updates show the same rows from the same statements.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from backend.db.pool import LIVE_CHANNEL, TRANSIENT, Connection, Pool

Row = dict[str, Any]

CALLS_MAX = 1_000
"""Calls that ring, the most pressing priority first and of that the newest: more of them ring no louder."""
URGENT_ROWS_MAX = 200
"""Calls of high priority that nobody has taken and that have a row however short the list is to be, the oldest first."""
LIST_MAX = 200
"""Rows of a list: more than anybody reads; the newest are kept."""

LISTEN, UNLISTEN = f"LISTEN {LIVE_CHANNEL}", f"UNLISTEN {LIVE_CHANNEL}"  # a channel is a name: it cannot be a parameter
OPEN_MARKS = """
SELECT 'case' AS kind, array_agg(id) AS ids, array_agg(version) AS versions, array_agg(id) AS case_ids
FROM care_case WHERE state <> 'closed'
UNION ALL
SELECT 'alert', array_agg(id), array_agg(version), array_agg(case_id) FROM alert
WHERE state <> 'closed' AND (case_id IN (SELECT id FROM care_case WHERE is_group AND state <> 'closed')) IS NOT TRUE
UNION ALL
SELECT 'visit', array_agg(v.id), array_agg(v.version), array_agg(a.case_id)
FROM visit v LEFT JOIN alert a ON a.id = v.alert_id WHERE v.state NOT IN ('done', 'cancelled')
"""
"""One row a kind and not one a case: 20 000 rows would take longer to carry than to find."""
READERS = """
SELECT e.id AS elder_id, c.team_id,
       ARRAY(
           SELECT o.doctor_id FROM visit v JOIN visit_offer o ON o.visit_id = v.id
           WHERE v.elder_id = e.id AND o.answer IS NULL AND v.state = 'offered'
           UNION
           SELECT v.doctor_id FROM visit v WHERE v.elder_id = e.id AND v.state IN ('accepted', 'on_the_way', 'at_home')
       ) AS doctor_ids,
       coalesce((SELECT jsonb_object_agg(r.account_name, r.sees) FROM family_right(%(now)s) r WHERE r.elder_id = e.id), '{}') AS family
FROM elder e
LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL
    AND (%(now)s::timestamptz AT TIME ZONE e.zone)::date BETWEEN c.signed_on AND c.ends_on
WHERE e.id = ANY(%(elder_ids)s)
"""
FAMILY_RIGHTS = "SELECT account_name, elder_id, sees FROM family_right(%(now)s) WHERE account_name = ANY(%(names)s) ORDER BY elder_id"
SIGNS = "SELECT name, at FROM last_sign WHERE elder_id = %(elder_id)s"
ELDER_VISIT_IDS = "SELECT id FROM visit WHERE elder_id = %(elder_id)s ORDER BY requested_at DESC LIMIT %(limit)s"
PROMISED = """
SELECT v.kind, v.promised_at, d.name AS doctor_name FROM due_visit v JOIN doctor d ON d.id = v.promised_doctor_id
WHERE v.elder_id = %(elder_id)s AND v.state = 'due' AND v.promised_at >= %(now)s ORDER BY v.promised_at LIMIT %(limit)s
"""
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
SELECT a.id, a.elder_id, e.name AS elder_name, a.gateway_id, a.opened_at, a.state, t.name AS team_name
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
DOCTORS = "SELECT id AS doctor_id, name AS doctor_name, phone AS doctor_phone FROM doctor WHERE id = ANY(%(ids)s)"
DOCTORS_TO_CALL = """
SELECT d.name, d.phone, t.name AS team_name
FROM contract c
JOIN team own ON own.id = c.team_id
JOIN team t ON t.id IN (own.id, own.fallback_team_id)
JOIN doctor d ON d.team_id = t.id
WHERE c.elder_id = %(elder_id)s AND c.cancelled_on IS NULL AND d.role = 'gp' AND d.phone <> ''
ORDER BY d.id <> c.doctor_id, t.id <> own.id, d.name
"""
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
       coalesce(c.name, x.title, split_part(n.person, '/', 1)) AS person
FROM notification n
LEFT JOIN alert a ON a.id = n.alert_id
LEFT JOIN contact c ON c.elder_id = a.elder_id AND 'contact:' || c.position = split_part(n.person, '/', 1)
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


@dataclass(frozen=True, slots=True)
class Marks:
    """The versions of what is open of one kind, by id, and the cases they belong to in the same order: plain numbers, since there may be
    tens of thousands of them at each look."""

    versions: dict[int, int]
    case_ids: list[int | None]

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of OPEN_MARKS."""
        return cls(dict(zip(row["ids"] or (), row["versions"] or (), strict=True)), row["case_ids"] or [])

    def changed_from(self, before: Self) -> set[int]:
        """Ids of what is new, another version, or gone."""
        if self.versions == before.versions:
            return set()
        changed = {number for number, version in self.versions.items() if before.versions.get(number) != version}
        return changed | (before.versions.keys() - self.versions.keys())

    def cases_of(self, ids: Collection[int]) -> set[int]:
        """The cases that these belong to."""
        return {case_id for number, case_id in zip(self.versions, self.case_ids, strict=True) if case_id is not None and number in ids}


NO_MARKS = Marks({}, [])


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


@dataclass(frozen=True, slots=True)
class Readers:
    """Which doctors may see an elder: those of the signed team, and those who hold an open offer or visit.

    `family`: account of a relative -> what that one may see (people/families.py).
    """

    team_id: str | None
    doctor_ids: frozenset[str]
    family: Mapping[str, frozenset[str]] = field(default_factory=dict)


@asynccontextmanager
async def listening(pool: Pool) -> AsyncIterator[Connection]:
    """A connection that hears hints. Raises TRANSIENT while the database is away."""
    async with pool.connection() as conn:
        await conn.execute(LISTEN)
        try:
            yield conn
        finally:
            with suppress(TRANSIENT):
                await conn.execute(UNLISTEN)


async def wait_for_hint(conn: Connection, timeout_s: float) -> None:
    """Return at the next hint, or after `timeout_s`. Raises TRANSIENT."""
    async for _ in conn.notifies(timeout=timeout_s, stop_after=1):
        return


async def open_marks(conn: Connection) -> dict[str, Marks]:
    """All that is open, by kind: `case`, `alert`, `visit`. Alerts of a group item are told by that alone."""
    rows = await (await conn.execute(OPEN_MARKS, binary=True)).fetchall()  # half the time of text
    return {row["kind"]: Marks.of(row) for row in rows}


async def readers(conn: Connection, elder_ids: Collection[str], *, now: datetime) -> dict[str, Readers]:
    """Who may see these elders, by elder; one who does not exist is absent."""
    rows = await (await conn.execute(READERS, {"elder_ids": sorted(elder_ids), "now": now})).fetchall()
    return {
        row["elder_id"]: Readers(
            row["team_id"], frozenset(row["doctor_ids"]), {name: frozenset(sees) for name, sees in row["family"].items()}
        )
        for row in rows
    }


async def family_rights(conn: Connection, names: Collection[str], *, now: datetime) -> dict[str, dict[str, frozenset[str]]]:
    """What accounts of families may see now: account -> elder -> things. Who may see nothing is absent."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for row in await _all(conn, FAMILY_RIGHTS, {"names": list(names), "now": now}):
        found.setdefault(row["account_name"], {})[row["elder_id"]] = frozenset(row["sees"])
    return found


async def signs_of_life(conn: Connection, elder_id: str) -> dict[str, datetime]:
    """When each sign of life was heard last, by its name."""
    return {row["name"]: row["at"] for row in await _all(conn, SIGNS, {"elder_id": elder_id})}


async def elder_visits(conn: Connection, elder_id: str) -> list[Row]:
    """The newest LIST_MAX visits of an elder, open or ended, newest first."""
    found = await visits(conn, await _ids(conn, ELDER_VISIT_IDS, {"elder_id": elder_id, "limit": LIST_MAX}))
    return found[::-1]


async def promised_visits(conn: Connection, elder_id: str, *, now: datetime) -> list[Row]:
    """Planned visits that the elder was promised, soonest first."""
    return await _all(conn, PROMISED, {"elder_id": elder_id, "now": now, "limit": LIST_MAX})


async def alerts(conn: Connection, ids: Collection[int]) -> list[Row]:
    """Details of alerts by priority, then those that nobody has taken, then age."""
    return await _all(conn, ALERTS, {"ids": sorted(ids)})


async def open_alert_places(conn: Connection, after: Place, limit: int | None) -> list[Row]:
    """The places of open alerts that come after a place, in the order of `alerts`: a Place each, and elder_id. No limit: all of them."""
    return await _all(conn, OPEN_ALERT_PLACES, after._asdict() | {"limit": limit})


async def elder_alerts(conn: Connection, elder_id: str) -> list[Row]:
    """The newest LIST_MAX alerts of an elder, open or closed."""
    return await alerts(conn, await _ids(conn, ELDER_ALERT_IDS, {"elder_id": elder_id, "limit": LIST_MAX}))


async def cases(conn: Connection, ids: Collection[int]) -> list[Row]:
    """Details of cases in the order of the queue: calls that nobody has taken before all else, then priority, then age.

    `alert_id`, `rule`, `condition` and `evidence` are those of its most pressing alert, `about` counts its alerts by rule. `is_muted`:
    it rests, or is technical trouble of a home whose gateway is silent, which says nothing that the gateway's own item does not say.
    """
    return await _all(conn, CASES, {"ids": sorted(ids)})


async def open_case_places(conn: Connection, after: Place, limit: int | None) -> list[Row]:
    """The places of open cases that come after a place, in the order of `cases`: a Place each, and elder_id. No limit: all of them."""
    return await _all(conn, OPEN_CASE_PLACES, after._asdict() | {"limit": limit})


async def queue(conn: Connection, *, limit: int) -> Queue:
    """The first `limit` open cases that do not rest, in the order of the queue, and how many there are.

    There are more of them where more calls of high priority wait than that: all of these, at most URGENT_ROWS_MAX.
    """
    row = (await _all(conn, QUEUE, {"limit": limit, "calls_max": CALLS_MAX, "urgent_max": URGENT_ROWS_MAX}))[0]
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
    return await _all(conn, GROUP_HOMES, {"case_id": case_id, "limit": LIST_MAX})


async def case_steps(conn: Connection, case_id: int) -> list[Row]:
    """What happened to a case, oldest first."""
    return await _all(conn, CASE_STEPS, {"case_id": case_id})


async def visits(conn: Connection, ids: Collection[int]) -> list[Row]:
    """Details of visits with their unanswered offers, oldest request first."""
    return await _all(conn, VISITS, {"ids": sorted(ids)})


async def open_visit_places(conn: Connection, after: Place, limit: int | None) -> list[Row]:
    """The places of visits that are neither done nor cancelled after a place, oldest request first: a Place each, and elder_id."""
    return await _all(conn, OPEN_VISIT_PLACES, after._asdict() | {"limit": limit})


async def doctors_visits(conn: Connection, doctor_id: str) -> list[Row]:
    """The open visits that a doctor has, and those that are offered to it."""
    return await visits(conn, await _ids(conn, DOCTOR_VISIT_IDS, {"doctor_id": doctor_id}))


async def case_visits(conn: Connection, case_id: int) -> list[Row]:
    """Visits of one case, the newest last."""
    return await visits(conn, await _ids(conn, CASE_VISIT_IDS, {"case_id": case_id}))


async def ended_visits(conn: Connection, doctor_id: str, *, since: datetime) -> list[Row]:
    """What a doctor has done (or was spared) since then."""
    return await visits(conn, await _ids(conn, DONE_VISIT_IDS, {"doctor_id": doctor_id, "since": since, "limit": LIST_MAX}))


async def elder(conn: Connection, elder_id: str, *, now: datetime) -> Row | None:
    """An elder's file with contract, contacts and gateways; None when there is no such elder."""
    row = await (await conn.execute(ELDER, {"elder_id": elder_id, "now": now})).fetchone()
    if row is None:
        return None
    contacts = await _all(conn, CONTACTS, {"elder_id": elder_id})
    return row | {"contacts": contacts, "gateways": await _all(conn, GATEWAYS, {"elder_id": elder_id, "now": now})}


async def doctors_to_call(conn: Connection, elder_id: str | None) -> list[Row]:
    """Family doctors of the signed team and its stand-in who have a phone: the signed doctor first."""
    return await _all(conn, DOCTORS_TO_CALL, {"elder_id": elder_id})


async def doctors(conn: Connection, ids: Collection[str]) -> dict[str, Row]:
    """Name and telephone of doctors, by id."""
    return {row["doctor_id"]: row for row in await _all(conn, DOCTORS, {"ids": list(ids)})}


async def latest(conn: Connection, elder_id: str) -> dict[str, Row]:
    """The newest value of each quantity with its time, whatever its age."""
    return {row["quantity"]: row for row in await _all(conn, LATEST, {"elder_id": elder_id})}


async def alert_steps(conn: Connection, alert_ids: Collection[int]) -> list[Row]:
    """What happened to alerts, oldest first."""
    return await _all(conn, ALERT_STEPS, {"alert_ids": list(alert_ids)})


async def events(conn: Connection, case: Row, alert_ids: Collection[int], *, before: timedelta, now: datetime) -> list[Row]:
    """Events of a case's alerts, and what else happened in that home from `before` its opening until now, the newest LIST_MAX."""
    span = {"from_at": case["opened_at"] - before, "to_at": case["closed_at"] or now}
    return await _all(conn, EVENTS, span | {"alert_ids": list(alert_ids), "elder_id": case["elder_id"], "limit": LIST_MAX})


async def visit_steps(conn: Connection, alert_ids: Collection[int]) -> list[Row]:
    """What happened to the visits of alerts, oldest first."""
    return await _all(conn, VISIT_STEPS, {"alert_ids": list(alert_ids)})


async def notifications(conn: Connection, case_id: int, alert_ids: Collection[int]) -> list[Row]:
    """Messages about a case, its alerts and their visits that were sent, or tried."""
    return await _all(conn, NOTIFICATIONS, {"case_id": case_id, "alert_ids": list(alert_ids)})


async def fall_window(conn: Connection, alert_ids: Collection[int]) -> Row | None:
    """The newest event of these alerts with raw acceleration: {rate_hz, x, y, z} in mg."""
    return await (await conn.execute(FALL_WINDOW, {"alert_ids": list(alert_ids)})).fetchone()


async def person(conn: Connection, account_or_doctor_id: str) -> str:
    """What people call an account or a doctor."""
    rows = await _all(conn, PERSON, {"id": account_or_doctor_id})
    return str(rows[0]["name"])


async def homes(conn: Connection, quantities: Collection[str]) -> list[Row]:
    """Homes with a gateway, the first LIST_MAX by id: on line, newest values, most pressing open case."""
    return await _all(conn, HOMES, {"quantities": list(quantities), "limit": LIST_MAX})


async def pulse(conn: Connection) -> Row:
    """Counts over all homes: on line, readings ever stored, newest message, open cases by priority."""
    row = await (await conn.execute(PULSE)).fetchone()
    assert row is not None
    return row


async def gateway(conn: Connection, gateway_id: str) -> Row | None:
    """A gateway as it last said it is, with its elder; None when there is no such gateway."""
    return await (await conn.execute(GATEWAY, {"gateway_id": gateway_id})).fetchone()


async def _all(conn: Connection, statement: str, values: Row) -> list[Row]:
    return await (await conn.execute(statement, values)).fetchall()


async def _ids(conn: Connection, statement: str, values: Row) -> list[int]:
    return [row["id"] for row in await _all(conn, statement, values)]
