"""All tables as one readable text, so that a review sees what a migration changes: python -m backend.db.schema

Written from PostgreSQL's own catalogue and its pg_get_... functions, since the text of pg_dump changes with every release of it. It is
for reading: migrations make the tables. Partitions are left out, they come and go.
"""

import asyncio
import os
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from psycopg.rows import dict_row

from backend.db import migrate
from backend.db.pool import Connection

FILE = Path(__file__).parent / "schema.sql"
SERVER = "JIAHU_TEST_DATABASE_URL"
"""Names a server on which databases may be created; `python -m simulators.servers -- COMMAND` sets it."""

HEAD = "-- Made by `make docs` from backend/db/migrations, compared by tests/backend/db/test_schema.py. For reading, not for running.\n"

TABLES = """
SELECT c.oid, c.relname AS name, CASE c.relkind WHEN 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) ELSE '' END AS tail
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname
"""
COLUMNS = """
SELECT format('%%I %%s', a.attname, format_type(a.atttypid, a.atttypmod))
    || CASE a.attidentity WHEN 'a' THEN ' GENERATED ALWAYS AS IDENTITY' ELSE '' END
    || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
    || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS line
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
CONSTRAINTS = """
SELECT format('CONSTRAINT %%I %%s', conname, pg_get_constraintdef(oid)) AS line FROM pg_constraint
WHERE conrelid = %(oid)s AND contype IN ('p', 'u', 'c', 'f') ORDER BY position(contype::text IN 'pucf'), conname
"""
EXTRAS = """
SELECT pg_get_indexdef(i.indexrelid) AS line FROM pg_index i
WHERE i.indrelid = %(oid)s AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %(oid)s AND NOT tgisinternal
ORDER BY line
"""
VIEWS = """
SELECT format(E'CREATE VIEW %%I AS\n%%s', relname, pg_get_viewdef(oid)) AS line FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'v' ORDER BY relname
"""
FUNCTIONS = """
SELECT trim(trailing E'\n' FROM pg_get_functiondef(oid)) || ';' AS line FROM pg_proc
WHERE pronamespace = 'public'::regnamespace ORDER BY proname
"""


async def describe(conn: Connection) -> str:
    """Tables by name, each with its columns, constraints, indexes and triggers; then views and functions."""
    tables = await (await conn.execute(TABLES)).fetchall()
    blocks = [await _table(conn, table["oid"], table["name"], table["tail"]) for table in tables]
    blocks += await _lines(conn, VIEWS) + await _lines(conn, FUNCTIONS)
    return "\n".join([HEAD, *(block + "\n" for block in blocks)])


async def _table(conn: Connection, oid: int, name: str, tail: str) -> str:
    inside = await _lines(conn, COLUMNS, oid) + await _lines(conn, CONSTRAINTS, oid)
    extras = "".join(f"\n{line};" for line in await _lines(conn, EXTRAS, oid))
    return f"CREATE TABLE {name} (\n" + ",\n".join(f"    {line}" for line in inside) + f"\n){tail};{extras}"


async def _lines(conn: Connection, query: str, oid: int = 0) -> list[str]:
    return [row["line"] for row in await (await conn.execute(query.encode(), {"oid": oid})).fetchall()]


async def describe_fresh(server_url: str) -> str:
    """Migrate a new database on this server, describe it, and remove it."""
    name = f"schema_{uuid.uuid4().hex}"
    async with await _connect(server_url) as server:
        await server.execute(f"CREATE DATABASE {name}".encode())
        try:
            async with await _connect(urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))) as conn:
                await migrate.migrate(conn, migrate.files())
                return await describe(conn)
        finally:
            await server.execute(f"DROP DATABASE {name}".encode())


async def _connect(url: str) -> Connection:
    conn: Connection = await Connection.connect(url, autocommit=True, row_factory=dict_row)
    return conn


if __name__ == "__main__":
    if SERVER not in os.environ:
        sys.exit(f"{SERVER} is not set; run: python -m simulators.servers -- python -m backend.db.schema")
    FILE.write_text(asyncio.run(describe_fresh(os.environ[SERVER])), "utf-8")
