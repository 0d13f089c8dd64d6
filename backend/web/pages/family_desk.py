"""The staff's side of families: consents and invitations on an elder's page, messages, and the operators' list of what families wrote."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from backend.db.pool import Connection
from backend.people import accounts, families
from backend.people.accounts import Account
from backend.people.families import DAYS_MAX, MESSAGE_MAX, Thing
from backend.people.model import Id
from backend.web import auth, elder_read, family_steps, render
from backend.web.auth import Conn, Now, Operator, Staff, TheWeb, Web

router = APIRouter(include_in_schema=False)

A_YEAR = 365


@router.get("/elders/{elder_id}/family")
async def show(request: Request, conn: Conn, who: Staff, now: Now, elder_id: Id) -> Response:
    """Who of the family sees what, and what was written."""
    return await _page(request, conn, who, elder_id, now)


@router.post("/elders/{elder_id}/family/consents")
async def grant(
    request: Request, web: TheWeb, conn: Conn, who: Operator, now: Now, elder_id: Id,
    contact: Annotated[str, Form(max_length=200)],
    words: Annotated[str, Form(min_length=1, max_length=500)],
    days: Annotated[int, Form(ge=1, le=DAYS_MAX)] = A_YEAR,
    sees: Annotated[list[Thing], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:  # fmt: skip
    """Write down a consent; the page shows the link once."""
    token = await family_steps.grant(
        conn, who, elder_id, contact=contact, sees=sees, words=words, ends_at=now + timedelta(days=days), now=now
    )
    return await _page(request, conn, who, elder_id, now, link=_link(request, web, token))


@router.post("/elders/{elder_id}/family/consents/{consent_id}/link")
async def invite(request: Request, web: TheWeb, conn: Conn, who: Operator, now: Now, elder_id: Id, consent_id: int) -> Response:
    """A new link, shown once; the one before leads nowhere from now on."""
    token = await family_steps.invite(conn, who, elder_id, consent_id, now=now)
    return await _page(request, conn, who, elder_id, now, link=_link(request, web, token))


@router.post("/elders/{elder_id}/family/consents/{consent_id}/withdraw")
async def withdraw(conn: Conn, who: Operator, now: Now, elder_id: Id, consent_id: int) -> Response:
    """Consent is withdrawn."""
    await family_steps.withdraw(conn, who, elder_id, consent_id, now=now)
    return RedirectResponse(f"/elders/{elder_id}/family", 303)


@router.post("/elders/{elder_id}/family/messages")
async def write(
    conn: Conn, who: Staff, now: Now, elder_id: Id, text: Annotated[str, Form(min_length=1, max_length=MESSAGE_MAX)],
    to_name: Annotated[str, Form(max_length=40)] = "",
) -> Response:  # fmt: skip
    """Write to the family, or to one of them."""
    await family_steps.write_to_family(conn, who, elder_id, text=text, to_name=to_name or None, now=now)
    return RedirectResponse(f"/elders/{elder_id}/family", 303)


@router.get("/operator/letters")
async def letters(request: Request, conn: Conn, who: Operator, now: Now) -> Response:
    """What families wrote and nobody has dealt with."""
    await accounts.audit_view(conn, by=who.name, subject="letters", now=now)
    return render.page(request, "letters.html", waiting=await families.waiting(conn))


@router.get("/operator/letters/count")
async def count_letters(request: Request, conn: Conn, who: Operator) -> Response:
    """The board's mark for it."""
    return render.page(request, "letters_count.html", count=await families.count_waiting(conn))


@router.post("/operator/letters/{message_id}/done")
async def deal_with(conn: Conn, who: Operator, now: Now, message_id: int) -> Response:
    """It has been dealt with."""
    await family_steps.deal_with(conn, who, message_id, now=now)
    return RedirectResponse("/operator/letters", 303)


async def _page(request: Request, conn: Connection, who: Account, elder_id: str, now: datetime, *, link: str | None = None) -> Response:
    await auth.open_elder(conn, who, elder_id, now=now)
    return render.page(
        request, "family_desk.html", elder=await elder_read.elder(conn, elder_id, now=now), link=link, a_year=A_YEAR, days_max=DAYS_MAX,
        consents=await families.consents(conn, elder_id, now=now), members=await families.members(conn, elder_id, now=now),
        messages=await families.messages(conn, elder_id),
    )  # fmt: skip


def _link(request: Request, web: Web, token: str) -> str:
    """The invitation's address, on the centre's public address where there is one."""
    base = web.config.notify.public_url or str(request.base_url)
    return f"{base.rstrip('/')}/join/{token}"
