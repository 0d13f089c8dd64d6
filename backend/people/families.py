"""Families: what an elder lets whom see, the invitations that make their accounts, and messages with the centre. The caller commits.

A consent belongs to a contact of the elder's, by name: when the person is no longer a contact, nothing is seen any more. What is in force
at an instant is said by the database's function `family_right` alone.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.errors import BadInput, NotFound
from backend.people import accounts

Row = dict[str, Any]

Thing = Literal["state", "values", "alerts", "visits", "findings", "messages"]
THINGS: tuple[Thing, ...] = get_args(Thing)
"""What may be seen, in the order of the page."""

INVITATION_AGE = timedelta(hours=24)
"""Long enough for somebody who is at work, too short for a link that lies about."""
PASSWORD_MIN = 8
DAYS_MAX = 3 * 366
MESSAGE_MAX = 1_000
MESSAGES_MAX = 5
MESSAGES_WITHIN = timedelta(hours=1)
"""A family may write this often within this time: enough for a talk, too little to drown operators."""
LIST_MAX = 50

IS_CONTACT = "SELECT FROM contact WHERE elder_id = %(elder_id)s AND name = %(contact)s"
GRANT = """
INSERT INTO family_consent (elder_id, contact_name, account_name, sees, consented_to, written_by, written_at, begins_at, ends_at)
VALUES (%(elder_id)s, %(contact)s, %(account)s, %(sees)s, %(words)s, %(by)s, %(now)s, %(now)s, %(ends_at)s) RETURNING id
"""
WITHDRAW = """
UPDATE family_consent SET withdrawn_at = %(now)s, withdrawn_by = %(by)s
WHERE id = %(id)s AND elder_id = %(elder_id)s AND withdrawn_at IS NULL
"""
CONSENTS = """
SELECT c.id, c.contact_name, c.account_name, a.title, c.sees, c.consented_to, coalesce(w.title, c.written_by) AS written_by, c.written_at,
       c.begins_at, c.ends_at, c.withdrawn_at, coalesce(x.title, c.withdrawn_by) AS withdrawn_by,
       c.withdrawn_at IS NULL AND %(now)s < c.ends_at AS is_in_force,
       EXISTS (SELECT FROM contact p WHERE p.elder_id = c.elder_id AND p.name = c.contact_name) AS is_contact,
       (SELECT max(i.expires_at) FROM family_invitation i WHERE i.consent_id = c.id AND i.used_at IS NULL AND i.expires_at > %(now)s)
           AS invited_until,
       (SELECT max(s.at) FROM audit s WHERE s.subject = 'elder:' || c.elder_id AND s.account_name = c.account_name) AS looked_at
FROM family_consent c
LEFT JOIN account a ON a.name = c.account_name
LEFT JOIN account w ON w.name = c.written_by
LEFT JOIN account x ON x.name = c.withdrawn_by
WHERE c.elder_id = %(elder_id)s ORDER BY c.withdrawn_at IS NOT NULL, c.id DESC LIMIT 100
"""
OPEN_CONSENT = """
SELECT id FROM family_consent WHERE id = %(id)s AND elder_id = %(elder_id)s AND withdrawn_at IS NULL AND ends_at > %(now)s
"""
INVITE = """
INSERT INTO family_invitation (token_hash, consent_id, made_by, made_at, expires_at)
VALUES (%(token_hash)s, %(id)s, %(by)s, %(now)s, %(expires_at)s)
"""
END_INVITATIONS = "UPDATE family_invitation SET expires_at = %(now)s WHERE consent_id = %(id)s AND used_at IS NULL AND expires_at > %(now)s"
INVITED = """
SELECT i.token_hash, c.id AS consent_id, c.elder_id, c.contact_name, c.account_name, p.relation
FROM family_invitation i
JOIN family_consent c ON c.id = i.consent_id
JOIN contact p ON p.elder_id = c.elder_id AND p.name = c.contact_name
WHERE i.token_hash = %(token_hash)s AND i.used_at IS NULL AND i.expires_at > %(now)s AND c.withdrawn_at IS NULL AND c.ends_at > %(now)s
ORDER BY p.position LIMIT 1
"""
USE = """
UPDATE family_invitation SET used_at = %(now)s, used_by = %(name)s
WHERE token_hash = %(token_hash)s AND used_at IS NULL AND expires_at > %(now)s
"""
BIND = "UPDATE family_consent SET account_name = %(name)s WHERE id = %(id)s AND (account_name IS NULL OR account_name = %(name)s)"
EVER_BOUND = "SELECT FROM family_consent WHERE elder_id = %(elder_id)s AND account_name = %(account)s"
MEMBERS = """
SELECT r.account_name, a.title FROM family_right(%(now)s) r JOIN account a ON a.name = r.account_name
WHERE r.elder_id = %(elder_id)s AND 'messages' = ANY(r.sees) ORDER BY a.title
"""
HOLD_WRITER = "SELECT FROM account WHERE name = %(by)s FOR UPDATE"
WRITTEN = "SELECT count(*) AS written FROM family_message WHERE by = %(by)s AND is_from_family AND at > %(since)s"
WRITE = """
INSERT INTO family_message (elder_id, at, by, is_from_family, to_name, text)
VALUES (%(elder_id)s, %(now)s, %(by)s, %(is_from_family)s, %(to_name)s, %(text)s) RETURNING id
"""
MESSAGES = """
SELECT m.id, m.at, m.by, a.title AS by_title, m.is_from_family, m.to_name, t.title AS to_title, m.text, m.done_at,
       coalesce(d.title, m.done_by) AS done_title
