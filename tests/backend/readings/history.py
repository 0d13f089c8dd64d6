"""Readings for the tests of storage: random ones with everything awkward in them, and what rollups of them must be, by plain arithmetic."""

import math
import random
import struct
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from backend.db.pool import Connection
from backend.readings import segments
from backend.readings.compaction import compact
from contract.quantities import QUANTITIES, QuantityName
from tests.backend.street import NOW, rows

SERIES = (QuantityName.HEART_RATE, QuantityName.SKIN_TEMPERATURE, QuantityName.GLUCOSE, QuantityName.BATTERY)
"""Of each class of retention one or more."""
ADD_SERIES = """
INSERT INTO series (gateway_id, device_id, quantity, statistic, elder_id) VALUES ('gw-1', 'wearable-1', %(quantity)s, 'sample', 'elder-1')
RETURNING id
"""
EVERYTHING = "SELECT quantity, measured_at, float4send(value) AS bits FROM reading ORDER BY quantity, measured_at, bits"
AWKWARD = (-0.0, 0.0, 1e30, -1e30, 1e-30, 32766.0, 32767.0, 32768.0, 327.67, 3276.7, 0.1, 0.001, 0.0001, 1 / 3, 36.6, 100.25)

WIDTHS_S = {"reading_minute": 60, "reading_hour": 3_600, "reading_day": 86_400}

Bucket = tuple[int, float, float, float]
"""Count, mean, low, high."""


@dataclass(frozen=True)
class Stored:
    """One reading as it was handed in; the value has been through 32 bits."""

    quantity: QuantityName
    at: datetime
    value: float


def real(value: float) -> float:
    """The nearest 32-bit float."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


async def make_series(conn: Connection) -> dict[QuantityName, int]:
    """Series of elder-1, by quantity."""
    found = {name: await (await conn.execute(ADD_SERIES, {"quantity": name})).fetchone() for name in SERIES}
    return {name: row["id"] for name, row in found.items() if row}


async def insert_random(conn: Connection, ids: dict[QuantityName, int], chance: random.Random, *, received_at: datetime) -> list[Stored]:
    """Store a few segments: of steady, jittered, wide and repeated times, whole, decimal and awkward values, on time and late."""
    stored: list[Stored] = []
    rows: list[segments.Segment] = []
    for name in chance.choices(SERIES, k=12):
        age_s = chance.choice([60, 120, 3_600, 7_300, 86_400, 3 * 86_400])
        start_at = received_at - timedelta(seconds=age_s, microseconds=chance.choice([0, 0, 0, 1, 999, 500_250]))
        offsets = _offsets(chance)
        values = [_value(chance) for _ in offsets]
        rows.append((ids[name], start_at, offsets, values))
        stored += [
            Stored(name, start_at + timedelta(milliseconds=offset), real(value)) for offset, value in zip(offsets, values, strict=True)
        ]
    async with conn.transaction():
        await segments.insert(conn, rows, received_at=received_at)
    return stored


def _offsets(chance: random.Random) -> list[int]:
    count, kind = chance.choice([1, 2, 12, 60]), chance.randrange(4)
    if kind == 0:
        return [5_000 * place for place in range(count)]
    if kind == 1:
        return [5_000 * place + chance.randrange(40) for place in range(count)]
    if kind == 2:
        return sorted(chance.randrange(3_600_000) for _ in range(count))
    return [0] * count


def _value(chance: random.Random) -> float:
    kind = chance.randrange(4)
    if kind == 0:
        return float(chance.randrange(40, 180))
    if kind == 1:
        return chance.randrange(200, 400) / 10
    return chance.choice(AWKWARD) if kind == 2 else chance.uniform(0, 200)


async def everything(conn: Connection) -> list[tuple[str, datetime, bytes]]:
    """Every reading to the last bit, in order."""
    return [(row["quantity"], row["measured_at"], row["bits"]) for row in await rows(conn, EVERYTHING)]


def as_read(stored: list[Stored]) -> list[tuple[str, datetime, bytes]]:
    """What `everything` must give."""
    return sorted((str(one.quantity), one.at, struct.pack(">f", one.value)) for one in stored)


def recomputed(stored: list[Stored], width_s: int) -> dict[tuple[str, datetime], Bucket]:
    """Rollups by hand: plausible readings by (quantity, beginning of the bucket)."""
    found: dict[tuple[str, datetime], list[float]] = defaultdict(list)
    for one in stored:
        quantity = QUANTITIES[one.quantity]
        if real(quantity.low) <= one.value <= real(quantity.high):
            begin = datetime.fromtimestamp(one.at.timestamp() // width_s * width_s, one.at.tzinfo)
            found[str(one.quantity), begin].append(one.value)
    return {key: (len(values), math.fsum(values) / len(values), min(values), max(values)) for key, values in found.items()}


async def rolled_up(conn: Connection, view: str) -> dict[tuple[str, datetime], Bucket]:
    """What the rollups hold; a bucket that appears twice fails."""
    found = await rows(conn, f"SELECT quantity, at, count, mean, low, high FROM {view}")
    buckets = {(row["quantity"], row["at"]): (row["count"], row["mean"], real(row["low"]), real(row["high"])) for row in found}
    assert len(buckets) == len(found)
    return buckets


async def check_rollups(conn: Connection, stored: list[Stored]) -> None:
    """The rollups of minutes, hours and days hold what recomputation gives; means to 32 bits."""
    for view, width_s in WIDTHS_S.items():
        expected, found = recomputed(stored, width_s), await rolled_up(conn, view)
        assert found.keys() == expected.keys()
        for key, bucket in found.items():
            assert bucket == pytest.approx(expected[key], rel=1e-6), (view, key)


async def compact_all(conn: Connection, *, now: datetime = NOW + timedelta(hours=1)) -> int:
    """Compact all that is there; returns how many readings."""
    return sum(one.readings for one in await compact(conn, now=now))
