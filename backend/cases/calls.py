"""The contact plan of a case: the elder first, no answer, the next contact at once. Every call is logged to the second with its result.

Rule (26 Tex. Admin. Code 279.79): try the person first; if unreachable contact a responder immediately; record the times as
h:m:s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from backend.db.pool import Connection
from backend.errors import IllegalMove, NotFound


class Result(StrEnum):
    """How a call ended."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    SWITCHED_OFF = "switched_off"
    WRONG_NUMBER = "wrong_number"
    REFUSED = "refused"


HOPELESS = frozenset({Result.WRONG_NUMBER, Result.REFUSED})
"""Not tried again in this case."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the plan, in its order. `id` is `elder`, or `contact:` and a digest of name and telephone.

    So a call counts for whom was called, also when the plan is put in another order meanwhile, and not for another number.
    """

    id: str
    name: str
    relation: str
    phone: str
    has_key: bool = False


PLAN = """
SELECT 'elder' AS id, e.name, '' AS relation, e.phone, false AS has_key, 0 AS place FROM elder e WHERE e.id = %(elder_id)s AND e.phone <> ''
UNION ALL
SELECT 'contact:' || left(encode(sha256(convert_to(c.name || ' ' || c.phone, 'UTF8')), 'hex'), 16),
    c.name, c.relation, c.phone, c.has_key, c.position
FROM contact c WHERE c.elder_id = %(elder_id)s
ORDER BY place
"""
TRIES = """
SELECT t.id, t.person, t.name, t.by, coalesce(a.title, t.by) AS who, t.called_at, t.ended_at, t.result
FROM contact_try t LEFT JOIN account a ON a.name = t.by WHERE t.case_id = %(case_id)s ORDER BY t.id
"""
BEGIN = """
INSERT INTO contact_try (case_id, person, name, by, called_at) VALUES (%(case_id)s, %(person)s, %(name)s, %(by)s, %(now)s)
ON CONFLICT (case_id) WHERE result IS NULL DO NOTHING RETURNING id
"""
END = """
UPDATE contact_try SET result = %(result)s, ended_at = %(now)s WHERE id = %(id)s AND case_id = %(case_id)s AND result IS NULL
RETURNING person, name, called_at
"""


def next_person(people: Sequence[Person], tries: Sequence[dict[str, Any]]) -> Person | None:
    """Whom to call now: the first of the plan with the fewest calls; None once somebody was reached, or nobody is left to try."""
    if any(one["result"] == Result.REACHED for one in tries):
        return None
    hopeless = {one["person"] for one in tries if one["result"] in HOPELESS}
    counts = {person.id: sum(one["person"] == person.id for one in tries) for person in people if person.id not in hopeless}
    return min((person for person in people if person.id in counts), key=lambda person: counts[person.id], default=None)


async def plan(conn: Connection, elder_id: str | None) -> list[Person]:
    """The elder, then the contacts in their order; nobody for a home without an elder."""
    rows = await (await conn.execute(PLAN, {"elder_id": elder_id})).fetchall()
    return [Person(row["id"], row["name"], row["relation"], row["phone"], row["has_key"]) for row in rows]


async def tries(conn: Connection, case_id: int) -> list[dict[str, Any]]:
    """The calls of a case, oldest first; one without a result is going on."""
    return await (await conn.execute(TRIES, {"case_id": case_id})).fetchall()


async def begin(conn: Connection, case_id: int, person: Person, *, by: str, now: datetime) -> int:
    """Somebody is being called. Returns the call's id. Raises IllegalMove while another call of the case has no result."""
    values = {"case_id": case_id, "person": person.id, "name": person.name, "by": by, "now": now}
    row = await (await conn.execute(BEGIN, values)).fetchone()
    if row is None:
        raise IllegalMove(f"another call of case {case_id} has no result yet")
    return int(row["id"])


async def end(conn: Connection, case_id: int, call_id: int, *, result: Result, now: datetime) -> dict[str, Any]:
    """The call has ended. Returns person, name and when it began. Raises NotFound when it has a result already or never was."""
    row = await (await conn.execute(END, {"id": call_id, "case_id": case_id, "result": result, "now": now})).fetchone()
    if row is None:
        raise NotFound(f"there is no open call {call_id} of case {case_id}")
    return row
