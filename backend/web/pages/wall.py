"""The supervisor's wall screen: how the room is doing, read from five metres away. It names no elder: whoever passes may look."""

from datetime import datetime, time, timedelta

from fastapi import APIRouter, Request, Response

from backend.cases import report, room
from backend.cases.report import CENTRE, Answers
from backend.people import accounts
from backend.web import render
from backend.web.auth import Now, Operator, TheWeb

router = APIRouter(prefix="/wall", include_in_schema=False)

TODAY_AGE_MAX = timedelta(seconds=10)
"""Every screen asks each 5 s: what is counted over the whole day may be older than what waits now."""


@router.get("")
async def show(request: Request, web: TheWeb, who: Operator, now: Now) -> Response:
    """The whole screen."""
    return await _show(request, web, who.name, now, "wall.html")


@router.get("/now")
async def refresh(request: Request, web: TheWeb, who: Operator, now: Now) -> Response:
    """What changes."""
    return await _show(request, web, who.name, now, "wall_now.html")


async def _show(request: Request, web: TheWeb, by: str, now: datetime, template: str) -> Response:
    midnight = datetime.combine(now.astimezone(CENTRE).date(), time(), CENTRE)
    async with web.pool.connection() as conn:

        async def count() -> Answers:
            return await report.answers(conn, from_at=midnight, to_at=now, now=now)

        await accounts.audit_view(conn, by=by, subject="wall", now=now)
        return render.page(
            request, template, pulse=web.live.pulse, targets=report.TARGETS,
            answers=await web.today.get(count, now),
            queue=await room.queue(conn), people=await room.people(conn, now=now), out=await room.doctors_out(conn),
        )  # fmt: skip
