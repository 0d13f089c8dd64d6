"""Storage: bytes per reading before and after compaction, its speed, and charts and the operators' queue over a year of many homes.

Filled are, for every home, five quantities: rollups of hours and days for a year, rollups of minutes for the last MINUTE_DAYS, readings of
the last RAW_DAYS, and of COMPACTED_HOMES homes what the compaction is measured with. The chunks of the rest of what is kept are there, but
empty: with all of it, 30 days of readings and 180 of minutes, the disk would need 30 GB. A query leaves out chunks of other times.
HOMES_PER_SECOND homes for each of --seconds, at most HOMES_MAX: 25 s fill a year of 1 000 homes. Alerts are always 10 000.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from psycopg.rows import dict_row

from backend.db import migrate, partitions
from backend.db.pool import Connection
from backend.readings import segments
from backend.readings.compaction import compact
from backend.rules import store as rules
from backend.web import board, chart, marks, read, series
from backend.web.api import paging
from contract.quantities import QUANTITIES, QuantityName
from simulators.servers import Database

HOMES_PER_SECOND = 40
HOMES_MAX = 1_000
ALERTS = 10_000
READINGS = 12
PERIODS_MIN = (5, 10, 30, 60)
"""Lengths of a chunk of `segment` that are tried."""
COMPACTED_HOMES = 100
QUERIES = 20
SEED = 1
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
RAW_DAYS, MINUTE_DAYS = 7, 14
LEVELS = {
    QuantityName.HEART_RATE: (70.0, 0),
    QuantityName.SPO2: (96.0, 0),
    QuantityName.RESPIRATION_RATE: (15.0, 0),
    QuantityName.SKIN_TEMPERATURE: (33.0, 1),
    QuantityName.MOVEMENT: (20.0, 0),
}
"""Quantity -> where its values wander around, and their decimals."""

PEOPLE = """
INSERT INTO elder (id, name, sex, address) SELECT 'elder-' || n, '老人', 'unknown', '' FROM generate_series(1, %(elders)s) AS n;
"""
HOMES = """
WITH homes AS (
    INSERT INTO gateway (id, elder_id) SELECT 'home-' || n, 'elder-' || n FROM generate_series(1, %(homes)s) AS n RETURNING id, elder_id
)
INSERT INTO series (gateway_id, device_id, quantity, statistic, elder_id)
SELECT id, 'wearable-1', quantity, 'sample', elder_id FROM homes, unnest(%(quantities)s::text[]) AS quantity ORDER BY id, quantity
"""
YEAR_OF_DAYS = """
INSERT INTO rollup_day_usual (series_id, start_at, count, mean, low, high, hours, counts, means, lows, highs)
SELECT s.id, day, 17280, 70 + s.id %% 9, 60, 90, a.hours, a.counts, a.means, a.lows, a.highs
FROM generate_series(%(from_at)s::timestamptz, %(to_at)s, '1 day') AS day, series s
CROSS JOIN LATERAL (
    SELECT array_agg(h::smallint) AS hours, array_agg(720) AS counts, array_agg(65 + 10 * random()) AS means,
           array_agg((50 + floor(10 * random()))::real) AS lows, array_agg((80 + floor(20 * random()))::real) AS highs
    FROM generate_series(0, 23) AS h WHERE s.id > 0
) a
"""
DAYS_OF_READINGS = """
INSERT INTO history_usual (series_id, start_at, received_from, received_to, delay_ms_max, step_ms, decimals, scaled)
SELECT a.id, hour, hour + interval '1 minute', hour + interval '1 hour', 60000, 5000, 0, a.scaled
FROM (
    SELECT s.id, (SELECT array_agg((60 + floor(30 * random()))::smallint) FROM generate_series(1, 720) AS n WHERE s.id > 0) AS scaled
    FROM series s
) a, generate_series(%(from_at)s::timestamptz, %(to_at)s, '1 hour') AS hour
"""
DAYS_OF_MINUTES = """
INSERT INTO rollup_minute_usual (series_id, start_at, minutes, counts, means, lows, highs)
SELECT s.id, hour, a.minutes, a.counts, a.means, a.lows, a.highs
FROM generate_series(%(from_at)s::timestamptz, %(to_at)s, '1 hour') AS hour, series s
CROSS JOIN LATERAL (
    SELECT array_agg(m::smallint) AS minutes, array_agg(12) AS counts, array_agg((65 + floor(120 * random()) / 12)::real) AS means,
           array_agg((60 + floor(10 * random()))::real) AS lows, array_agg((80 + floor(10 * random()))::real) AS highs
    FROM generate_series(0, 59) AS m WHERE s.id > 0
) a
"""
OPEN_ALERTS = """
WITH opened AS (
    INSERT INTO care_case (elder_id, priority, opened_at, known_at, changed_at, waiting_since, next_step, next_at)
    SELECT id, CASE WHEN n <= %(calls)s THEN 'high' WHEN n <= 10 * %(calls)s THEN 'medium' ELSE 'technical' END,
           %(now)s, %(now)s, %(now)s, %(now)s, 'second', %(now)s + interval '30 days'
    FROM (SELECT id, substr(id, 7)::integer AS n FROM elder) AS e ORDER BY n LIMIT %(alerts)s
    RETURNING id, elder_id, priority
)
INSERT INTO alert (elder_id, rule_id, rule_version, priority, level, opened_at, known_at, changed_at, last_at, case_id)
SELECT o.elder_id, r.id, r.version, o.priority, 'urgent', %(now)s, %(now)s, %(now)s, %(now)s, o.id
FROM opened o
JOIN (VALUES ('high', 'sos'), ('medium', 'heart_rate_high'), ('technical', 'battery_low')) AS k (priority, rule_id) USING (priority)
JOIN rule r ON r.id = k.rule_id AND r.version = 1
"""
CALLS = 100
"""Of the open cases, that are high, as many as have a row at once; nine times as many are medium, all others technical trouble."""
SIZE = """
SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint AS bytes
FROM unnest(%(tables)s::text[]) AS name, pg_partition_tree(name::regclass) AS t WHERE t.isleaf
"""
HISTORY = ["history_brief", "history_usual", "history_lasting"]
MINUTE = ["rollup_minute_brief", "rollup_minute_usual", "rollup_minute_lasting"]
DAY = ["rollup_day_brief", "rollup_day_usual", "rollup_day_lasting"]


def measure(seconds: float) -> dict[str, float]:
    """Bytes per reading, readings compacted per second by length of the chunk, and milliseconds of queries."""
    with Database() as database:
        return asyncio.run(_measure(database.url, min(HOMES_MAX, max(COMPACTED_HOMES, int(seconds * HOMES_PER_SECOND)))))


async def _measure(url: str, homes: int) -> dict[str, float]:
    conn: Connection = await Connection.connect(url, autocommit=True, row_factory=dict_row)
    async with conn:
        await migrate.migrate(conn, migrate.files())
        async with conn.transaction():
            await rules.save(conn, rules.read_file(rules.DEFAULTS), by="bench")
        await settle(conn, homes)
        figures: dict[str, float] = {"homes": homes}
        for number, minutes in enumerate(PERIODS_MIN):
            figures |= await _compacted(conn, minutes, NOW - timedelta(days=10 + number))
        await fill_year(conn, now=NOW)
        figures |= {
            "year_of_hours_and_days_mb": await _bytes(conn, DAY) / 1e6,
            f"minutes_of_{MINUTE_DAYS}_days_mb": await _bytes(conn, MINUTE) / 1e6,
        }
        figures[f"readings_of_{RAW_DAYS}_days_mb"] = await _bytes(conn, HISTORY) / 1e6
        return figures | await _charts(conn, homes) | await _queue(conn)


async def _compacted(conn: Connection, minutes: int, start_at: datetime) -> dict[str, float]:
    """Store what homes send in `minutes` as one chunk, and compact it."""
    await partitions.prepare(conn, now=start_at)
    before = {name: await _bytes(conn, tables) for name, tables in (("segment", ["segment"]), ("history", HISTORY), ("minute", MINUTE))}
    rows = list(_segments(await _ids(conn), start_at, minutes))
    async with conn.transaction():
        await segments.insert(conn, rows, received_at=start_at + timedelta(minutes=1))
    fresh = await _bytes(conn, ["segment"]) - before["segment"]
    began = time.perf_counter()
    done = await compact(conn, now=start_at + timedelta(hours=2))
    spent = time.perf_counter() - began
    await conn.execute("VACUUM")
    readings = sum(one.readings for one in done)
    label = f"{minutes}_min_chunk"
    return {
        f"{label}_fresh_bytes_per_reading": fresh / readings,
        f"{label}_compacted_bytes_per_reading": (await _bytes(conn, HISTORY) - before["history"]) / readings,
        f"{label}_minute_rollup_bytes_per_reading": (await _bytes(conn, MINUTE) - before["minute"]) / readings,
        f"{label}_compacted_readings_per_s": readings / spent,
        f"{label}_s_of_100_000_homes": 100_000 * len(LEVELS) * READINGS * minutes / (readings / spent),
    }


def _segments(ids: list[tuple[int, QuantityName]], start_at: datetime, minutes: int) -> Iterator[segments.Segment]:
    """A home's minutes in the order they come in. Every second series has times that jitter by some milliseconds, as radios bring."""
    chance = random.Random(SEED)
    levels = {series_id: LEVELS[name][0] for series_id, name in ids}
    for minute in range(minutes):
        for series_id, name in ids:
            values = []
            for _ in range(READINGS):
                levels[series_id] += (LEVELS[name][0] - levels[series_id]) / 50 + chance.gauss(0, 1)
                values.append(max(0.0, round(levels[series_id], LEVELS[name][1])))
            jitter = 40 if series_id % 2 else 0
            offsets = [5_000 * place + chance.randint(0, jitter) for place in range(READINGS)]
            yield series_id, start_at + timedelta(minutes=minute), offsets, values


