"""Partitions of what is cut by time: made ahead, by any number of workers, whatever the default partition holds."""

from datetime import timedelta

import pytest

from backend.db import chunks, partitions
from backend.db.pool import Connection, Pool
from tests.backend.street import NOW, at_once, batch, letter, one, rows, seconds, write

LATER = NOW + timedelta(days=100)


@pytest.fixture
async def partitioned(street: Connection) -> Connection:
    """A street whose readings lie in partitions of ours."""
    if not await chunks.is_partitioned(street, "segment"):
        pytest.skip("TimescaleDB makes its own")
    return street


async def test_the_past_chunk_to_an_hour_ahead_are_made_for_every_table(partitioned: Connection) -> None:
    made = await partitions.prepare(partitioned, now=NOW.replace(year=2027, hour=23, minute=12))
    assert [name for name in made if name.startswith("segment")] == [
        "segment_20270301_2300", "segment_20270301_2310", "segment_20270301_2320", "segment_20270301_2330",
        "segment_20270301_2340", "segment_20270301_2350", "segment_20270302_0000", "segment_20270302_0010",
    ]  # fmt: skip
    assert [name for name in made if name.startswith("history_usual")] == [
        "history_usual_20270228", "history_usual_20270301", "history_usual_20270302",
    ]  # fmt: skip
    assert {name.rpartition("_2")[0] for name in made if not name.startswith("segment")} == partitions.LENGTHS.keys() - {"segment"}


async def test_what_is_there_is_not_made_again(partitioned: Connection) -> None:
    await partitions.prepare(partitioned, now=LATER)
    assert await partitions.prepare(partitioned, now=LATER) == []
    assert len(await partitions.prepare(partitioned, now=LATER + timedelta(minutes=10))) == 1


async def test_readings_go_to_the_partition_of_the_time_they_were_received(partitioned: Connection) -> None:
    await write(partitioned, letter(batch([97], start_at=NOW - timedelta(days=9))), now=NOW)
    assert (await one(partitioned, "SELECT tableoid::regclass::text AS name FROM segment"))["name"] == "segment_20260301_0310"


async def test_a_span_that_already_has_readings_stays_in_the_default_partition(partitioned: Connection) -> None:
    await write(partitioned, letter(batch([97], start_at=LATER)), now=LATER)
    made = await partitions.prepare(partitioned, now=LATER)
    assert f"segment_{LATER:%Y%m%d}_0310" not in made and f"segment_{LATER:%Y%m%d}_0320" in made
    assert (await one(partitioned, "SELECT tableoid::regclass::text AS name FROM segment"))["name"] == "segment_default"


async def test_readings_can_be_stored_before_their_partition_is_prepared(partitioned: Connection) -> None:
    await write(partitioned, letter(batch([97, 96], start_at=LATER)), now=LATER)
    await write(partitioned, letter(batch([95], first=3, start_at=LATER)), now=LATER + timedelta(days=1))
    assert len(await rows(partitioned, "SELECT value FROM reading")) == 3


async def test_workers_that_prepare_at_once_do_not_fail(partitioned: Connection, pool: Pool) -> None:
    await at_once(pool, 5, lambda conn, _: partitions.prepare(conn, now=LATER))
    assert (await one(partitioned, f"SELECT to_regclass('segment_{LATER:%Y%m%d}_0310') IS NOT NULL AS it_is"))["it_is"]


async def test_the_lengths_are_those_of_the_hypertables(street: Connection) -> None:
    if await chunks.is_partitioned(street, "segment"):
        pytest.skip("this is plain PostgreSQL")
    found = await rows(street, "SELECT hypertable_name AS name, time_interval AS length FROM timescaledb_information.dimensions")
    assert {row["name"]: row["length"] for row in found} == partitions.LENGTHS


async def test_timescaledb_needs_no_partitions_of_ours(street: Connection) -> None:
    if await chunks.is_partitioned(street, "segment"):
        pytest.skip("this is plain PostgreSQL")
    assert await partitions.prepare(street, now=LATER) == []


# -- chunks ------------------------------------------------------------------------------------------------------------------------------


async def test_a_chunk_knows_its_bounds_and_whether_it_is_filled(street: Connection) -> None:
    await write(street, letter(batch([97])), now=NOW)
    [filled] = [one for one in await chunks.of(street, "segment") if await chunks.is_filled(street, one)]
    assert (filled.from_at, filled.to_at) == (NOW.replace(minute=10), NOW.replace(minute=20))


async def test_an_empty_chunk_is_dropped_and_a_filled_one_is_not(street: Connection) -> None:
    await write(street, letter(batch([97])), now=NOW)
    [chunk] = [one for one in await chunks.of(street, "segment") if one.from_at == NOW.replace(minute=10)]
    assert not await chunks.drop_empty(street, chunk)
    await street.execute("DELETE FROM segment")
    assert await chunks.drop_empty(street, chunk)
    assert chunk not in await chunks.of(street, "segment")
    assert not await chunks.drop_empty(street, chunk) and not await chunks.is_filled(street, chunk)


async def test_a_chunk_that_somebody_writes_to_is_not_locked(street: Connection, pool: Pool) -> None:
    async with pool.connection() as other, other.transaction():
        await other.execute("SELECT count(*) FROM segment")
        await write(street, letter(batch([97])), now=NOW)
        [chunk] = [one for one in await chunks.of(street, "segment") if one.from_at == NOW.replace(minute=10)]
        await chunks.run(other, "UPDATE {chunk} SET received_at = received_at", chunk=chunk)
        async with street.transaction():
            assert not await chunks.lock(street, chunk)
        assert not await chunks.drop(street, chunk)


async def test_a_home_is_stored_while_its_table_is_prepared(street: Connection, pool: Pool) -> None:
    async def act(conn: Connection, number: int) -> None:
        if number == 0:
            await partitions.prepare(conn, now=LATER)
        else:
            await write(conn, letter(batch([97], log_id=f"{number:016x}")), now=NOW + seconds(number))

    await at_once(pool, 6, act)
    assert len(await rows(street, "SELECT value FROM reading")) == 5
