"""Accounts and their sessions."""

import pytest

from backend.db.pool import Connection
from backend.errors import BadInput
from backend.people import accounts
from backend.people.accounts import Account, Refused
from tests.backend.street import NOW, settle

pytestmark = pytest.mark.store


async def add(conn: Connection, password: str = "a long password", title: str = "李医生") -> None:
    await accounts.add(conn, name="li", role="doctor", title=title, password=password, doctor_id="doctor-li")


@pytest.fixture
async def street(conn: Connection) -> Connection:
    await settle(conn)
    await add(conn)
    return conn


async def test_a_doctors_account_knows_doctor_and_team(street: Connection) -> None:
    found = await accounts.verify(street, "li", "a long password", now=NOW)
    assert found == Account("li", "doctor", "李医生", "doctor-li", "team-a", "zh")


async def test_only_hashes_are_stored(street: Connection) -> None:
    token = await accounts.open_session(street, "li", now=NOW)
    row = await (await street.execute("SELECT password_hash, token_hash FROM account JOIN session ON account_name = name")).fetchone()
    assert row is not None
    assert row["password_hash"].startswith("$argon2id$")
    assert token.encode() not in row["token_hash"]


async def test_adding_an_account_again_changes_it_and_keeps_its_sessions(street: Connection) -> None:
    token = await accounts.open_session(street, "li", now=NOW)
    await add(street, title="李主任")
    found = await accounts.find_session(street, token, now=NOW)
    assert found is not None
    assert found.title == "李主任"


async def test_a_new_password_ends_all_sessions(street: Connection) -> None:
    token = await accounts.open_session(street, "li", now=NOW)
    await add(street, password="another password")
    assert await accounts.find_session(street, token, now=NOW) is None
    assert await accounts.verify(street, "li", "a long password", now=NOW) == Refused(None)


async def test_a_new_session_sweeps_expired_ones_away(street: Connection) -> None:
    await accounts.open_session(street, "li", now=NOW - accounts.SESSION_AGE_MAX)
    await accounts.open_session(street, "li", now=NOW)
    row = await (await street.execute("SELECT count(*) AS count FROM session")).fetchone()
    assert row == {"count": 1}


async def test_a_wrong_token_is_nobody(street: Connection) -> None:
    assert await accounts.find_session(street, "not a token", now=NOW) is None


@pytest.mark.parametrize("name", [*accounts.RESERVED, "doctor-li"])
async def test_nobody_takes_a_name_that_histories_read_as_somebody_elses(street: Connection, name: str) -> None:
    with pytest.raises(BadInput, match="is kept for the system or for a doctor"):
        await accounts.create(street, name=name, role="family", title="王芳 女儿", password="a long password")


async def test_an_account_of_the_file_has_no_other_doctors_id(street: Connection) -> None:
    await accounts.check_names(street)
    await street.execute("UPDATE account SET name = 'doctor-li'")
    await accounts.check_names(street)  # its own
    await street.execute(
        "INSERT INTO account (name, role, title, password_hash) SELECT id, 'admin', '', '' FROM doctor WHERE id <> 'doctor-li' LIMIT 1"
    )
    with pytest.raises(BadInput, match="has the id of a doctor"):
        await accounts.check_names(street)
    with pytest.raises(BadInput, match="what the system writes of itself"):
        await accounts.add(street, name="system", role="admin", title="", password="a long password")
