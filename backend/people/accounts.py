"""Accounts: who may sign in, their sessions, and the trail of what they looked at and did. The caller owns the transaction.

Passwords are argon2id hashes with the library's defaults (RFC 9106, second recommended option: 64 MiB). A session is a random token of
which only the SHA-256 is stored, so that nobody who reads the table can sign in.
"""

import asyncio
import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from backend.db.pool import Connection
from backend.errors import BadInput

Role = Literal["operator", "doctor", "admin", "family"]

NAME = r"[a-z0-9][a-z0-9_.-]{0,39}"
RESERVED = ("system", "file", "import", "command")
"""What the trail and the histories write as `by` of what no account did."""
SESSION_AGE_MAX = timedelta(hours=12)
"""A shift of eight hours and its hand-over, so that nobody is signed out in the middle of an alarm."""
FAILURES_MAX = 5
LOCK = timedelta(seconds=60)
"""Short on purpose: guessing stays hopeless (5 tries a minute), and a tired operator who mistypes is not locked out of a night."""
VIEW_MERGE = timedelta(minutes=5)
"""Looks of one person at one subject within this time are one line of the trail: pages refresh themselves every few seconds."""

FIND = """
SELECT a.name, a.role, a.title, a.doctor_id, d.team_id, a.language, a.edits_rules, a.password_hash, a.locked_until
FROM account a LEFT JOIN doctor d ON d.id = a.doctor_id WHERE a.name = %(name)s AND a.is_active
"""
UPSERT = """
INSERT INTO account AS a (name, role, title, doctor_id, password_hash, language, edits_rules)
VALUES (%(name)s, %(role)s, %(title)s, %(doctor_id)s, %(password_hash)s, %(language)s, coalesce(%(edits_rules)s, false))
ON CONFLICT (name) DO UPDATE SET role = EXCLUDED.role, title = EXCLUDED.title, doctor_id = EXCLUDED.doctor_id,
    password_hash = EXCLUDED.password_hash, language = EXCLUDED.language, failed_count = 0, locked_until = NULL,
    edits_rules = coalesce(%(edits_rules)s, a.edits_rules)
"""
CREATE = """
INSERT INTO account (name, role, title, password_hash) VALUES (%(name)s, %(role)s, %(title)s, %(password_hash)s) ON CONFLICT DO NOTHING
"""
IS_DOCTOR = "SELECT FROM doctor WHERE id = %(name)s"
ANOTHER_DOCTORS = "SELECT a.name FROM account a JOIN doctor d ON d.id = a.name WHERE a.doctor_id IS DISTINCT FROM d.id ORDER BY 1 LIMIT 1"
SET_PASSWORD = "UPDATE account SET password_hash = %(password_hash)s, failed_count = 0, locked_until = NULL WHERE name = %(name)s"
OLD_HASH = "SELECT password_hash FROM account WHERE name = %(name)s FOR UPDATE"
SUCCEED = "UPDATE account SET failed_count = 0, locked_until = NULL WHERE name = %(name)s"
FAIL = """
UPDATE account SET failed_count = (failed_count + 1) %% %(failures_max)s,
    locked_until = CASE WHEN failed_count + 1 >= %(failures_max)s THEN %(locked_until)s ELSE NULL END
WHERE name = %(name)s RETURNING locked_until
"""
SET_PIN = "UPDATE account SET pin_hash = %(pin_hash)s, pin_failed_count = 0, pin_locked_until = NULL WHERE name = %(name)s"
FIND_PIN = "SELECT pin_hash, pin_locked_until FROM account WHERE name = %(name)s"
PIN_SUCCEEDS = "UPDATE account SET pin_failed_count = 0, pin_locked_until = NULL WHERE name = %(name)s"
PIN_FAILS = """
UPDATE account SET pin_failed_count = (pin_failed_count + 1) %% %(failures_max)s,
    pin_locked_until = CASE WHEN pin_failed_count + 1 >= %(failures_max)s THEN %(locked_until)s ELSE NULL END
WHERE name = %(name)s
"""
SET_LANGUAGE = "UPDATE account SET language = %(language)s WHERE name = %(name)s"
EVERYBODY = "SELECT name, role, title, doctor_id, language, is_active, locked_until FROM account ORDER BY role, name"
OPEN_SESSION = """
INSERT INTO session (token_hash, account_name, created_at, expires_at) VALUES (%(token_hash)s, %(name)s, %(now)s, %(expires_at)s)
"""
FIND_SESSION = """
SELECT a.name, a.role, a.title, a.doctor_id, d.team_id, a.language, a.edits_rules
FROM session s JOIN account a ON a.name = s.account_name LEFT JOIN doctor d ON d.id = a.doctor_id
WHERE s.token_hash = %(token_hash)s AND s.expires_at > %(now)s AND a.is_active
"""
CLOSE_SESSION = "DELETE FROM session WHERE token_hash = %(token_hash)s"
CLOSE_SESSIONS = "DELETE FROM session WHERE account_name = %(name)s"
FORGET_EXPIRED = "DELETE FROM session WHERE expires_at <= %(now)s"
AUDIT = "INSERT INTO audit (at, account_name, action, subject, detail) VALUES (%(now)s, %(by)s, %(action)s, %(subject)s, %(detail)s)"
AUDIT_VIEW = """
INSERT INTO audit (at, account_name, action, subject, detail)
SELECT %(now)s, %(by)s, 'viewed', %(subject)s, %(detail)s::jsonb
WHERE NOT EXISTS (
    SELECT FROM audit
    WHERE subject = %(subject)s AND at > %(since)s AND account_name = %(by)s AND action = 'viewed' AND detail = %(detail)s::jsonb
)
"""

