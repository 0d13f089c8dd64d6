"""Visits: the open ones, and what the asked doctor does with them."""

from fastapi import APIRouter, Response

from backend.dispatch.lifecycle import DeclineReason, Outcome
from backend.web import auth, read, steps
from backend.web.api.alerts import Body, Text
from backend.web.auth import Doctor, Now, Operator, Somebody, TheWeb
from backend.web.model import VisitView

router = APIRouter(prefix="/api/visits", tags=["visits"])


class DeclineBody(Body):
    """Why the doctor cannot go."""

    reason: DeclineReason


class FinishBody(Body):
    """What was found, and what became of the person."""

    findings: Text
    outcome: Outcome


class CancelBody(Body):
    """Why the visit is not needed."""

    reason: Text


@router.get("")
async def list_visits(web: TheWeb, who: Somebody, now: Now) -> list[VisitView]:
    """Open visits, oldest request first; a doctor sees those of the elders it may see."""
    async with web.pool.connection() as conn:
        rows = await auth.visible(conn, who, await read.open_visits(conn), now=now)
    return [VisitView.of(row) for row in rows]


@router.get("/{visit_id}")
async def get_visit(web: TheWeb, who: Somebody, now: Now, visit_id: int) -> VisitView:
    """One visit."""
    async with web.pool.connection() as conn:
        return VisitView.of(await auth.open_visit(conn, who, visit_id, now=now))


@router.post("/{visit_id}/accept", status_code=204)
async def accept(web: TheWeb, who: Doctor, now: Now, visit_id: int) -> Response:
    """Accept an offer. 409 with the winner's name when another doctor was faster."""
    async with web.pool.connection() as conn:
        await steps.accept(conn, who, visit_id, now=now)
    return Response(status_code=204)


@router.post("/{visit_id}/decline", status_code=204)
async def decline(web: TheWeb, who: Doctor, now: Now, visit_id: int, body: DeclineBody) -> Response:
    """Decline an offer; the next doctor is asked."""
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
