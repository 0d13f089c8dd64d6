"""Retention: whole chunks go when all they hold has expired, class by class, and nothing else does."""

from datetime import timedelta

import pytest

from backend.db import chunks, partitions
from backend.db.pool import Connection, Pool
from backend.errors import BadInput
from backend.readings import retention
from backend.readings.retention import Keep, drop_expired
from contract.quantities import QuantityName
from tests.backend.readings.history import compact_all
from tests.backend.street import NOW, at_once, batch, letter, one, rows, write

GLUCOSE, HEART_RATE, BATTERY = QuantityName.GLUCOSE, QuantityName.HEART_RATE, QuantityName.BATTERY


async def fill(conn: Connection) -> None:
    """One compacted reading of each class, and one in the inbox."""
    for place, quantity in enumerate((GLUCOSE, HEART_RATE, BATTERY)):
        await write(conn, letter(batch([50], first=1 + place, quantity=quantity)))
    await compact_all(conn)
    await write(conn, letter(batch([51], first=9, quantity=HEART_RATE)))


async def left(conn: Connection, view: str) -> set[str]:
    return {row["quantity"] for row in await rows(conn, f"SELECT quantity FROM {view}")}


@pytest.mark.parametrize(
    ("days", "raw", "minutes", "hours"),
    [
        pytest.param(7, {"glucose", "heart_rate", "battery"}, {"glucose", "heart_rate", "battery"}, {"glucose", "heart_rate", "battery"}),
        pytest.param(9, {"glucose", "heart_rate"}, {"glucose", "heart_rate", "battery"}, {"glucose", "heart_rate", "battery"}),
        pytest.param(32, {"glucose"}, {"glucose", "heart_rate", "battery"}, {"glucose", "heart_rate", "battery"}),
        pytest.param(200, {"glucose"}, {"glucose"}, {"glucose", "heart_rate", "battery"}),
        pytest.param(1_200, {"glucose"}, {"glucose"}, {"glucose", "heart_rate"}),
        pytest.param(4_000, {"glucose"}, {"glucose"}, {"glucose"}),
        pytest.param(5_900, set(), set(), set()),
    ],
)
async def test_each_quantity_is_kept_as_long_as_its_class_says(
    street: Connection, days: int, raw: set[str], minutes: set[str], hours: set[str]
) -> None:
    await fill(street)
    await street.execute("DELETE FROM segment")
    await drop_expired(street, now=NOW + timedelta(days=days))
    assert await left(street, "reading") == raw
    assert await left(street, "reading_minute") == minutes
    assert await left(street, "reading_hour") == hours == await left(street, "reading_day")


async def test_what_compaction_has_not_taken_yet_is_never_dropped(street: Connection) -> None:
    await fill(street)
    await drop_expired(street, now=NOW + timedelta(days=10_000))
    assert await rows(street, "SELECT value FROM reading") == [{"value": 51}]


async def test_emptied_chunks_go_and_fresh_ones_stay(street: Connection) -> None:
    await partitions.prepare(street, now=NOW)
    await fill(street)
    await compact_all(street)
    await drop_expired(street, now=NOW.replace(minute=29))
    assert NOW.replace(minute=10) in [one.from_at for one in await chunks.of(street, "segment")]
    await drop_expired(street, now=NOW.replace(minute=30))
    assert NOW.replace(minute=10) not in [one.from_at for one in await chunks.of(street, "segment")]


async def test_readings_of_a_wrong_clock_expire_wherever_they_lie(street: Connection) -> None:
    """On plain PostgreSQL a time for which nobody made a partition lies in the default one."""
    await write(street, letter(batch([51], start_at=NOW + timedelta(days=400), quantity=HEART_RATE)))
    await compact_all(street)
    await drop_expired(street, now=NOW + timedelta(days=400))
    assert len(await rows(street, "SELECT value FROM reading")) == 1
    await drop_expired(street, now=NOW + timedelta(days=432))
    assert await rows(street, "SELECT value FROM reading") == []


async def test_workers_that_drop_at_once_do_not_fail(street: Connection, pool: Pool) -> None:
    await fill(street)
    await at_once(pool, 4, lambda conn, _: drop_expired(conn, now=NOW + timedelta(days=32)))
    assert await left(street, "reading") == {"glucose", "heart_rate"}


async def test_a_chunk_in_use_waits_for_the_next_run(street: Connection, pool: Pool) -> None:
    await fill(street)
    async with pool.connection() as reader, reader.transaction():
        await reader.execute("SELECT count(*) FROM history_brief")
        await drop_expired(street, now=NOW + timedelta(days=9))
        assert "battery" in await left(street, "reading")
    await drop_expired(street, now=NOW + timedelta(days=9))
    assert "battery" not in await left(street, "reading")


async def test_days_are_set_and_quantities_moved(street: Connection) -> None:
    await retention.set_days(street, Keep("usual", 60, 90, 1000, "the district's contract"))
    await retention.move(street, HEART_RATE, "lasting")
    await retention.move(street, GLUCOSE, "usual")
    found = {keep.name: keep for keep in await retention.load(street)}
    assert (found["usual"].raw_days, found["usual"].minute_days, found["usual"].rollup_days) == (60, 90, 1000)
    assert "heart_rate" in found["lasting"].quantities and "glucose" in found["usual"].quantities
    await write(street, letter(batch([70], quantity=HEART_RATE)))
    await compact_all(street)
    assert (await one(street, "SELECT count(*) AS count FROM history_lasting"))["count"] == 1


@pytest.mark.parametrize("keep", [Keep("usual", 60, 59, 1000, ""), Keep("usual", 0, 1, 1, ""), Keep("for_ever", 1, 1, 1, "")])
async def test_days_that_make_no_sense_are_refused(street: Connection, keep: Keep) -> None:
    with pytest.raises(BadInput):
        await retention.set_days(street, keep)


async def test_every_quantity_named_in_the_tables_is_one_of_ours(street: Connection) -> None:
    assert {name for keep in await retention.load(street) for name in keep.quantities} <= set(QuantityName)
    with pytest.raises(BadInput, match="there are brief, usual, lasting"):
        await retention.move(street, HEART_RATE, "for_ever")


async def test_a_quantity_that_changed_its_class_today_has_one_bucket_in_each(street: Connection) -> None:
    await write(street, letter(batch([70], quantity=HEART_RATE)))
    await compact_all(street)
    await retention.move(street, HEART_RATE, "lasting")
    await write(street, letter(batch([80], first=2, quantity=HEART_RATE)))
    await compact_all(street)
    assert [row["mean"] for row in await rows(street, "SELECT mean FROM reading_day ORDER BY mean")] == [70, 80]


async def test_without_the_community_edition_nothing_becomes_a_columnstore(street: Connection) -> None:
    await fill(street)
    assert await retention.to_columnstore(street, now=NOW + timedelta(days=9)) == 0
