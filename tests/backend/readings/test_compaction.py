"""Compaction: every reading to the last bit before and after, rollups that equal recomputation, late data, two workers."""

import random
from datetime import timedelta

import pytest

from backend.db import chunks
from backend.db.pool import Connection, Pool
from backend.readings import compaction, segments
from backend.readings import store as readings
from backend.readings.compaction import compact
from contract.quantities import QuantityName
from tests.backend.readings.history import as_read, check_rollups, compact_all, everything, insert_random, make_series
from tests.backend.street import NOW, at_once, batch, letter, one, rows, seconds, write

AFTER = NOW + timedelta(minutes=30)


@pytest.mark.parametrize("seed", range(6))
async def test_no_bit_changes_and_rollups_equal_recomputation_whatever_comes_late(street: Connection, seed: int) -> None:
    chance, ids, stored = random.Random(seed), await make_series(street), []
    for step in range(4):
        stored += await insert_random(street, ids, chance, received_at=NOW + timedelta(minutes=10 * step))
        assert await compact_all(street) > 0
        assert await everything(street) == as_read(stored)
    assert await rows(street, "SELECT series_id FROM segment") == []
    await check_rollups(street, stored)


async def test_a_series_becomes_one_row_an_hour_of_few_bytes(street: Connection) -> None:
    for minute in range(10):
        measured = batch([70 + row for row in range(12)], first=1 + 12 * minute, start_at=NOW.replace(minute=minute), every_s=5)
        await write(street, letter(measured), now=NOW.replace(minute=9, second=59))
    assert await compact_all(street) == 120
    row = await one(street, "SELECT step_ms, decimals, cardinality(scaled) AS length, pg_column_size(h) AS bytes FROM history h")
    assert row["bytes"] < 120 * 10
    assert (row["step_ms"], row["decimals"], row["length"]) == (5000, 0, 120)


async def test_a_window_of_a_rule_looks_into_both_forms(street: Connection) -> None:
    await write(street, letter(batch([95, 96], start_at=NOW)))
    await compact_all(street)
    await write(street, letter(batch([97], first=3, start_at=NOW + seconds(20))))
    series_id = (await one(street, "SELECT id FROM series"))["id"]
    found = await readings.window(street, series_id, QuantityName.SPO2, from_at=NOW + seconds(10), to_at=NOW + seconds(20))
    assert [(sample.at, sample.value) for sample in found] == [(NOW + seconds(10), 96), (NOW + seconds(20), 97)]


async def test_late_stays_visible(street: Connection) -> None:
    await write(street, letter(batch([95, 96], start_at=NOW - timedelta(hours=5))), letter(batch([97], first=3)), now=NOW + seconds(20))
    await compact_all(street)
    delays = await rows(street, "SELECT received_at - measured_at AS delay FROM reading ORDER BY measured_at")
    assert [row["delay"] for row in delays] == [timedelta(hours=5, seconds=20), timedelta(hours=5, seconds=10), seconds(20)]


async def test_only_a_chunk_that_is_over_is_taken(street: Connection) -> None:
    await write(street, letter(batch([95])), now=NOW.replace(minute=5))
    await write(street, letter(batch([96], first=2)), now=NOW)
    assert len(await compact(street, now=NOW.replace(minute=10) + compaction.GRACE - seconds(1))) == 0
    assert [done.readings for done in await compact(street, now=NOW.replace(minute=20) + compaction.GRACE - seconds(1))] in ([1], [1, 1])


async def test_what_a_slow_transaction_writes_into_an_emptied_chunk_is_compacted_as_well(street: Connection) -> None:
    await write(street, letter(batch([95])), now=NOW)
    assert await compact_all(street) == 1
    await write(street, letter(batch([96], first=2, start_at=NOW + seconds(1))), now=NOW)
    assert await compact_all(street) == 1
    assert (await one(street, "SELECT count, mean FROM reading_day")) == {"count": 2, "mean": 95.5}


async def test_a_transaction_that_is_still_writing_is_neither_waited_for_nor_missed(street: Connection, pool: Pool) -> None:
    series_id = (await make_series(street))[QuantityName.HEART_RATE]
    await write(street, letter(batch([95])), now=NOW)
    async with pool.connection() as slow, slow.transaction():
        await segments.insert(slow, [(series_id, NOW, [0], [71.0])], received_at=NOW)
        assert [done.readings for done in await compact(street, now=AFTER)] == [1]
    assert await compact_all(street) == 1
    assert await rows(street, "SELECT value FROM reading ORDER BY value") == [{"value": 71}, {"value": 95}]


