"""Signed records in the database. The caller owns the transaction; a record is written once and never changed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from backend.db.pool import Connection
from backend.records.followup import Advice, Condition, Control
from backend.records.forms import Answers

SAVE = """
INSERT INTO visit_record (visit_id, elder_id, answers, control, reasons, refer, refer_to, next_on, signed_by, signed_at, digest)
VALUES (%(visit_id)s, %(elder_id)s, %(answers)s, %(control)s, %(reasons)s, %(refer)s, %(refer_to)s, %(next_on)s, %(by)s, %(now)s,
        %(digest)s)
"""
PREVIOUS = """
SELECT control ->> %(condition)s AS control FROM visit_record
WHERE elder_id = %(elder_id)s AND control ? %(condition)s ORDER BY signed_at DESC LIMIT 1
"""
LAST_ANSWERS = """
SELECT DISTINCT ON (form.key) form.key AS form, form.value AS answers, r.signed_at
FROM visit_record r CROSS JOIN LATERAL jsonb_each(r.answers) form
WHERE r.elder_id = %(elder_id)s ORDER BY form.key, r.signed_at DESC
"""


@dataclass(frozen=True, slots=True)
class Record:
    """What is signed: answers by form, what followed from them, and when to come again."""

    visit_id: int
    elder_id: str
    answers: Mapping[str, Answers]
    advices: Mapping[Condition, Advice]
    findings: str
    refer_to: str
    next_on: date | None

    @property
    def refer(self) -> bool:
        """True when the doctor refers, or the table says so."""
        return bool(self.refer_to) or any(advice.refer for advice in self.advices.values())


async def save(conn: Connection, record: Record, *, by: str, now: datetime) -> None:
    """Write a record, signed by `by`."""
    control = {condition: advice.control for condition, advice in record.advices.items()}
    reasons = list(dict.fromkeys(reason for advice in record.advices.values() for reason in advice.reasons))
    signed = {
        "visit_id": record.visit_id, "elder_id": record.elder_id, "answers": json.dumps(record.answers, ensure_ascii=False, sort_keys=True),
        "control": json.dumps(control, sort_keys=True), "reasons": reasons, "refer": record.refer, "refer_to": record.refer_to,
        "next_on": record.next_on, "by": by, "now": now,
    }  # fmt: skip
    digest = digest_of(signed | {"findings": record.findings})
    await conn.execute(SAVE, signed | {"digest": digest})


def digest_of(signed: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of what was signed, hex."""
    return hashlib.sha256(json.dumps(signed, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()


async def previous(conn: Connection, elder_id: str, condition: Condition) -> Control | None:
    """The class of the newest follow-up of this disease; None before the first."""
    row = await (await conn.execute(PREVIOUS, {"elder_id": elder_id, "condition": condition})).fetchone()
    return Control(row["control"]) if row else None


async def last_answers(conn: Connection, elder_id: str) -> dict[str, dict[str, Any]]:
    """The newest answers of each form, so that only changes are typed: {form: answers}."""
    rows = await (await conn.execute(LAST_ANSWERS, {"elder_id": elder_id})).fetchall()
    return {row["form"]: row["answers"] for row in rows}
