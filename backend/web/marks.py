"""What is open, as versions to compare: so the live stream finds what has changed. A hint says when to look, never what."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

from backend.db.pool import LIVE_CHANNEL, TRANSIENT, Connection, Pool
from backend.web.read import Row

LISTEN, UNLISTEN = f"LISTEN {LIVE_CHANNEL}", f"UNLISTEN {LIVE_CHANNEL}"  # a channel is a name: it cannot be a parameter
OPEN_MARKS = """
SELECT 'case' AS kind, array_agg(id) AS ids, array_agg(version) AS versions, array_agg(id) AS case_ids
FROM care_case WHERE state <> 'closed'
UNION ALL
SELECT 'alert', array_agg(id), array_agg(version), array_agg(case_id) FROM alert
WHERE state <> 'closed' AND (case_id IN (SELECT id FROM care_case WHERE is_group AND state <> 'closed')) IS NOT TRUE
UNION ALL
SELECT 'visit', array_agg(v.id), array_agg(v.version), array_agg(a.case_id)
FROM visit v LEFT JOIN alert a ON a.id = v.alert_id WHERE v.state NOT IN ('done', 'cancelled')
"""
"""One row a kind and not one a case: 20 000 rows would take longer to carry than to find."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The versions of what is open of one kind, by id, and the cases they belong to in the same order: plain numbers, since there may be
    tens of thousands of them at each look."""

    versions: dict[int, int]
    case_ids: list[int | None]

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of OPEN_MARKS."""
        return cls(dict(zip(row["ids"] or (), row["versions"] or (), strict=True)), row["case_ids"] or [])

    def changed_from(self, before: Self) -> set[int]:
        """Ids of what is new, another version, or gone."""
        if self.versions == before.versions:
            return set()
        changed = {number for number, version in self.versions.items() if before.versions.get(number) != version}
        return changed | (before.versions.keys() - self.versions.keys())

    def cases_of(self, ids: Collection[int]) -> set[int]:
        """The cases that these belong to."""
        return {case_id for number, case_id in zip(self.versions, self.case_ids, strict=True) if case_id is not None and number in ids}


NO_MARKS = Marks({}, [])


@asynccontextmanager
async def listening(pool: Pool) -> AsyncIterator[Connection]:
    """A connection that hears hints. Raises TRANSIENT while the database is away."""
    async with pool.connection() as conn:
        await conn.execute(LISTEN)
        try:
            yield conn
        finally:
            with suppress(TRANSIENT):
                await conn.execute(UNLISTEN)


async def wait_for_hint(conn: Connection, timeout_s: float) -> None:
    """Return at the next hint, or after `timeout_s`. Raises TRANSIENT."""
    async for _ in conn.notifies(timeout=timeout_s, stop_after=1):
        return


async def open_marks(conn: Connection) -> dict[str, Marks]:
    """All that is open, by kind: `case`, `alert`, `visit`. Alerts of a group item are told by that alone."""
    rows = await (await conn.execute(OPEN_MARKS, binary=True)).fetchall()  # half the time of text
    return {row["kind"]: Marks.of(row) for row in rows}
