"""Compaction: readings of closed chunks of `segment` become long segments and are added to the rollups, some thousand series at a time.

    segment (a chunk of ten minutes by received_at) -> history_<class>                            exact times and values
                                                    -> rollup_minute_<class>, rollup_day_<class>  plausible readings only

The transaction that stores them there deletes them here, so every reading is in exactly one place at any instant, and a job that is killed
has done nothing. Nobody is locked out: what a slow transaction writes later is found by the next run. One worker compacts at a time.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.db import chunks
from backend.db.chunks import Chunk
from backend.db.pool import Connection
from backend.readings import rollup
from contract.quantities import QUANTITIES

CLASSES = ("brief", "usual", "lasting")
"""Classes of retention; each has its own tables."""
GRACE = timedelta(seconds=30)
"""A chunk is taken this long after its end: what was received in it has been committed by then, nearly always."""
SLICE_SEGMENTS = 50_000
"""Of one transaction: 600 000 readings, a few seconds."""
SERIES_NONE = -1
"""Below every series."""
LATE_MS = 600_000
"""What came later than this after it was measured gets rows of its own, so that the others' `delay_ms_max` stays small."""
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%(key)s) AS it_is_ours"
LOCK_KEY = 0x4A_49_41_48_56
SETTINGS = """
SELECT set_config('work_mem', '128MB', true), set_config('jit', 'off', true),
       set_config('idle_in_transaction_session_timeout', '120s', true)
"""
"""The last: a worker whose machine has vanished must not hold its locks for long."""

TAKEN = """
CREATE TEMPORARY TABLE taken (
    series_id integer, class text, low real, high real, start_ms bigint, rest_us integer, received_ms bigint, received_at timestamptz,
    offsets_ms integer[], values_ real[]
) ON COMMIT DROP
"""
NEXT = """
SELECT max(series_id) AS last FROM (
    SELECT series_id FROM {chunk} WHERE series_id > %(after)s ORDER BY series_id LIMIT %(segments)s
) next
"""
TAKE = """
WITH gone AS (
    DELETE FROM {chunk} WHERE series_id > %(after)s AND series_id <= %(last)s
    RETURNING series_id, start_at, received_at, offsets_ms, values_
)
INSERT INTO taken (series_id, class, low, high, start_ms, rest_us, received_ms, received_at, offsets_ms, values_)
SELECT g.series_id, coalesce(r.class, 'usual'), q.low, q.high,
       t.start_us / 1000, (t.start_us %% 1000)::integer, t.received_ms, g.received_at, g.offsets_ms, g.values_
FROM gone g
CROSS JOIN LATERAL (
    SELECT (extract(epoch FROM g.start_at) * 1000000)::bigint AS start_us,
           ceil(extract(epoch FROM g.received_at) * 1000)::bigint AS received_ms
) t
LEFT JOIN series s ON s.id = g.series_id
LEFT JOIN retention r ON r.quantity = s.quantity
LEFT JOIN unnest(%(quantities)s::text[], %(lows)s::real[], %(highs)s::real[]) AS q (quantity, low, high) ON q.quantity = s.quantity
"""
"""What is deleted is what is taken, so writers need not be kept out. Instants become milliseconds since 1970 and what is left in
microseconds, exactly: extract() gives a numeric.
"""

MERGE = """
CREATE TEMPORARY TABLE merged ON COMMIT DROP AS
WITH item AS (
    SELECT series_id, rest_us, at_ms / 3600000 AS hour, received_ms - at_ms > %(late_ms)s AS is_late, at_ms, value, received_at,
           received_ms - at_ms AS delay_ms
    FROM (SELECT series_id, start_ms, rest_us, received_ms, received_at, offsets_ms, values_ FROM taken ORDER BY series_id, start_ms) t
    CROSS JOIN LATERAL unnest(offsets_ms, values_) AS one (offset_ms, value)
    CROSS JOIN LATERAL (SELECT start_ms + offset_ms AS at_ms) two
), timed AS (
    SELECT series_id, rest_us, hour, is_late, at_ms, value, received_at, delay_ms,
           at_ms - lag(at_ms) OVER (PARTITION BY series_id, hour, is_late, rest_us ORDER BY at_ms) AS gap_ms,
           CASE WHEN value = 0 AND float4send(value) <> '\\x00000000' THEN 9
                WHEN value = trunc(value) THEN 0
                WHEN (round(value * 10::double precision) / 10)::real = value THEN 1
                WHEN (round(value * 100::double precision) / 100)::real = value THEN 2
                WHEN (round(value * 1000::double precision) / 1000)::real = value THEN 3
                ELSE 9 END AS decimals
    FROM item
), grouped AS (
    SELECT series_id, hour, rest_us, min(at_ms) AS start_ms, count(*) AS length, array_agg(coalesce(gap_ms, 0)::integer) AS gaps_ms,
           min(gap_ms) AS gap_ms_min, max(gap_ms) AS gap_ms_max, array_agg(value) AS values_,
           max(decimals) AS decimals, max(abs(value)) AS size,
           min(received_at) AS received_from, max(received_at) AS received_to, max(delay_ms) AS delay_ms_max
    FROM timed GROUP BY series_id, hour, is_late, rest_us
)
SELECT series_id, to_timestamp(hour * 3600) + (start_ms %% 3600000) * interval '1 ms' + rest_us * interval '1 us' AS start_at,
       received_from, received_to, delay_ms_max,
       CASE WHEN length = 1 THEN 0 WHEN gap_ms_min = gap_ms_max THEN gap_ms_min END::integer AS step_ms,
       CASE WHEN is_scaled THEN decimals END::smallint AS decimals,
       CASE WHEN gap_ms_min < gap_ms_max AND gap_ms_max <= 32767 THEN gaps_ms END::smallint[] AS gaps_ms,
       CASE WHEN gap_ms_min < gap_ms_max AND gap_ms_max > 32767 THEN gaps_ms END AS wide_gaps_ms,
       CASE WHEN is_scaled THEN ARRAY(
           SELECT round(value * 10::double precision ^ decimals)::smallint FROM unnest(values_) WITH ORDINALITY AS one (value, place)
           ORDER BY place
       ) END AS scaled,
       CASE WHEN NOT is_scaled THEN values_ END AS values_
FROM (SELECT grouped.*, decimals <= 3 AND size * 10::double precision ^ decimals < 32767 AS is_scaled FROM grouped) g
"""
"""-0 equals 0 but is another float: it stays a float. The division is the one by which `long_values` reads."""

