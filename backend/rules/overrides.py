"""Overrides in the database: rows that are never changed, only ended. The caller owns the transaction."""

import json
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from backend.config import explain
from backend.db.pool import Connection
from backend.errors import BadInput, NotFound
from backend.rules import patch
from backend.rules.kinds import AnyRule
from backend.rules.patch import Override

LISTED = """
SELECT o.id, o.elder_id, e.name AS elder_name, o.team_id, t.name AS team_name, o.rule_id, o.patch, o.reason, o.by, o.created_at, o.until,
    o.ended_at, o.ended_by, o.ended_at IS NULL AND o.until >= %(today)s AS is_in_force
FROM rule_override o LEFT JOIN elder e ON e.id = o.elder_id LEFT JOIN team t ON t.id = o.team_id
WHERE %(elder_id)s::text IS NULL OR o.elder_id = %(elder_id)s
ORDER BY o.ended_at IS NOT NULL, o.until, o.id DESC LIMIT 500
"""
IN_FORCE_FOR = """
SELECT o.rule_id, o.team_id, o.patch, o.reason, coalesce(a.title, o.by) AS by, o.until
FROM rule_override o
JOIN elder e ON e.id = %(elder_id)s
LEFT JOIN account a ON a.name = o.by
WHERE o.ended_at IS NULL AND o.until >= (%(now)s::timestamptz AT TIME ZONE e.zone)::date AND (
    o.elder_id = e.id OR o.team_id IN (SELECT c.team_id FROM contract c WHERE c.elder_id = e.id AND c.cancelled_on IS NULL)
)
ORDER BY o.elder_id IS NOT NULL, o.id
"""
END_OTHERS = """
UPDATE rule_override SET ended_at = %(now)s, ended_by = %(by)s
WHERE ended_at IS NULL AND rule_id = %(rule_id)s AND coalesce(elder_id, 'team:' || team_id) = coalesce(%(elder_id)s, 'team:' || %(team_id)s)
"""
ADD = """
INSERT INTO rule_override (elder_id, team_id, rule_id, patch, reason, by, created_at, until)
VALUES (%(elder_id)s, %(team_id)s, %(rule_id)s, %(patch)s, %(reason)s, %(by)s, %(now)s, %(until)s) RETURNING id
"""
TARGETS = """
SELECT t.id, t.name, NULL AS elder_name FROM team t
UNION ALL SELECT e.id, NULL, e.name FROM elder e WHERE e.id = %(elder_id)s ORDER BY 2, 1
"""
END = "UPDATE rule_override SET ended_at = %(now)s, ended_by = %(by)s WHERE id = %(id)s AND ended_at IS NULL"
IS_THERE = """
SELECT (%(elder_id)s::text IS NULL OR EXISTS (SELECT FROM elder WHERE id = %(elder_id)s))
    AND (%(team_id)s::text IS NULL OR EXISTS (SELECT FROM team WHERE id = %(team_id)s)) AS is_so
"""


async def listed(conn: Connection, *, today: date, elder_id: str | None = None) -> list[dict[str, Any]]:
    """Overrides, those in force first, by their end; of one elder, or of all."""
    return await (await conn.execute(LISTED, {"today": today, "elder_id": elder_id})).fetchall()


async def in_force_for(conn: Connection, elder_id: str, *, now: datetime) -> list[dict[str, Any]]:
    """What is different for an elder: the team's first, then the elder's own, as `store.load` puts them over each other."""
    return await (await conn.execute(IN_FORCE_FOR, {"elder_id": elder_id, "now": now})).fetchall()


async def targets(conn: Connection, elder_id: str = "") -> tuple[dict[str, str], str]:
    """Names of all teams by their id; and that of an elder, empty where there is none of this id."""
    rows = await (await conn.execute(TARGETS, {"elder_id": elder_id})).fetchall()
    teams = {row["id"]: row["name"] for row in rows if row["elder_name"] is None}
    return teams, next((row["elder_name"] for row in rows if row["elder_name"] is not None), "")


async def add(conn: Connection, override: Override, rule: AnyRule, *, now: datetime) -> int:
    """Put an override in force; one of the same rule and person ends with it. Raises BadInput where its numbers contradict each other."""
    try:
        patch.apply(rule, override.patch)
    except ValidationError as error:
        raise BadInput(explain(error, whole="together")) from error
    if override.why.until < now.date():
        raise BadInput("the last day is over already")
    target = {"elder_id": override.elder, "team_id": override.group, "rule_id": override.rule, "by": override.why.by, "now": now}
    row = await (await conn.execute(IS_THERE, target)).fetchone()
    if row is None or not row["is_so"]:
        raise BadInput("there is no such elder or team")
    await conn.execute(END_OTHERS, target)
    values = {"patch": json.dumps(override.patch), "reason": override.why.reason, "until": override.why.until}
    row = await (await conn.execute(ADD, target | values)).fetchone()
    assert row is not None
    override_id: int = row["id"]
    return override_id


async def end(conn: Connection, override_id: int, *, by: str, now: datetime) -> None:
    """End an override before its day. Raises NotFound where none is in force."""
    if not (await conn.execute(END, {"id": override_id, "by": by, "now": now})).rowcount:
        raise NotFound(f"there is no override {override_id} in force")
