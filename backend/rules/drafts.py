"""Drafts of rules: written by one person, tried on their cases and on the last days, switched on by another.

The caller owns the transaction.

    draft -> submitted -> approved        refused: back to draft with a word why; withdrawn: kept, and out of the way

Every change of a draft's numbers throws away what was tried with the old ones.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from backend.config import explain
from backend.db.pool import Connection
from backend.errors import BadInput, IllegalMove, NotFound
from backend.rules import form
from backend.rules.cases import Case, Outcome, try_case
from backend.rules.kinds import RULE, AnyRule
from backend.rules.kinds.all import AllRule

LIST = """
SELECT d.id, d.rule_id, d.body, d.author, d.created_at, d.state, d.reason, d.is_retirement FROM rule_draft d
WHERE d.state IN ('draft', 'submitted') ORDER BY d.created_at
"""
FIND = """
SELECT id, rule_id, body, cases, reason, is_retirement, author, created_at, state, cases_passed, preview, preview_seen_by, submitted_at,
    approved_by, approved_at, refusal
FROM rule_draft WHERE id = %(id)s FOR UPDATE
"""
OPEN = """
INSERT INTO rule_draft (rule_id, body, cases, reason, is_retirement, author, created_at, cases_passed)
VALUES (%(rule_id)s, %(body)s, %(cases)s, %(reason)s, %(is_retirement)s, %(author)s, %(now)s, false)
ON CONFLICT (rule_id) WHERE state IN ('draft', 'submitted') DO NOTHING RETURNING id
"""
CHANGE = """
UPDATE rule_draft SET body = %(body)s, cases = %(cases)s, reason = %(reason)s, author = %(by)s, state = 'draft',
    cases_passed = false, submitted_at = NULL, refusal = '',
    preview = CASE WHEN body = %(body)s::jsonb THEN preview END,
    preview_seen_by = CASE WHEN body = %(body)s::jsonb THEN preview_seen_by END
WHERE id = %(id)s
"""
PASS = "UPDATE rule_draft SET cases_passed = %(passed)s WHERE id = %(id)s"
SEE = "UPDATE rule_draft SET preview_seen_by = %(by)s WHERE id = %(id)s AND preview IS NOT NULL AND preview_seen_by IS NULL"
PREVIEW = "UPDATE rule_draft SET preview = %(preview)s, preview_seen_by = NULL WHERE id = %(id)s AND body = %(body)s::jsonb"
SUBMIT = "UPDATE rule_draft SET state = 'submitted', submitted_at = %(now)s WHERE id = %(id)s"
REFUSE = "UPDATE rule_draft SET state = 'draft', submitted_at = NULL, refusal = %(why)s WHERE id = %(id)s"
WITHDRAW = "UPDATE rule_draft SET state = 'withdrawn' WHERE id = %(id)s"
APPROVE = "UPDATE rule_draft SET state = 'approved', approved_by = %(by)s, approved_at = %(now)s WHERE id = %(id)s"
LOCK_RULES = "LOCK TABLE rule IN SHARE ROW EXCLUSIVE MODE"
IN_FORCE = """
INSERT INTO rule (id, version, body, valid_from, created_by, is_retired, approved_by, cases, draft_id)
SELECT d.rule_id, coalesce((SELECT max(version) FROM rule WHERE id = d.rule_id), 0) + 1, d.body, %(now)s, d.author, d.is_retirement,
    d.approved_by, d.cases, d.id
