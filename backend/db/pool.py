"""Connections: the pool every process opens once, and the hint that something changed."""

from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from backend.config import DATABASE_PASSWORD, DatabaseConfig, secret
from backend.errors import Unavailable

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]

TRANSIENT = OperationalError
"""Lost connections, deadlocks, serialization failures, a server that is starting or stopping: the same work may succeed later."""

LIVE_CHANNEL = "jiahu_live"

NOTIFY = "SELECT pg_notify(%(channel)s, '')"


def conninfo(database: DatabaseConfig) -> str:
    """Connection string with the password from the environment, if there is one."""
    password = secret(DATABASE_PASSWORD)
    extra: dict[str, Any] = {"password": password} if password else {}
    return make_conninfo(database.url, connect_timeout=int(database.connect_timeout_s), application_name="jiahu", **extra)


async def open_pool(database: DatabaseConfig) -> Pool:
    """Open a pool: rows are dicts, sessions run in UTC, and a transaction lasts exactly as long as an explicit `conn.transaction()`.

    Raises Unavailable when the server does not answer in time.
    """
    pool: Pool = AsyncConnectionPool(
        conninfo(database),
        kwargs={"row_factory": dict_row, "autocommit": True, "options": "-c timezone=UTC"},
        min_size=1,
        max_size=database.pool_max,
        open=False,
        check=AsyncConnectionPool.check_connection,
        timeout=database.connect_timeout_s,
    )
    try:
        await pool.open(wait=True, timeout=database.connect_timeout_s)
    except PoolTimeout as error:
        await pool.close()
        raise Unavailable(
            f"no database at {_without_password(database.url)}: is PostgreSQL running, and are [database] url and {DATABASE_PASSWORD} right?"
        ) from error
    return pool


async def hint(conn: Connection, channel: str) -> None:
    """Tell listeners that something changed; they look into the tables for what it is. Sent when the transaction commits."""
    await conn.execute(NOTIFY, {"channel": channel})


def _without_password(url: str) -> str:
    head, _, tail = url.rpartition("@")
    return f"{head.split('//')[0]}//{tail}" if head else url
