"""The doctor's page, made for a phone: offers, visits under way, the plan of the day, what was done today."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Header, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from backend.db.pool import Connection
from backend.dispatch.lifecycle import DeclineReason, Outcome, SkipReason
from backend.dispatch.store import Once
from backend.errors import BadInput
from backend.people import accounts
from backend.people.accounts import Account, Refused
from backend.records.forms import FORMS
from backend.web import auth, casework, render, rounds, steps
from backend.web.api.cases import TEXT_MAX
from backend.web.api.visits import LEAVE_MINUTES_MAX
from backend.web.auth import Conn, Doctor, Now, TheWeb
from backend.web.labels import N_
from backend.web.language import STATIC
from backend.web.paper import Paper, record_of

router = APIRouter(prefix="/doctor", include_in_schema=False)


TITLES = {form.condition: form.title for form in FORMS.values() if form.condition is not None}


def once_of(idempotency_key: Annotated[str | None, Header()] = None, said_at: Annotated[str | None, Header()] = None) -> Once | None:
    """What the page says of a step it may send again; nothing it says wrongly is believed."""
    try:
        return Once(UUID(idempotency_key), datetime.fromisoformat(said_at)) if idempotency_key and said_at else None
    except ValueError as error:
        raise BadInput("Idempotency-Key is a UUID and Said-At an ISO time") from error


async def paper_of(
    request: Request,
    refer_to: Annotated[str, Form(max_length=200)] = "",
    pin: Annotated[str, Form(max_length=20)] = "",
    next_on: Annotated[str, Form(max_length=10)] = "",
) -> Paper:
    """The forms as they were filled in. Raises BadInput for a next date that is none."""
    form = await request.form()
    given = {name: [str(value) for value in form.getlist(name)] for name in form}
    try:
        return Paper(given.get("sheet", []), given, refer_to.strip(), pin, date.fromisoformat(next_on) if next_on else None)
    except ValueError as error:
        raise BadInput(N_("The next visit is a date.")) from error


async def visit_of(conn: Conn, who: Doctor, kind: Literal["visits", "stops"], number: int) -> int:
    """The visit that a path names: itself, or what a stop of the plan has become. Raises IllegalMove for a stop that has not begun."""
    return number if kind == "visits" else await steps.visit_of_stop(conn, who, number)


TheVisit = Annotated[int, Depends(visit_of)]
ThePaper = Annotated[Paper, Depends(paper_of)]
Findings = Annotated[str, Form(min_length=1, max_length=TEXT_MAX)]
MaybeOnce = Annotated[Once | None, Depends(once_of)]
Subscribed = Annotated[str, Form(max_length=2_000)]
"""What the browser's push service gives, as JSON."""


@router.get("")
async def board(request: Request, conn: Conn, who: Doctor, now: Now) -> Response:
    """The whole page."""
    return await _rounds(request, conn, who, now, "doctor.html")


@router.get("/offers")
async def offers(request: Request, conn: Conn, who: Doctor, now: Now) -> Response:
    """The offers alone."""
    return await _rounds(request, conn, who, now, "offers.html")


@router.get("/visits")
async def visits(request: Request, conn: Conn, who: Doctor, now: Now) -> Response:
    """The visits alone."""
    return await _rounds(request, conn, who, now, "visits.html")


@router.post("/visits/{visit_id}/accept")
async def accept(
    request: Request,
    conn: Conn,
    who: Doctor,
    now: Now,
    visit_id: int,
    once: MaybeOnce,
    leaves_in_minutes: Annotated[int, Form(ge=0, le=LEAVE_MINUTES_MAX)] = 0,
) -> Response:
    """Accept an offer."""
    await steps.accept(conn, who, visit_id, leaves_in=timedelta(minutes=leaves_in_minutes), now=now, once=once)
    return await _rounds(request, conn, who, now)


@router.post("/visits/{visit_id}/decline")
async def decline(
    request: Request, conn: Conn, who: Doctor, now: Now, visit_id: int, once: MaybeOnce, reason: Annotated[DeclineReason, Form()]
) -> Response:
    """Decline an offer."""
    await steps.decline(conn, who, visit_id, reason=reason, now=now, once=once)
    return await _rounds(request, conn, who, now)


@router.post("/visits/{visit_id}/give-back")
async def give_back(
    request: Request, conn: Conn, who: Doctor, now: Now, visit_id: int, once: MaybeOnce, reason: Annotated[DeclineReason, Form()]
) -> Response:
    """Cannot come after all."""
    await steps.give_back(conn, who, visit_id, reason=reason, now=now, once=once)
    return await _rounds(request, conn, who, now)


