"""An operator's part in the search for a doctor: who could go, and who said yes by telephone."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from backend.web import auth, elder_read, read, render, steps
from backend.web.api.visits import LEAVE_MINUTES_MAX
from backend.web.auth import Now, Operator, TheWeb

router = APIRouter(prefix="/operator/visits", include_in_schema=False)

PHONE_FIRST = 3
"""At 120 s the operator telephones the best three (docs/visits.md)."""


@router.get("/{visit_id}/search")
async def search(request: Request, web: TheWeb, who: Operator, now: Now, visit_id: int) -> Response:
    """Doctors on duty, best first, with why and the way."""
    return await _search(request, web, who, now, visit_id)


@router.post("/{visit_id}/assign")
async def assign(
    request: Request,
    web: TheWeb,
    who: Operator,
    now: Now,
    visit_id: int,
    doctor_id: Annotated[str, Form(max_length=40)],
    leaves_in_minutes: Annotated[int, Form(ge=0, le=LEAVE_MINUTES_MAX)] = 0,
) -> Response:
    """Give the visit to a doctor who said yes by telephone."""
    async with web.pool.connection() as conn:
        await steps.assign(conn, who, visit_id, doctor_id=doctor_id, leaves_in=timedelta(minutes=leaves_in_minutes), now=now)
    return await _search(request, web, who, now, visit_id)


@router.post("/{visit_id}/called-120")
async def called_120(request: Request, web: TheWeb, who: Operator, now: Now, visit_id: int) -> Response:
    """Write down that 120 was called."""
    async with web.pool.connection() as conn:
        await steps.called_120(conn, who, visit_id, now=now)
    return await _search(request, web, who, now, visit_id)


async def _search(request: Request, web: TheWeb, who: Operator, now: Now, visit_id: int) -> Response:
    async with web.pool.connection() as conn:
        await auth.open_visit(conn, who, visit_id, now=now)
        [visit] = await read.visits(conn, [visit_id])
        found = await steps.candidates(conn, visit["elder_id"], now=now, habits=web.config.plan)
        more = [] if found else await elder_read.doctors_to_call(conn, visit["elder_id"])
    return render.page(request, "search.html", visit=visit, candidates=found, off_duty=more, phone_first=PHONE_FIRST)