FROM rule_draft d WHERE d.id = %(id)s RETURNING version
"""
HISTORY = """
SELECT version, body, valid_from, created_by, approved_by, is_retired, cases, draft_id FROM rule WHERE id = %(id)s ORDER BY version DESC
"""
RULES = """
SELECT DISTINCT ON (id) id, version, body, valid_from, created_by, approved_by, is_retired FROM rule ORDER BY id, version DESC
"""
ASK_TEST = """
INSERT INTO back_test (draft_id, body, asked_by, asked_at) SELECT id, body, %(by)s, %(now)s FROM rule_draft WHERE id = %(id)s RETURNING id
"""
LAST_TEST = """
SELECT id, state, progress, fault, asked_at, beat_at FROM back_test WHERE draft_id = %(id)s ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft's row."""

    id: int
    rule_id: str
    body: dict[str, Any]
    cases: str
    reason: str
    is_retirement: bool
    author: str
    created_at: datetime
    state: str
    cases_passed: bool
    preview: dict[str, Any] | None
    preview_seen_by: str | None
    submitted_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    refusal: str

    @property
    def rule(self) -> AnyRule:
        """The rule it would become."""
        return RULE.validate_python(self.body)

    @property
    def lacks(self) -> list[str]:
        """What must still be done before somebody may switch it on: cases, preview, seen."""
        if self.is_retirement:
            return []
        seen = [] if self.preview is None or self.preview_seen_by is not None else ["seen"]
        return ([] if self.cases_passed else ["cases"]) + (["preview"] if self.preview is None else []) + seen


async def rules(conn: Connection) -> list[dict[str, Any]]:
    """The newest version of every rule."""
    return await (await conn.execute(RULES)).fetchall()


async def in_force(conn: Connection) -> dict[str, AnyRule]:
    """Rules by id that this program can read and that are not retired."""
    found: dict[str, AnyRule] = {}
    for row in await rules(conn):
        if not row["is_retired"]:
            try:
                found[row["id"]] = RULE.validate_python(row["body"])
            except ValidationError:
                continue
    return found


async def history(conn: Connection, rule_id: str) -> list[dict[str, Any]]:
    """Every version of a rule, the newest first."""
    return await (await conn.execute(HISTORY, {"id": rule_id})).fetchall()


async def listed(conn: Connection) -> list[dict[str, Any]]:
    """Drafts that wait for somebody."""
    return await (await conn.execute(LIST)).fetchall()


async def find(conn: Connection, draft_id: int) -> Draft:
    """A draft, its row locked. Raises NotFound."""
    row = await (await conn.execute(FIND, {"id": draft_id})).fetchone()
    if row is None:
        raise NotFound(f"there is no draft {draft_id}")
    return Draft(**row)


async def begin(
    conn: Connection, body: dict[str, Any], *, cases: str, reason: str, by: str, now: datetime, is_retirement: bool = False
) -> int:
    """Begin a draft. Raises BadInput for a rule that cannot be meant, IllegalMove where another draft of it is open."""
    rule = await check(conn, body)
    values = {"rule_id": rule.id, "body": _json(rule), "cases": cases, "reason": reason, "is_retirement": is_retirement, "author": by}
    row = await (await conn.execute(OPEN, values | {"now": now})).fetchone()
    if row is None:
        raise IllegalMove(f"another draft of {rule.id} is open")
    draft_id: int = row["id"]
    await _try(conn, draft_id, rule, cases)
    return draft_id


async def change(conn: Connection, draft_id: int, body: dict[str, Any], *, cases: str, reason: str, by: str) -> None:
    """Change a draft; whoever changes it is its author from now on. Raises as `begin`."""
    draft = await find(conn, draft_id)
    if draft.state not in ("draft", "submitted"):
        raise IllegalMove(f"draft {draft_id} is {draft.state}")
    rule = await check(conn, body | {"id": draft.rule_id})
    await conn.execute(CHANGE, {"id": draft_id, "body": _json(rule), "cases": cases, "reason": reason, "by": by})
    await _try(conn, draft_id, rule, cases)


async def check(conn: Connection, body: dict[str, Any]) -> AnyRule:
    """The rule of a body. Raises BadInput with what is wrong, a line for people."""
    try:
        rule = RULE.validate_python(body)
    except ValidationError as error:
        raise BadInput(explain(error, whole="together")) from error
    if isinstance(rule, AllRule):
        known = await in_force(conn)
        for fault in (*form.missing_members(rule, known), *form.faults_of_members(rule, known)):
            raise BadInput(fault)
    return rule


