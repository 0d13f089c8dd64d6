"""Partitions where TimescaleDB does not make the chunks: some ahead for each table cut by time, so that its default partition stays empty.

Their lengths are those of migration 0010's chunks.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from psycopg import sql
from psycopg.errors import CheckViolation, DuplicateTable, LockNotAvailable

from backend.db import chunks
from backend.db.pool import Connection

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RECEIVED = timedelta(minutes=10)
LENGTHS: dict[str, timedelta] = {
    "segment": RECEIVED,
    "history_brief": DAY,
    "history_usual": DAY,
    "history_lasting": 30 * DAY,
    "rollup_minute_brief": 7 * DAY,
    "rollup_minute_usual": 7 * DAY,
    "rollup_minute_lasting": 30 * DAY,
    "rollup_day_brief": 30 * DAY,
    "rollup_day_usual": 90 * DAY,
    "rollup_day_lasting": 365 * DAY,
}
"""Table -> span of one chunk."""
AHEAD = timedelta(hours=1)
"""A worker that is away for so long leaves no gap; few enough for a query that looks into each."""
EXISTS = "SELECT to_regclass(%(name)s) IS NOT NULL AS it_does"
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


async def prepare(conn: Connection, *, now: datetime) -> list[str]:
    """Make each table's partitions from one before now to AHEAD, on an autocommit connection. Returns the names of new ones.

    A span whose rows already lie in the default partition (a home with a clock far ahead) stays there.
    """
    made: list[str] = []
    for table, length in LENGTHS.items():
        if await chunks.is_partitioned(conn, table):
            made += [name for start_at in starts(now - length, now + AHEAD, length) if (name := await _make(conn, table, start_at))]
    return made


async def prepare_span(conn: Connection, tables: list[str], *, from_at: datetime, to_at: datetime) -> None:
    """Make the partitions of a whole span, to import old readings."""
    for table in tables:
        if await chunks.is_partitioned(conn, table):
            for start_at in starts(from_at, to_at, LENGTHS[table]):
                await _make(conn, table, start_at)


def starts(from_at: datetime, to_at: datetime, length: timedelta) -> Iterator[datetime]:
    """Beginnings of the chunks that hold from..to, counted from 1970."""
    for number in range((from_at - EPOCH) // length, (to_at - EPOCH) // length + 1):
        yield EPOCH + number * length


async def _make(conn: Connection, table: str, start_at: datetime) -> str | None:
    length = LENGTHS[table]
    name = f"{table}_{start_at:%Y%m%d}" if length >= DAY else f"{table}_{start_at:%Y%m%d_%H%M}"
    row = await (await conn.execute(EXISTS, {"name": name})).fetchone()
    if row is None or row["it_does"]:
        return None
    statement = sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})")
    bounds = (sql.Literal(start_at), sql.Literal(start_at + length))
    try:
        async with conn.transaction():
            await conn.execute(LOCK_TIMEOUT)
            await conn.execute(statement.format(sql.Identifier(name), sql.Identifier(table), *bounds))
    except (CheckViolation, DuplicateTable, LockNotAvailable):
        return None  # its rows lie in the default partition; another worker has just made it; or a long query is in the way
    return name
