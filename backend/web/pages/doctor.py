"""The doctor's page, made for a phone: offers, visits under way, what was done today."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from backend.db.pool import Connection
from backend.dispatch.lifecycle import DeclineReason, Outcome
from backend.people import accounts
from backend.people.accounts import Account
from backend.web import chart, read, render, steps
from backend.web.api.cases import TEXT_MAX
from backend.web.api.visits import LEAVE_MINUTES_MAX
from backend.web.auth import Doctor, Now, TheWeb
from backend.web.read import Row

router = APIRouter(prefix="/doctor", include_in_schema=False)

DONE_FOR = timedelta(hours=24)
"""What was done stays listed this long."""


@router.get("")
async def board(request: Request, web: TheWeb, who: Doctor, now: Now) -> Response:
    """The whole page."""
    async with web.pool.connection() as conn:
        return render.page(request, "doctor.html", **await _board(conn, who, now))


@router.get("/offers")
async def offers(request: Request, web: TheWeb, who: Doctor, now: Now) -> Response:
    """The offers alone."""
    async with web.pool.connection() as conn:
        return render.page(request, "offers.html", **await _board(conn, who, now))


@router.get("/visits")
async def visits(request: Request, web: TheWeb, who: Doctor, now: Now) -> Response:
    """The visits alone."""
    async with web.pool.connection() as conn:
        return render.page(request, "visits.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/accept")
async def accept(
    request: Request,
    web: TheWeb,
    who: Doctor,
    now: Now,
    visit_id: int,
    leaves_in_minutes: Annotated[int, Form(ge=0, le=LEAVE_MINUTES_MAX)] = 0,
) -> Response:
    """Accept an offer."""
    async with web.pool.connection() as conn:
        await steps.accept(conn, who, visit_id, leaves_in=timedelta(minutes=leaves_in_minutes), now=now)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/decline")
async def decline(
    request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, reason: Annotated[DeclineReason, Form()]
) -> Response:
    """Decline an offer."""
    async with web.pool.connection() as conn:
        await steps.decline(conn, who, visit_id, reason=reason, now=now)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/give-back")
async def give_back(
    request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, reason: Annotated[DeclineReason, Form()]
) -> Response:
    """Cannot come after all."""
    async with web.pool.connection() as conn:
        await steps.give_back(conn, who, visit_id, reason=reason, now=now)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/depart")
async def depart(request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int) -> Response:
    """On the way."""
    async with web.pool.connection() as conn:
        await steps.depart(conn, who, visit_id, now=now)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/arrive")
async def arrive(request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int) -> Response:
    """At the home."""
    async with web.pool.connection() as conn:
        await steps.arrive(conn, who, visit_id, now=now)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/finish")
async def finish(
    request: Request,
    web: TheWeb,
    who: Doctor,
    now: Now,
    visit_id: int,
    findings: Annotated[str, Form(min_length=1, max_length=TEXT_MAX)],
    outcome: Annotated[Outcome, Form()],
) -> Response:
    """The visit is done."""
    async with web.pool.connection() as conn:
        await steps.finish(conn, who, visit_id, findings=findings, outcome=outcome, now=now)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


async def _board(conn: Connection, who: Account, now: datetime) -> Row:
    """Offers to this doctor, visits it holds (each with its elder's file), and what ended lately."""
    assert who.doctor_id is not None
    open_visits = await read.open_visits(conn)
    return {
        "offers": [await _with_elder(conn, who, visit, now) for visit in open_visits if _offer_to(visit, who.doctor_id)],
        "visits": [await _with_elder(conn, who, visit, now) for visit in open_visits if visit["doctor_id"] == who.doctor_id],
        "ended": await read.ended_visits(conn, who.doctor_id, since=now - DONE_FOR),
    }


async def _with_elder(conn: Connection, who: Account, visit: Row, now: datetime) -> Row:
    await accounts.audit_view(conn, by=who.name, subject=f"elder:{visit['elder_id']}", now=now)
    alerts = await read.alerts(conn, [visit["alert_id"]] if visit["alert_id"] else [])
    return visit | {
        "offer": _offer_to(visit, who.doctor_id),
        "elder": await read.elder(conn, visit["elder_id"], now=now),
        "latest": await read.latest(conn, visit["elder_id"]),
        "alert": alerts[0] if alerts else None,
        "quantity": chart.quantity_of(alerts[0]["rule"] if alerts else {}),
        "limits": chart.limits_of(alerts[0]["rule"] if alerts else {}),
    }


def _offer_to(visit: Row, doctor_id: str | None) -> Row | None:
    return next((offer for offer in visit["offers"] if offer["doctor_id"] == doctor_id), None)
