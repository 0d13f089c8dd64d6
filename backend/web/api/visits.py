"""Visits: the open ones, and what the asked doctor does with them."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response
from pydantic import Field

from backend.dispatch.lifecycle import DeclineReason, Outcome
from backend.web import auth, read, steps
from backend.web.api.cases import Body, Text
from backend.web.api.paging import LIMIT, After, Limit, page_of
from backend.web.auth import Conn, Doctor, Now, Operator, Staff, TheWeb
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
async def list_visits(
    request: Request, response: Response, conn: Conn, who: Staff, now: Now, limit: Limit = LIMIT, after: After = None
) -> list[VisitView]:
    """Open visits, oldest request first, a page at a time as the cases; a doctor sees those of the elders it may see."""
    ids = await page_of(request, response, conn, who, read.open_visit_places, limit=limit, after=after, now=now)
    rows = await read.visits(conn, ids)
    return [VisitView.of(row) for row in rows]


@router.get("/{visit_id}")
async def get_visit(conn: Conn, who: Staff, now: Now, visit_id: int) -> VisitView:
    """One visit."""
    return VisitView.of(await auth.open_visit(conn, who, visit_id, now=now))


@router.post("/{visit_id}/accept", status_code=204)
async def accept(conn: Conn, who: Doctor, now: Now, visit_id: int, body: AcceptBody | None = None) -> None:
    """Accept an offer. 409 with the winner's name when another doctor was faster."""
    leaves_in = timedelta(minutes=body.leaves_in_minutes if body else 0)
    await steps.accept(conn, who, visit_id, leaves_in=leaves_in, now=now)


@router.get("/{visit_id}/candidates")
async def candidates(web: TheWeb, conn: Conn, who: Operator, now: Now, visit_id: int) -> list[CandidateView]:
    """Doctors on duty who could make this visit, best first, with the terms of the choice."""
    visit = await auth.open_visit(conn, who, visit_id, now=now)
    return [CandidateView.of(row) for row in await steps.candidates(conn, visit["elder_id"], now=now, habits=web.config.plan)]


@router.post("/{visit_id}/assign", status_code=204)
async def assign(conn: Conn, who: Operator, now: Now, visit_id: int, body: AssignBody) -> None:
    """Give the visit to a doctor who said yes by telephone."""
    leaves_in = timedelta(minutes=body.leaves_in_minutes)
    await steps.assign(conn, who, visit_id, doctor_id=body.doctor_id, leaves_in=leaves_in, now=now)


@router.post("/{visit_id}/called-120", status_code=204)
async def called_120(conn: Conn, who: Operator, now: Now, visit_id: int) -> None:
    """Write down that 120 was called for this elder; the first call's time stands."""
    await steps.called_120(conn, who, visit_id, now=now)


@router.post("/{visit_id}/give-back", status_code=204)
async def give_back(conn: Conn, who: Doctor, now: Now, visit_id: int, body: DeclineBody) -> None:
    """The doctor who accepted cannot come after all; others are asked at once."""
    await steps.give_back(conn, who, visit_id, reason=body.reason, now=now)


@router.post("/{visit_id}/decline", status_code=204)
async def decline(conn: Conn, who: Doctor, now: Now, visit_id: int, body: DeclineBody) -> None:
    """Decline an offer; the next two doctors are asked, unless somebody is still thinking it over."""
    await steps.decline(conn, who, visit_id, reason=body.reason, now=now)


@router.post("/{visit_id}/depart", status_code=204)
async def depart(conn: Conn, who: Doctor, now: Now, visit_id: int) -> None:
    """The doctor is on the way."""
    await steps.depart(conn, who, visit_id, now=now)


@router.post("/{visit_id}/arrive", status_code=204)
async def arrive(conn: Conn, who: Doctor, now: Now, visit_id: int) -> None:
    """The doctor is at the home."""
    await steps.arrive(conn, who, visit_id, now=now)


@router.post("/{visit_id}/finish", status_code=204)
async def finish(conn: Conn, who: Doctor, now: Now, visit_id: int, body: FinishBody) -> None:
    """The visit is done."""
    await steps.finish(conn, who, visit_id, findings=body.findings, outcome=body.outcome, now=now)


@router.post("/{visit_id}/cancel", status_code=204)
async def cancel(conn: Conn, who: Operator, now: Now, visit_id: int, body: CancelBody) -> None:
    """Call the visit off, until the doctor is at the home."""
    await steps.cancel(conn, who, visit_id, reason=body.reason, now=now)
