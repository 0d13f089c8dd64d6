"""Ingest without the broker: batches decoded, stored and judged per second, beside COPY of the same segments into the same table.

One process, one connection, an embedded PostgreSQL that syncs its commits. Each batch: 5 series of 12 readings, a home's minute.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from psycopg.rows import dict_row

from backend.db import migrate, partitions
from backend.db.pool import Connection
from backend.ingest import writer
from backend.ingest.decode import Letter, decode
from backend.ingest.subscriber import Arrival
from backend.rules import store as rules
from contract import topics
from contract.quantities import QuantityName
from contract.readings import Series, SeriesBatch
from simulators.servers import Database

HOMES = 500
GROUP = 100
SERIES = (
    (QuantityName.HEART_RATE, 70.0),
    (QuantityName.SPO2, 97.0),
    (QuantityName.RESPIRATION_RATE, 14.0),
    (QuantityName.SKIN_TEMPERATURE, 33.0),
    (QuantityName.MOVEMENT, 5.0),
)
READINGS = 12
PER_BATCH = READINGS * len(SERIES)
COPY = "COPY segment (series_id, start_at, received_at, offsets_ms, values_) FROM STDIN (FORMAT BINARY)"
TYPES = ["int4", "timestamptz", "timestamptz", "int4[]", "float4[]"]


def measure(seconds: float) -> dict[str, float]:
    """Readings and batches per second with the shipped rules on, and the COPY limit."""
    with Database() as database:
        return asyncio.run(_measure(database.url, seconds))


async def _measure(url: str, seconds: float) -> dict[str, float]:
    now = datetime.now(UTC)
    conn: Connection = await Connection.connect(url, autocommit=True, row_factory=dict_row)
    async with conn:
        await migrate.migrate(conn, migrate.files())
        await partitions.prepare(conn, today=now.date())
        async with conn.transaction():
            await rules.save(conn, rules.read_file(rules.DEFAULTS), by="bench")
        stored = await _stored_per_s(conn, now, seconds)
        copied = await _copied_per_s(conn, now, seconds)
    return {
        "readings_per_s": stored,
        "batches_per_s": stored / PER_BATCH,
        "copy_limit_readings_per_s": copied,
        "ratio": stored / copied,
    }


async def _stored_per_s(conn: Connection, now: datetime, seconds: float) -> float:
    book = await rules.load(conn)
    minute = 0
    count = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        for begin in range(0, HOMES, GROUP):
            arrivals = [_arrival(home, minute, now) for home in range(begin, begin + GROUP)]
            letters = [one for arrival in arrivals if isinstance(one := decode(arrival, bytes_max=1_000_000), Letter)]
            async with conn.transaction():
                await writer.write(conn, letters, book, now=now)
            count += len(letters)
        minute += 1
    return count * PER_BATCH / (time.perf_counter() - started)


def _arrival(home: int, minute: int, now: datetime) -> Arrival:
    first = minute * PER_BATCH + 1
    series = [
        Series(
            device="wearable-1",
            quantity=quantity,
            start_at=now + timedelta(minutes=minute),
            offsets_ms=[row * 5000 for row in range(READINGS)],
            values=[value] * READINGS,
            sequences=[number * READINGS + row for row in range(READINGS)],
        )
        for number, (quantity, value) in enumerate(SERIES)
    ]
    batch = SeriesBatch(log_id="0" * 16, first=first, last=first + PER_BATCH - 1, floor=first, sent_at=now, series=series)
    return Arrival(topics.build(f"home-{home}", topics.Leaf.SERIES), batch.model_dump_json().encode(), False, now)


async def _copied_per_s(conn: Connection, now: datetime, seconds: float) -> float:
    """The limit: the same segments, in transactions of as many, by binary COPY alone."""
    offsets = [row * 5000 for row in range(READINGS)]
    count = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        async with conn.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.set_types(TYPES)
            for row in range(GROUP * len(SERIES)):
                await copy.write_row((row % len(SERIES) + 1, now, now, offsets, [97.0] * READINGS))
        count += GROUP * len(SERIES)
    return count * READINGS / (time.perf_counter() - started)
