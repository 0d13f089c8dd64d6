"""The pool: what it says when the database cannot be had, and how its sessions are set."""

import asyncio
import time
from contextlib import AsyncExitStack
from urllib.parse import urlsplit, urlunsplit

import pytest

from backend.config import DATABASE_PASSWORD, DatabaseConfig
from backend.db import pool as pools
from backend.db.pool import Connection, Pool
from backend.errors import BadInput, Unavailable
from simulators.network import TcpProxy
from simulators.servers import free_port
from tests.backend.street import one


async def test_a_server_that_is_not_there_is_named_in_one_line_without_the_password() -> None:
    port = free_port()
    database = DatabaseConfig(url=f"postgresql://jiahu:very-secret@127.0.0.1:{port}/jiahu", connect_timeout_s=1)
    with pytest.raises(Unavailable) as refusal:
        await pools.open_pool(database)
    line = str(refusal.value)
    assert f"no database at 127.0.0.1:{port}/jiahu" in line and DATABASE_PASSWORD in line
    assert "very-secret" not in line and "\n" not in line


async def test_a_wrong_password_is_no_endless_wait(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE_PASSWORD, "wrong")
    began = time.monotonic()
    with pytest.raises(Unavailable, match="no database at"):
        await pools.open_pool(DatabaseConfig(url=database_url, connect_timeout_s=1))
    assert time.monotonic() - began < 10


async def test_a_process_that_starts_before_its_database_goes_on_as_soon_as_that_is_there(database_url: str) -> None:
    parts = urlsplit(database_url)
    assert parts.hostname and parts.port
    with TcpProxy(parts.hostname, parts.port) as network:
        network.cut()
        url = urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{network.port}"))
        loop = asyncio.get_running_loop()
        loop.call_later(4.0, network.restore)
        began = time.monotonic()
        async with await pools.open_pool(DatabaseConfig(url=url, connect_timeout_s=20)):
            assert 4.0 <= time.monotonic() - began < 4.0 + 2 * pools.RECONNECT_S + 2


async def test_the_password_comes_from_the_environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = urlsplit(database_url)
    monkeypatch.setenv(DATABASE_PASSWORD, parts.password or "")
    bare = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}"))
    async with await pools.open_pool(DatabaseConfig(url=bare)) as pool, pool.connection() as conn:
        assert (await one(conn, "SELECT 1 AS one"))["one"] == 1


@pytest.mark.parametrize("url", ["postgresql://[::1", "postgresql://host/%zz", "postgresql://host/jiahu?unknown_option=1"])
async def test_a_url_that_is_no_address_is_bad_input(url: str) -> None:
    with pytest.raises(BadInput, match=r"\[database\] url is not an address of PostgreSQL"):
        await pools.open_pool(DatabaseConfig(url=url))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://jiahu@db.example/jiahu", "db.example:5432/jiahu"),
        ("postgresql://jiahu:secret@db.example:5433/jiahu", "db.example:5433/jiahu"),
        ("postgresql://db.example/jiahu?user=jiahu&password=secret", "db.example:5432/jiahu"),
    ],
)
def test_a_place_is_shown_without_anything_secret(url: str, place: str) -> None:
    assert pools.place(DatabaseConfig(url=url)) == place


async def test_sessions_run_in_utc_and_commit_by_themselves(conn: Connection) -> None:
    assert (await one(conn, "SHOW timezone"))["TimeZone"] == "UTC"
    assert conn.autocommit


async def test_a_connection_that_was_cut_is_replaced(pool: Pool) -> None:
    async with pool.connection() as conn, pool.connection() as other:
        pid = conn.info.backend_pid
        await other.execute("SELECT pg_terminate_backend(%(pid)s)", {"pid": pid})
    async with pool.connection() as conn:
        assert conn.info.backend_pid != pid
        assert (await one(conn, "SELECT 1 AS one"))["one"] == 1


async def test_a_cut_connection_is_trouble_that_may_pass(pool: Pool) -> None:
    with pytest.raises(pools.TRANSIENT):
        async with pool.connection() as conn, pool.connection() as other:
            await other.execute("SELECT pg_terminate_backend(%(pid)s)", {"pid": conn.info.backend_pid})
            await conn.execute("SELECT 1")


async def test_a_hint_is_heard_when_the_transaction_commits(pool: Pool) -> None:
    async with pool.connection() as listener, pool.connection() as conn:
        await listener.execute(f"LISTEN {pools.LIVE_CHANNEL}".encode())
        async with conn.transaction():
            await pools.hint(conn, pools.LIVE_CHANNEL)
            assert [note async for note in listener.notifies(timeout=0.05)] == []
        notes = [note async for note in listener.notifies(timeout=10, stop_after=1)]
    assert [note.channel for note in notes] == [pools.LIVE_CHANNEL]


async def test_ten_tasks_share_a_pool_of_two(database_url: str) -> None:
    async with await pools.open_pool(DatabaseConfig(url=database_url, pool_max=2)) as pool:

        async def ask(number: int) -> int:
            async with pool.connection() as conn:
                return int((await one(conn, f"SELECT {number} AS n"))["n"])

        assert await asyncio.gather(*map(ask, range(10))) == list(range(10))


@pytest.mark.store
async def test_no_cancellation_is_lost_while_a_connection_is_handed_over(database_url: str) -> None:
    async with await pools.open_pool(DatabaseConfig(url=database_url, pool_max=2)) as pool:
        for ticks in range(40):  # one of them is the tick in which the connection and the cancellation come together
            async with AsyncExitStack() as held:
                for _ in range(2):
                    await held.enter_async_context(pool.connection())
                waiting = asyncio.create_task(pool.getconn())
                await asyncio.sleep(0.001)
                release = asyncio.create_task(held.aclose())
                for _ in range(ticks):
                    await asyncio.sleep(0)
                if waiting.done():  # it had the connection before it was cancelled
                    await pool.putconn(waiting.result())
                else:
                    waiting.cancel()
                    await asyncio.wait({waiting})
                    assert waiting.cancelled(), f"lost after {ticks} ticks"
                await release