KEEP = """
INSERT INTO {history}
    (series_id, start_at, received_from, received_to, delay_ms_max, step_ms, decimals, gaps_ms, wide_gaps_ms, scaled, values_)
SELECT m.series_id, m.start_at, m.received_from, m.received_to, m.delay_ms_max, m.step_ms, m.decimals, m.gaps_ms, m.wide_gaps_ms,
       m.scaled, m.values_
FROM merged m
LEFT JOIN series s ON s.id = m.series_id
LEFT JOIN retention r ON r.quantity = s.quantity
JOIN retention_class c ON c.name = coalesce(r.class, 'usual')
WHERE c.name = %(class)s AND m.start_at >= %(now)s - c.raw_days * interval '1 day'
ORDER BY m.series_id, m.start_at
"""
"""What is past its retention is not kept any more."""
COUNT = "SELECT coalesce(sum(cardinality(values_)), 0)::bigint AS readings FROM taken"
NOTE = """
INSERT INTO storage_job (name, done_at, seconds, readings) VALUES ('compaction', %(now)s, %(seconds)s, %(readings)s)
ON CONFLICT (name) DO UPDATE SET done_at = EXCLUDED.done_at, seconds = EXCLUDED.seconds, readings = storage_job.readings + EXCLUDED.readings
"""
"""`readings` counts all that were ever compacted."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What one transaction did."""

    chunk: str
    last_series: int
    readings: int


async def closed(conn: Connection, *, now: datetime) -> list[Chunk]:
    """Chunks of `segment` to compact: those that are over and hold anything, oldest first."""
    over = [one for one in await chunks.of(conn, "segment") if one.to_at is None or one.to_at + GRACE <= now]
    return [one for one in over if await chunks.is_filled(conn, one)]


async def compact(conn: Connection, *, now: datetime, segments: int = SLICE_SEGMENTS) -> list[Compacted]:
    """Compact every closed chunk on an autocommit connection: transactions of about so many segments each, of whole series.

    Returns what was done. Where another worker compacts, the rest is left to it.
    """
    done: list[Compacted] = []
    for chunk in await closed(conn, now=now):
        after = SERIES_NONE
        while (taken := await _compact_slice(conn, chunk, after, segments, now=now)) is not None:
            done.append(taken)
            after = taken.last_series
    return done


async def _compact_slice(conn: Connection, chunk: Chunk, after: int, segments: int, *, now: datetime) -> Compacted | None:
    """Compact the series that follow `after` in one transaction. None when there are none, or another worker compacts."""
    async with conn.transaction():
        started = asyncio.get_running_loop().time()
        row = await (await conn.execute(TRY_LOCK, {"key": LOCK_KEY})).fetchone()
        if row is None or not row["it_is_ours"] or not await chunks.exists(conn, chunk):
            return None
        await conn.execute(SETTINGS)
        row = await (await chunks.run(conn, NEXT, {"after": after, "segments": segments}, chunk=chunk)).fetchone()
        if row is None or row["last"] is None:
            return None
        await _take(conn, chunk, after, row["last"])
        readings = await _store(conn, now)
        seconds = asyncio.get_running_loop().time() - started
        await conn.execute(NOTE, {"now": now, "seconds": seconds, "readings": readings})
        return Compacted(chunk.name, row["last"], readings)


async def _take(conn: Connection, chunk: Chunk, after: int, last: int) -> None:
    believed = list(QUANTITIES.values())
    limits = {"lows": [float(one.low) for one in believed], "highs": [float(one.high) for one in believed]}
    await conn.execute(TAKEN)
    names = [str(one.name) for one in believed]
    await chunks.run(conn, TAKE, limits | {"quantities": names, "after": after, "last": last}, chunk=chunk)
    await conn.execute("ANALYZE taken")


async def _store(conn: Connection, now: datetime) -> int:
    await chunks.run(conn, MERGE, {"late_ms": LATE_MS})
    for name in CLASSES:
        await chunks.run(conn, KEEP, {"class": name, "now": now}, history=f"history_{name}")
    await rollup.add(conn, CLASSES, now=now)
    row = await (await conn.execute(COUNT)).fetchone()
    assert row is not None
    return int(row["readings"])
