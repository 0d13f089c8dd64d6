"""Storage jobs of real worker processes, killed in the middle: nothing is lost, doubled or half-visible."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.db import chunks, partitions
from backend.db.pool import Connection, Pool
from backend.readings import segments
from backend.readings.retention import EMPTIED_FOR
from tests.backend.readings.history import Stored, as_read, check_rollups, everything, insert_random, make_series
from tests.backend.street import one, rows

DEADLINE_S = 60.0
STOPPED = """
SELECT count(*) AS count FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND query LIKE %(query)s AND datname = current_database() AND pid <> pg_backend_pid()
"""
STEPS = [
    ("segment", "%INTO taken%"),
    ("history_usual", "%INTO%history_usual%"),
    ("rollup_minute_usual", "%60 AS minute%"),
    ("rollup_day_lasting", "%1440 AS day%"),
    ("storage_job", "%INTO storage_job%"),
]
"""Each step of compaction: the table it writes to, and something near the beginning of its statement."""


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    path = tmp_path / "backend.toml"
    path.write_text(f'[database]\nurl = "{database_url}"\n', "utf-8")
    return path


@contextmanager
def worker(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process; killed at the latest when the block ends."""
    with (config.parent / "worker.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "backend", "worker", "--config", str(config)], stderr=log, env=os.environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def kill_while_stopped(conn: Connection, config: Path, query: str) -> None:
    """Start a worker, wait until a lock stops it in a statement like this one, and kill it there."""
    with worker(config) as process:

        async def is_stopped() -> bool:
            assert process.poll() is None
            return await _stopped(conn, query)

        await until(is_stopped)
        process.send_signal(signal.SIGKILL)
        process.wait()


async def _stopped(conn: Connection, query: str) -> bool:
    row = await (await conn.execute(STOPPED, {"query": query})).fetchone()
    return row is not None and row["count"] > 0


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(0.002)


@pytest.mark.parametrize(("table", "query"), STEPS, ids=[table for table, _ in STEPS])
async def test_compaction_killed_at_any_step_loses_and_doubles_nothing(
    street: Connection, pool: Pool, config: Path, table: str, query: str
) -> None:
    now, seed = datetime.now(UTC), random.randrange(1_000_000)
    print(f"seed {seed}")
    ids = await make_series(street)
    stored = await insert_random(street, ids, random.Random(seed), received_at=now - timedelta(minutes=30))
    every = ((series_id, now - timedelta(hours=2), [0, 5], [41.0, 42.5]) for series_id in ids.values())
    async with street.transaction():
        await segments.insert(street, every, received_at=now - timedelta(minutes=30))
    before = await everything(street)
    async with pool.connection() as blocker, blocker.transaction():
        await chunks.run(blocker, "LOCK TABLE {table} IN SHARE MODE", table=table)
        await kill_while_stopped(street, config, query)
        await check_untouched(street, before)
    await until(lambda: _is_gone(street, query))
    await check_untouched(street, before)
    with worker(config):
        await until(lambda: _is_empty(street))
    assert await everything(street) == before
    whole = [Stored(name, now - timedelta(hours=2) + timedelta(milliseconds=place), value)
             for name in ids for place, value in ((0, 41.0), (5, 42.5))]  # fmt: skip
    await check_rollups(street, stored + whole)


async def check_untouched(conn: Connection, before: list[tuple[str, datetime, bytes]]) -> None:
    assert await everything(conn) == before
    for table in ("history", "rollup_minute", "rollup_day", "storage_job"):
        assert await one(conn, f"SELECT count(*) AS count FROM {table}") == {"count": 0}


async def _is_gone(conn: Connection, query: str) -> bool:
    """Has the server ended the session of the killed worker?"""
    found = await rows(conn, "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL")
    return not any(query.strip("%").rpartition("%")[2] in row["query"] for row in found)


async def _is_empty(conn: Connection) -> bool:
    return not (await one(conn, "SELECT EXISTS (SELECT FROM segment) AS it_is"))["it_is"]


async def test_retention_killed_between_chunks_leaves_whole_chunks(street: Connection, pool: Pool, config: Path) -> None:
    now = datetime.now(UTC)
    days = [now - timedelta(days=40 + age) for age in range(4)]
    await partitions.prepare_span(street, ["history_usual"], from_at=days[-1], to_at=days[0])
    for day in days:
        await street.execute(
            "INSERT INTO history_usual (series_id, start_at, received_from, received_to, delay_ms_max, step_ms, values_)"
            " SELECT place, %(day)s, now(), now(), 0, 0, '{1}' FROM generate_series(1, 50) AS place",
            {"day": day},
        )
    expired = [one for one in await chunks.of(street, "history_usual") if one.to_at and one.to_at < now - timedelta(days=31)]
    async with pool.connection() as reader, reader.transaction():
        await chunks.run(reader, "SELECT FROM {chunk} LIMIT 1", chunk=expired[2])  # the job must wait for this one
        await kill_while_stopped(street, config, "DROP TABLE%")
    left = await chunks.of(street, "history_usual")
    assert expired[3] in left and expired[2] in left
    counts = await rows(street, "SELECT count(*) AS count FROM history_usual GROUP BY start_at")
    assert {row["count"] for row in counts} == {50}
    with worker(config):

        async def is_done() -> bool:
            return not set(expired) & set(await chunks.of(street, "history_usual"))

        await until(is_done)


async def test_two_workers_do_it_once(street: Connection, config: Path) -> None:
    now = datetime.now(UTC)
    stored = await insert_random(street, await make_series(street), random.Random(7), received_at=now - EMPTIED_FOR - timedelta(minutes=30))
    with worker(config), worker(config):
        await until(lambda: _is_empty(street))
    assert await everything(street) == as_read(stored)
    await check_rollups(street, stored)
