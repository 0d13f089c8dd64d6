"""Families in the file of people: the demo's own file gives the daughter her rights, and never brings back what was withdrawn."""

from pathlib import Path

import pytest

import simulators.demo
from backend.db.pool import Connection
from backend.people import families
from backend.people import store as people
from tests.backend.street import NOW, one, rows

pytestmark = pytest.mark.store

FILE = Path(simulators.demo.__file__).parent / "people.toml"
RIGHTS = "SELECT elder_id, sees FROM family_right(now()) WHERE account_name = 'family'"


async def load(conn: Connection) -> None:
    async with conn.transaction():
        await people.load(conn, people.read_file(FILE), folder=FILE.parent)


async def test_a_file_that_is_loaded_again_gives_nothing_back_that_was_withdrawn(conn: Connection) -> None:
    await load(conn)
    await load(conn)
    assert [(row["elder_id"], set(row["sees"])) for row in await rows(conn, RIGHTS)] == [("elder-01", set(families.THINGS))]
    consent = await one(conn, "SELECT id FROM family_consent")
    await families.withdraw(conn, "elder-01", consent["id"], by="operator", now=NOW)
    await load(conn)
    assert await rows(conn, RIGHTS) == []