FROM family_message m
JOIN account a ON a.name = m.by
LEFT JOIN account t ON t.name = m.to_name
LEFT JOIN account d ON d.name = m.done_by
WHERE m.elder_id = %(elder_id)s
    AND (%(reader)s::text IS NULL OR m.by = %(reader)s OR NOT m.is_from_family AND (m.to_name IS NULL OR m.to_name = %(reader)s))
ORDER BY m.id DESC LIMIT %(limit)s
"""
WAITING = """
SELECT m.id, m.elder_id, e.name AS elder_name, m.at, a.title AS by_title, m.text
FROM family_message m JOIN elder e ON e.id = m.elder_id JOIN account a ON a.name = m.by
WHERE m.is_from_family AND m.done_at IS NULL ORDER BY m.at, m.id LIMIT %(limit)s
"""
COUNT_WAITING = "SELECT count(*) AS waiting FROM family_message WHERE is_from_family AND done_at IS NULL"
DONE = """
UPDATE family_message SET done_at = %(now)s, done_by = %(by)s WHERE id = %(id)s AND is_from_family AND done_at IS NULL RETURNING elder_id
"""


@dataclass(frozen=True, slots=True)
class Joined:
    """The account that an invitation led to, made by it or with a new password, and the elder."""

    account: str
    elder_id: str
    is_new: bool


async def grant(
    conn: Connection, elder_id: str, *, contact: str, sees: Collection[Thing], words: str, ends_at: datetime, by: str, now: datetime,
    account: str | None = None,
) -> int:  # fmt: skip
    """Write down what an elder lets a contact see, in the words consented to. Returns the consent's id. Raises BadInput.

    `account`: of a member of the family who has one already; without it an invitation binds one.
    """
    values = {"elder_id": elder_id, "contact": contact, "account": account, "sees": [thing for thing in THINGS if thing in sees]}
    if await (await conn.execute(IS_CONTACT, values)).fetchone() is None:
        raise BadInput("Choose one of the elder's contacts.")
    if not values["sees"] or not words:
        raise BadInput("Choose what may be seen, and write down the elder's words.")
    if not timedelta(0) < ends_at - now <= timedelta(days=DAYS_MAX):
        raise BadInput("A consent ends after today, and within three years.")
    row = await (await conn.execute(GRANT, values | {"words": words, "by": by, "now": now, "ends_at": ends_at})).fetchone()
    assert row is not None
    await hint(conn, LIVE_CHANNEL)
    return int(row["id"])


async def grant_from_file(conn: Connection, elder_id: str, *, contact: str, sees: Collection[Thing], words: str, ends_at: datetime,
                          account: str, now: datetime) -> None:  # fmt: skip
    """A consent that the file of people states; once there was any for this account and elder, what was done since then counts."""
    if await (await conn.execute(EVER_BOUND, {"elder_id": elder_id, "account": account})).fetchone() is None:
        await grant(conn, elder_id, contact=contact, sees=sees, words=words, ends_at=ends_at, by="file", now=now, account=account)


async def withdraw(conn: Connection, elder_id: str, consent_id: int, *, by: str, now: datetime) -> None:
    """End a consent: nothing is seen from this instant on, and its links lead nowhere. Raises NotFound when it was ended before."""
    if (await conn.execute(WITHDRAW, {"id": consent_id, "elder_id": elder_id, "by": by, "now": now})).rowcount == 0:
        raise NotFound(f"elder {elder_id} has no consent {consent_id} in force")
    await conn.execute(END_INVITATIONS, {"id": consent_id, "now": now})
    await hint(conn, LIVE_CHANNEL)


async def consents(conn: Connection, elder_id: str, *, now: datetime) -> list[Row]:
    """All consents of an elder, those not withdrawn first, with who wrote them and when the account last looked."""
    return await _all(conn, CONSENTS, {"elder_id": elder_id, "now": now})


async def invite(conn: Connection, elder_id: str, consent_id: int, *, by: str, now: datetime) -> str:
    """Make a link's token for a consent in force; earlier ones of it end. Raises NotFound.

    Where the consent has an account already, the link sets a new password for it.
    """
    values = {"id": consent_id, "elder_id": elder_id, "now": now}
    if await (await conn.execute(OPEN_CONSENT, values)).fetchone() is None:
        raise NotFound(f"elder {elder_id} has no consent {consent_id} in force")
    await conn.execute(END_INVITATIONS, values)
    token = secrets.token_urlsafe(32)
    await conn.execute(INVITE, values | {"token_hash": accounts.digest(token), "by": by, "expires_at": now + INVITATION_AGE})
    return token


async def invited(conn: Connection, token: str, *, now: datetime) -> Row | None:
    """The consent that a link is for; None when it is unknown, used, too old, or the consent has ended."""
    return await (await conn.execute(INVITED, {"token_hash": accounts.digest(token), "now": now})).fetchone()


async def join(conn: Connection, token: str, *, name: str, password: str, now: datetime) -> Joined:
    """Take up an invitation: make the account, or set the password of the one that the consent has.

    Raises NotFound for a link that leads nowhere (any more), BadInput for a name that is taken or a password too short.
    """
    if len(password) < PASSWORD_MIN:
        raise BadInput("A password has at least 8 characters.")
    found = await _use(conn, token, name, now=now)
    if found["account_name"] is not None:
        await accounts.set_password(conn, found["account_name"], password)
        return Joined(found["account_name"], found["elder_id"], is_new=False)
    title = f"{found['contact_name']} {found['relation']}"
    await accounts.create(conn, name=name, role="family", title=title, password=password)
    await conn.execute(BIND, {"id": found["consent_id"], "name": name})
    return Joined(name, found["elder_id"], is_new=True)


async def join_with(conn: Connection, token: str, *, name: str, now: datetime) -> None:
    """Take up an invitation with the family account that is signed in: one account may follow several elders. Raises NotFound."""
    found = await _use(conn, token, name, now=now)
    if (await conn.execute(BIND, {"id": found["consent_id"], "name": name})).rowcount == 0:
        raise NotFound("this invitation belongs to another account")
    await hint(conn, LIVE_CHANNEL)


async def _use(conn: Connection, token: str, name: str, *, now: datetime) -> Row:
    """The database decides who of two is first."""
    found = await invited(conn, token, now=now)
    values = {"token_hash": accounts.digest(token), "name": (found and found["account_name"]) or name, "now": now}
    if found is None or (await conn.execute(USE, values)).rowcount == 0:
        raise NotFound("this invitation leads nowhere")
    return found


async def members(conn: Connection, elder_id: str, *, now: datetime) -> list[Row]:
    """Who of the family may read messages about an elder now."""
    return await _all(conn, MEMBERS, {"elder_id": elder_id, "now": now})


async def write_to_centre(conn: Connection, elder_id: str, *, text: str, by: str, now: datetime) -> int:
    """A message of the family's. Returns its id. Raises BadInput for an empty one, or more than MESSAGES_MAX within MESSAGES_WITHIN."""
    await conn.execute(HOLD_WRITER, {"by": by})
    row = await (await conn.execute(WRITTEN, {"by": by, "since": now - MESSAGES_WITHIN})).fetchone()
    assert row is not None
    if row["written"] >= MESSAGES_MAX:
        raise BadInput("You have written five times within an hour. In an emergency call 120; the centre reads what you wrote.")
    return await _write(conn, {"elder_id": elder_id, "text": text, "by": by, "now": now, "is_from_family": True, "to_name": None})