async def _ids(conn: Connection) -> list[tuple[int, QuantityName]]:
    query = "SELECT id, quantity FROM series ORDER BY id LIMIT %(limit)s"
    rows = await (await conn.execute(query, {"limit": COMPACTED_HOMES * len(LEVELS)})).fetchall()
    return [(row["id"], QuantityName(row["quantity"])) for row in rows]


async def settle(conn: Connection, homes: int) -> None:
    """ALERTS elders, the first of them with a home and its series."""
    await conn.execute(PEOPLE.encode(), {"elders": ALERTS})
    await conn.execute(HOMES, {"homes": homes, "quantities": list(LEVELS)})


async def fill_year(conn: Connection, *, now: datetime) -> None:
    """What the homes' series hold after a year that ends at `now`."""
    await conn.execute("TRUNCATE rollup_day_usual, rollup_minute_usual, history_usual")
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    await partitions.prepare_span(conn, ["rollup_day_usual", "rollup_minute_usual", "history_usual"], from_at=now - YEAR, to_at=now)
    await conn.execute(YEAR_OF_DAYS, {"from_at": midnight - YEAR, "to_at": midnight})
    await conn.execute(DAYS_OF_MINUTES, {"from_at": midnight - timedelta(days=MINUTE_DAYS - 1), "to_at": now})
    await conn.execute(DAYS_OF_READINGS, {"from_at": midnight - timedelta(days=RAW_DAYS - 1), "to_at": now - timedelta(hours=1)})
    await conn.execute("VACUUM ANALYZE")


