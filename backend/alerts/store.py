"""Alerts in the database. One open alert per (elder, rule) by a unique index; every change is a step that is never edited.

`last_at` is the newest judgement taken, but never later than `now`: a home whose clock was ahead for a while must not make the alert deaf.
The caller owns the transaction. Every change raises `version`, sets `changed_at` and hints at LIVE_CHANNEL.
"""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from backend.alerts.lifecycle import Action, Condition, State
from backend.alerts.model import Alert, Subject
from backend.cases.lifecycle import Disposition
from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.errors import IllegalMove, NotFound
from contract.events import EventKind

SYSTEM = "system"
"""`by` of what no person did."""

FIND_OPEN = """
SELECT id, rule_id, priority, level, state, condition, opened_at, last_at, evidence FROM alert
WHERE coalesce(elder_id, 'gateway:' || gateway_id) = %(subject)s AND rule_id = %(rule_id)s AND state <> 'closed' FOR NO KEY UPDATE
"""
OPEN_RULES = """
SELECT coalesce(elder_id, 'gateway:' || gateway_id) AS subject, array_agg(rule_id) AS rule_ids FROM alert
WHERE coalesce(elder_id, 'gateway:' || gateway_id) = ANY(%(subjects)s) AND state <> 'closed' GROUP BY 1
"""
OPEN_OF_RULE = "SELECT elder_id, gateway_id, condition FROM alert WHERE rule_id = %(rule_id)s AND state <> 'closed'"
PENDING = """
SELECT id, rule_id, priority, level, state, condition, opened_at, last_at, evidence, elder_id, gateway_id FROM alert
WHERE state <> 'closed' AND condition = 'active' AND evidence ->> 'pending_until' > ''
    AND (evidence ->> 'pending_until')::timestamptz <= %(now)s
FOR UPDATE SKIP LOCKED
"""
LAST_CLOSED = """
SELECT level, closed_at FROM alert
WHERE coalesce(elder_id, 'gateway:' || gateway_id) = %(subject)s AND rule_id = %(rule_id)s AND state = 'closed' AND closed_by <> 'system'
ORDER BY closed_at DESC LIMIT 1
"""
OPEN = """
INSERT INTO alert (elder_id, gateway_id, rule_id, rule_version, priority, level, opened_at, known_at, changed_at, last_at, evidence)
VALUES (%(elder_id)s, %(gateway_id)s, %(rule_id)s, %(rule_version)s, %(priority)s, %(level)s, %(at)s, %(now)s, %(now)s,
        least(%(at)s, %(now)s), %(evidence)s)
ON CONFLICT ((coalesce(elder_id, 'gateway:' || gateway_id)), rule_id) WHERE state <> 'closed' DO NOTHING
RETURNING id
"""
CHANGE = """
UPDATE alert SET condition = %(condition)s, level = coalesce(%(level)s, level), priority = coalesce(%(priority)s, priority),
    count = count + %(more)s, last_at = greatest(last_at, least(%(at)s, %(now)s)), evidence = evidence || %(evidence)s,
    changed_at = %(now)s, version = version + 1
WHERE id = %(id)s
"""
CALLER = """
SELECT a.elder_id FROM alert a
WHERE a.case_id = %(case_id)s AND EXISTS (SELECT FROM event e WHERE e.alert_id = a.id AND e.kind = ANY(%(kinds)s)) LIMIT 1
"""
OPEN_OF_EVENT = """
SELECT a.id FROM alert a JOIN event e ON e.alert_id = a.id
WHERE e.gateway_id = %(gateway_id)s AND e.event_id = %(event_id)s AND a.state <> 'closed'
"""
STEP = "INSERT INTO alert_step (alert_id, at, by, action, detail) VALUES (%(id)s, %(now)s, %(by)s, %(action)s, %(detail)s)"
LOCK = "SELECT state FROM alert WHERE id = %(id)s FOR NO KEY UPDATE"
LOCK_CASE = "SELECT id FROM alert WHERE case_id = %(case_id)s AND state <> 'closed' ORDER BY id FOR NO KEY UPDATE"
TOUCH = "UPDATE alert SET changed_at = %(now)s, version = version + 1 WHERE id = %(id)s"
CLOSE = """
UPDATE alert SET state = 'closed', closed_by = %(by)s, closed_at = %(now)s, disposition = %(disposition)s, changed_at = %(now)s,
    version = version + 1
WHERE id = %(id)s
"""


async def find_open(conn: Connection, subject: Subject, rule_id: str) -> Alert | None:
    """The open alert of this subject and rule, its row locked; None when there is none."""
    row = await (await conn.execute(FIND_OPEN, {"subject": subject.key, "rule_id": rule_id})).fetchone()
    return _alert(row) if row is not None else None


def _alert(row: dict[str, Any]) -> Alert:
    own = {key: value for key, value in row.items() if key not in ("elder_id", "gateway_id")}
    return Alert(**(own | {"state": State(row["state"]), "condition": Condition(row["condition"])}))


async def last_closed(conn: Connection, subject: Subject, rule_id: str) -> tuple[str, datetime] | None:
    """Level and time of the last alert of this subject and rule that a person closed."""
    row = await (await conn.execute(LAST_CLOSED, {"subject": subject.key, "rule_id": rule_id})).fetchone()
    return (row["level"], row["closed_at"]) if row else None


