"""Migrations: each file once, in order, whole or not at all, by one program at a time."""

import asyncio
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from backend.db import migrate
from backend.db.migrate import Migration
from backend.db.pool import Connection
from backend.errors import BadInput
from tests.backend.street import one, rows

FIRST = Migration(1, "0001_things", "CREATE TABLE thing (id integer PRIMARY KEY);")
SECOND = Migration(2, "0002_size", "ALTER TABLE thing ADD size integer; CREATE INDEX thing_by_size ON thing (size);")
OUTSIDE = Migration(
    2,
    "0002_index",
    "-- no transaction\n-- Why; and how.\nDROP INDEX CONCURRENTLY IF EXISTS by_id;\nCREATE INDEX CONCURRENTLY by_id\n    ON thing (id);\n",
)


async def connect(url: str) -> Connection:
    conn: Connection = await Connection.connect(url, autocommit=True, row_factory=dict_row)
    return conn


async def tables(conn: Connection) -> list[str]:
    return [row["tablename"] for row in await rows(conn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")]


async def test_what_is_missing_is_applied_in_order_and_once(empty_url: str) -> None:
    async with await connect(empty_url) as conn:
        assert await migrate.migrate(conn, [FIRST]) == ["0001_things"]
        assert await migrate.migrate(conn, [FIRST, SECOND]) == ["0002_size"]
        assert await migrate.migrate(conn, [FIRST, SECOND]) == []
        recorded = await rows(conn, "SELECT number, checksum FROM migration ORDER BY number")
    assert recorded == [{"number": 1, "checksum": FIRST.checksum}, {"number": 2, "checksum": SECOND.checksum}]


async def test_our_own_files_apply_to_an_empty_database(empty_url: str) -> None:
    async with await connect(empty_url) as conn:
        assert await migrate.migrate(conn, migrate.files()) == [migration.name for migration in migrate.files()]
        assert {"alert", "elder", "event", "segment", "visit"} <= set(await tables(conn))


async def test_an_applied_file_that_was_edited_is_refused_and_nothing_is_done(empty_url: str) -> None:
    async with await connect(empty_url) as conn:
        await migrate.migrate(conn, [FIRST])
        edited = replace(FIRST, sql=FIRST.sql + " ")
        with pytest.raises(BadInput, match=r"0001_things\.sql was edited after it had been applied"):
            await migrate.migrate(conn, [edited, SECOND])
        assert (await one(conn, "SELECT max(number) AS newest FROM migration"))["newest"] == 1


async def test_a_database_newer_than_the_program_is_refused(empty_url: str) -> None:
    async with await connect(empty_url) as conn:
        await migrate.migrate(conn, [FIRST, SECOND])
        with pytest.raises(BadInput, match=r"newer than this program: it has migration 2\. Install the newer version"):
            await migrate.migrate(conn, [FIRST])


async def test_a_file_that_fails_leaves_nothing_and_those_before_it_stay(empty_url: str) -> None:
    broken = Migration(2, "0002_broken", "CREATE TABLE half (id integer); SELECT 1 / 0;")
    async with await connect(empty_url) as conn:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await migrate.migrate(conn, [FIRST, broken])
        assert await tables(conn) == ["migration", "thing"]
        assert await migrate.migrate(conn, [FIRST, SECOND]) == ["0002_size"]


async def test_a_failure_gives_the_lock_back(empty_url: str) -> None:
    broken = Migration(1, "0001_broken", "SELECT 1 / 0")
    async with await connect(empty_url) as conn, await connect(empty_url) as other:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await migrate.migrate(conn, [broken])
        assert await asyncio.wait_for(migrate.migrate(other, [FIRST]), 10) == ["0001_things"]


async def test_of_two_migrators_at_once_one_works_and_the_other_finds_it_done(empty_url: str) -> None:
    async with await connect(empty_url) as conn, await connect(empty_url) as other:
        both = await asyncio.gather(*(migrate.migrate(each, [FIRST, OUTSIDE]) for each in (conn, other)))
    assert sorted(both) == [[], ["0001_things", "0002_index"]]


@pytest.mark.parametrize(
    "names", [["1_things.sql"], ["0001-things.sql"], ["0001_Things.sql"], ["0001_things.sql", "0001_others.sql"], ["things.sql"]]
)
def test_a_file_that_is_not_named_by_number_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(BadInput, match="a migration is named NNNN_what"):
        migrate.files(tmp_path)


def test_files_are_read_in_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("0010_ten", "0002_two", "0001_one"):
        (tmp_path / f"{name}.sql").write_text("SELECT 1")
    assert [migration.number for migration in migrate.files(tmp_path)] == [1, 2, 10]


def test_our_own_numbers_rise_and_each_stands_once() -> None:
    numbers = [migration.number for migration in migrate.files()]
    assert numbers == sorted(set(numbers))
