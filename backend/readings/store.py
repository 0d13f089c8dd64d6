"""Readings in the database: exactly once by a cursor per gateway log, segments for storage, windows for rules.

The caller owns the transaction and locks gateways in order of their ids.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.db.pool import Connection
from backend.readings.model import Columns, Home, StoredSeries
from backend.rules.model import Sample
from contract.quantities import QUANTITIES, QuantityName
from contract.topics import shard_of

HEAR = """
UPDATE gateway SET heard_at = greatest(heard_at, %(now)s) WHERE id = %(id)s RETURNING elder_id
"""
ENROL = "INSERT INTO gateway (id, heard_at) VALUES (%(id)s, %(now)s) ON CONFLICT (id) DO NOTHING"
OPEN_LOG = "INSERT INTO gateway_log (gateway_id, log_id) VALUES (%(gateway_id)s, %(log_id)s) ON CONFLICT DO NOTHING"
LOCK_LOG = """
SELECT ARRAY(SELECT lower(part) FROM unnest(kept) AS part) AS starts, ARRAY(SELECT upper(part) FROM unnest(kept) AS part) AS ends
FROM (
    SELECT stored * int8multirange(int8range(%(first)s, %(last)s, '[]')) AS kept
    FROM gateway_log WHERE gateway_id = %(gateway_id)s AND log_id = %(log_id)s FOR UPDATE
) AS overlap
"""
ADVANCE_LOG = """
UPDATE gateway_log SET stored = stored + %(carried)s::int8multirange + int8multirange(int8range(0, %(floor)s)),
    readings = readings + %(readings)s, events = events + %(events)s, repeats = repeats + %(repeats)s
WHERE gateway_id = %(gateway_id)s AND log_id = %(log_id)s
"""
TOUCH_SERIES = """
UPDATE series s
SET last_value = CASE WHEN s.last_at IS NULL OR n.last_at >= s.last_at THEN n.last_value ELSE s.last_value END,
    last_at = greatest(s.last_at, n.last_at)
FROM unnest(%(devices)s::text[], %(quantities)s::text[], %(statistics)s::text[], %(last_ats)s::timestamptz[], %(last_values)s::real[])
    AS n (device_id, quantity, statistic, last_at, last_value)
WHERE s.gateway_id = %(gateway_id)s AND s.device_id = n.device_id AND s.quantity = n.quantity AND s.statistic = n.statistic
RETURNING s.id, s.device_id, s.quantity, s.statistic
"""
NEW_SERIES = """
INSERT INTO series (gateway_id, device_id, quantity, statistic, elder_id)
VALUES (%(gateway_id)s, %(device_id)s, %(quantity)s, %(statistic)s, %(elder_id)s)
ON CONFLICT DO NOTHING
"""
INSERT_SEGMENT = """
INSERT INTO segment (series_id, start_at, received_at, offsets_ms, values_)
VALUES (%(series_id)s, %(start_at)s, %(received_at)s, %(offsets_ms)s, %(values)s)
"""
WINDOW = """
SELECT start_at, offsets_ms, values_ FROM segment
WHERE series_id = %(series_id)s AND start_at BETWEEN %(from_at)s - %(segment_max)s AND %(to_at)s
ORDER BY start_at
"""
LISTENERS = "SELECT first_shard, last_shard, since, at FROM listener"
HEARD_GATEWAYS = "SELECT id, elder_id, heard_at FROM gateway WHERE heard_at IS NOT NULL"
HEARD_QUANTITY = """
SELECT DISTINCT ON (s.elder_id) s.elder_id, s.gateway_id, s.last_at AS heard_at
FROM series s JOIN gateway g ON g.id = s.gateway_id
WHERE s.quantity = %(quantity)s AND s.elder_id IS NOT NULL AND s.last_at IS NOT NULL AND g.heard_at >= %(online_since)s
ORDER BY s.elder_id, s.last_at DESC
"""
LAST_MEASURED = """
SELECT max(last_at) AS last_at FROM series
WHERE quantity = %(quantity)s AND (elder_id = %(elder_id)s OR (elder_id IS NULL AND gateway_id = %(gateway_id)s))
"""
EVER = datetime(1970, 1, 1, tzinfo=UTC)
LISTENER_AGE_MAX = timedelta(seconds=20)
"""Ingest says every 5 s that it listens."""
WINDOW_SEGMENT_MAX = timedelta(hours=1)
"""A window looks for segments that begin at most this long before it; `store` cuts longer ones."""


async def hear(conn: Connection, gateway_id: str, *, now: datetime | None) -> Home:
    """Note that a gateway was heard (`now` None: not a sign of life); one that was never enrolled is kept as a home without an elder."""
    row = await (await conn.execute(HEAR, {"id": gateway_id, "now": now})).fetchone()
    if row is None:
        await conn.execute(ENROL, {"id": gateway_id, "now": now})
    return Home(gateway_id, row["elder_id"] if row else None)


async def lock_log(conn: Connection, gateway_id: str, log_id: str, *, first: int, last: int) -> list[range]:
    """Lock the cursor of a gateway's log. Returns the ranges inside first..last that are stored already, in order."""
    values = {"gateway_id": gateway_id, "log_id": log_id, "first": first, "last": last}
    row = await (await conn.execute(LOCK_LOG, values)).fetchone()
    if row is None:
        await conn.execute(OPEN_LOG, values)
        row = await (await conn.execute(LOCK_LOG, values)).fetchone()
        assert row is not None
    return [range(start, end) for start, end in zip(row["starts"], row["ends"], strict=True)]


