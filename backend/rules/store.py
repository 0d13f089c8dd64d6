"""Rules in the database: every version kept, the newest of each in force."""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from backend.config import explain
from backend.db.pool import Connection
from backend.rules.engine import DEFAULT_ZONE, Active, Home, Patch, RuleBook
from backend.rules.form import DEFAULTS
from backend.rules.form import rules_of as read_file
from backend.rules.kinds import RULE, AnyRule

logger = logging.getLogger(__name__)

__all__ = ["DEFAULTS", "load", "read_file", "save"]

SHIPPED = "shipped"
"""Who made the rules of DEFAULTS."""

NEWEST = "SELECT DISTINCT ON (id) id, version, body, created_by, is_retired FROM rule ORDER BY id, version DESC"
INSERT = """
INSERT INTO rule (id, version, body, created_by, cases)
VALUES (%(id)s, %(version)s, %(body)s, %(by)s, %(cases)s)
"""
OVERRIDES = """
SELECT o.id, o.rule_id, o.patch, e.id AS elder_id
FROM rule_override o
JOIN elder e ON e.id = o.elder_id OR e.id IN (SELECT c.elder_id FROM contract c WHERE c.team_id = o.team_id AND c.cancelled_on IS NULL)
WHERE o.ended_at IS NULL AND o.until >= (now() AT TIME ZONE e.zone)::date AND (%(elder_id)s::text IS NULL OR e.id = %(elder_id)s)
ORDER BY e.id, o.elder_id IS NOT NULL, o.id
"""
ZONES = "SELECT id, zone FROM elder WHERE zone <> 'Asia/Shanghai' AND (%(elder_id)s::text IS NULL OR id = %(elder_id)s)"
LOCK = "LOCK TABLE rule IN SHARE ROW EXCLUSIVE MODE"


async def save(conn: Connection, rules: list[AnyRule], *, by: str, cases: Mapping[str, str] | None = None) -> list[str]:
    """Store each rule that differs from its newest version as a new version. Returns the ids that changed.

    `cases`: the text of a rule's own cases, by its id; without it they are those that are shipped with it.

    What SHIPPED brings never replaces what a person has changed or retired.
    """
    await conn.execute(LOCK)
    newest = {row["id"]: row for row in await (await conn.execute(NEWEST)).fetchall()}
    changed = []
    for rule in rules:
        body = rule.model_dump(mode="json", exclude_none=True)
        row = newest.get(rule.id)
        is_kept = row is not None and by == SHIPPED and (row["created_by"] != SHIPPED or row["is_retired"])
        if not is_kept and (row is None or row["body"] != body):
            version = row["version"] + 1 if row else 1
            values = {"id": rule.id, "version": version, "body": json.dumps(body), "by": by}
            await conn.execute(INSERT, values | {"cases": (cases or {}).get(rule.id, "")})
            changed.append(rule.id)
    return changed


async def load(conn: Connection, elder_id: str | None = None) -> RuleBook:
    """The rules in force, with the overrides of all elders and teams, or of one elder. One that cannot be read is left out and logged."""
    rows = await (await conn.execute(NEWEST)).fetchall()
    actives = [_active(row) for row in rows if not row["is_retired"]]
    return RuleBook((active for active in actives if active is not None), await _homes(conn, elder_id))


async def _homes(conn: Connection, elder_id: str | None) -> dict[str, Home]:
    """Elders with overrides, or with a zone of their own."""
    zones = {row["id"]: row["zone"] for row in await (await conn.execute(ZONES, {"elder_id": elder_id})).fetchall()}
    patches: dict[str, list[Patch]] = defaultdict(list)
    for row in await (await conn.execute(OVERRIDES, {"elder_id": elder_id})).fetchall():
        patches[row["elder_id"]].append(Patch(row["id"], row["rule_id"], row["patch"]))
    return {elder: Home(tuple(patches.get(elder, ())), zones.get(elder, DEFAULT_ZONE)) for elder in zones.keys() | patches.keys()}


def _active(row: dict[str, Any]) -> Active | None:
    try:
        return Active(RULE.validate_python(row["body"]), row["version"])
    except ValidationError as error:
        extra = {"event": "rule_unreadable", "rule_id": row["id"]}
        logger.error("rule %s, version %d, is not in force: %s", row["id"], row["version"], explain(error), extra=extra)
        return None
