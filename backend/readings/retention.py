"""How long readings are kept, by class of quantities, and the dropping of what has expired: whole chunks, each in its own transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.db import chunks
from backend.db.chunks import Chunk
from backend.db.pool import Connection
from backend.errors import BadInput
from contract.quantities import QuantityName

CLASSES = """
SELECT c.name, c.raw_days, c.minute_days, c.rollup_days, c.source,
       ARRAY(SELECT quantity FROM retention r WHERE r.class = c.name ORDER BY quantity) AS quantities
FROM retention_class c ORDER BY c.rollup_days, c.name
"""
SET_DAYS = """
UPDATE retention_class SET raw_days = %(raw_days)s, minute_days = %(minute_days)s, rollup_days = %(rollup_days)s, source = %(source)s
WHERE name = %(name)s
"""
MOVE = """
INSERT INTO retention (quantity, class) VALUES (%(quantity)s, %(class)s) ON CONFLICT (quantity) DO UPDATE SET class = EXCLUDED.class
"""
EMPTIED_FOR = timedelta(minutes=10)
"""A chunk of `segment` that compaction has emptied stays this long, should a slow transaction still write into it."""
STRAY_ROWS = 5_000
DELETE_STRAYS = """
DELETE FROM {chunk} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {chunk} WHERE start_at < %(before)s LIMIT %(rows)s))
"""
"""Only for the default partition of plain PostgreSQL, whose rows (from clocks gone wrong) expire one by one."""
TRY_LOCK = "SELECT pg_try_advisory_lock(%(key)s) AS it_is_ours"
UNLOCK = "SELECT pg_advisory_unlock(%(key)s)"
LOCK_KEY = 0x4A_49_41_48_57
EDITION = "SELECT current_setting('timescaledb.license', true) AS license"
COLUMNS_ON = """
ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'start_at')
"""
TO_COLUMNS = "SELECT compress_chunk(format('%%I.%%I', %(schema)s::text, %(name)s::text)::regclass, if_not_compressed => true)"
COLUMNS_AFTER = timedelta(days=2)
"""Late readings are rare by then, and those that come are taken into a columnstore chunk as well, only more slowly."""


@dataclass(frozen=True, slots=True)
class Keep:
    """A class: days that readings, minutes, and hours with days are kept, where that comes from, and the quantities named for it."""

    name: str
    raw_days: int
    minute_days: int
    rollup_days: int
    source: str
    quantities: tuple[str, ...] = ()

    @property
    def days(self) -> dict[str, int]:
        """Table -> days."""
        return {
            f"history_{self.name}": self.raw_days,
            f"rollup_minute_{self.name}": self.minute_days,
            f"rollup_day_{self.name}": self.rollup_days,
        }


async def load(conn: Connection) -> list[Keep]:
    """All classes, the briefest first. A quantity that none of them names belongs to `usual`."""
    rows = await (await conn.execute(CLASSES)).fetchall()
    return [Keep(**row | {"quantities": tuple(row["quantities"])}) for row in rows]


async def set_days(conn: Connection, keep: Keep) -> None:
    """Keep a class longer or shorter. Raises BadInput for a class there is none of, and for days out of order."""
    if not 1 <= keep.raw_days <= keep.minute_days <= keep.rollup_days:
        raise BadInput("days must not fall: raw, then minutes, then hours and days")
    values = {"name": keep.name, "raw_days": keep.raw_days, "minute_days": keep.minute_days, "rollup_days": keep.rollup_days}
    cursor = await conn.execute(SET_DAYS, values | {"source": keep.source})
    if cursor.rowcount == 0:
        raise BadInput(f"no class of retention is called {keep.name}; there are {', '.join(one.name for one in await load(conn))}")


async def move(conn: Connection, quantity: QuantityName, name: str) -> None:
    """Keep a quantity as another class from now on; what is stored stays where it is until it expires there. Raises BadInput."""
    if name not in (known := [one.name for one in await load(conn)]):
        raise BadInput(f"no class of retention is called {name}; there are {', '.join(known)}")
    await conn.execute(MOVE, {"quantity": quantity, "class": name})


async def drop_expired(conn: Connection, *, now: datetime) -> list[str]:
    """Drop what has expired and what compaction has emptied, on an autocommit connection. Returns the chunks dropped.

    Nothing is lost when it is cut short; a chunk in use waits for the next run. Two workers exclude each other.
    """
    row = await (await conn.execute(TRY_LOCK, {"key": LOCK_KEY})).fetchone()
    if row is None or not row["it_is_ours"]:
        return []
    try:
        days = {table: count for keep in await load(conn) for table, count in keep.days.items()}
        return await _drop_emptied(conn, now) + await _drop_old(conn, days, now)
    finally:
        await conn.execute(UNLOCK, {"key": LOCK_KEY})


async def _drop_emptied(conn: Connection, now: datetime) -> list[str]:
    over = [one for one in await chunks.of(conn, "segment") if one.to_at is not None and one.to_at + EMPTIED_FOR <= now]
    return [one.name for one in over if await chunks.drop_empty(conn, one)]


async def _drop_old(conn: Connection, days: Mapping[str, int], now: datetime) -> list[str]:
    dropped: list[str] = []
    for table, count in days.items():
        before = now - timedelta(days=count)
        for chunk in await chunks.of(conn, table):
            if chunk.to_at is None:
                await _delete_strays(conn, chunk, before)
            elif chunk.to_at <= before and await chunks.drop(conn, chunk):
                dropped.append(chunk.name)
    return dropped


async def _delete_strays(conn: Connection, chunk: Chunk, before: datetime) -> None:
    while True:
        cursor = await chunks.run(conn, DELETE_STRAYS, {"before": before, "rows": STRAY_ROWS}, chunk=chunk)
        if cursor.rowcount < STRAY_ROWS:
            return


async def to_columnstore(conn: Connection, *, now: datetime) -> int:
    """Turn long segments older than COLUMNS_AFTER into columnstore chunks where TimescaleDB's Community edition is found, on an
    autocommit connection. Returns how many chunks were looked at; 0 on the Apache edition and on plain PostgreSQL.
    """
    row = await (await conn.execute(EDITION)).fetchone()
    if row is None or row["license"] != "timescale":
        return 0
    count = 0
    for keep in await load(conn):
        table = f"history_{keep.name}"
        await chunks.run(conn, COLUMNS_ON, table=table)
        for chunk in await chunks.of(conn, table):
            if chunk.to_at is not None and chunk.to_at + COLUMNS_AFTER <= now:
                await conn.execute(TO_COLUMNS, {"schema": chunk.schema, "name": chunk.name})
                count += 1
    return count
