"""Rules in the database: every version kept, the newest of each in force."""

import json
import logging
from typing import Any

from pydantic import ValidationError

from backend.config import explain
from backend.db.pool import Connection
from backend.rules.engine import Active, RuleBook
from backend.rules.form import DEFAULTS
from backend.rules.form import rules_of as read_file
from backend.rules.kinds import RULE, AnyRule

logger = logging.getLogger(__name__)

__all__ = ["DEFAULTS", "load", "read_file", "save"]

SHIPPED = "shipped"
"""Who made the rules of DEFAULTS."""

NEWEST = "SELECT DISTINCT ON (id) id, version, body, created_by, is_retired FROM rule ORDER BY id, version DESC"
INSERT = """
INSERT INTO rule (id, version, body, created_by)
VALUES (%(id)s, %(version)s, %(body)s, %(by)s)
"""
LOCK = "LOCK TABLE rule IN SHARE ROW EXCLUSIVE MODE"


async def save(conn: Connection, rules: list[AnyRule], *, by: str) -> list[str]:
    """Store each rule that differs from its newest version as a new version. Returns the ids that changed.

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
            await conn.execute(INSERT, {"id": rule.id, "version": version, "body": json.dumps(body), "by": by})
            changed.append(rule.id)
    return changed


async def load(conn: Connection) -> RuleBook:
    """The rules in force. One that this program cannot read is left out and logged: it must not keep the others from working."""
    rows = await (await conn.execute(NEWEST)).fetchall()
    actives = [_active(row) for row in rows if not row["is_retired"]]
    return RuleBook(active for active in actives if active is not None)


def _active(row: dict[str, Any]) -> Active | None:
    try:
        return Active(RULE.validate_python(row["body"]), row["version"])
    except ValidationError as error:
        extra = {"event": "rule_unreadable", "rule_id": row["id"]}
        logger.error("rule %s, version %d, is not in force: %s", row["id"], row["version"], explain(error), extra=extra)
        return None
