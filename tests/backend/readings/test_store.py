"""Stored readings: what counts as stored already, segments and their cut, and the windows that rules look at."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from backend.db.pool import Connection
from backend.readings import store as readings
from backend.readings.model import Columns, Home
from contract.quantities import QuantityName, Statistic
from tests.backend.street import NOW, one, rows, seconds

HOME = Home("gw-1", "elder-1")
MIDNIGHT = datetime.fromisoformat("2026-03-02T00:00:00Z")
HOUR_MS = 3_600_000


def columns(
    values: Sequence[float], offsets_ms: Sequence[int] | None = None, *, start_at: datetime = NOW, statistic: Statistic = Statistic.SAMPLE
) -> Columns:
    offsets = list(offsets_ms) if offsets_ms is not None else [1000 * row for row in range(len(values))]
    return Columns("oximeter-1", QuantityName.SPO2, statistic, start_at, offsets, list(values))


async def store(conn: Connection, *many: Columns, received_at: datetime = NOW + timedelta(days=2)) -> int:
    """Store and return the id of the first series."""
    async with conn.transaction():
        return (await readings.store(conn, [(HOME, one) for one in many], received_at=received_at))[0].id


async def window(conn: Connection, series_id: int, from_at: datetime, to_at: datetime) -> list[tuple[datetime, float]]:
    found = await readings.window(conn, series_id, QuantityName.SPO2, from_at=from_at, to_at=to_at)
    return [(sample.at, sample.value) for sample in found]


async def test_a_window_has_both_its_ends(street: Connection) -> None:
    series_id = await store(street, columns([95, 96, 97, 98]))
    assert await window(street, series_id, NOW + seconds(1), NOW + seconds(2)) == [(NOW + seconds(1), 96), (NOW + seconds(2), 97)]


async def test_a_window_reaches_across_segments(street: Connection) -> None:
    for step in range(3):
        series_id = await store(street, columns([90 + step] * 2, start_at=NOW + seconds(2 * step)))
    assert [value for _, value in await window(street, series_id, NOW + seconds(1), NOW + seconds(4))] == [90, 91, 91, 92]


async def test_a_window_reaches_across_midnight_and_its_partitions(street: Connection) -> None:
    series_id = await store(street, columns([95, 96], start_at=MIDNIGHT - seconds(1)))
    await store(street, columns([97], start_at=MIDNIGHT + seconds(1)))
    found = await window(street, series_id, MIDNIGHT - seconds(10), MIDNIGHT + seconds(10))
    assert found == [(MIDNIGHT - seconds(1), 95), (MIDNIGHT, 96), (MIDNIGHT + seconds(1), 97)]


async def test_late_readings_take_their_place_in_time(street: Connection) -> None:
    series_id = await store(street, columns([95, 97], [0, 20_000]))
    await store(street, columns([96], start_at=NOW + seconds(10)))
    assert [value for _, value in await window(street, series_id, NOW, NOW + seconds(60))] == [95, 96, 97]


async def test_what_is_not_plausible_is_stored_but_in_no_window(street: Connection) -> None:
    series_id = await store(street, columns([95, 0, 101, 96]))
    assert [value for _, value in await window(street, series_id, NOW, NOW + seconds(60))] == [95, 96]
    assert [row["value"] for row in await rows(street, "SELECT value FROM reading ORDER BY measured_at")] == [95, 0, 101, 96]


async def test_another_series_is_in_no_window(street: Connection) -> None:
    series_id = await store(street, columns([95]), columns([80], statistic=Statistic.MIN))
    assert [value for _, value in await window(street, series_id, NOW, NOW)] == [95]


@pytest.mark.parametrize(
    ("offsets_ms", "lengths"),
    [
        ([0, HOUR_MS], [2]),
        ([0, HOUR_MS + 1], [1, 1]),
        ([0, 1, HOUR_MS, HOUR_MS + 1, 2 * HOUR_MS + 1], [3, 2]),
        ([5_000, HOUR_MS + 5_000, HOUR_MS + 5_001], [2, 1]),
        ([0, 3 * HOUR_MS, 7 * 24 * HOUR_MS], [1, 1, 1]),
        ([0, 0, 0], [3]),
    ],
)
async def test_a_segment_spans_at_most_an_hour(street: Connection, offsets_ms: list[int], lengths: list[int]) -> None:
    series_id = await store(street, columns([90 + row for row in range(len(offsets_ms))], offsets_ms))
    segments = await rows(street, "SELECT cardinality(values_) AS length, offsets_ms[1] AS first FROM segment ORDER BY start_at")
    assert [(row["length"], row["first"]) for row in segments] == [(length, 0) for length in lengths]
    found = await window(street, series_id, NOW, NOW + timedelta(days=8))
    assert found == [(NOW + timedelta(milliseconds=offset), 90 + row) for row, offset in enumerate(offsets_ms)]


async def test_a_window_finds_the_end_of_the_longest_segment(street: Connection) -> None:
    series_id = await store(street, columns([90, 91], [0, HOUR_MS]))
    end = NOW + timedelta(hours=1)
    assert await window(street, series_id, end, end) == [(end, 91)]


async def test_values_come_back_as_they_were_sent_though_they_are_stored_short(street: Connection) -> None:
    exact = [16.7, 3.9, 39.1, 35.0, 0.3]
    series = Columns("meter-1", QuantityName.GLUCOSE, Statistic.SAMPLE, NOW, list(range(len(exact))), exact)
    series_id = await store(street, series)
    found = await readings.window(street, series_id, QuantityName.GLUCOSE, from_at=NOW, to_at=NOW + seconds(1))
    assert [sample.value for sample in found] == exact


async def test_the_newest_value_is_the_latest_measured_and_not_the_latest_received(street: Connection) -> None:
    await store(street, columns([95], start_at=NOW + seconds(60)))
    await store(street, columns([80], start_at=NOW))
    assert await one(street, "SELECT last_at, last_value FROM series") == {"last_at": NOW + seconds(60), "last_value": 95}


async def test_a_clock_that_is_ahead_does_not_hide_a_later_silence(street: Connection) -> None:
    await store(street, columns([95], start_at=NOW + timedelta(days=365)), received_at=NOW)
    assert (await one(street, "SELECT last_at FROM series"))["last_at"] == NOW
    await store(street, columns([94], start_at=NOW + seconds(30)), received_at=NOW + seconds(31))
    assert await one(street, "SELECT last_at, last_value FROM series") == {"last_at": NOW + seconds(30), "last_value": 94}


async def test_one_series_twice_in_a_batch_keeps_both(street: Connection) -> None:
    await store(street, columns([95], start_at=NOW + seconds(60)), columns([94]))
    assert len(await rows(street, "SELECT value FROM reading")) == 2
    assert (await one(street, "SELECT last_value FROM series"))["last_value"] == 95


async def test_the_view_shows_one_row_per_reading_with_everything_a_person_asks(street: Connection) -> None:
    await store(street, columns([95, 96], [0, 1500], statistic=Statistic.MEAN), received_at=NOW + seconds(9))
    first, second = await rows(street, "SELECT * FROM reading ORDER BY measured_at")
    assert first == {
        "elder_id": "elder-1",
        "gateway_id": "gw-1",
        "device_id": "oximeter-1",
        "quantity": "spo2",
        "statistic": "mean",
        "measured_at": NOW,
        "received_at": NOW + seconds(9),
        "value": 95,
        "segment_at": NOW,
    }
    assert second["measured_at"] == NOW + seconds(1.5)


async def test_a_gateway_nobody_enrolled_becomes_a_home_without_an_elder(conn: Connection) -> None:
    assert await readings.hear(conn, ["gw-9"], now=NOW) == {"gw-9": Home("gw-9", None)}
    assert await readings.heard_gateways(conn, now=NOW, silent_before=NOW, also=[]) == [(Home("gw-9", None), NOW, readings.EVER)]


async def test_hearing_never_goes_back_and_a_farewell_is_no_hearing(street: Connection) -> None:
    for now in (NOW + seconds(5), NOW, None):
        assert await readings.hear(street, ["gw-1"], now=now) == {"gw-1": HOME}
    assert await readings.heard_gateways(street, now=NOW + seconds(5), silent_before=NOW + seconds(5), also=[]) == [
        (HOME, NOW + seconds(5), readings.EVER)
    ]


async def test_a_quantity_is_heard_through_whichever_gateway_heard_it_last(street: Connection) -> None:
    await store(street, columns([95]))
    await street.execute("INSERT INTO gateway (id, elder_id) VALUES ('gw-3', 'elder-1')")
    async with street.transaction():
        await readings.store(street, [(Home("gw-3", "elder-1"), columns([96], start_at=NOW + seconds(60)))], received_at=NOW + seconds(60))
    for gateway_id in ("gw-1", "gw-3"):
        await readings.hear(street, [gateway_id], now=NOW + seconds(60))
    heard = await readings.heard_quantity(street, QuantityName.SPO2, online_since=NOW, silent_before=NOW + seconds(60), also=[])
    assert heard == [(Home("gw-3", "elder-1"), NOW + seconds(60))]
    assert await readings.last_measured(street, [HOME], QuantityName.SPO2) == [(HOME, NOW + seconds(60))]


async def test_a_gateway_that_is_not_heard_cannot_say_whether_its_devices_are_silent(street: Connection) -> None:
    await store(street, columns([95]))
    await readings.hear(street, ["gw-1"], now=NOW)
    limits: dict[str, Any] = {"silent_before": NOW + seconds(60), "also": []}
    assert await readings.heard_quantity(street, QuantityName.SPO2, online_since=NOW + seconds(1), **limits) == []
    assert len(await readings.heard_quantity(street, QuantityName.SPO2, online_since=NOW, **limits)) == 1


async def test_only_the_silent_and_those_asked_for_are_looked_at(street: Connection) -> None:
    await store(street, columns([95]))
    for gateway_id, at in (("gw-1", NOW), ("gw-2", NOW + seconds(30))):
        await readings.hear(street, [gateway_id], now=at)

    async def found(also: list[str]) -> list[str]:
        heard = await readings.heard_gateways(street, now=NOW + seconds(60), silent_before=NOW + seconds(10), also=also)
        return sorted(home.gateway_id for home, _, _ in heard)

    assert [await found([]), await found(["elder-2"])] == [["gw-1"], ["gw-1", "gw-2"]]
    early = await readings.heard_quantity(street, QuantityName.SPO2, online_since=NOW, silent_before=NOW - seconds(1), also=[])
    asked = await readings.heard_quantity(street, QuantityName.SPO2, online_since=NOW, silent_before=NOW - seconds(1), also=["elder-1"])
    assert (early, asked) == ([], [(HOME, NOW)])


@pytest.mark.parametrize(
    ("since_s", "at_s", "since_found_s"),
    [
        pytest.param(-60, 0, [-60], id="a listener that was there all along"),
        pytest.param(30, 0, [30], id="silence counts from when somebody began to listen"),
        pytest.param(-60, -21, [], id="nobody listens, so nobody is silent"),
        pytest.param(-60, -20, [-60], id="a listener may be quiet for 20 s"),
    ],
)
async def test_silence_counts_only_while_somebody_listens(street: Connection, since_s: int, at_s: int, since_found_s: list[int]) -> None:
    await readings.hear(street, ["gw-1"], now=NOW)
    values = {"since": NOW + seconds(since_s), "at": NOW + seconds(at_s)}
    await street.execute("INSERT INTO listener VALUES (0, 63, %(since)s, %(at)s)", values)
    assert await readings.heard_gateways(street, now=NOW, silent_before=NOW, also=[]) == [
        (HOME, NOW, NOW + seconds(one)) for one in since_found_s
    ]


async def test_what_was_seen_is_not_looked_at_again_before_it_may_be_silent(street: Connection) -> None:
    """A tick costs what is due: the homes that were heard since are passed over by an index, and a silence is found all the same."""
    await store(street, columns([95]))
    await readings.hear(street, ["gw-1", "gw-2"], now=NOW)

    async def found(silent_before_s: float) -> tuple[int, int]:
        silent_before = NOW + seconds(silent_before_s)
        heard = await readings.heard_gateways(street, now=NOW + seconds(900), silent_before=silent_before, also=[])
        quantity = await readings.heard_quantity(street, QuantityName.SPO2, online_since=NOW, silent_before=silent_before, also=[])
        return len(heard), len(quantity)

    assert await found(-1) == (0, 0)
    seen = "SELECT (SELECT array_agg(DISTINCT seen_at) FROM gateway) AS gateways, (SELECT seen_at FROM series) AS series"
    assert await one(street, seen) == {"gateways": [NOW], "series": NOW}
    await store(street, columns([95], start_at=NOW + seconds(60)))
    await readings.hear(street, ["gw-1"], now=NOW + seconds(60))
    assert [await found(0), await found(59), await found(60)] == [(1, 0), (1, 0), (2, 1)]


async def test_the_silent_of_many_are_found_by_an_index(street: Connection) -> None:
    await street.execute(
        "INSERT INTO gateway (id, heard_at, seen_at) SELECT 'home-' || n, %(at)s, %(at)s FROM generate_series(1, 3000) n", {"at": NOW}
    )
    await street.execute(
        "INSERT INTO series (gateway_id, device_id, quantity, statistic, last_at, seen_at) "
        "SELECT 'home-' || n, 'd', 'spo2', 'sample', %(at)s, %(at)s FROM generate_series(1, 3000) n",
        {"at": NOW},
    )
    await street.execute("ANALYZE gateway, series")
    values = {
        "silent_before": NOW - seconds(1),
        "quantity": "spo2",
        "elders": ["elder-1"],
        "gateways": ["gw-2"],
        "also": ["elder-1"],
        "online_since": NOW,
    }
    for query in (readings.SEE_GATEWAYS, readings.HEARD_GATEWAYS, readings.SEE_SERIES, readings.HEARD_QUANTITY):
        plan = "\n".join(row["QUERY PLAN"] for row in await (await street.execute("EXPLAIN " + query, values)).fetchall())
        assert "Seq Scan" not in plan, plan