_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in. Doctors have `doctor_id` and `team_id`, nobody else has."""

    name: str
    role: Role
    title: str
    doctor_id: str | None
    team_id: str | None
    language: str
    edits_rules: bool = False
    """The medical lead: may write and approve rules."""
    way: str = ""
    """How it came, where not by signing in: `link` of a message."""

    @property
    def leads_rules(self) -> bool:
        """An administrator, or the medical lead."""
        return self.role == "admin" or self.edits_rules


@dataclass(frozen=True, slots=True)
class Refused:
    """A sign-in that failed. `locked_until` is set when the account takes no more tries until then."""

    locked_until: datetime | None


async def add(
    conn: Connection, *, name: str, role: Role, title: str, password: str, doctor_id: str | None = None, language: str = "zh",
    edits_rules: bool | None = None,
) -> None:  # fmt: skip
    """Add an account, or bring an existing one up to date. A changed password ends the account's sessions. Raises BadInput for a name that
    stands for no person. `edits_rules` None: as it is."""
    if name in RESERVED:
        raise BadInput(f"{name} is what the system writes of itself: give the account another name")
    row = await (await conn.execute(OLD_HASH, {"name": name})).fetchone()
    is_same = row is not None and await asyncio.to_thread(_matches, row["password_hash"], password)
    password_hash = row["password_hash"] if row is not None and is_same else await asyncio.to_thread(_hasher.hash, password)
    values = {"name": name, "role": role, "title": title, "doctor_id": doctor_id, "language": language, "edits_rules": edits_rules}
    await conn.execute(UPSERT, values | {"password_hash": password_hash})
    if not is_same:
        await conn.execute(CLOSE_SESSIONS, {"name": name})


async def create(conn: Connection, *, name: str, role: Role, title: str, password: str) -> None:
    """Add an account under a name that is free. Raises BadInput when it is taken, is none, or would be read as somebody else's: the
    system's own, or a doctor's."""
    if not re.fullmatch(NAME, name):
        raise BadInput("A name has up to 40 small letters, digits, dots or dashes.")
    if name in RESERVED or await (await conn.execute(IS_DOCTOR, {"name": name})).fetchone() is not None:
        raise BadInput("This name is kept for the system or for a doctor: choose another one.")
    values = {"name": name, "role": role, "title": title, "password_hash": await asyncio.to_thread(_hasher.hash, password)}
    if (await conn.execute(CREATE, values)).rowcount == 0:
        raise BadInput("This name is taken: choose another one.")


async def check_names(conn: Connection) -> None:
    """Raises BadInput when an account has the id of a doctor that is not its own: histories would call the one by the other's name."""
    row = await (await conn.execute(ANOTHER_DOCTORS)).fetchone()
    if row is not None:
        raise BadInput(f"account {row['name']} has the id of a doctor who is somebody else: give one of the two another name")


async def set_password(conn: Connection, name: str, password: str) -> None:
    """Change a password; its sessions end."""
    await conn.execute(SET_PASSWORD, {"name": name, "password_hash": await asyncio.to_thread(_hasher.hash, password)})
    await conn.execute(CLOSE_SESSIONS, {"name": name})


