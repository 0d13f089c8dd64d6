"""Segments as the bytes of PostgreSQL's binary COPY: the cheapest way for many rows into a table.

    header   "PGCOPY\\n\\xff\\r\\n\\0", flags int32 0, extension int32 0          trailer   int16 -1
    row      int16 5, then 5 fields, each int32 length and:
             series_id int32 | start_at int64 | received_at int64 | offsets_ms int4[] | values_ float4[]
    array    int32 dimensions 1, int32 has-null 0, int32 type oid, int32 n, int32 lower bound 1, then n times int32 4 and the element

All big-endian; instants are microseconds since 2000-01-01 UTC. Source: PostgreSQL documentation, COPY, "Binary Format"; array_send and
timestamptz_send in its source, backend/utils/adt.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from backend.db.pool import Connection

COPY = "COPY segment (series_id, start_at, received_at, offsets_ms, values_) FROM STDIN (FORMAT BINARY)"
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
INT4_OID = 23
FLOAT4_OID = 700
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ARRAY_HEADER_BYTES = 20

Segment = tuple[int, datetime, Sequence[int], Sequence[float]]
"""Series, start, offsets in milliseconds and values of one length."""


async def insert(conn: Connection, segments: Iterable[Segment], *, received_at: datetime) -> None:
    """Store segments."""
    async with conn.cursor() as cursor, cursor.copy(COPY) as copy:
        await copy.write(encode(segments, received_at=received_at))


def encode(segments: Iterable[Segment], *, received_at: datetime) -> bytes:
    """Segments as the whole of what COPY reads."""
    received_us = (received_at - EPOCH) // MICROSECOND
    return HEADER + b"".join(_row(*segment, received_us) for segment in segments) + TRAILER


def _row(series_id: int, start_at: datetime, offsets_ms: Sequence[int], values: Sequence[float], received_us: int) -> bytes:
    count = len(values)
    array_bytes = ARRAY_HEADER_BYTES + 8 * count
    offsets = [part for offset in offsets_ms for part in (4, offset)]
    numbers = [part for value in values for part in (4, value)]
    start_us = (start_at - EPOCH) // MICROSECOND
    return _shape(count).pack(
        5, 4, series_id, 8, start_us, 8, received_us,
        array_bytes, 1, 0, INT4_OID, count, 1, *offsets,
        array_bytes, 1, 0, FLOAT4_OID, count, 1, *numbers,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _shape(count: int) -> struct.Struct:
    return struct.Struct(f">h ii iq iq i5i {'ii' * count} i5i {'if' * count}")
