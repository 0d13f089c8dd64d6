"""When a process is alive and ready: a real database that goes away and comes back, and a loop that stands still."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from backend.db.pool import Pool
from backend.metrics.health import ANSWER_AGE_MAX_S, LOOP_STILL_MAX_S, Condition, Health, answer, too_old
from tests.backend.web.conftest import eventually


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


def faults(conditions: list[Condition]) -> set[str]:
    return {one.name for one in conditions if one.fault is not None}


@asynccontextmanager
async def running(health: Health) -> AsyncIterator[None]:
    task = asyncio.create_task(health.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_process_that_has_not_begun_is_neither_alive_nor_ready(pool: Pool) -> None:
    health = Health(pool, lambda: [])
    assert faults(health.is_alive()) == {"event_loop"}
    assert faults(health.is_ready()) == {"event_loop", "database"}


async def test_a_process_whose_database_answers_is_ready(pool: Pool) -> None:
    health = Health(pool, lambda: [Condition("broker")])
    async with running(health):
        await eventually(lambda: not faults(health.is_ready()))


async def test_a_loop_that_stands_still_is_seen_from_another_thread(pool: Pool) -> None:
    clock = Clock()
    health = Health(pool, lambda: [], clock)
    async with running(health):
        await eventually(lambda: not faults(health.is_ready()))
        clock.at_s += LOOP_STILL_MAX_S + 1  # before the loop can beat again
        assert faults(health.is_alive()) == {"event_loop"}
        await eventually(lambda: not faults(health.is_alive()))


async def test_a_database_that_went_away_is_missed_and_found_again(pool: Pool, database_url: str) -> None:
    clock = Clock()
    health = Health(pool, lambda: [], clock)
    server, _, name = database_url.rpartition("/")
    async with running(health):
        await eventually(lambda: not faults(health.is_ready()))
        with psycopg.connect(f"{server}/postgres", autocommit=True) as conn:
            conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            clock.at_s += ANSWER_AGE_MAX_S + 1
            await eventually(lambda: faults(health.is_ready()) == {"database"})
            assert faults(health.is_alive()) == set()
            conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        await eventually(lambda: not faults(health.is_ready()), deadline_s=30)


async def test_what_the_process_itself_names_counts(pool: Pool) -> None:
    health = Health(pool, lambda: [Condition("broker", "not subscribed")])
    async with running(health):
        await eventually(lambda: faults(health.is_ready()) == {"broker"})


@pytest.mark.parametrize(
    ("age_s", "fault"), [(0, None), (10, None), (10.6, "no beat for 11 s; 10 s are allowed"), (math.inf, "no beat yet")]
)
def test_an_age_is_a_fault_once_it_is_over_its_limit(age_s: float, fault: str | None) -> None:
    assert too_old("no beat", age_s, 10) == fault


def test_an_answer_names_what_is_wrong_and_what_holds() -> None:
    status, body = answer([Condition("loop"), Condition("database", "no answer yet")])
    assert status == 503
    assert json.loads(body) == {"ok": False, "wrong": {"database": "no answer yet"}, "holds": ["loop"]}
    assert answer([Condition("loop")])[0] == 200