async def advance_log(
    conn: Connection,
    gateway_id: str,
    log_id: str,
    *,
    carried: Iterable[int],
    floor: int,
    readings: int = 0,
    events: int = 0,
    repeats: int = 0,
) -> None:
    """Move the cursor: every sequence in `carried`, and everything below `floor`, now counts as stored."""
    values = {"gateway_id": gateway_id, "log_id": log_id, "carried": multirange(carried), "floor": floor}
    await conn.execute(ADVANCE_LOG, values | {"readings": readings, "events": events, "repeats": repeats})


def multirange(sequences: Iterable[int]) -> str:
    """PostgreSQL text of the set of these integers: {1, 2, 5} is `{[1,3),[5,6)}`."""
    runs: list[list[int]] = []
    for sequence in sorted(sequences):
        if runs and sequence == runs[-1][1]:
            runs[-1][1] = sequence + 1
        else:
            runs.append([sequence, sequence + 1])
    return "{" + ",".join(f"[{start},{end})" for start, end in runs) + "}"


async def store(conn: Connection, home: Home, columns: Sequence[Columns], *, received_at: datetime) -> list[StoredSeries]:
    """Store new readings as segments. Returns each series with its id, in the order given."""
    ids = await _series_ids(conn, home, columns, received_at)
    stored = [StoredSeries(ids[one.device_id, one.quantity, one.statistic], one) for one in columns]
    segments = [
        {
            "series_id": series.id,
            "start_at": part.start_at,
            "received_at": received_at,
            "offsets_ms": part.offsets_ms,
            "values": part.values,
        }
        for series in stored
        for part in _cut(series.columns)
    ]
    async with conn.cursor() as cursor:
        await cursor.executemany(INSERT_SEGMENT, segments)
    return stored


async def _series_ids(conn: Connection, home: Home, columns: Sequence[Columns], received_at: datetime) -> dict[tuple[str, str, str], int]:
    newest: dict[tuple[str, str, str], Columns] = {}
    for one in columns:
        key = (one.device_id, one.quantity, one.statistic)
        if key not in newest or last_at(one) > last_at(newest[key]):
            newest[key] = one
    ids = await _touch(conn, home, newest, received_at)
    missing = newest.keys() - ids.keys()
    if missing:
        for device_id, quantity, statistic in sorted(missing):
            names = {"device_id": device_id, "quantity": quantity, "statistic": statistic}
            await conn.execute(NEW_SERIES, names | {"gateway_id": home.gateway_id, "elder_id": home.elder_id})
        ids = await _touch(conn, home, newest, received_at)
    return ids


