"""Readings in the database: segments for storage, windows for rules, and who was heard when. The caller owns the transaction."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.errors import SerializationFailure

from backend.db import arrays
from backend.db.pool import Connection
from backend.readings import segments
from backend.readings.model import Columns, Home, StoredSeries
from backend.rules.model import Sample
from contract.quantities import QUANTITIES, QuantityName
from contract.topics import shard_of

HEAR = """
UPDATE gateway SET heard_at = greatest(heard_at, %(now)s) WHERE id = ANY(%(ids)s) RETURNING id, elder_id
"""
ENROL = "INSERT INTO gateway (id) SELECT unnest(%(ids)s::text[]) ORDER BY 1 ON CONFLICT (id) DO NOTHING"
TOUCH_SERIES = """
UPDATE series s
SET last_value = CASE WHEN s.last_at IS NULL OR n.last_at >= s.last_at THEN n.last_value ELSE s.last_value END,
    last_at = greatest(s.last_at, n.last_at)
FROM (
    SELECT id, timestamptz '2000-01-01 00:00Z' + last_us * interval '1 us' AS last_at, last_value
    FROM unnest(%(ids)s::int4[], %(last_us)s::int8[], %(last_values)s::real[]) AS n (id, last_us, last_value)
) n
WHERE s.id = n.id
"""
FIND_SERIES = """
SELECT id, gateway_id, device_id, quantity, statistic FROM series
JOIN unnest(%(gateways)s::text[], %(devices)s::text[], %(quantities)s::text[], %(statistics)s::text[])
    AS n (gateway_id, device_id, quantity, statistic) USING (gateway_id, device_id, quantity, statistic)
"""
NEW_SERIES = """
INSERT INTO series (gateway_id, device_id, quantity, statistic, elder_id)
SELECT n.*, g.elder_id FROM unnest(%(gateways)s::text[], %(devices)s::text[], %(quantities)s::text[], %(statistics)s::text[])
    AS n (gateway_id, device_id, quantity, statistic)
JOIN gateway g ON g.id = n.gateway_id
ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING
"""
WINDOW = """
SELECT start_at, offsets_ms, values_ FROM any_segment
WHERE series_id = %(series_id)s AND start_at BETWEEN %(from_at)s - %(segment_max)s AND %(to_at)s
ORDER BY start_at
"""
GOES_ON = """
SELECT EXISTS (
    SELECT FROM any_segment
    WHERE series_id = ANY(%(series_ids)s) AND start_at > %(after)s - %(segment_max)s
        AND start_at + offsets_ms[cardinality(offsets_ms)] * interval '1 millisecond' > %(after)s
) AS is_so
"""
SERIES_OF = """
SELECT id, quantity FROM series
WHERE elder_id = %(elder_id)s AND quantity = ANY(%(quantities)s) AND statistic IN ('sample', 'mean') ORDER BY id
"""
LISTENERS = "SELECT first_shard, last_shard, since, at FROM listener"
SEE_GATEWAYS = """
UPDATE gateway SET seen_at = heard_at
WHERE id IN (SELECT id FROM gateway WHERE seen_at <= %(silent_before)s AND heard_at > seen_at FOR UPDATE SKIP LOCKED)
"""
HEARD_GATEWAYS = """
SELECT id, elder_id, heard_at FROM gateway
WHERE heard_at IS NOT NULL
    AND ((seen_at <= %(silent_before)s AND heard_at <= %(silent_before)s) OR elder_id = ANY(%(elders)s) OR id = ANY(%(gateways)s))
