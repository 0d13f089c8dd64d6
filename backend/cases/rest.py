"""What rests for a while: a shelved rule or device, a home under maintenance, an elder away; with a reason and an end, re-armed by itself.

Calls never rest: an event of priority high (SOS, fall, smoke, gas) rings whatever is shelved. An alert that rests is opened all the same;
its case waits outside the queue, and when the rest is over and the alert still stands, it comes back by its own timer.
"""

from datetime import datetime, timedelta
from typing import Any

from backend.db.pool import Connection
from backend.errors import BadInput, NotFound

KINDS = ("shelved", "maintenance", "away", "hospital")
DAYS_MAX = {"shelved": 1, "maintenance": 7, "away": 90, "hospital": 90}
"""Project's choice: a shelf is for a shift or two; who is away longer is entered anew by somebody who has asked."""

ADD = """
INSERT INTO rest (subject, kind, rule_id, device_id, reason, by, starts_at, ends_at)
VALUES (%(subject)s, %(kind)s, %(rule_id)s, %(device_id)s, %(reason)s, %(by)s, %(now)s, %(ends_at)s) RETURNING id
"""
AWAY = "INSERT INTO away (elder_id, from_at, until_at, reason, by) VALUES (%(subject)s, %(now)s, %(ends_at)s, %(reason)s, %(by)s)"
BACK = """
UPDATE away a SET until_at = %(now)s FROM rest q
WHERE q.id = %(id)s AND q.kind IN ('away', 'hospital') AND a.elder_id = q.subject AND a.from_at = q.starts_at AND a.until_at = q.ends_at
    AND a.from_at < %(now)s
"""
"""The rules know who is away by a table of their own: silence says nothing about such an elder."""
END = "UPDATE rest SET ended_at = %(now)s, ended_by = %(by)s WHERE id = %(id)s AND ended_at IS NULL AND ends_at > %(now)s RETURNING subject"
IN_FORCE = """
SELECT q.id, q.subject, e.id AS elder_id, e.name AS elder_name, q.kind, q.rule_id, r.body -> 'title' AS title, q.device_id, q.reason,
       coalesce(a.title, q.by) AS who, q.starts_at, q.ends_at, coalesce(e.zone, 'Asia/Shanghai') AS zone
FROM rest q
LEFT JOIN elder e ON e.id = q.subject
LEFT JOIN account a ON a.name = q.by
LEFT JOIN LATERAL (SELECT body FROM rule WHERE id = q.rule_id ORDER BY version DESC LIMIT 1) r ON true
WHERE q.ended_at IS NULL AND q.ends_at > %(now)s AND (%(subject)s::text IS NULL OR q.subject = %(subject)s) ORDER BY q.ends_at LIMIT 200
"""
IS_CALL = """
SELECT EXISTS (
    SELECT FROM rule WHERE id = %(rule_id)s AND body ->> 'kind' = 'event' AND body -> 'levels' -> 0 ->> 'priority' = 'high'
) AS is_call
"""
OPEN_CASES = """
SELECT id FROM care_case WHERE coalesce(elder_id, 'gateway:' || gateway_id) = %(subject)s AND state <> 'closed' AND NOT is_group ORDER BY id
"""
UNTIL = """
SELECT CASE WHEN bool_and(one.until IS NOT NULL) THEN min(one.until) END AS until
FROM (
    SELECT (
        SELECT max(q.ends_at) FROM rest q
        WHERE q.subject = coalesce(a.elder_id, 'gateway:' || a.gateway_id) AND q.ended_at IS NULL
            AND q.starts_at <= %(now)s AND q.ends_at > %(now)s
            AND (q.rule_id IS NULL OR q.rule_id = a.rule_id)
            AND (q.device_id IS NULL OR a.evidence -> 'devices' = to_jsonb(ARRAY[q.device_id]))
            AND NOT (r.body ->> 'kind' = 'event' AND a.priority = 'high')
            AND (q.kind <> 'maintenance' OR a.priority = 'technical' OR q.rule_id IS NOT NULL)
    ) AS until
    FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version WHERE a.case_id = %(case_id)s AND a.state <> 'closed'
) one
"""


async def until(conn: Connection, case_id: int, *, now: datetime) -> datetime | None:
    """Until when all open alerts of a case rest; None when one of them does not."""
    row = await (await conn.execute(UNTIL, {"case_id": case_id, "now": now})).fetchone()
    return row["until"] if row else None


async def add(
    conn: Connection,
    *,
    subject: str,
    kind: str,
    reason: str,
    by: str,
    now: datetime,
    ends_at: datetime,
    rule_id: str | None = None,
    device_id: str | None = None,
) -> int:
    """Let something rest until `ends_at`. Returns its id. Raises BadInput for an end that is past or too far, or for a call."""
    if not now < ends_at <= now + timedelta(days=DAYS_MAX[kind]):
        raise BadInput(f"the end must lie within the next {DAYS_MAX[kind]} days")
    if kind == "shelved" and rule_id is None:
        raise BadInput("say which rule is shelved")
    is_call = await (await conn.execute(IS_CALL, {"rule_id": rule_id})).fetchone()
    if is_call and is_call["is_call"]:
        raise BadInput("calls for help are never shelved")
    values = {"subject": subject, "kind": kind, "rule_id": rule_id, "device_id": device_id, "reason": reason, "by": by}
    row = await (await conn.execute(ADD, values | {"now": now, "ends_at": ends_at})).fetchone()
    assert row is not None
    if kind in ("away", "hospital") and not subject.startswith("gateway:"):
        await conn.execute(AWAY, values | {"now": now, "ends_at": ends_at})
    return int(row["id"])


async def end(conn: Connection, rest_id: int, *, by: str, now: datetime) -> str:
    """End a rest before its time. Returns its subject. Raises NotFound when it is over or never was."""
    row = await (await conn.execute(END, {"id": rest_id, "by": by, "now": now})).fetchone()
    if row is None:
        raise NotFound(f"there is no rest {rest_id} in force")
    await conn.execute(BACK, {"id": rest_id, "now": now})
    return str(row["subject"])


async def in_force(conn: Connection, *, now: datetime, subject: str | None = None) -> list[dict[str, Any]]:
    """What rests now, of one home or of all, that which ends next first, at most 200."""
    return await (await conn.execute(IN_FORCE, {"now": now, "subject": subject})).fetchall()


async def open_cases(conn: Connection, subject: str) -> list[int]:
    """Open cases of a home, to be looked at again after a rest has begun or ended."""
    return [row["id"] for row in await (await conn.execute(OPEN_CASES, {"subject": subject})).fetchall()]