async def _touch(
    conn: Connection, home: Home, newest: dict[tuple[str, str, str], Columns], received_at: datetime
) -> dict[tuple[str, str, str], int]:
    """Move each series to its newest reading. One measured "later" than it was received counts from then, or silence would go unnoticed."""
    values = {
        "gateway_id": home.gateway_id,
        "devices": [key[0] for key in newest],
        "quantities": [key[1] for key in newest],
        "statistics": [key[2] for key in newest],
        "last_ats": [min(last_at(one), received_at) for one in newest.values()],
        "last_values": [one.values[-1] for one in newest.values()],
    }
    rows = await (await conn.execute(TOUCH_SERIES, values)).fetchall()
    return {(row["device_id"], row["quantity"], row["statistic"]): row["id"] for row in rows}


def last_at(columns: Columns) -> datetime:
    """When the newest reading was measured."""
    return columns.start_at + timedelta(milliseconds=columns.offsets_ms[-1])


def _cut(columns: Columns) -> list[Columns]:
    """Parts that each span at most WINDOW_SEGMENT_MAX, so that a window finds them by their start."""
    span_ms = int(WINDOW_SEGMENT_MAX / timedelta(milliseconds=1))
    parts: list[Columns] = []
    begin = 0
    for end in range(1, len(columns.values) + 1):
        if end < len(columns.values) and columns.offsets_ms[end] - columns.offsets_ms[begin] <= span_ms:
            continue
        base = columns.offsets_ms[begin]
        parts.append(
            Columns(
                columns.device_id,
                columns.quantity,
                columns.statistic,
                columns.start_at + timedelta(milliseconds=base),
                [offset - base for offset in columns.offsets_ms[begin:end]],
                columns.values[begin:end],
            )
        )
        begin = end
    return parts


async def window(conn: Connection, series_id: int, quantity: QuantityName, *, from_at: datetime, to_at: datetime) -> list[Sample]:
    """Plausible readings of a series in from_at..to_at, sorted by the time they were measured."""
    values = {"series_id": series_id, "from_at": from_at, "to_at": to_at, "segment_max": WINDOW_SEGMENT_MAX}
    rows = await (await conn.execute(WINDOW, values)).fetchall()
    plausible = QUANTITIES[quantity].is_plausible
    samples = [
        Sample(at, value)
        for row in rows
        for offset_ms, value in zip(row["offsets_ms"], row["values_"], strict=True)
        if from_at <= (at := row["start_at"] + timedelta(milliseconds=offset_ms)) <= to_at and plausible(value)
    ]
    samples.sort(key=lambda sample: (sample.at, sample.value))
    return samples


async def heard_gateways(conn: Connection, *, now: datetime) -> list[tuple[Home, datetime, datetime]]:
    """Every home that was ever heard: when it was last heard, and since when somebody listens. Homes nobody listens to are left out."""
    listeners = await (await conn.execute(LISTENERS)).fetchall()
    rows = await (await conn.execute(HEARD_GATEWAYS)).fetchall()
    silences = ((row, listened_since(shard_of(row["id"]), listeners, now=now)) for row in rows)
    return [(Home(row["id"], row["elder_id"]), row["heard_at"], since) for row, since in silences if since is not None]


def listened_since(shard: int, listeners: Sequence[dict[str, Any]], *, now: datetime) -> datetime | None:
    """Since when a shard is listened to without a break; None while it is not. Where no ingest ever said so, since ever."""
    own = [one for one in listeners if one["first_shard"] <= shard <= one["last_shard"]]
    if not own:
        return EVER
    return min((one["since"] for one in own if now - one["at"] <= LISTENER_AGE_MAX), default=None)


async def heard_quantity(conn: Connection, quantity: QuantityName, *, online_since: datetime) -> list[tuple[Home, datetime]]:
    """Every home with an elder whose gateway was heard after `online_since`, with the time the quantity was last heard there."""
    values = {"quantity": quantity, "online_since": online_since}
    rows = await (await conn.execute(HEARD_QUANTITY, values)).fetchall()
    return [(Home(row["gateway_id"], row["elder_id"]), row["heard_at"]) for row in rows]


async def last_measured(conn: Connection, home: Home, quantity: QuantityName) -> datetime | None:
    """When the quantity was last measured in this home, on any device of the elder."""
    values = {"elder_id": home.elder_id, "gateway_id": home.gateway_id, "quantity": quantity}
    row = await (await conn.execute(LAST_MEASURED, values)).fetchone()
    return row["last_at"] if row else None
