"""Where whoever got a message says that it was read. The link's key is the right to do so; the page names no elder and shows no value."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from backend.errors import NotFound
from backend.web import casework, render
from backend.web.auth import Now, TheWeb

router = APIRouter(prefix="/receipts", include_in_schema=False)

Key = Annotated[UUID, Path()]


@router.get("/{key}")
async def show(request: Request, web: TheWeb, now: Now, key: Key) -> Response:
    """What the message was about, and the button. Looking alone says nothing: mail programs open links by themselves."""
    async with web.pool.connection() as conn:
        row = await casework.find_message(conn, str(key))
    if row is None:
        raise NotFound("there is no such message")
    return render.page(request, "receipt.html", message=row)


@router.post("/{key}")
async def confirm(request: Request, web: TheWeb, now: Now, key: Key) -> Response:
    """It was read."""
    async with web.pool.connection() as conn:
        await casework.confirm_message(conn, str(key), now=now)
        row = await casework.find_message(conn, str(key))
    if row is None:
        raise NotFound("there is no such message")
    return render.page(request, "receipt.html", message=row)
