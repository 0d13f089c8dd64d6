"""Which sequences of a log are stored: counted as a set, each log for itself, locked and moved in groups."""

import random
from collections.abc import Collection
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.db.pool import Connection, Pool
from backend.readings import cursor
from backend.readings.cursor import Claim
from tests.backend.street import LOG, at_once, rows

pytestmark = pytest.mark.store

OTHER_LOG = "00000000000000bb"


def claim(carried: Collection[int], gateway_id: str = "gw-1", log_id: str = LOG, *, floor: int = 1) -> Claim:
    return Claim((gateway_id, log_id), carried, len(carried), floor)


async def known(conn: Connection, one: Claim) -> set[int]:
    return (await cursor.advance(conn, [one]))[one.key].known


@pytest.mark.parametrize(
    ("sequences", "text"),
    [
        ([], "{}"),
        ([7], "{[7,8)}"),
        ([1, 2, 5], "{[1,3),[5,6)}"),
        ([5, 1, 2], "{[1,3),[5,6)}"),
        ([2**62], f"{{[{2**62},{2**62 + 1})}}"),
    ],
)
def test_a_set_of_sequences_is_written_as_ranges(sequences: list[int], text: str) -> None:
    assert cursor.multirange(sequences) == text


@given(st.sets(st.integers(min_value=1, max_value=60)))
def test_ranges_hold_exactly_the_sequences_and_never_touch(sequences: set[int]) -> None:
    parts = [part.split(",") for part in cursor.multirange(sequences).strip("{}[)").split("),[") if part]
    ranges = [range(int(start), int(end)) for start, end in parts]
    assert {sequence for part in ranges for sequence in part} == sequences
    assert all(one.stop < other.start for one, other in pairwise(ranges))


@given(st.sets(st.integers(min_value=1, max_value=60)))
def test_numbers_are_read_back_from_their_ranges(sequences: set[int]) -> None:
    assert cursor.numbers(cursor.multirange(sequences) if sequences else None) == sequences


async def test_the_database_counts_the_same_set_as_a_set_does(street: Connection) -> None:
    chance = random.Random(1)
    stored: set[int] = set()
    async with street.transaction():
        for _ in range(60):
            carried = {chance.randint(1, 200) for _ in range(chance.randint(1, 30))}
            logs = await cursor.advance(street, [claim(sorted(carried))])
            log = logs["gw-1", LOG]
            assert log.known == stored & carried
            log.take(sorted(carried), readings=len(carried - stored))
            await cursor.correct(street, logs.values())
            stored |= carried
    counted = await rows(street, "SELECT readings, repeats FROM gateway_log")
    assert counted[0]["readings"] == len(stored)


async def test_everything_below_the_floor_counts_as_stored(street: Connection) -> None:
    async with street.transaction():
        await cursor.advance(street, [claim([500], floor=400)])
        assert await known(street, claim(range(390, 601))) == {*range(390, 400), 500}


async def test_each_log_has_a_cursor_of_its_own(street: Connection) -> None:
    async with street.transaction():
        await cursor.advance(street, [claim([1])])
        logs = await cursor.advance(street, [claim([1]), claim([1], log_id=OTHER_LOG), claim([1], "gw-2")])
        assert {key: log.known for key, log in logs.items()} == {("gw-1", LOG): {1}, ("gw-1", OTHER_LOG): set(), ("gw-2", LOG): set()}


async def test_two_messages_of_one_log_in_a_group_are_counted_once_each(street: Connection) -> None:
    async with street.transaction():
        logs = await cursor.advance(street, [claim(range(1, 4)), claim(range(2, 6), floor=2)])
        log = logs["gw-1", LOG]
        assert log.known == set()
        log.take(range(1, 4), readings=3)
        assert log.known == {1, 2, 3}
        log.take(range(2, 6), readings=2)
        await cursor.correct(street, logs.values())
    assert await rows(street, "SELECT stored::text, readings, repeats FROM gateway_log") == [
        {"stored": "{[0,6)}", "readings": 5, "repeats": 2}
    ]


async def test_two_writers_of_one_log_see_each_other(street: Connection, pool: Pool) -> None:
    """The second waits for the first, and then knows what the first has stored."""
    await street.execute("INSERT INTO gateway_log (gateway_id, log_id) VALUES ('gw-1', %s)", [LOG])

    async def write(conn: Connection, _: int) -> set[int]:
        async with conn.transaction():
            return await known(conn, claim(range(1, 11)))

    assert sorted(map(len, await at_once(pool, 2, write))) == [0, 10]