async def verify(conn: Connection, name: str, password: str, *, now: datetime) -> Account | Refused:
    """Check a password. An unknown name costs the same time as a wrong password; FAILURES_MAX failures in a row lock for LOCK."""
    row = await (await conn.execute(FIND, {"name": name})).fetchone()
    if row is not None and row["locked_until"] is not None and row["locked_until"] > now:
        return Refused(row["locked_until"])
    password_hash = row["password_hash"] if row else await asyncio.to_thread(_hash_of_nobody)
    is_right = await asyncio.to_thread(_matches, password_hash, password)
    if row is None:
        return Refused(None)
    if not is_right:
        values = {"name": name, "failures_max": FAILURES_MAX, "locked_until": now + LOCK}
        failed = await (await conn.execute(FAIL, values)).fetchone()
        return Refused(failed["locked_until"] if failed else None)
    await conn.execute(SUCCEED, {"name": name})
    return _account(row)


async def find(conn: Connection, name: str) -> Account | None:
    """An account in use, by its name."""
    row = await (await conn.execute(FIND, {"name": name})).fetchone()
    return _account(row) if row else None


async def everybody(conn: Connection) -> list[dict[str, Any]]:
    """All accounts for the administrator's list, without their hashes."""
    return await (await conn.execute(EVERYBODY)).fetchall()


async def set_language(conn: Connection, name: str, language: str) -> None:
    """Remember the language a person chose, `zh` or `en`."""
    await conn.execute(SET_LANGUAGE, {"name": name, "language": language})


async def set_pin(conn: Connection, name: str, pin: str) -> None:
    """Set the PIN that signs records, at least PIN_DIGITS_MIN digits (the caller checks)."""
    await conn.execute(SET_PIN, {"name": name, "pin_hash": await asyncio.to_thread(_hasher.hash, pin)})


async def has_pin(conn: Connection, name: str) -> bool:
    """True when the account signs with a PIN."""
    row = await (await conn.execute(FIND_PIN, {"name": name})).fetchone()
    return row is not None and row["pin_hash"] is not None


async def check_pin(conn: Connection, name: str, pin: str, *, now: datetime) -> bool:
    """True for the right PIN, and for any where the account has none. FAILURES_MAX wrong ones in a row lock it for LOCK."""
    row = await (await conn.execute(FIND_PIN, {"name": name})).fetchone()
    if row is None or row["pin_hash"] is None:
        return row is not None
    if row["pin_locked_until"] is not None and row["pin_locked_until"] > now:
        return False
    is_right = await asyncio.to_thread(_matches, row["pin_hash"], pin)
    values = {"name": name, "failures_max": FAILURES_MAX, "locked_until": now + LOCK}
    await conn.execute(PIN_SUCCEEDS if is_right else PIN_FAILS, values)
    return is_right


async def open_session(conn: Connection, name: str, *, now: datetime) -> str:
    """Begin a session of at most SESSION_AGE_MAX. Returns its token; only the token's hash is stored."""
    token = secrets.token_urlsafe(32)
    await conn.execute(FORGET_EXPIRED, {"now": now})
    values = {"token_hash": digest(token), "name": name, "now": now, "expires_at": now + SESSION_AGE_MAX}
    await conn.execute(OPEN_SESSION, values)
    return token


async def find_session(conn: Connection, token: str, *, now: datetime) -> Account | None:
    """Whose session this is; None when it is unknown, expired, or its account was switched off."""
    row = await (await conn.execute(FIND_SESSION, {"token_hash": digest(token), "now": now})).fetchone()
    return _account(row) if row else None


async def close_session(conn: Connection, token: str) -> None:
    """End a session; an unknown token is none."""
    await conn.execute(CLOSE_SESSION, {"token_hash": digest(token)})


async def audit(conn: Connection, *, by: str, action: str, subject: str, now: datetime, detail: dict[str, Any] | None = None) -> None:
    """Write one line of the trail. `subject` is `elder:ID`, `alert:ID`, `visit:ID` or empty; `detail` holds no vital values,
    and no names but such as were searched for."""
    values = {"by": by, "action": action, "subject": subject, "now": now, "detail": json.dumps(detail or {})}
    await conn.execute(AUDIT, values)


async def audit_view(conn: Connection, *, by: str, subject: str, now: datetime, detail: dict[str, Any] | None = None) -> None:
    """Write that somebody looked at a subject; once per VIEW_MERGE for the same detail."""
    values = {"by": by, "subject": subject, "now": now, "since": now - VIEW_MERGE, "detail": json.dumps(detail or {})}
    await conn.execute(AUDIT_VIEW, values)


def _account(row: dict[str, Any]) -> Account:
    return Account(row["name"], row["role"], row["title"], row["doctor_id"], row["team_id"], row["language"], row["edits_rules"])


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


@cache
def _hash_of_nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(16))


def digest(token: str) -> bytes:
    """What is stored of a secret token: its SHA-256, of which nobody can make the token."""
    return hashlib.sha256(token.encode()).digest()
