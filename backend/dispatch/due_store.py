"""The list of what is due, in the database. The caller owns the transaction."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from psycopg import IntegrityError

from backend.db.pool import Connection
from backend.dispatch.day.due import Known, due_by_rules
from backend.dispatch.day.model import DueVisit, Kind
from backend.errors import BadInput

ROWS_AT_ONCE = 5_000
ADD = """
INSERT INTO due_visit (elder_id, kind, opens_on, due_on, part, lasts_min, roles, gap_min_min, gap_max_min, source, note, made_at, made_by)
VALUES (%(elder_id)s, %(kind)s, %(opens_on)s, %(due_on)s, %(part)s, %(lasts_min)s, %(roles)s, %(gap_min_min)s, %(gap_max_min)s,
        %(source)s, %(note)s, %(now)s, %(by)s)
ON CONFLICT (elder_id, kind, due_on) DO NOTHING
"""
MADE_DUE = """
UPDATE due_visit SET state = 'done', done_on = %(on)s
WHERE elder_id = %(elder_id)s AND kind = ANY(%(kinds)s) AND state = 'due' AND opens_on <= %(on)s AND cardinality(roles) = 1
"""
IS_PROMISED = """
SELECT FROM due_visit WHERE elder_id = %(elder_id)s AND kind = %(kind)s AND state = 'due' AND promised_at IS NOT NULL
    AND due_on <= %(due_on)s LIMIT 1
"""
MOVE_DUE = """
UPDATE due_visit d SET opens_on = %(opens_on)s, due_on = %(due_on)s, note = %(note)s, source = 'findings'
WHERE d.id = (
        SELECT id FROM due_visit
        WHERE elder_id = %(elder_id)s AND kind = %(kind)s AND state = 'due' AND promised_at IS NULL ORDER BY due_on LIMIT 1
    )
    AND NOT EXISTS (SELECT FROM due_visit o WHERE o.elder_id = d.elder_id AND o.kind = d.kind AND o.due_on = %(due_on)s AND o.id <> d.id)
"""
SIGNED = """
SELECT e.id, e.born_on, e.conditions,
       ARRAY(SELECT DISTINCT kind FROM due_visit WHERE elder_id = e.id AND state = 'due') AS listed,
       (SELECT coalesce(jsonb_object_agg(d.kind, d.done_on), '{}')
        FROM (SELECT kind, max(done_on) AS done_on FROM due_visit WHERE elder_id = e.id AND done_on IS NOT NULL GROUP BY kind) d) AS done
FROM elder e JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL AND %(today)s BETWEEN c.signed_on AND c.ends_on
WHERE e.id > %(after)s ORDER BY e.id LIMIT %(limit)s
"""


async def add(conn: Connection, dues: Iterable[DueVisit], *, source: str, by: str, now: datetime) -> int:
    """Put visits on the due list; one that is there stays as it is. Returns how many are new. Raises BadInput for unknown elders."""
    values = [due.columns() | {"source": source, "by": by, "now": now} for due in dues]
    try:
        return sum([(await conn.execute(ADD, one)).rowcount for one in values])
    except IntegrityError as error:
        raise BadInput(f"the due visits do not fit: {error.diag.message_detail or error.diag.message_primary}") from error


async def add_by_rules(conn: Connection, *, today: date, now: datetime) -> int:
    """Put on the list what the date rules ask for, for every elder with a contract. Returns how many are new."""
    new, after = 0, ""
    while rows := await (await conn.execute(SIGNED, {"today": today, "after": after, "limit": ROWS_AT_ONCE})).fetchall():
        for row in rows:
            done = {Kind(kind): date.fromisoformat(on) for kind, on in row["done"].items()}
            known = Known(row["id"], row["born_on"], row["conditions"], done, frozenset(map(Kind, row["listed"])))
            new += await add(conn, due_by_rules(known, today), source="date_rule", by="system", now=now)
        after = rows[-1]["id"]
    return new


async def made(conn: Connection, elder_id: str, kinds: Sequence[Kind], *, on: date) -> int:
    """A visit has done what was due of these kinds and may be done by one person. Returns how many are off the list."""
    values = {"elder_id": elder_id, "kinds": list(kinds), "on": on}
    return (await conn.execute(MADE_DUE, values)).rowcount


async def move_or_add(conn: Connection, due: DueVisit, *, by: str, now: datetime) -> None:
    """Findings say when to come again: what is listed of this kind moves there, else it is new. What was promised before stays."""
    values = due.columns()
    if await (await conn.execute(IS_PROMISED, values)).fetchone() is not None:
        return
    if (await conn.execute(MOVE_DUE, values)).rowcount == 0:
        await add(conn, [due], source="findings", by=by, now=now)
