"""Rollups: count, mean, min and max of each series per minute, hour and day (UTC), kept as arrays: one row holds an hour's minutes or a
day's hours.

They are sums of parts: what compaction takes from a chunk is added to the buckets it belongs to, whatever their age, in the transaction
that takes it. So a late reading needs no recomputation, and nothing has to remember which buckets are out of date. Only plausible
readings count.
"""

from collections.abc import Sequence
from datetime import datetime

from backend.db import chunks
from backend.db.pool import Connection

PARTS = """
CREATE TEMPORARY TABLE part ON COMMIT DROP AS
SELECT series_id, class, (start_ms + offset_ms) / 60000 AS minute, count(*) AS count, sum(value::double precision) AS total,
       min(value) AS low, max(value) AS high
FROM taken CROSS JOIN LATERAL unnest(offsets_ms, values_) AS one (offset_ms, value)
WHERE value BETWEEN taken.low AND taken.high
GROUP BY series_id, class, minute
"""
ADD_MINUTES = """
WITH fresh AS (
    SELECT series_id, minute / 60 AS hour, minute %% 60 AS minute, count, total, low, high
    FROM part JOIN retention_class c ON c.name = part.class
    WHERE class = %(class)s AND to_timestamp(minute * 60) >= %(now)s - c.minute_days * interval '1 day'
), stored AS (
    SELECT o.series_id, one.hour, item.minute, item.count, item.count * item.mean::double precision AS total, item.low, item.high
    FROM (SELECT DISTINCT series_id, hour, to_timestamp(hour * 3600) AS start_at FROM fresh) one
    JOIN {rollup} o ON o.series_id = one.series_id AND o.start_at = one.start_at
        AND o.start_at BETWEEN (SELECT to_timestamp(min(hour) * 3600) FROM fresh) AND (SELECT to_timestamp(max(hour) * 3600) FROM fresh)
    CROSS JOIN LATERAL unnest(o.minutes, o.counts, o.means, o.lows, o.highs) AS item (minute, count, mean, low, high)
), whole AS (
    SELECT series_id, hour, minute, sum(count) AS count, sum(total) / sum(count) AS mean, min(low) AS low, max(high) AS high
    FROM (SELECT series_id, hour, minute, count, total, low, high FROM fresh
          UNION ALL SELECT series_id, hour, minute, count, total, low, high FROM stored) parts
    GROUP BY series_id, hour, minute
)
INSERT INTO {rollup} (series_id, start_at, minutes, counts, means, lows, highs)
SELECT series_id, to_timestamp(hour * 3600), array_agg(minute::smallint ORDER BY minute), array_agg(count::integer ORDER BY minute),
       array_agg(mean::real ORDER BY minute), array_agg(low ORDER BY minute), array_agg(high ORDER BY minute)
FROM whole GROUP BY series_id, hour ORDER BY series_id, hour
ON CONFLICT (series_id, start_at) DO UPDATE
SET minutes = EXCLUDED.minutes, counts = EXCLUDED.counts, means = EXCLUDED.means, lows = EXCLUDED.lows, highs = EXCLUDED.highs
"""
ADD_DAYS = """
WITH fresh AS (
    SELECT series_id, minute / 1440 AS day, minute / 60 %% 24 AS hour, sum(count) AS count, sum(total) AS total, min(low) AS low,
           max(high) AS high
    FROM part JOIN retention_class c ON c.name = part.class
    WHERE class = %(class)s AND to_timestamp(minute * 60) >= %(now)s - c.rollup_days * interval '1 day'
    GROUP BY 1, 2, 3
), stored AS (
    SELECT o.series_id, one.day, item.hour, item.count, item.count * item.mean AS total, item.low, item.high
    FROM (SELECT DISTINCT series_id, day, to_timestamp(day * 86400) AS start_at FROM fresh) one
    JOIN {rollup} o ON o.series_id = one.series_id AND o.start_at = one.start_at
        AND o.start_at BETWEEN (SELECT to_timestamp(min(day) * 86400) FROM fresh) AND (SELECT to_timestamp(max(day) * 86400) FROM fresh)
    CROSS JOIN LATERAL unnest(o.hours, o.counts, o.means, o.lows, o.highs) AS item (hour, count, mean, low, high)
), whole AS (
    SELECT series_id, day, hour, sum(count) AS count, sum(total) AS total, min(low) AS low, max(high) AS high
    FROM (SELECT series_id, day, hour, count, total, low, high FROM fresh
          UNION ALL SELECT series_id, day, hour, count, total, low, high FROM stored) parts
    GROUP BY series_id, day, hour
)
INSERT INTO {rollup} (series_id, start_at, count, mean, low, high, hours, counts, means, lows, highs)
SELECT series_id, to_timestamp(day * 86400), sum(count), sum(total) / sum(count), min(low), max(high),
       array_agg(hour::smallint ORDER BY hour), array_agg(count::integer ORDER BY hour), array_agg(total / count ORDER BY hour),
       array_agg(low ORDER BY hour), array_agg(high ORDER BY hour)
FROM whole GROUP BY series_id, day ORDER BY series_id, day
ON CONFLICT (series_id, start_at) DO UPDATE
SET count = EXCLUDED.count, mean = EXCLUDED.mean, low = EXCLUDED.low, high = EXCLUDED.high, hours = EXCLUDED.hours,
    counts = EXCLUDED.counts, means = EXCLUDED.means, lows = EXCLUDED.lows, highs = EXCLUDED.highs
"""


async def add(conn: Connection, classes: Sequence[str], *, now: datetime) -> None:
    """Add the readings that compaction has put into its table `taken`. The caller owns the transaction and is the only one who adds."""
    await chunks.run(conn, PARTS)
    for name in classes:
        await chunks.run(conn, ADD_MINUTES, {"class": name, "now": now}, rollup=f"rollup_minute_{name}")
        await chunks.run(conn, ADD_DAYS, {"class": name, "now": now}, rollup=f"rollup_day_{name}")
