"""Days of `segment`: made ahead, by any number of workers, whatever the default partition holds."""

from datetime import date, timedelta

import pytest

from backend.db import partitions
from backend.db.pool import Connection, Pool
from tests.backend.street import NOW, TODAY, at_once, batch, letter, one, rows, write

LATER = TODAY + timedelta(days=100)


@pytest.fixture
async def partitioned(street: Connection) -> Connection:
    """A street whose readings lie in partitions of ours."""
    if not (await one(street, partitions.IS_PARTITIONED))["is_partitioned"]:
        pytest.skip("TimescaleDB makes its own")
    return street


async def test_yesterday_to_three_days_ahead_are_made(partitioned: Connection) -> None:
    made = await partitions.prepare(partitioned, today=date(2027, 2, 28))
    assert made == ["segment_20270227", "segment_20270228", "segment_20270301", "segment_20270302", "segment_20270303"]


async def test_what_is_there_is_not_made_again(partitioned: Connection) -> None:
    await partitions.prepare(partitioned, today=LATER)
    assert await partitions.prepare(partitioned, today=LATER) == []
    assert len(await partitions.prepare(partitioned, today=LATER + timedelta(days=1))) == 1


async def test_a_reading_goes_to_the_partition_of_its_day_in_utc(partitioned: Connection) -> None:
    await write(partitioned, letter(batch([97], start_at=NOW.replace(hour=0, minute=0))))
    assert (await one(partitioned, "SELECT tableoid::regclass::text AS name FROM segment"))["name"] == "segment_20260301"


async def test_a_day_that_already_has_readings_stays_in_the_default_partition(partitioned: Connection) -> None:
    await write(partitioned, letter(batch([97], start_at=NOW + timedelta(days=100))))
    made = await partitions.prepare(partitioned, today=LATER)
    assert f"segment_{LATER:%Y%m%d}" not in made and len(made) == 4
    assert (await one(partitioned, "SELECT tableoid::regclass::text AS name FROM segment"))["name"] == "segment_default"


async def test_readings_can_be_stored_before_their_day_is_prepared(partitioned: Connection) -> None:
    await write(partitioned, letter(batch([97, 96], start_at=NOW + timedelta(days=100))))
    await write(partitioned, letter(batch([95], first=3, start_at=NOW + timedelta(days=101))))
    assert len(await rows(partitioned, "SELECT value FROM reading")) == 3


async def test_workers_that_prepare_at_once_do_not_fail(partitioned: Connection, pool: Pool) -> None:
    await at_once(pool, 5, lambda conn, _: partitions.prepare(conn, today=LATER))
    assert (await one(partitioned, f"SELECT to_regclass('segment_{LATER:%Y%m%d}') IS NOT NULL AS it_is"))["it_is"]


async def test_timescaledb_needs_no_days_of_ours(street: Connection) -> None:
    if (await one(street, partitions.IS_PARTITIONED))["is_partitioned"]:
        pytest.skip("this is plain PostgreSQL")
    assert await partitions.prepare(street, today=LATER) == []