@router.post("/visits/{visit_id}/depart")
async def depart(request: Request, conn: Conn, who: Doctor, now: Now, visit_id: int, once: MaybeOnce) -> Response:
    """On the way."""
    await steps.depart(conn, who, visit_id, now=now, once=once)
    return await _rounds(request, conn, who, now)


@router.post("/{kind}/{number}/arrive")
async def arrive(request: Request, conn: Conn, who: Doctor, now: Now, visit_id: TheVisit, once: MaybeOnce) -> Response:
    """At the home."""
    await steps.arrive(conn, who, visit_id, now=now, once=once)
    return await _rounds(request, conn, who, now)


@router.post("/{kind}/{number}/finish")
async def finish(
    request: Request,
    conn: Conn,
    who: Doctor,
    now: Now,
    visit_id: TheVisit,
    once: MaybeOnce,
    findings: Findings,
    outcome: Annotated[Outcome, Form()],
    paper: ThePaper,
) -> Response:
    """The visit is done, and its record signed."""
    await steps.finish(conn, who, visit_id, findings=findings, outcome=outcome, now=now, once=once, paper=paper)
    return await _rounds(request, conn, who, now)


@router.post("/{kind}/{number}/advice")
async def advise(request: Request, conn: Conn, who: Doctor, now: Now, visit_id: TheVisit, paper: ThePaper) -> Response:
    """What the table of the 规范 says of the forms as they are filled in so far; 422 while something needed is missing."""
    visit = await auth.open_visit(conn, who, visit_id, now=now)
    record = await record_of(conn, visit, paper, findings="", now=now)
    return render.page(request, "advice.html", record=record, titles=TITLES)


@router.post("/{kind}/{number}/note", status_code=204)
async def keep_note(conn: Conn, who: Doctor, now: Now, visit_id: TheVisit, once: MaybeOnce, text: Findings) -> None:
    """Keep what was typed for a visit that somebody else makes by now."""
    await steps.keep_note(conn, who, visit_id, text=text, now=now, once=once)


@router.post("/stops/{due_id}/depart")
async def begin_stop(request: Request, conn: Conn, who: Doctor, now: Now, due_id: int, once: MaybeOnce) -> Response:
    """On the way to a stop of the plan, which becomes a visit."""
    await steps.begin_stop(conn, who, due_id, now=now, once=once)
    return await _rounds(request, conn, who, now)


@router.post("/stops/{due_id}/skip")
async def skip_stop(request: Request, conn: Conn, who: Doctor, now: Now, due_id: int, reason: Annotated[SkipReason, Form()]) -> Response:
    """Not today: the stop goes back to the due list."""
    await steps.skip_stop(conn, who, due_id, reason=reason, now=now)
    return await _rounds(request, conn, who, now)


@router.get("/worker.js")
async def worker(who: Doctor) -> Response:
    """The script that keeps the page for dead spots; it may serve the whole site, where the page's own files are."""
    return FileResponse(STATIC / "doctor-worker.js", media_type="text/javascript", headers={"Service-Worker-Allowed": "/"})


@router.post("/push", status_code=204)
async def ring_here(web: TheWeb, conn: Conn, who: Doctor, now: Now, subscription: Subscribed) -> None:
    """Ring this browser when a visit is offered, also while the page is closed."""
    await casework.ring_here(conn, who, subscription, allowed=web.config.notify.push_hosts, now=now)


@router.post("/push/off", status_code=204)
async def ring_no_more(web: TheWeb, conn: Conn, who: Doctor, now: Now, subscription: Subscribed) -> None:
    """Ring it no more."""
    await casework.ring_no_more(conn, who, subscription, allowed=web.config.notify.push_hosts, now=now)


@router.get("/pin")
async def show_pin(request: Request, conn: Conn, who: Doctor) -> Response:
    """The form that sets the PIN."""
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
    if isinstance(await auth.check_password(web, who.name, password, now=now), Refused):
        raise BadInput(N_("The password is not right."))
    async with web.pool.connection() as conn:
        await accounts.set_pin(conn, who.name, pin)
        await accounts.audit(conn, by=who.name, action="pin_set", subject="", now=now)
    return RedirectResponse("/doctor", 303)


async def _rounds(request: Request, conn: Connection, who: Account, now: datetime, template: str = "rounds.html") -> Response:
    """The doctor's offers and visits as they are now, as the whole page or a part of it."""
    return render.page(request, template, **await rounds.board(conn, who, now))
