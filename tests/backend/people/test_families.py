"""Families in the file of people: the demo's own file gives the daughter her rights, and never brings back what was withdrawn."""

from datetime import UTC, datetime, timedelta
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
    assert [(row["elder_id"], set(row["sees"])) for row in await rows(conn, RIGHTS)] == [("elder-03", set(families.THINGS))]
    consent = await one(conn, "SELECT id FROM family_consent")
    await families.withdraw(conn, "elder-03", consent["id"], by="operator", now=NOW)
    await load(conn)
    assert await rows(conn, RIGHTS) == []


async def test_a_consent_lasts_to_the_end_of_its_last_day_where_the_elder_lives(conn: Connection) -> None:
    file = people.read_file(FILE)
    [account] = [each for each in file.account if each.follows]
    last = datetime.now(UTC).date() + timedelta(days=30)
    follows = [each.model_copy(update={"ends_on": last}) for each in account.follows]
    whole = [each.model_copy(update={"follows": follows}) if each is account else each for each in file.account]
    async with conn.transaction():
        await people.load(conn, file.model_copy(update={"account": whole}), folder=FILE.parent)
    shown = await one(conn, "SELECT (ends_at AT TIME ZONE 'Asia/Shanghai')::text AS ends FROM family_consent")
    assert shown["ends"] == f"{last + timedelta(days=1)} 00:00:00"