async def tried(conn: Connection, rule: AnyRule, cases: str) -> list[Outcome]:
    """The outcomes of a draft's own cases. A case need not name the rule. Raises BadInput where the text is no cases."""
    known = await in_force(conn) | {rule.id: rule}
    return [try_case(case, known) for case in cases_of(cases, rule, known)]


def cases_of(cases: str, rule: AnyRule, known: Mapping[str, AnyRule]) -> list[Case]:
    """A rule's own cases from their text. Raises BadInput."""
    return [case for case in form.parse(cases, "cases", known=dict(known) | {rule.id: rule}, of=rule.id).cases if case.rule == rule.id]


async def _try(conn: Connection, draft_id: int, rule: AnyRule, cases: str) -> None:
    outcomes = await tried(conn, rule, cases)
    await conn.execute(PASS, {"id": draft_id, "passed": bool(outcomes) and not any(one.faults for one in outcomes)})


async def see(conn: Connection, draft_id: int, *, by: str) -> None:
    """Somebody has looked at the back-test."""
    await conn.execute(SEE, {"id": draft_id, "by": by})


async def submit(conn: Connection, draft_id: int, *, now: datetime) -> None:
    """Ask for approval. Raises IllegalMove where something is not tried yet."""
    draft = await find(conn, draft_id)
    if draft.state != "draft" or draft.lacks:
        raise IllegalMove(f"draft {draft_id} is {draft.state} and lacks {', '.join(draft.lacks) or 'nothing'}")
    await conn.execute(SUBMIT, {"id": draft_id, "now": now})


async def approve(conn: Connection, draft_id: int, *, by: str, now: datetime) -> int:
    """Switch it on. Returns the version in force. Raises IllegalMove for whoever wrote it, and for what was not submitted."""
    draft = await find(conn, draft_id)
    if draft.author == by or draft.state != "submitted" or draft.lacks:
        raise IllegalMove(f"draft {draft_id} by {draft.author} is {draft.state}; {by} cannot approve it")
    await conn.execute(LOCK_RULES)
    await conn.execute(APPROVE, {"id": draft_id, "by": by, "now": now})
    row = await (await conn.execute(IN_FORCE, {"id": draft_id, "now": now})).fetchone()
    assert row is not None
    version: int = row["version"]
    return version


async def refuse(conn: Connection, draft_id: int, *, why: str) -> None:
    """Send a submitted draft back with a word why. Raises IllegalMove."""
    draft = await find(conn, draft_id)
    if draft.state != "submitted":
        raise IllegalMove(f"draft {draft_id} is {draft.state}")
    await conn.execute(REFUSE, {"id": draft_id, "why": why})


async def withdraw(conn: Connection, draft_id: int) -> None:
    """Put a draft aside. Raises IllegalMove."""
    draft = await find(conn, draft_id)
    if draft.state not in ("draft", "submitted"):
        raise IllegalMove(f"draft {draft_id} is {draft.state}")
    await conn.execute(WITHDRAW, {"id": draft_id})


async def ask_test(conn: Connection, draft_id: int, *, by: str, now: datetime) -> int:
    """Ask for a back-test. Returns its number."""
    row = await (await conn.execute(ASK_TEST, {"id": draft_id, "by": by, "now": now})).fetchone()
    if row is None:
        raise NotFound(f"there is no draft {draft_id}")
    test_id: int = row["id"]
    return test_id


async def last_test(conn: Connection, draft_id: int) -> dict[str, Any] | None:
    """The newest back-test of a draft."""
    return await (await conn.execute(LAST_TEST, {"id": draft_id})).fetchone()


def _json(rule: AnyRule) -> str:
    return json.dumps(rule.model_dump(mode="json", exclude_none=True))
