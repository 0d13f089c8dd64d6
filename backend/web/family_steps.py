"""What is done between the centre, doctors and families. As `steps.py`: may they, do it, write it down."""

from collections.abc import Collection
from datetime import datetime

from backend.cases import store as cases
from backend.cases.lifecycle import Action
from backend.db.pool import Connection
from backend.errors import NotFound
from backend.people import accounts, families
from backend.people.accounts import Account
from backend.people.families import Thing
from backend.web import auth, read


async def write_to_centre(conn: Connection, who: Account, elder_id: str, *, text: str, now: datetime) -> None:
    """A family's message: it waits in the operators' list, and stands in the story of a case that is open. Raises NotFound, BadInput."""
    if "messages" not in await auth.open_for_family(conn, who, elder_id, now=now):
        raise NotFound(f"{who.name} has no consent to messages of {elder_id}")
    async with conn.transaction():
        message_id = await families.write_to_centre(conn, elder_id, text=text.strip(), by=who.name, now=now)
        open_case = next(
            (case for case in await read.elder_cases(conn, elder_id) if case["state"] != "closed" and case["priority"] != "technical"), None
        )
        if open_case is not None:
            detail = {"text": text.strip()}
            await cases.write_down(conn, open_case["id"], by=who.name, action=Action.NOTED, detail=detail, now=now)
        await accounts.audit(conn, by=who.name, action="wrote", subject=f"elder:{elder_id}", now=now, detail={"message": message_id})


async def write_to_family(conn: Connection, who: Account, elder_id: str, *, text: str, to_name: str | None, now: datetime) -> None:
    """A message of the centre's or a doctor's to an elder's family. Raises NotFound, BadInput."""
    await auth.open_elder(conn, who, elder_id, now=now)
    async with conn.transaction():
        message_id = await families.write_to_family(conn, elder_id, text=text.strip(), to_name=to_name, by=who.name, now=now)
        await accounts.audit(conn, by=who.name, action="wrote", subject=f"elder:{elder_id}", now=now, detail={"message": message_id})


async def deal_with(conn: Connection, who: Account, message_id: int, *, now: datetime) -> None:
    """A message of a family's has been dealt with; the family sees so. Raises NotFound."""
    async with conn.transaction():
        elder_id = await families.done(conn, message_id, by=who.name, now=now)
        detail = {"message": message_id}
        await accounts.audit(conn, by=who.name, action="dealt_with", subject=f"elder:{elder_id}", now=now, detail=detail)


async def grant(
    conn: Connection, who: Account, elder_id: str, *, contact: str, sees: Collection[Thing], words: str, ends_at: datetime, now: datetime
) -> str:
    """Write down an elder's consent and make the link that takes it up. Returns its token. Raises NotFound, BadInput."""
    await auth.open_elder(conn, who, elder_id, now=now)
    async with conn.transaction():
        consent_id = await families.grant(
            conn, elder_id, contact=contact, sees=sees, words=words.strip(), ends_at=ends_at, by=who.name, now=now
        )
        detail = {"consent": consent_id, "sees": sorted(sees), "until": ends_at.isoformat()}
        await accounts.audit(conn, by=who.name, action="consent_written", subject=f"elder:{elder_id}", now=now, detail=detail)
        return await families.invite(conn, elder_id, consent_id, by=who.name, now=now)


async def invite(conn: Connection, who: Account, elder_id: str, consent_id: int, *, now: datetime) -> str:
    """Make a new link for a consent. Returns its token. Raises NotFound."""
    await auth.open_elder(conn, who, elder_id, now=now)
    async with conn.transaction():
        token = await families.invite(conn, elder_id, consent_id, by=who.name, now=now)
        detail = {"consent": consent_id}
        await accounts.audit(conn, by=who.name, action="invited", subject=f"elder:{elder_id}", now=now, detail=detail)
    return token


async def withdraw(conn: Connection, who: Account, elder_id: str, consent_id: int, *, now: datetime) -> None:
    """The elder has withdrawn a consent: nothing more is seen by it. Raises NotFound."""
    await auth.open_elder(conn, who, elder_id, now=now)
    async with conn.transaction():
        await families.withdraw(conn, elder_id, consent_id, by=who.name, now=now)
        detail = {"consent": consent_id}
        await accounts.audit(conn, by=who.name, action="consent_withdrawn", subject=f"elder:{elder_id}", now=now, detail=detail)
