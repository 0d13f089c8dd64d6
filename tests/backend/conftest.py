"""Databases for the backend's tests: one template per test process, a clone of it per test."""

import uuid
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg.rows import dict_row

from backend.config import DatabaseConfig
from backend.db import migrate, partitions
from backend.db.pool import Connection, Pool, open_pool
from backend.rules import store as rules
from tests.backend.street import NOW, settle
from tests.conftest import DatabaseServer


def on_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def template(database_server: DatabaseServer) -> Iterator[str]:
    """Name of a database with all tables and the shipped rules, to be cloned."""
    import asyncio

    name = f"template_{uuid.uuid4().hex}"
    with psycopg.connect(database_server.url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    asyncio.run(prepare(on_database(database_server.url, name)))
    yield name
    with psycopg.connect(database_server.url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def prepare(url: str) -> None:
    """Make all tables, and put the shipped rules into them."""
    conn: Connection = await Connection.connect(url, autocommit=True, row_factory=dict_row)
    async with conn:
        await migrate.migrate(conn, migrate.files())
        await partitions.prepare(conn, now=NOW)
        async with conn.transaction():
            await rules.save(conn, rules.read_file(rules.DEFAULTS), by="test")


@pytest.fixture
def database_url(database_server: DatabaseServer, template: str) -> Iterator[str]:
    """Address of a fresh clone of the template."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(database_server.url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield on_database(database_server.url, name)
    with psycopg.connect(database_server.url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """The backend's own pool on the clone."""
    async with await open_pool(DatabaseConfig(url=database_url, pool_max=24)) as opened:
        yield opened


@pytest.fixture
async def conn(pool: Pool) -> AsyncIterator[Connection]:
    """One connection of the pool, autocommit."""
    async with pool.connection() as connection:
        yield connection


@pytest.fixture
async def street(conn: Connection) -> Connection:
    """A connection to a database with the people of `tests.backend.street`."""
    await settle(conn)
    return conn


@pytest.fixture
def empty_url(database_server: DatabaseServer) -> Iterator[str]:
    """Address of a database without any table."""
    name = f"empty_{uuid.uuid4().hex}"
    with psycopg.connect(database_server.url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    yield on_database(database_server.url, name)
    with psycopg.connect(database_server.url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