async def test_a_large_chunk_is_taken_in_slices_of_whole_series(street: Connection) -> None:
    stored = await insert_random(street, await make_series(street), random.Random(3), received_at=NOW)
    done = await compact(street, now=AFTER, segments=1)
    assert [one.last_series for one in done] == sorted({one.last_series for one in done}) and len(done) > 2
    assert await everything(street) == as_read(stored)
    await check_rollups(street, stored)


async def test_two_workers_take_each_reading_once(street: Connection, pool: Pool) -> None:
    ids = await make_series(street)
    stored = await insert_random(street, ids, random.Random(1), received_at=NOW)
    done = await at_once(pool, 4, lambda conn, _: compact(conn, now=AFTER))
    await compact_all(street)
    assert sum(len(one) for one in done) >= 1
    assert await everything(street) == as_read(stored)
    await check_rollups(street, stored)


async def test_a_reader_sees_each_reading_once_while_it_moves(street: Connection, pool: Pool) -> None:
    stored = await insert_random(street, await make_series(street), random.Random(2), received_at=NOW)
    seen: list[int] = []

    async def act(conn: Connection, number: int) -> None:
        if number == 0:
            await compact(conn, now=AFTER)
            return
        for _ in range(20):
            seen.append((await one(conn, "SELECT count(*) AS count FROM reading"))["count"])

    await at_once(pool, 3, act)
    assert set(seen) == {len(stored)}


async def test_a_reader_with_an_old_snapshot_sees_what_was_there(street: Connection, pool: Pool) -> None:
    """As pg_dump has one; and it holds nobody up."""
    await write(street, letter(batch([95])), now=NOW)
    async with pool.connection() as reader, reader.transaction():
        await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await reader.execute("SELECT count(*) FROM series")
        assert await compact_all(street) == 1
        assert await rows(reader, "SELECT value FROM reading") == [{"value": 95}]
        assert await rows(reader, "SELECT start_at FROM history") == []
    assert await rows(street, "SELECT value FROM reading") == [{"value": 95}]


async def test_readings_past_their_retention_are_not_kept_on_but_counted(street: Connection) -> None:
    await write(street, letter(batch([95], start_at=NOW - timedelta(days=31))), letter(batch([96], first=2)), now=NOW)
    await write(street, letter(batch([94], first=3, start_at=NOW - timedelta(days=4000))), now=NOW)
    await compact_all(street)
    assert await rows(street, "SELECT value FROM reading") == [{"value": 96}]
    assert [row["mean"] for row in await rows(street, "SELECT mean FROM reading_day ORDER BY at")] == [95, 96]


async def test_what_is_not_plausible_is_kept_but_in_no_rollup(street: Connection) -> None:
    await write(street, letter(batch([95, 0, 130])))
    await compact_all(street)
    assert len(await rows(street, "SELECT value FROM reading")) == 3
    assert await one(street, "SELECT count, low, high FROM reading_minute") == {"count": 1, "low": 95, "high": 95}


async def test_each_class_has_its_own_tables(street: Connection) -> None:
    for place, quantity in enumerate((QuantityName.HEART_RATE, QuantityName.GLUCOSE, QuantityName.BATTERY)):
        await write(street, letter(batch([30 + place], first=1 + place, quantity=quantity)))
    await compact_all(street)
    for name, decimal in (("usual", 30), ("lasting", 31), ("brief", 32)):
        assert await rows(street, f"SELECT scaled FROM history_{name}") == [{"scaled": [decimal]}]


async def test_a_window_reads_by_index_in_both_forms(street: Connection) -> None:
    await write(street, letter(batch([95])))
    await compact_all(street)
    await street.execute("SET enable_seqscan = off")
    query = f"EXPLAIN SELECT start_at, offsets_ms FROM any_segment WHERE series_id = 1 AND start_at BETWEEN '{NOW}' AND '{AFTER}'"
    plan = "\n".join(row["QUERY PLAN"] for row in await rows(street, query))
    assert "Seq Scan" not in plan
    if await chunks.is_partitioned(street, "segment"):
        assert "history_usual_20260301" in plan and "history_usual_20260228" not in plan


async def test_what_was_done_can_be_seen(street: Connection) -> None:
    await write(street, letter(batch([95, 96])))
    await compact_all(street)
    assert await one(street, "SELECT name, readings FROM storage_job") == {"name": "compaction", "readings": 2}
