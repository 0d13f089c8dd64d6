"""Where whoever got a message says that it was read, and a doctor who got an offer answers it without signing in.

The link's key is the right to do so; the page names no elder and shows no value.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from backend.db.pool import Connection
from backend.dispatch.lifecycle import DeclineReason
from backend.errors import NotFound
from backend.people.accounts import Account
from backend.web import casework, read, render, steps
from backend.web.api.visits import LEAVE_MINUTES_MAX
from backend.web.auth import Now, TheWeb
from backend.web.read import Row

router = APIRouter(prefix="/receipts", include_in_schema=False)

Key = Annotated[UUID, Path()]


@router.get("/{key}")
async def show(request: Request, web: TheWeb, now: Now, key: Key) -> Response:
    """What the message was about, and the buttons. Looking alone says nothing: mail programs open links by themselves."""
    async with web.pool.connection() as conn:
        return await _page(request, conn, key)


@router.post("/{key}")
async def confirm(request: Request, web: TheWeb, now: Now, key: Key) -> Response:
    """It was read."""
    async with web.pool.connection() as conn:
        await casework.confirm_message(conn, str(key), now=now)
        return await _page(request, conn, key)


@router.post("/{key}/accept")
async def accept(
    web: TheWeb, now: Now, key: Key, leaves_in_minutes: Annotated[int, Form(ge=0, le=LEAVE_MINUTES_MAX)] = 0
) -> Response:  # fmt: skip
    """The doctor who was asked accepts the visit; where it is, the own page says after signing in."""
    async with web.pool.connection() as conn:
        who, visit_id = await _asked(conn, key, now)
        await steps.accept(conn, who, visit_id, leaves_in=timedelta(minutes=leaves_in_minutes), now=now)
    return RedirectResponse("/doctor", 303)


@router.post("/{key}/decline")
async def decline(request: Request, web: TheWeb, now: Now, key: Key, reason: Annotated[DeclineReason, Form()]) -> Response:
    """The doctor who was asked cannot go."""
    async with web.pool.connection() as conn:
        who, visit_id = await _asked(conn, key, now)
        await steps.decline(conn, who, visit_id, reason=reason, now=now)
        return await _page(request, conn, key)


async def _asked(conn: Connection, key: UUID, now: datetime) -> tuple[Account, int]:
    """Whose answer this is, and to what. Raises NotFound for a message that is no offer."""
    await casework.confirm_message(conn, str(key), now=now)
    row = await casework.find_message(conn, str(key))
    who = await casework.receiver(conn, row) if row and row["visit_id"] is not None else None
    if row is None or who is None or who.doctor_id is None:
        raise NotFound("there is no such offer")
    return replace(who, way="link"), row["visit_id"]


async def _page(request: Request, conn: Connection, key: UUID) -> Response:
    row = await casework.find_message(conn, str(key))
    if row is None:
        raise NotFound("there is no such message")
    return render.page(request, "receipt.html", message=row, offer=await _offer(conn, row), is_offer=row["visit_id"] is not None)


async def _offer(conn: Connection, row: Row) -> Row | None:
    """The offer a message was about while it waits for an answer: why this doctor and how far, never where."""
    who = await casework.receiver(conn, row) if row["visit_id"] is not None else None
    visits = await read.visits(conn, [row["visit_id"]]) if who else []
    return next((offer for visit in visits for offer in visit["offers"] if who and offer["doctor_id"] == who.doctor_id), None)
