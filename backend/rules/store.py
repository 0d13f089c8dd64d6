"""Rules in the database: every version kept, the newest of each in force."""

import json
import logging
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.config import explain
from backend.db.pool import Connection
from backend.errors import BadInput
from backend.rules.engine import Active, AnyRule, RuleBook
from backend.rules.kinds import RULE

logger = logging.getLogger(__name__)

DEFAULTS = Path(__file__).parent / "defaults.toml"

SHIPPED = "shipped"
"""Who made the rules of DEFAULTS."""

NEWEST = "SELECT DISTINCT ON (id) id, version, body, created_by, is_retired FROM rule ORDER BY id, version DESC"
INSERT = """
INSERT INTO rule (id, version, body, created_by)
VALUES (%(id)s, %(version)s, %(body)s, %(by)s)
"""
LOCK = "LOCK TABLE rule IN SHARE ROW EXCLUSIVE MODE"


def read_file(path: Path) -> list[AnyRule]:
    """Rules of a TOML file with `[[rule]]` blocks. Raises BadInput naming the rule and the key."""
    try:
        blocks = tomllib.loads(path.read_text("utf-8")).get("rule", [])
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    if not isinstance(blocks, list) or not blocks:
        raise BadInput(f"{path} has no [[rule]] block")
    rules = [_read_block(path, block) for block in blocks]
    if len({rule.id for rule in rules}) != len(rules):
        raise BadInput(f"{path}: two rules have the same id")
    return rules


def _read_block(path: Path, block: Any) -> AnyRule:
    try:
        return RULE.validate_python(block)
    except ValidationError as error:
        name = block.get("id", "without id") if isinstance(block, dict) else "not a table"
        raise BadInput(f"{path}: rule {name}: {explain(error)}") from error


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
