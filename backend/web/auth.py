"""Who is asking, and what they may see: sessions by cookie, roles, and the trail of looks and refusals."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Response

from backend.cases.report import Answers
from backend.config import Config
from backend.db.pool import Connection, Pool
from backend.errors import NotFound
from backend.people import accounts
from backend.people.accounts import Account, Refused, Role
from backend.web import read
from backend.web.board import Board
from backend.web.kept import Kept
from backend.web.language import Language, Translator, choose, translator
from backend.web.live import Live
from backend.web.read import Row
from backend.web.readers import Readers, readers_of

SESSION_COOKIE = "jiahu_session"
LANGUAGE_COOKIE = "jiahu_language"
LANGUAGE_COOKIE_AGE_S = 365 * 24 * 3600
CENTRE: frozenset[Role] = frozenset({"operator", "admin"})
"""Roles that see every elder."""
HOMES: dict[Role, str] = {"operator": "/operator", "admin": "/operator", "doctor": "/doctor", "family": "/family"}
SIGN_INS_MAX = 2
"""Passwords checked at the same time: each check takes 64 MiB and a connection, and pages for alarms go first."""


@dataclass(frozen=True, slots=True)
class Web:
    """What every request needs; made once when the process starts, kept as `app.state.web`. `today`: how today's calls were answered."""

    config: Config
    pool: Pool
    live: Live
    board: Board
    clock: Callable[[], datetime]
    sign_ins: asyncio.Semaphore
    today: Kept[Answers]
    printing: asyncio.Semaphore


def web_of(request: Request) -> Web:
    """What the process made at its start."""
    web: Web = request.app.state.web
    return web


def now_of(request: Request) -> datetime:
    """The time of this request."""
    return web_of(request).clock()


async def account_of(request: Request) -> Account | None:
    """Who is signed in, None when nobody is. Asked once per request."""
    if not hasattr(request.state, "account"):
        token = request.cookies.get(SESSION_COOKIE)
        request.state.account = None
        if token:
            async with web_of(request).pool.connection() as conn:
                request.state.account = await accounts.find_session(conn, token, now=now_of(request))
    account: Account | None = request.state.account
    return account


def language_of(request: Request) -> Language:
    """The account's language, else the cookie's. Call it after `account_of`; before, only the cookie counts."""
    account: Account | None = getattr(request.state, "account", None)
    return choose(account.language if account else request.cookies.get(LANGUAGE_COOKIE))


def say_of(request: Request) -> Translator:
    """The translator for this request."""
    return translator(language_of(request))


async def _signed_in(request: Request) -> Account:
    account = await account_of(request)
    if account is None:
        raise HTTPException(401)
    return account


async def _operator(account: Annotated[Account, Depends(_signed_in)]) -> Account:
    if account.role not in CENTRE:
        raise NotFound("this is a page of the operators")
    return account


async def _doctor(account: Annotated[Account, Depends(_signed_in)]) -> Account:
    if account.role != "doctor":
        raise NotFound("this is a page of the doctors")
    return account


async def _staff(account: Annotated[Account, Depends(_signed_in)]) -> Account:
    if account.role == "family":
        raise NotFound("this is for those who work here")
    return account


async def _relative(account: Annotated[Account, Depends(_signed_in)]) -> Account:
    if account.role != "family":
        raise NotFound("this is a page of the families")
    return account


async def _admin(account: Annotated[Account, Depends(_signed_in)]) -> Account:
    if account.role != "admin":
        raise NotFound("this is a page of the administrators")
    return account


TheWeb = Annotated[Web, Depends(web_of)]
Now = Annotated[datetime, Depends(now_of)]
Somebody = Annotated[Account, Depends(_signed_in)]
"""Anybody who is signed in, families too: for what is about nobody but oneself."""
Staff = Annotated[Account, Depends(_staff)]
"""Whoever works here; for a family it does not exist."""
Operator = Annotated[Account, Depends(_operator)]
"""Operators and administrators; for a doctor the page does not exist."""
Doctor = Annotated[Account, Depends(_doctor)]
Relative = Annotated[Account, Depends(_relative)]
Admin = Annotated[Account, Depends(_admin)]


async def _connection(request: Request, who: Somebody) -> AsyncIterator[Connection]:
    """A connection, once it is known who asks: no request holds one while it waits for another, and a stranger costs none."""
    async with web_of(request).pool.connection() as conn:
        yield conn


Conn = Annotated[Connection, Depends(_connection, scope="function")]
"""Given back before the answer is sent: a slow reader holds none."""


async def sign_in(web: Web, name: str, password: str, *, now: datetime) -> tuple[Account, str] | Refused:
    """Check a password and begin a session. Returns the account and the session's token, or why not. Success and failure are audited."""
    found = await check_password(web, name, password, now=now)
    if isinstance(found, Refused):
        return found
    async with web.pool.connection() as conn:
        await accounts.audit(conn, by=found.name, action="signed_in", subject="", now=now)
        return found, await accounts.open_session(conn, found.name, now=now)


async def check_password(web: Web, name: str, password: str, *, now: datetime) -> Account | Refused:
    """Whose password it is, or why not; a failure is audited and counts as a failed sign-in. At most SIGN_INS_MAX at a time."""
    async with web.sign_ins, web.pool.connection() as conn:
        found = await accounts.verify(conn, name, password, now=now)
        if isinstance(found, Refused):
            await accounts.audit(conn, by=name[:40], action="sign_in_refused", subject="", now=now)
        return found


