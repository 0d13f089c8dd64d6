"""Storage jobs of real worker processes, killed in the middle: nothing is lost, doubled or half-visible."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend.db import chunks, partitions
from backend.db.pool import Connection, Pool
from backend.readings import segments
from backend.readings.retention import EMPTIED_FOR
from tests.backend.readings.history import as_read, check_rollups, everything, insert_random, make_series
from tests.backend.street import one, rows

DEADLINE_S = 60.0
AT_WORK = "SELECT count(*) AS count FROM pg_stat_activity WHERE state = 'active' AND query LIKE %(query)s AND pid <> pg_backend_pid()"
BULK = 40_000
"""Segments that make the work last long enough to be met in its middle, and still are one transaction."""


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


@asynccontextmanager
async def killed_while(conn: Connection, config: Path, query: str) -> AsyncIterator[None]:
    """A worker was killed while it ran a statement like this one."""
    with worker(config) as process:

        async def is_at_work() -> bool:
            assert process.poll() is None
            row = await (await conn.execute(AT_WORK, {"query": query})).fetchone()
            return row is not None and row["count"] > 0

        await until(is_at_work)
        process.send_signal(signal.SIGKILL)
        process.wait()
    yield


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(0.002)


async def test_compaction_killed_at_any_step_loses_and_doubles_nothing(street: Connection, config: Path) -> None:
    now = datetime.now(UTC)
    ids, seed = await make_series(street), random.randrange(1_000_000)
    print(f"seed {seed}")
    stored = await insert_random(street, ids, random.Random(seed), received_at=now - timedelta(minutes=30))
    series_id = next(iter(ids.values()))
    bulk = ((series_id, now - timedelta(hours=2, seconds=place % 3_600), [0, 1, 2], [301.5, 302.0, 303.0]) for place in range(BULK))
    async with street.transaction():
        await segments.insert(street, bulk, received_at=now - timedelta(minutes=30))
    before = await everything(street)
    for query in ("%INTO taken%", "%TABLE merged%", "%INTO%history%", "%TABLE part %"):
        async with killed_while(street, config, query):
            assert await everything(street) == before
            assert await rows(street, "SELECT start_at FROM history") == []
            assert await rows(street, "SELECT start_at FROM rollup_day") == []
    with worker(config):

        async def is_done() -> bool:
            return not (await one(street, "SELECT EXISTS (SELECT FROM segment) AS it_is"))["it_is"]

        await until(is_done)
    assert await everything(street) == before
    assert set(as_read(stored)) <= set(before)
    await check_rollups(street, stored)  # the bulk is not plausible, so it is in no rollup


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
        async with killed_while(street, config, "DROP TABLE%"):
            pass
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

        async def is_done() -> bool:
            return not (await one(street, "SELECT EXISTS (SELECT FROM segment) AS it_is"))["it_is"]

        await until(is_done)
    assert await everything(street) == as_read(stored)
    await check_rollups(street, stored)