async def write_to_family(conn: Connection, elder_id: str, *, text: str, to_name: str | None, by: str, now: datetime) -> int:
    """A message of the centre's or a doctor's, to one member of the family or to all. Returns its id. Raises BadInput."""
    if to_name is not None and to_name not in {member["account_name"] for member in await members(conn, elder_id, now=now)}:
        raise BadInput("Choose somebody of the family who may read messages.")
    return await _write(conn, {"elder_id": elder_id, "text": text, "by": by, "now": now, "is_from_family": False, "to_name": to_name})


async def _write(conn: Connection, values: Row) -> int:
    if not values["text"]:
        raise BadInput("Write something first.")
    row = await (await conn.execute(WRITE, values)).fetchone()
    assert row is not None
    await hint(conn, LIVE_CHANNEL)
    return int(row["id"])


async def messages(conn: Connection, elder_id: str, *, reader: str | None = None) -> list[Row]:
    """The newest LIST_MAX messages about an elder, newest first; for a `reader` of the family their own and what is meant for them."""
    return await _all(conn, MESSAGES, {"elder_id": elder_id, "reader": reader, "limit": LIST_MAX})


async def waiting(conn: Connection) -> list[Row]:
    """Messages of families that nobody has dealt with, oldest first, at most LIST_MAX."""
    return await _all(conn, WAITING, {"limit": LIST_MAX})


async def count_waiting(conn: Connection) -> int:
    """How many there are."""
    row = await (await conn.execute(COUNT_WAITING)).fetchone()
    return int(row["waiting"]) if row else 0


async def done(conn: Connection, message_id: int, *, by: str, now: datetime) -> str:
    """Somebody has dealt with a message. Returns its elder. Raises NotFound when it is none, or was done before."""
    row = await (await conn.execute(DONE, {"id": message_id, "by": by, "now": now})).fetchone()
    if row is None:
        raise NotFound(f"message {message_id} waits for nobody")
    return str(row["elder_id"])


async def _all(conn: Connection, statement: str, values: Row) -> list[Row]:
    return await (await conn.execute(statement, values)).fetchall()
