"""The chunks of a table cut by time: listed, locked, emptied and dropped alike on TimescaleDB and on partitions of plain PostgreSQL.

Identifiers cannot be parameters of a statement, so statements about one chunk name it in braces and are put together here, quoted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncCursor, sql
from psycopg.errors import LockNotAvailable, UndefinedTable
from psycopg.rows import DictRow

from backend.db.pool import Connection

IS_PARTITIONED = "SELECT relkind = 'p' AS is_partitioned FROM pg_class WHERE oid = %(table)s::text::regclass"
PARTITIONS = """
SELECT n.nspname AS schema, c.relname AS name, (b.bounds)[1]::timestamptz AS from_at, (b.bounds)[2]::timestamptz AS to_at
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \\('(.*)'\\) TO \\('(.*)'\\)$$) AS bounds) b
WHERE i.inhparent = %(table)s::text::regclass
ORDER BY from_at NULLS LAST
"""
"""The default partition has no bounds and comes last."""
CHUNKS = """
SELECT chunk_schema AS schema, chunk_name AS name, range_start AS from_at, range_end AS to_at
FROM timescaledb_information.chunks WHERE hypertable_schema = current_schema() AND hypertable_name = %(table)s
ORDER BY range_start
"""
IS_FILLED = "SELECT EXISTS (SELECT FROM {chunk}) AS it_is"
EXISTS = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = %(schema)s AND tablename = %(name)s) AS it_does"
LOCK = "LOCK TABLE {chunk} IN SHARE ROW EXCLUSIVE MODE"
DROP = "DROP TABLE {chunk}"
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '1s'"
"""Whoever waits for a lock holds up those who come after; a job gives way and tries again."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of `table` from..to (exclusive). Both are None for the default partition, which holds what has no other place."""

    table: str
    schema: str
    name: str
    from_at: datetime | None
    to_at: datetime | None

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.schema, self.name)


async def run(
    conn: Connection, statement: LiteralString, values: Mapping[str, Any] | None = None, **names: Chunk | str
) -> AsyncCursor[DictRow]:
    """Run a statement whose {names} are chunks or tables."""
    identifiers = {key: name.identifier if isinstance(name, Chunk) else sql.Identifier(name) for key, name in names.items()}
    return await conn.execute(sql.SQL(statement).format(**identifiers), values)


async def is_partitioned(conn: Connection, table: str) -> bool:
    """True where the chunks are partitions that nobody makes but we; False on a hypertable."""
    row = await (await conn.execute(IS_PARTITIONED, {"table": table})).fetchone()
    return row is not None and bool(row["is_partitioned"])


async def of(conn: Connection, table: str) -> list[Chunk]:
    """All chunks of a table, oldest first."""
    query = PARTITIONS if await is_partitioned(conn, table) else CHUNKS
    rows = await (await conn.execute(query, {"table": table})).fetchall()
    return [Chunk(table, row["schema"], row["name"], row["from_at"], row["to_at"]) for row in rows]


async def exists(conn: Connection, chunk: Chunk) -> bool:
    """False once the chunk was dropped."""
    row = await (await conn.execute(EXISTS, {"schema": chunk.schema, "name": chunk.name})).fetchone()
    return row is not None and bool(row["it_does"])


async def is_filled(conn: Connection, chunk: Chunk) -> bool:
    """Is there any row? Not in a chunk that is no more."""
    try:
        async with conn.transaction():
            row = await (await run(conn, IS_FILLED, chunk=chunk)).fetchone()
    except UndefinedTable:
        return False
    return row is not None and bool(row["it_is"])


async def lock(conn: Connection, chunk: Chunk) -> bool:
    """Keep all others from writing to the chunk until the transaction ends; they may read.

    False when they do not let us in within 1 s, or the chunk is no more.
    """
    return await _within_a_second(conn, LOCK, chunk)


async def drop(conn: Connection, chunk: Chunk) -> bool:
    """Drop the chunk with all its rows. False when somebody uses it."""
    async with conn.transaction():
        return await _within_a_second(conn, DROP, chunk)


async def drop_empty(conn: Connection, chunk: Chunk) -> bool:
    """Drop the chunk unless it has a row or somebody uses it."""
    async with conn.transaction():
        if not await lock(conn, chunk) or await is_filled(conn, chunk):
            return False
        return await _within_a_second(conn, DROP, chunk)


async def _within_a_second(conn: Connection, statement: LiteralString, chunk: Chunk) -> bool:
    try:
        async with conn.transaction():
            await conn.execute(LOCK_TIMEOUT)
            await run(conn, statement, chunk=chunk)
    except (LockNotAvailable, UndefinedTable):
        return False
    return True
