"""Connections: the pool every process opens once, and the hint that something changed."""

import asyncio
import time
from typing import Any

from psycopg import AsyncConnection, DataError, InternalError, NotSupportedError, OperationalError, ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import ProgramLimitExceeded
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from backend.config import DATABASE_PASSWORD, DatabaseConfig, secret
from backend.errors import BadInput, Unavailable

Connection = AsyncConnection[DictRow]


class Pool(AsyncConnectionPool[Connection]):
    """A pool that loses no cancellation.

    The library waits for a free connection with `asyncio.wait_for`, which before Python 3.12 returns as if nothing had happened when what
    it waits for and the cancellation come together. A task of a group is cancelled only once: it would go on for ever, and its process
    with it.
    """

    async def getconn(self, timeout: float | None = None) -> Connection:
        """As the library's. Raises CancelledError when the task was cancelled meanwhile, whatever else happened."""
        task = asyncio.current_task()
        assert task is not None
        cancelled = task.cancelling()
        conn = await super().getconn(timeout)
        if task.cancelling() > cancelled:
            await self.putconn(conn)
            raise asyncio.CancelledError
        return conn


TRANSIENT = OperationalError
"""Lost connections, deadlocks, serialization failures, a server that is starting or stopping: the same work may succeed later."""

RECONNECT_S = 2
"""Longest wait between two tries to reach a lost server: the library's own back-off would grow to minutes."""

TOO_LARGE = ProgramLimitExceeded
"""The server counts it among its troubles, but what is too large stays too large."""
UNSTORABLE = DataError
"""A value that no column takes: a NUL in a text, a number out of range."""
SYSTEMIC = (ProgrammingError, InternalError, NotSupportedError)
"""A missing column, a broken index: never the fault of one message, and the same for all of them."""

UNHEARD = {"tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3}
"""Milliseconds, then seconds (libpq): a server that vanished without a word is noticed within 20 s, not after the kernel's two hours."""

LIVE_CHANNEL = "jiahu_live"

NOTIFY = "SELECT pg_notify(%(channel)s, '')"


def conninfo(database: DatabaseConfig) -> str:
    """Connection string with the password from the environment, if there is one. Raises BadInput for a URL libpq cannot read."""
    password = secret(DATABASE_PASSWORD)
    extra: dict[str, Any] = {"password": password} if password else {}
    try:
        return make_conninfo(database.url, connect_timeout=int(database.connect_timeout_s), application_name="jiahu", **UNHEARD, **extra)
    except ProgrammingError as error:
        raise BadInput("[database] url is not an address of PostgreSQL, such as postgresql://jiahu@127.0.0.1/jiahu") from error


async def open_pool(database: DatabaseConfig) -> Pool:
    """Open a pool: rows are dicts, sessions run in UTC, and a transaction lasts exactly as long as an explicit `conn.transaction()`.

    Raises Unavailable when the server does not answer in time, BadInput for a URL that is none.
    """
    pool = Pool(
        conninfo(database),
        kwargs={"row_factory": dict_row, "autocommit": True, "options": "-c timezone=UTC"},
        min_size=1,
        max_size=database.pool_max,
        open=False,
        check=Pool.check_connection,
        timeout=database.connect_timeout_s,
        reconnect_timeout=RECONNECT_S,
    )
    await pool.open()
    try:
        await _reach(pool, database.connect_timeout_s)
    except PoolTimeout as error:
        await pool.close()
        raise Unavailable(
            f"no database at {place(database)}: is PostgreSQL running, and are [database] url and {DATABASE_PASSWORD} right?"
        ) from error
    return pool


async def _reach(pool: Pool, within_s: float) -> None:
    """Ask for a connection until there is one: the pool itself tries for RECONNECT_S only. Raises PoolTimeout after `within_s`."""
    ends_s = time.monotonic() + within_s
    while True:
        left_s = ends_s - time.monotonic()
        try:
            async with pool.connection(timeout=max(0.01, min(left_s, RECONNECT_S))):
                return
        except PoolTimeout:
            if left_s <= RECONNECT_S:
                raise


async def hint(conn: Connection, channel: str) -> None:
    """Tell listeners that something changed; they look into the tables for what it is. Sent when the transaction commits."""
    await conn.execute(NOTIFY, {"channel": channel})


def place(database: DatabaseConfig) -> str:
    """Host, port and name of the database, for people; nothing secret."""
    parts = conninfo_to_dict(conninfo(database))
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
