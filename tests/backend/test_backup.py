"""Backup and restore: the very commands of docs/storage.md, from a living database into an empty server."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.rows import dict_row

from backend.db import migrate
from backend.db.pool import Connection
from contract.events import EventKind
from simulators.servers import Database
from tests.backend.readings.history import compact_all, everything
from tests.backend.street import NOW, batch, event, letter, one, rows, seconds, write

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/storage.md"
WHOLE = ("elder", "series", "gateway_log", "event", "alert", "alert_step", "rollup_day", "rollup_minute", "retention")


def commands(title: str) -> str:
    """The lines below a title of the document."""
    found = re.search(rf"^{title}[^\n]*:\n```sh\n(.*?)```", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def run(lines: str, folder: Path, programs: Path, **variables: str) -> None:
    """Run lines as an administrator would, where the server's programs are on the path."""
    environment = os.environ | variables | {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-euc", lines], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture
async def programs(street: Connection) -> Path:
    """Where the programs of the running server are."""
    path = Path((await one(street, "SELECT setting FROM pg_config WHERE name = 'BINDIR'"))["setting"])
    if not (path / "pg_dump").exists() or not (path / "initdb").exists():
        pytest.skip("the programs of the server under test are not on this machine")
    return path


@pytest.fixture
async def preload(street: Connection) -> str:
    found = await rows(street, "SELECT extname FROM pg_extension WHERE extname = 'timescaledb'")
    return "timescaledb" if found else ""


@pytest.fixture
def empty_server(programs: Path, preload: str) -> Iterator[Database]:
    with Database(binaries=programs, preload=preload, is_durable=False) as database:
        yield database


async def contents(conn: Connection) -> dict[str, Any]:
    """Every reading to the last bit, and whole tables."""
    found: dict[str, Any] = {name: sorted(map(str, await rows(conn, f"SELECT to_jsonb(one) AS row FROM {name} AS one"))) for name in WHOLE}
    return found | {"everything": await everything(conn)}


async def test_a_backup_is_restored_into_an_empty_server(
    street: Connection, database_url: str, programs: Path, preload: str, empty_server: Database, tmp_path: Path
) -> None:
    for minute in range(5):
        measured = batch([97.5, 96, 95.25], first=1 + 3 * minute, start_at=NOW + seconds(60 * minute))
        await write(street, letter(measured), now=NOW + seconds(60 * minute))
    await compact_all(street)
    await write(street, letter(batch([86] * 13, first=100)), letter(event(EventKind.FALL, sequence=120)))
    before = await contents(street)
    run(commands("Backup"), tmp_path, programs, SOURCE=database_url)
    await write(street, letter(batch([99], first=200)))
    title = "Restore, TimescaleDB" if preload else "Restore, plain PostgreSQL"
    run(commands(title), tmp_path, programs, TARGET=empty_server.url)
    conn: Connection = await Connection.connect(empty_server.url, autocommit=True, row_factory=dict_row)
    async with conn:
        assert await contents(conn) == before
        assert await migrate.migrate(conn, migrate.files()) == []
        await write(conn, letter(batch([99], first=200)))
        assert await compact_all(conn) == 14
        assert len(await everything(conn)) == len(before["everything"]) + 1