async def open_rules(conn: Connection, subjects: Collection[str]) -> dict[str, set[str]]:
    """Rules of which these subjects have an open alert, by the subject's key; one without any is absent."""
    rows = await (await conn.execute(OPEN_RULES, {"subjects": list(subjects)})).fetchall()
    return {row["subject"]: set(row["rule_ids"]) for row in rows}


async def open_of_rule(conn: Connection, rule_id: str) -> dict[Subject, Condition]:
    """Subjects with an open alert of this rule, and its condition."""
    rows = await (await conn.execute(OPEN_OF_RULE, {"rule_id": rule_id})).fetchall()
    return {Subject(row["elder_id"], row["gateway_id"]): Condition(row["condition"]) for row in rows}


async def pending(conn: Connection, *, now: datetime) -> list[tuple[Alert, Subject]]:
    """Open alerts that waited for the end of their cancel window, which is over; their rows are locked."""
    rows = await (await conn.execute(PENDING, {"now": now})).fetchall()
    return [(_alert(row), Subject(row["elder_id"], row["gateway_id"])) for row in rows]


async def open_alert(
    conn: Connection,
    subject: Subject,
    *,
    rule_id: str,
    rule_version: int,
    priority: str,
    level: str,
    at: datetime,
    now: datetime,
    evidence: dict[str, Any],
) -> int | None:
    """Open an alert. Returns its id, or None when another transaction opened one in the meantime: then find it and repeat that one."""
    values = {
        "elder_id": subject.elder_id,
        "gateway_id": subject.gateway_id,
        "rule_id": rule_id,
        "rule_version": rule_version,
        "priority": priority,
        "level": level,
        "at": at,
        "now": now,
        "evidence": json.dumps(evidence),
    }
    row = await (await conn.execute(OPEN, values)).fetchone()
    if row is None:
        return None
    await _step(conn, row["id"], by=SYSTEM, action=Action.OPENED, now=now, detail=evidence | {"level": level})
    alert_id: int = row["id"]
    return alert_id


async def change(
    conn: Connection,
    alert_id: int,
    *,
    condition: Condition,
    action: Action,
    at: datetime,
    now: datetime,
    level: str | None = None,
    priority: str | None = None,
    repeats: int = 0,
    evidence: dict[str, Any] | None = None,
) -> None:
    """Move an open alert's condition (and level, when it rose), count `repeats`, merge `evidence`, and write the step."""
    values = {
        "id": alert_id,
        "condition": condition,
        "level": level,
        "priority": priority,
        "more": repeats,
        "at": at,
        "now": now,
        "evidence": json.dumps(evidence or {}),
    }
    await conn.execute(CHANGE, values)
    await _step(
        conn,
        alert_id,
        by=SYSTEM,
        action=action,
        now=now,
        detail={"at": at.isoformat()} | ({"level": level} if level else {}) | (evidence or {}),
    )


async def caller(conn: Connection, case_id: int, kinds: list[EventKind]) -> str | None:
    """The elder whose event of one of these kinds is part of the case; None when there was none."""
    row = await (await conn.execute(CALLER, {"case_id": case_id, "kinds": [str(kind) for kind in kinds]})).fetchone()
    return row["elder_id"] if row else None


async def open_of_event(conn: Connection, gateway_id: str, event_id: str) -> int | None:
    """The open alert that an event of this home belongs to."""
    row = await (await conn.execute(OPEN_OF_EVENT, {"gateway_id": gateway_id, "event_id": event_id})).fetchone()
    return row["id"] if row else None


async def touch(conn: Connection, alert_id: int, *, now: datetime) -> None:
    """Something of an alert is new that is no step of its own, e.g. an event that belongs to it: pages show it again."""
    await conn.execute(TOUCH, {"id": alert_id, "now": now})
    await hint(conn, LIVE_CHANNEL)


async def hold(conn: Connection, alert_id: int) -> None:
    """Lock an open alert, before its case and its visit. Raises NotFound, or IllegalMove when it is closed."""
    row = await (await conn.execute(LOCK, {"id": alert_id})).fetchone()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    if State(row["state"]) is State.CLOSED:
        raise IllegalMove(f"alert {alert_id} is closed")


async def hold_case(conn: Connection, case_id: int) -> list[int]:
    """Lock the open alerts of a case before the case itself. Returns their ids in order."""
    return [row["id"] for row in await (await conn.execute(LOCK_CASE, {"case_id": case_id})).fetchall()]


async def close(conn: Connection, alert_id: int, *, by: str, disposition: Disposition, text: str, now: datetime) -> None:
    """Close with a code. Raises NotFound, or IllegalMove when it is closed already."""
    await hold(conn, alert_id)
    await conn.execute(CLOSE, {"id": alert_id, "by": by, "disposition": disposition, "now": now})
    detail = {"disposition": disposition} | ({"text": text} if text else {})
    await _step(conn, alert_id, by=by, action=Action.CLOSED, now=now, detail=detail)


async def _step(conn: Connection, alert_id: int, *, by: str, action: Action, now: datetime, detail: dict[str, Any]) -> None:
    await conn.execute(STEP, {"id": alert_id, "by": by, "action": action, "now": now, "detail": json.dumps(detail)})
    await hint(conn, LIVE_CHANNEL)
