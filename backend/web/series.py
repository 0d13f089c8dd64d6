"""What a chart is drawn from: readings for a short span, rollups for a long one. The SQL beside that of `read.py`, read-only."""

from datetime import datetime, timedelta

from backend.db.pool import Connection
from backend.readings.store import WINDOW_SEGMENT_MAX
from backend.web.read import Row

SERIES = """
SELECT s.device_id, floor(extract(epoch FROM p.at) / %(step_s)s)::bigint * %(step_s)s AS bucket,
       avg(p.value) FILTER (WHERE s.statistic IN ('sample', 'mean')) AS mean,
       min(p.value) AS min, max(p.value) AS max
FROM series s
JOIN any_segment g ON g.series_id = s.id AND g.start_at BETWEEN %(from_at)s - %(segment_max)s AND %(to_at)s
CROSS JOIN LATERAL (
    SELECT g.start_at + item.offset_ms * interval '1 ms' AS at, item.value FROM unnest(g.offsets_ms, g.values_) AS item (offset_ms, value)
) p
WHERE s.elder_id = %(elder_id)s AND s.quantity = %(quantity)s AND p.at >= %(from_at)s AND p.at < %(to_at)s
  AND p.value BETWEEN %(low)s AND %(high)s
GROUP BY s.device_id, bucket
ORDER BY s.device_id, bucket
"""
FRESH = """
SELECT s.device_id, s.statistic, extract(epoch FROM p.at) AS at_s, 1 AS count, p.value::double precision AS mean,
       p.value AS low, p.value AS high
FROM series s
JOIN segment g ON g.series_id = s.id AND g.start_at BETWEEN %(from_at)s - %(segment_max)s AND %(to_at)s
CROSS JOIN LATERAL (
    SELECT g.start_at + item.offset_ms * interval '1 ms' AS at, item.value FROM unnest(g.offsets_ms, g.values_) AS item (offset_ms, value)
) p
WHERE s.elder_id = %(elder_id)s AND s.quantity = %(quantity)s AND p.at >= %(from_at)s AND p.at < %(to_at)s
  AND p.value BETWEEN %(low)s AND %(high)s
"""
"""What compaction has not taken yet is in no rollup."""
BUCKETS = """
SELECT device_id, floor(at_s / %(step_s)s)::bigint * %(step_s)s AS bucket,
       sum(count * mean) FILTER (WHERE statistic IN ('sample', 'mean'))
           / sum(count) FILTER (WHERE statistic IN ('sample', 'mean')) AS mean,
       min(low) AS min, max(high) AS max
FROM parts GROUP BY device_id, bucket ORDER BY device_id, bucket
"""
MINUTES = f"""
WITH parts AS (
    SELECT s.device_id, s.statistic, extract(epoch FROM r.start_at) + 60 * item.minute AS at_s, item.count, item.mean, item.low, item.high
    FROM series s
    JOIN rollup_minute r ON r.series_id = s.id AND r.start_at > %(from_at)s - interval '1 hour' AND r.start_at < %(to_at)s
    CROSS JOIN LATERAL unnest(r.minutes, r.counts, r.means, r.lows, r.highs) AS item (minute, count, mean, low, high)
    WHERE s.elder_id = %(elder_id)s AND s.quantity = %(quantity)s
      AND r.start_at + item.minute * interval '1 minute' >= %(from_at)s AND r.start_at + item.minute * interval '1 minute' < %(to_at)s
    UNION ALL {FRESH}
) {BUCKETS}
"""
HOURS = f"""
WITH parts AS (
    SELECT s.device_id, s.statistic, extract(epoch FROM r.start_at) + 3600 * item.hour AS at_s, item.count, item.mean, item.low, item.high
    FROM series s
    JOIN rollup_day r ON r.series_id = s.id AND r.start_at > %(from_at)s - interval '1 day' AND r.start_at < %(to_at)s
    CROSS JOIN LATERAL unnest(r.hours, r.counts, r.means, r.lows, r.highs) AS item (hour, count, mean, low, high)
    WHERE s.elder_id = %(elder_id)s AND s.quantity = %(quantity)s
      AND r.start_at + item.hour * interval '1 hour' >= %(from_at)s AND r.start_at + item.hour * interval '1 hour' < %(to_at)s
    UNION ALL {FRESH}
) {BUCKETS}
"""
DAYS = f"""
WITH parts AS (
    SELECT s.device_id, s.statistic, extract(epoch FROM r.start_at) AS at_s, r.count, r.mean, r.low, r.high
    FROM series s
    JOIN rollup_day r ON r.series_id = s.id AND r.start_at >= %(from_at)s AND r.start_at < %(to_at)s
    WHERE s.elder_id = %(elder_id)s AND s.quantity = %(quantity)s
    UNION ALL {FRESH}
) {BUCKETS}
"""
KEPT = """
SELECT raw_days, minute_days FROM retention_class
WHERE name = coalesce((SELECT class FROM retention WHERE quantity = %(quantity)s), 'usual')
"""
SERIES_OF: dict[int, str] = {1: SERIES, 60: MINUTES, 3600: HOURS, 86_400: DAYS}
"""Seconds of what is read, to its statement: readings, or rollups with what is in none of them yet."""


async def kept(conn: Connection, quantity: str) -> tuple[timedelta, timedelta]:
    """How long readings of a quantity, and rollups of its minutes, are kept."""
    row = await (await conn.execute(KEPT, {"quantity": quantity})).fetchone()
    assert row is not None  # there is always a class `usual`
    return timedelta(days=row["raw_days"]), timedelta(days=row["minute_days"])


async def buckets(
    conn: Connection,
    elder_id: str,
    quantity: str,
    span: tuple[datetime, datetime],
    *,
    of_s: int,
    step_s: int,
    believed: tuple[float, float],
) -> list[Row]:
    """Buckets of `step_s` seconds per device: rows device_id, bucket (unix seconds), mean, min, max of values inside `believed`.

    `of_s` 1: from readings. 60, 3600 or 86400: from rollups of so many seconds; step and span must be multiples of it.
    """
    values = {"elder_id": elder_id, "quantity": quantity, "from_at": span[0], "to_at": span[1], "step_s": step_s}
    limits = {"low": believed[0], "high": believed[1], "segment_max": WINDOW_SEGMENT_MAX}
    return await (await conn.execute(SERIES_OF[of_s].encode(), values | limits)).fetchall()