def refusal(refused: Refused, say: Translator) -> str:
    """Why a sign-in failed, in plain words. It does not tell whether the name exists."""
    if refused.locked_until is None:
        return say("The name or the password is wrong.")
    wait_s = round(accounts.LOCK.total_seconds())
    return say("Too many wrong passwords: the account is locked for %(s)s seconds. Please wait, then try again.", s=wait_s)


async def sign_out(request: Request, *, now: datetime) -> None:
    """End this request's session, if it has one."""
    account, token = await account_of(request), request.cookies.get(SESSION_COOKIE)
    if account is None or not token:
        return
    async with web_of(request).pool.connection() as conn:
        await accounts.close_session(conn, token)
        await accounts.audit(conn, by=account.name, action="signed_out", subject="", now=now)


def set_session(response: Response, web: Web, token: str) -> None:
    """Give the browser its session: unreadable for scripts, not sent along by other sites."""
    age_s = int(accounts.SESSION_AGE_MAX.total_seconds())
    response.set_cookie(SESSION_COOKIE, token, max_age=age_s, httponly=True, samesite="lax", secure=web.config.web.secure_cookie)


def clear_session(response: Response) -> None:
    """Make the browser forget its session."""
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")


def home_of(account: Account) -> str:
    """The page an account begins with."""
    return HOMES[account.role]


def sees(account: Account, readers: Readers | None) -> bool:
    """True when the account may see what these readers may see. None: it belongs to no elder, and only operators care for it.

    Never for a family: what it may see is not the whole, see `family_sees`.
    """
    if account.role in CENTRE:
        return True
    if account.role != "doctor" or readers is None:
        return False
    return (account.team_id is not None and account.team_id == readers.team_id) or account.doctor_id in readers.doctor_ids


def family_sees(account: Account, readers: Readers | None) -> frozenset[str]:
    """What a family's account may see of an elder: things of people/families.py; nothing for any other role."""
    return readers.family.get(account.name, frozenset()) if account.role == "family" and readers is not None else frozenset()


async def visible(conn: Connection, account: Account, rows: list[Row], *, now: datetime) -> list[Row]:
    """Those of the rows (each with an `elder_id`) that the account may see."""
    if account.role in CENTRE:
        return rows
    allowed = await readers_of(conn, {row["elder_id"] for row in rows if row["elder_id"]}, now=now)
    return [row for row in rows if sees(account, allowed.get(row["elder_id"]))]


async def open_elder(conn: Connection, account: Account, elder_id: str, *, now: datetime) -> None:
    """Write that the account looks at an elder's file. Raises NotFound when there is none that it may see; the refusal is written too."""
    allowed = (await readers_of(conn, [elder_id], now=now)).get(elder_id)
    if allowed is None or not sees(account, allowed):
        await _refuse(conn, account, f"elder:{elder_id}", now=now)
    await accounts.audit_view(conn, by=account.name, subject=f"elder:{elder_id}", now=now)


async def open_for_family(conn: Connection, account: Account, elder_id: str, *, now: datetime) -> frozenset[str]:
    """What a family may see of an elder now; the look is written, as the refusal is. Raises NotFound where that is nothing."""
    found = family_sees(account, (await readers_of(conn, [elder_id], now=now)).get(elder_id))
    if not found:
        await _refuse(conn, account, f"elder:{elder_id}", now=now)
    await accounts.audit_view(conn, by=account.name, subject=f"elder:{elder_id}", now=now)
    return found


async def open_alert(conn: Connection, account: Account, alert_id: int, *, now: datetime) -> Row:
    """An alert that the account may see; looking at it is looking at its elder. Raises NotFound as `open_elder`."""
    rows = await visible(conn, account, await read.alerts(conn, [alert_id]), now=now)
    if not rows:
        await _refuse(conn, account, f"alert:{alert_id}", now=now)
    if rows[0]["elder_id"]:
        await accounts.audit_view(conn, by=account.name, subject=f"elder:{rows[0]['elder_id']}", now=now)
    return rows[0]


async def open_case(conn: Connection, account: Account, case_id: int, *, now: datetime) -> Row:
    """A case that the account may see; looking at it is looking at its elder. Raises NotFound as `open_elder`."""
    rows = await visible(conn, account, await read.cases(conn, [case_id]), now=now)
    if not rows:
        await _refuse(conn, account, f"case:{case_id}", now=now)
    if rows[0]["elder_id"]:
        await accounts.audit_view(conn, by=account.name, subject=f"elder:{rows[0]['elder_id']}", now=now)
    return rows[0]


async def open_visit(conn: Connection, account: Account, visit_id: int, *, now: datetime) -> Row:
    """A visit that the account may see: one of an elder it sees, or one it made itself. Raises NotFound as `open_elder`."""
    rows = await read.visits(conn, [visit_id])
    is_own = bool(rows) and account.doctor_id is not None and rows[0]["doctor_id"] == account.doctor_id
    if not is_own and not await visible(conn, account, rows, now=now):
        await _refuse(conn, account, f"visit:{visit_id}", now=now)
    await accounts.audit_view(conn, by=account.name, subject=f"elder:{rows[0]['elder_id']}", now=now)
    return rows[0]


async def _refuse(conn: Connection, account: Account, subject: str, *, now: datetime) -> None:
    await accounts.audit(conn, by=account.name, action="refused", subject=subject[:100], now=now)
    raise NotFound(f"{subject} does not exist for this account")