"""
SEE_SERIES = """
UPDATE series SET seen_at = last_at
WHERE id IN (
    SELECT id FROM series WHERE quantity = %(quantity)s AND seen_at <= %(silent_before)s AND last_at > seen_at FOR UPDATE SKIP LOCKED
)
"""
"""What ingest is just writing was not silent: it is not waited for."""
HEARD_QUANTITY = """
WITH due AS (
    SELECT elder_id FROM series
    WHERE quantity = %(quantity)s AND seen_at <= %(silent_before)s AND last_at <= %(silent_before)s AND elder_id IS NOT NULL
    UNION SELECT unnest(%(also)s::text[])
)
SELECT elder_id, gateway_id, heard_at FROM (
    SELECT DISTINCT ON (s.elder_id) s.elder_id, s.gateway_id, s.last_at AS heard_at
    FROM due JOIN series s ON s.elder_id = due.elder_id AND s.quantity = %(quantity)s JOIN gateway g ON g.id = s.gateway_id
    WHERE s.last_at IS NOT NULL AND g.heard_at >= %(online_since)s
    ORDER BY s.elder_id, s.last_at DESC
) AS last
WHERE heard_at <= %(silent_before)s OR elder_id = ANY(%(also)s)
"""
LAST_MEASURED = """
SELECT n.elder_id, n.gateway_id, max(s.last_at) AS last_at
FROM unnest(%(elder_ids)s::text[], %(gateway_ids)s::text[]) AS n (elder_id, gateway_id)
JOIN series s ON s.quantity = %(quantity)s AND (s.elder_id = n.elder_id OR (n.elder_id IS NULL AND s.gateway_id = n.gateway_id))
GROUP BY 1, 2 HAVING max(s.last_at) IS NOT NULL
"""
NO_ELDER = "gateway:"
"""How the subject of a home without an elder begins; what follows is its gateway."""
EVER = datetime(1970, 1, 1, tzinfo=UTC)
LISTENER_AGE_MAX = timedelta(seconds=20)
"""Ingest says every 5 s that it listens."""
WINDOW_SEGMENT_MAX = timedelta(hours=1)
"""A window looks for segments that begin at most this long before it; `store` cuts longer ones."""
SEGMENT_MAX_MS = WINDOW_SEGMENT_MAX // timedelta(milliseconds=1)

SeriesName = tuple[str, str, str]
"""Device, quantity, statistic."""
SeriesKey = tuple[str, SeriesName]
"""Gateway, and the name there."""


async def hear(conn: Connection, gateway_ids: Collection[str], *, now: datetime | None) -> dict[str, Home]:
    """Note that gateways were heard (`now` None: not a sign of life); those never enrolled are kept as homes without an elder."""
    homes = await _hear(conn, gateway_ids, now)
    if new := [one for one in gateway_ids if one not in homes]:
        await conn.execute(ENROL, {"ids": new})
        homes |= await _hear(conn, new, now)
    return homes


async def _hear(conn: Connection, gateway_ids: Collection[str], now: datetime | None) -> dict[str, Home]:
    rows = await (await conn.execute(HEAR, {"ids": sorted(gateway_ids), "now": now})).fetchall()
    return {row["id"]: Home(row["id"], row["elder_id"]) for row in rows}


class SeriesIds:
    """Ids of series that are known to be committed, so that a batch need not ask: a series never changes its id nor goes away.

    Whoever commits calls `keep`, and `forget` after any trouble: then the database may be another one than before.
    """

    def __init__(self) -> None:
        self._ids: dict[str, dict[SeriesName, int]] = {}
        self._names: dict[SeriesName, SeriesName] = {}
        self._new: list[tuple[str, SeriesName, int]] = []

    def of(self, gateway_id: str) -> dict[SeriesName, int]:
        """Those of one gateway."""
        return self._ids.get(gateway_id, {})

    def note(self, gateway_id: str, name: SeriesName, series_id: int) -> None:
        """Found or made in the transaction that runs."""
        self._new.append((gateway_id, self._names.setdefault(name, name), series_id))

    def keep(self) -> None:
        """The transaction is committed."""
        for gateway_id, name, series_id in self._new:
            self._ids.setdefault(gateway_id, {})[name] = series_id
        self._new.clear()

    def forget(self) -> None:
        """Forget all: the transaction failed."""
        self._ids.clear()
        self._names.clear()
        self._new.clear()


async def store(
    conn: Connection, columns: Sequence[tuple[Home, Columns]], *, received_at: datetime, ids: SeriesIds | None = None
) -> list[StoredSeries]:
    """Store new readings of any number of homes as segments. Returns each series with its id, in the order given.

    Raises SerializationFailure when `ids` speaks of another database.
    """
    if not columns:
        return []
    found = await _identify(conn, columns, ids or SeriesIds())
    stored = [StoredSeries(series_id, home, one) for series_id, (home, one) in zip(found, columns, strict=True)]
    await _touch(conn, stored, received_at)
    parts = ((series.id, part.start_at, part.offsets_ms, part.values) for series in stored for part in _cut(series.columns))
    await segments.insert(conn, parts, received_at=received_at)
    return stored


async def _identify(conn: Connection, columns: Sequence[tuple[Home, Columns]], ids: SeriesIds) -> list[int]:
    """The id of each series; those that are new are begun."""
    keys = [(home.gateway_id, (one.device_id, one.quantity, one.statistic)) for home, one in columns]
    found = [ids.of(gateway_id).get(name, 0) for gateway_id, name in keys]
    if all(found):
        return found
    unknown = {key for key, series_id in zip(keys, found, strict=True) if not series_id}
    asked = await _find(conn, unknown)
    if missing := unknown - asked.keys():
        await conn.execute(NEW_SERIES, _names(missing))
        asked |= await _find(conn, missing)
    for (gateway_id, name), series_id in asked.items():
        ids.note(gateway_id, name, series_id)
    return [series_id or asked[key] for key, series_id in zip(keys, found, strict=True)]


async def _find(conn: Connection, keys: Collection[SeriesKey]) -> dict[SeriesKey, int]:
    rows = await (await conn.execute(FIND_SERIES, _names(keys))).fetchall()
    return {(row["gateway_id"], (row["device_id"], row["quantity"], row["statistic"])): row["id"] for row in rows}


def _names(keys: Collection[SeriesKey]) -> dict[str, str]:
    return {
        "gateways": arrays.texts([gateway_id for gateway_id, _ in keys]),
        **{column: arrays.texts([name[place] for _, name in keys]) for place, column in enumerate(("devices", "quantities", "statistics"))},
    }


async def _touch(conn: Connection, stored: Sequence[StoredSeries], received_at: datetime) -> None:
    """Move each series to its newest reading. One measured "later" than it was received counts from then, or silence would go unnoticed."""
    received_us = segments.instant_us(received_at)
    newest: dict[int, tuple[int, float]] = {}
    for series_id, _, columns in stored:
        last_us = min(segments.instant_us(columns.start_at) + 1000 * columns.offsets_ms[-1], received_us)
        if series_id not in newest or last_us > newest[series_id][0]:
            newest[series_id] = (last_us, columns.values[-1])
    values = {
        "ids": arrays.numbers(newest),
        "last_us": arrays.numbers([last_us for last_us, _ in newest.values()]),
        "last_values": arrays.numbers([value for _, value in newest.values()]),
    }
    cursor = await conn.execute(TOUCH_SERIES, values)
    if cursor.rowcount != len(newest):
        raise SerializationFailure("series are not those of before: this is another database")


def last_at(columns: Columns) -> datetime:
    """When the newest reading was measured."""
    return columns.start_at + timedelta(milliseconds=columns.offsets_ms[-1])


def _cut(columns: Columns) -> list[Columns]:
    """Parts that each span at most WINDOW_SEGMENT_MAX, so that a window finds them by their start."""
    if columns.offsets_ms[-1] <= SEGMENT_MAX_MS:
        return [columns]
    parts: list[Columns] = []
    begin = 0
    for end in range(1, len(columns.values) + 1):
        if end < len(columns.values) and columns.offsets_ms[end] - columns.offsets_ms[begin] <= SEGMENT_MAX_MS:
            continue
        base = columns.offsets_ms[begin]
        start_at = columns.start_at + timedelta(milliseconds=base)
        offsets_ms = [offset - base for offset in columns.offsets_ms[begin:end]]
        parts.append(columns._replace(start_at=start_at, offsets_ms=offsets_ms, values=columns.values[begin:end]))
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


async def goes_on(conn: Connection, series_ids: Sequence[int], *, after: datetime) -> bool:
    """True when any of these series has a reading measured after that."""
    values = {"series_ids": list(series_ids), "after": after, "segment_max": WINDOW_SEGMENT_MAX}
    row = await (await conn.execute(GOES_ON, values)).fetchone()
    return bool(row and row["is_so"])


async def series_of(conn: Connection, elder_id: str, quantities: Sequence[QuantityName]) -> list[tuple[int, QuantityName]]:
    """The series of an elder that hold these quantities, as samples or means: (id, quantity)."""
    rows = await (await conn.execute(SERIES_OF, {"elder_id": elder_id, "quantities": [str(one) for one in quantities]})).fetchall()
    return [(row["id"], QuantityName(row["quantity"])) for row in rows]


async def heard_gateways(
    conn: Connection, *, now: datetime, silent_before: datetime, also: Collection[str]
) -> list[tuple[Home, datetime, datetime]]:
    """Homes heard last before `silent_before`, and those whose subject is in `also`: when, and since when somebody listens.

    Homes nobody listens to are left out. Costs what is due: the silent, and those not looked at since `silent_before`. The same holds for
    `heard_quantity`.
    """
    listeners = await (await conn.execute(LISTENERS)).fetchall()
    gateways = [key.removeprefix(NO_ELDER) for key in also if key.startswith(NO_ELDER)]
    values = {"silent_before": silent_before, "elders": list(also), "gateways": gateways}
    await conn.execute(SEE_GATEWAYS, values)
    rows = await (await conn.execute(HEARD_GATEWAYS, values)).fetchall()
    silences = ((row, listened_since(shard_of(row["id"]), listeners, now=now)) for row in rows)
    return [(Home(row["id"], row["elder_id"]), row["heard_at"], since) for row, since in silences if since is not None]


def listened_since(shard: int, listeners: Sequence[dict[str, Any]], *, now: datetime) -> datetime | None:
    """Since when a shard is listened to without a break; None while it is not. Where no ingest ever said so, since ever."""
    own = [one for one in listeners if one["first_shard"] <= shard <= one["last_shard"]]
    if not own:
        return EVER
    return min((one["since"] for one in own if now - one["at"] <= LISTENER_AGE_MAX), default=None)


async def heard_quantity(
    conn: Connection, quantity: QuantityName, *, online_since: datetime, silent_before: datetime, also: Collection[str]
) -> list[tuple[Home, datetime]]:
    """Homes with an elder whose gateway was heard after `online_since`, with the time the quantity was last heard there.

    Only those where that was before `silent_before`, and those whose subject is in `also`.
    """
    values = {"quantity": quantity, "online_since": online_since, "silent_before": silent_before, "also": list(also)}
    await conn.execute(SEE_SERIES, values)
    rows = await (await conn.execute(HEARD_QUANTITY, values)).fetchall()
    return [(Home(row["gateway_id"], row["elder_id"]), row["heard_at"]) for row in rows]


async def last_measured(conn: Connection, homes: Sequence[Home], quantity: QuantityName) -> list[tuple[Home, datetime]]:
    """When the quantity was last measured in these homes, on any device of the elder; homes where it never was are left out."""
    values = {"elder_ids": [home.elder_id for home in homes], "gateway_ids": [home.gateway_id for home in homes], "quantity": quantity}
    rows = await (await conn.execute(LAST_MEASURED, values)).fetchall()
    return [(Home(row["gateway_id"], row["elder_id"]), row["last_at"]) for row in rows]
