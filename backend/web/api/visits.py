"""Visits: the open ones, and what the asked doctor does with them."""

from datetime import timedelta

from fastapi import APIRouter, Response
from pydantic import Field

from backend.dispatch.lifecycle import DeclineReason, Outcome
from backend.web import auth, read, steps
from backend.web.api.cases import Body, Text
from backend.web.auth import Doctor, Now, Operator, Staff, TheWeb
from backend.web.model import CandidateView, VisitView

LEAVE_MINUTES_MAX = 24 * 60

router = APIRouter(prefix="/api/visits", tags=["visits"])


class DeclineBody(Body):
    """Why the doctor cannot go."""

    reason: DeclineReason


class AcceptBody(Body):
    """When the doctor will leave."""

    leaves_in_minutes: int = Field(default=0, ge=0, le=LEAVE_MINUTES_MAX)


class AssignBody(AcceptBody):
    """Which doctor said yes by telephone, and when that doctor will leave."""

    doctor_id: str = Field(max_length=40)


class FinishBody(Body):
    """What was found, and what became of the person."""

    findings: Text
    outcome: Outcome


class CancelBody(Body):
    """Why the visit is not needed."""

    reason: Text


@router.get("")
async def list_visits(web: TheWeb, who: Staff, now: Now) -> list[VisitView]:
    """Open visits, oldest request first; a doctor sees those of the elders it may see."""
    async with web.pool.connection() as conn:
        rows = await auth.visible(conn, who, await read.open_visits(conn), now=now)
    return [VisitView.of(row) for row in rows]


@router.get("/{visit_id}")
async def get_visit(web: TheWeb, who: Staff, now: Now, visit_id: int) -> VisitView:
    """One visit."""
    async with web.pool.connection() as conn:
        return VisitView.of(await auth.open_visit(conn, who, visit_id, now=now))


@router.post("/{visit_id}/accept", status_code=204)
async def accept(web: TheWeb, who: Doctor, now: Now, visit_id: int, body: AcceptBody | None = None) -> Response:
    """Accept an offer. 409 with the winner's name when another doctor was faster."""
    leaves_in = timedelta(minutes=body.leaves_in_minutes if body else 0)
    async with web.pool.connection() as conn:
        await steps.accept(conn, who, visit_id, leaves_in=leaves_in, now=now)
    return Response(status_code=204)


@router.get("/{visit_id}/candidates")
async def candidates(web: TheWeb, who: Operator, now: Now, visit_id: int) -> list[CandidateView]:
    """Doctors on duty who could make this visit, best first, with the terms of the choice."""
    async with web.pool.connection() as conn:
        visit = await auth.open_visit(conn, who, visit_id, now=now)
        return [CandidateView.of(row) for row in await steps.candidates(conn, visit["elder_id"], now=now, habits=web.config.plan)]


@router.post("/{visit_id}/assign", status_code=204)
async def assign(web: TheWeb, who: Operator, now: Now, visit_id: int, body: AssignBody) -> Response:
    """Give the visit to a doctor who said yes by telephone."""
    leaves_in = timedelta(minutes=body.leaves_in_minutes)
    async with web.pool.connection() as conn:
        await steps.assign(conn, who, visit_id, doctor_id=body.doctor_id, leaves_in=leaves_in, now=now)
    return Response(status_code=204)


@router.post("/{visit_id}/called-120", status_code=204)
async def called_120(web: TheWeb, who: Operator, now: Now, visit_id: int) -> Response:
    """Write down that 120 was called for this elder; the first call's time stands."""
    async with web.pool.connection() as conn:
        await steps.called_120(conn, who, visit_id, now=now)
    return Response(status_code=204)


@router.post("/{visit_id}/give-back", status_code=204)
async def give_back(web: TheWeb, who: Doctor, now: Now, visit_id: int, body: DeclineBody) -> Response:
    """The doctor who accepted cannot come after all; others are asked at once."""
    async with web.pool.connection() as conn:
        await steps.give_back(conn, who, visit_id, reason=body.reason, now=now)
    return Response(status_code=204)


@router.post("/{visit_id}/decline", status_code=204)
async def decline(web: TheWeb, who: Doctor, now: Now, visit_id: int, body: DeclineBody) -> Response:
    """Decline an offer; the next two doctors are asked, unless somebody is still thinking it over."""
    async with web.pool.connection() as conn:
        await steps.decline(conn, who, visit_id, reason=body.reason, now=now)
    return Response(status_code=204)


@router.post("/{visit_id}/depart", status_code=204)
async def depart(web: TheWeb, who: Doctor, now: Now, visit_id: int) -> Response:
    """The doctor is on the way."""
    async with web.pool.connection() as conn:
        await steps.depart(conn, who, visit_id, now=now)
    return Response(status_code=204)


@router.post("/{visit_id}/arrive", status_code=204)
async def arrive(web: TheWeb, who: Doctor, now: Now, visit_id: int) -> Response:
    """The doctor is at the home."""
    async with web.pool.connection() as conn:
        await steps.arrive(conn, who, visit_id, now=now)
    return Response(status_code=204)


@router.post("/{visit_id}/finish", status_code=204)
async def finish(web: TheWeb, who: Doctor, now: Now, visit_id: int, body: FinishBody) -> Response:
    """The visit is done."""
    async with web.pool.connection() as conn:
        await steps.finish(conn, who, visit_id, findings=body.findings, outcome=body.outcome, now=now)
    return Response(status_code=204)


@router.post("/{visit_id}/cancel", status_code=204)
async def cancel(web: TheWeb, who: Operator, now: Now, visit_id: int, body: CancelBody) -> Response:
    """Call the visit off, until the doctor is at the home."""
    async with web.pool.connection() as conn:
        await steps.cancel(conn, who, visit_id, reason=body.reason, now=now)
    return Response(status_code=204)
