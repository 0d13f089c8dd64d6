"""The doctor's page, made for a phone: offers, visits under way, what was done today."""

import re
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Header, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from backend.db.pool import Connection
from backend.dispatch.lifecycle import DeclineReason, Outcome
from backend.dispatch.store import Once
from backend.errors import BadInput
from backend.people import accounts
from backend.people.accounts import Account, Refused
from backend.records import forms
from backend.records import store as records
from backend.web import auth, chart, read, render, steps
from backend.web.api.cases import TEXT_MAX
from backend.web.api.visits import LEAVE_MINUTES_MAX
from backend.web.auth import Doctor, Now, TheWeb
from backend.web.labels import N_
from backend.web.language import STATIC
from backend.web.paper import Paper
from backend.web.read import Row

router = APIRouter(prefix="/doctor", include_in_schema=False)

DONE_FOR = timedelta(hours=24)
"""What was done stays listed this long."""


def _once(idempotency_key: Annotated[str | None, Header()] = None, said_at: Annotated[str | None, Header()] = None) -> Once | None:
    """What the page says of a step it may send again; nothing it says wrongly is believed."""
    try:
        return Once(UUID(idempotency_key), datetime.fromisoformat(said_at)) if idempotency_key and said_at else None
    except ValueError as error:
        raise BadInput("Idempotency-Key is a UUID and Said-At an ISO time") from error


MaybeOnce = Annotated[Once | None, Depends(_once)]


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
    once: MaybeOnce,
    leaves_in_minutes: Annotated[int, Form(ge=0, le=LEAVE_MINUTES_MAX)] = 0,
) -> Response:
    """Accept an offer."""
    async with web.pool.connection() as conn:
        await steps.accept(conn, who, visit_id, leaves_in=timedelta(minutes=leaves_in_minutes), now=now, once=once)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/decline")
async def decline(
    request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, once: MaybeOnce, reason: Annotated[DeclineReason, Form()]
) -> Response:
    """Decline an offer."""
    async with web.pool.connection() as conn:
        await steps.decline(conn, who, visit_id, reason=reason, now=now, once=once)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/give-back")
async def give_back(
    request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, once: MaybeOnce, reason: Annotated[DeclineReason, Form()]
) -> Response:
    """Cannot come after all."""
    async with web.pool.connection() as conn:
        await steps.give_back(conn, who, visit_id, reason=reason, now=now, once=once)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/depart")
async def depart(request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, once: MaybeOnce) -> Response:
    """On the way."""
    async with web.pool.connection() as conn:
        await steps.depart(conn, who, visit_id, now=now, once=once)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/arrive")
async def arrive(request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, once: MaybeOnce) -> Response:
    """At the home."""
    async with web.pool.connection() as conn:
        await steps.arrive(conn, who, visit_id, now=now, once=once)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.post("/visits/{visit_id}/finish")
async def finish(
    request: Request,
    web: TheWeb,
    who: Doctor,
    now: Now,
    visit_id: int,
    once: MaybeOnce,
    findings: Annotated[str, Form(min_length=1, max_length=TEXT_MAX)],
    outcome: Annotated[Outcome, Form()],
    refer_to: Annotated[str, Form(max_length=200)] = "",
    pin: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """The visit is done, and its record signed."""
    form = await request.form()
    given = {name: [str(value) for value in form.getlist(name)] for name in form}
    paper = Paper(given.get("sheet", []), given, refer_to.strip(), pin)
    async with web.pool.connection() as conn:
        await steps.finish(conn, who, visit_id, findings=findings, outcome=outcome, now=now, once=once, paper=paper)
        return render.page(request, "rounds.html", **await _board(conn, who, now))


@router.get("/worker.js")
async def worker(who: Doctor) -> Response:
    """The script that keeps the page for dead spots; it may serve the whole site, where the page's own files are."""
    return FileResponse(STATIC / "doctor-worker.js", media_type="text/javascript", headers={"Service-Worker-Allowed": "/"})


@router.get("/pin")
async def show_pin(request: Request, web: TheWeb, who: Doctor) -> Response:
    """The form that sets the PIN."""
    async with web.pool.connection() as conn:
        return render.page(request, "pin.html", has_pin=await accounts.has_pin(conn, who.name))


@router.post("/pin")
async def set_pin(
    request: Request,
    web: TheWeb,
    who: Doctor,
    now: Now,
    password: Annotated[str, Form(max_length=1000)],
    pin: Annotated[str, Form(max_length=20)],
) -> Response:
    """Set the PIN; the password says that it is really this doctor."""
    if not re.fullmatch(r"[0-9]{4,12}", pin):
        raise BadInput(N_("A PIN has 4 to 12 digits."))
    if isinstance(await auth.sign_in(web, who.name, password, now=now), Refused):
        raise BadInput(N_("The password is not right."))
    async with web.pool.connection() as conn:
        await accounts.set_pin(conn, who.name, pin)
        await accounts.audit(conn, by=who.name, action="pin_set", subject="", now=now)
    return RedirectResponse("/doctor", 303)


async def _board(conn: Connection, who: Account, now: datetime) -> Row:
    """Offers to this doctor, visits it holds (each with its elder's file), and what ended lately."""
    assert who.doctor_id is not None
    open_visits = await read.open_visits(conn)
    return {
        "offers": [await _with_elder(conn, who, visit, now) for visit in open_visits if _offer_to(visit, who.doctor_id)],
        "visits": [await _with_elder(conn, who, visit, now) for visit in open_visits if visit["doctor_id"] == who.doctor_id],
        "ended": await read.ended_visits(conn, who.doctor_id, since=now - DONE_FOR),
        "has_pin": await accounts.has_pin(conn, who.name),
    }


async def _with_elder(conn: Connection, who: Account, visit: Row, now: datetime) -> Row:
    elder = await read.elder(conn, visit["elder_id"], now=now)
    await accounts.audit_view(conn, by=who.name, subject=f"elder:{visit['elder_id']}", now=now)
    alerts = await read.alerts(conn, [visit["alert_id"]] if visit["alert_id"] else [])
    return visit | {
        "offer": _offer_to(visit, who.doctor_id),
        "elder": elder,
        "forms": list(forms.FORMS.values()),
        "likely": [form.name for form in forms.for_conditions(elder["conditions"] if elder else [])],
        "before": await records.last_answers(conn, visit["elder_id"]),
        "latest": await read.latest(conn, visit["elder_id"]),
        "alert": alerts[0] if alerts else None,
        "quantity": chart.quantity_of(alerts[0]["rule"] if alerts else {}),
        "limits": chart.limits_of(alerts[0]["rule"] if alerts else {}),
    }


def _offer_to(visit: Row, doctor_id: str | None) -> Row | None:
    return next((offer for offer in visit["offers"] if offer["doctor_id"] == doctor_id), None)