async def open_alerts(conn: Connection, *, now: datetime) -> None:
    """One open alert with its case for each elder: CALLS of them calls."""
    await conn.execute(OPEN_ALERTS, {"now": now, "alerts": ALERTS, "calls": CALLS})
    await conn.execute("VACUUM ANALYZE alert, care_case")


async def _charts(conn: Connection, homes: int) -> dict[str, float]:
    """Milliseconds until a page has a chart's rows, each of another home: median of QUERIES."""
    spans = {"1_hour": timedelta(hours=1), "1_day": timedelta(days=1), "30_days": timedelta(days=30), "1_year": YEAR}
    figures: dict[str, float] = {}
    for name, span in spans.items():
        figures[f"chart_{name}_ms"] = await _median_ms(partial(_chart, conn, homes, span))
    return figures


async def _chart(conn: Connection, homes: int, span: timedelta, place: int) -> int:
    quantity = QuantityName.HEART_RATE
    step = chart.step_s(span.total_seconds())
    raw_kept, minutes_kept = await series.kept(conn, quantity)
    of_s = chart.source_s(step, span, raw_kept=raw_kept, minutes_kept=minutes_kept)
    bounds = chart.widen(NOW - span, NOW, of_s)
    believed = (QUANTITIES[quantity].low, QUANTITIES[quantity].high)
    return len(
        await series.buckets(conn, f"elder-{place % homes + 1}", quantity, bounds, of_s=of_s, step_s=max(step, of_s), believed=believed)
    )


async def _queue(conn: Connection) -> dict[str, float]:
    await open_alerts(conn, now=NOW)

    async def head(_: int) -> int:
        return sum((await read.queue(conn, limit=board.ROWS)).counts.values())

    async def page(_: int) -> int:
        places = await read.open_case_places(conn, paging.FIRST, paging.LIMIT)
        return len(await read.cases(conn, [place["id"] for place in places]))

    found = {"open_cases": float(await head(0)), "queue_ms": await _median_ms(head), "api_page_of_cases_ms": await _median_ms(page)}
    return found | {"look_ms": await _median_ms(partial(_look, conn))}


async def _look(conn: Connection, _: int) -> int:
    return len(await marks.open_marks(conn))


async def _median_ms(ask: Callable[[int], Awaitable[int]], times: int = QUERIES) -> float:
    spent: list[float] = []
    for place in range(times):
        began = time.perf_counter()
        await ask(place * 7)
        spent.append(1000 * (time.perf_counter() - began))
    return statistics.median(spent)


async def _bytes(conn: Connection, tables: list[str]) -> float:
    row = await (await conn.execute(SIZE, {"tables": tables})).fetchone()
    assert row is not None
    return float(row["bytes"])
