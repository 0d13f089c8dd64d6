"""The doctor's page, made for a phone: offers, visits under way, the plan of the day, what was done today."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Header, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from backend.dispatch.lifecycle import DeclineReason, Outcome, SkipReason
from backend.dispatch.store import Once
from backend.errors import BadInput
from backend.people import accounts
from backend.people.accounts import Refused
from backend.records.forms import FORMS
from backend.web import auth, casework, render, rounds, steps
from backend.web.api.cases import TEXT_MAX
from backend.web.api.visits import LEAVE_MINUTES_MAX
from backend.web.auth import Doctor, Now, TheWeb
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


ThePaper = Annotated[Paper, Depends(paper_of)]
Findings = Annotated[str, Form(min_length=1, max_length=TEXT_MAX)]
MaybeOnce = Annotated[Once | None, Depends(once_of)]
Subscribed = Annotated[str, Form(max_length=2_000)]
"""What the browser's push service gives, as JSON."""


@router.get("")
async def board(request: Request, web: TheWeb, who: Doctor, now: Now) -> Response:
    """The whole page."""
    async with web.pool.connection() as conn:
        return render.page(request, "doctor.html", **await rounds.board(conn, who, now))


@router.get("/offers")
async def offers(request: Request, web: TheWeb, who: Doctor, now: Now) -> Response:
    """The offers alone."""
    async with web.pool.connection() as conn:
        return render.page(request, "offers.html", **await rounds.board(conn, who, now))


@router.get("/visits")
async def visits(request: Request, web: TheWeb, who: Doctor, now: Now) -> Response:
    """The visits alone."""
    async with web.pool.connection() as conn:
        return render.page(request, "visits.html", **await rounds.board(conn, who, now))


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
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/visits/{visit_id}/decline")
async def decline(
    request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, once: MaybeOnce, reason: Annotated[DeclineReason, Form()]
) -> Response:
    """Decline an offer."""
    async with web.pool.connection() as conn:
        await steps.decline(conn, who, visit_id, reason=reason, now=now, once=once)
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/visits/{visit_id}/give-back")
async def give_back(
    request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, once: MaybeOnce, reason: Annotated[DeclineReason, Form()]
) -> Response:
    """Cannot come after all."""
    async with web.pool.connection() as conn:
        await steps.give_back(conn, who, visit_id, reason=reason, now=now, once=once)
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/visits/{visit_id}/depart")
async def depart(request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, once: MaybeOnce) -> Response:
    """On the way."""
    async with web.pool.connection() as conn:
        await steps.depart(conn, who, visit_id, now=now, once=once)
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/visits/{visit_id}/arrive")
async def arrive(request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, once: MaybeOnce) -> Response:
    """At the home."""
    async with web.pool.connection() as conn:
        await steps.arrive(conn, who, visit_id, now=now, once=once)
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/visits/{visit_id}/finish")
async def finish(
    request: Request,
    web: TheWeb,
    who: Doctor,
    now: Now,
    visit_id: int,
    once: MaybeOnce,
    findings: Findings,
    outcome: Annotated[Outcome, Form()],
    paper: ThePaper,
) -> Response:
    """The visit is done, and its record signed."""
    async with web.pool.connection() as conn:
        await steps.finish(conn, who, visit_id, findings=findings, outcome=outcome, now=now, once=once, paper=paper)
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/visits/{visit_id}/advice")
async def advise(request: Request, web: TheWeb, who: Doctor, now: Now, visit_id: int, paper: ThePaper) -> Response:
    """What the table of the 规范 says of the forms as they are filled in so far; 422 while something needed is missing."""
    async with web.pool.connection() as conn:
        visit = await auth.open_visit(conn, who, visit_id, now=now)
        record = await record_of(conn, visit, paper, findings="", now=now)
    return render.page(request, "advice.html", record=record, titles=TITLES)


@router.post("/stops/{due_id}/advice")
async def advise_stop(request: Request, web: TheWeb, who: Doctor, now: Now, due_id: int, paper: ThePaper) -> Response:
    """The same for a stop of the plan."""
    async with web.pool.connection() as conn:
        visit_id = await steps.visit_of_stop(conn, who, due_id)
    return await advise(request, web, who, now, visit_id, paper)


@router.post("/visits/{visit_id}/note", status_code=204)
async def keep_note(web: TheWeb, who: Doctor, now: Now, visit_id: int, once: MaybeOnce, text: Findings) -> Response:
    """Keep what was typed for a visit that somebody else makes by now."""
    async with web.pool.connection() as conn:
        await steps.keep_note(conn, who, visit_id, text=text, now=now, once=once)
    return Response(status_code=204)


@router.post("/stops/{due_id}/depart")
async def begin_stop(request: Request, web: TheWeb, who: Doctor, now: Now, due_id: int, once: MaybeOnce) -> Response:
    """On the way to a stop of the plan, which becomes a visit."""
    async with web.pool.connection() as conn:
        await steps.begin_stop(conn, who, due_id, now=now, once=once)
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/stops/{due_id}/arrive")
async def arrive_at_stop(request: Request, web: TheWeb, who: Doctor, now: Now, due_id: int, once: MaybeOnce) -> Response:
    """At the home of a stop."""
    async with web.pool.connection() as conn:
        await steps.arrive(conn, who, await steps.visit_of_stop(conn, who, due_id), now=now, once=once)
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/stops/{due_id}/finish")
async def finish_stop(
    request: Request,
    web: TheWeb,
    who: Doctor,
    now: Now,
    due_id: int,
    once: MaybeOnce,
    findings: Findings,
    outcome: Annotated[Outcome, Form()],
    paper: ThePaper,
) -> Response:
    """A stop is done, and its record signed."""
    async with web.pool.connection() as conn:
        visit_id = await steps.visit_of_stop(conn, who, due_id)
        await steps.finish(conn, who, visit_id, findings=findings, outcome=outcome, now=now, once=once, paper=paper)
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/stops/{due_id}/skip")
async def skip_stop(request: Request, web: TheWeb, who: Doctor, now: Now, due_id: int, reason: Annotated[SkipReason, Form()]) -> Response:
    """Not today: the stop goes back to the due list."""
    async with web.pool.connection() as conn:
        await steps.skip_stop(conn, who, due_id, reason=reason, now=now)
        return render.page(request, "rounds.html", **await rounds.board(conn, who, now))


@router.post("/stops/{due_id}/note", status_code=204)
async def keep_note_of_stop(web: TheWeb, who: Doctor, now: Now, due_id: int, once: MaybeOnce, text: Findings) -> Response:
    """Keep what was typed for a stop that has become a visit of this doctor."""
    async with web.pool.connection() as conn:
        await steps.keep_note(conn, who, await steps.visit_of_stop(conn, who, due_id), text=text, now=now, once=once)
    return Response(status_code=204)


@router.get("/worker.js")
async def worker(who: Doctor) -> Response:
    """The script that keeps the page for dead spots; it may serve the whole site, where the page's own files are."""
    return FileResponse(STATIC / "doctor-worker.js", media_type="text/javascript", headers={"Service-Worker-Allowed": "/"})


@router.post("/push", status_code=204)
async def ring_here(web: TheWeb, who: Doctor, now: Now, subscription: Subscribed) -> Response:
    """Ring this browser when a visit is offered, also while the page is closed."""
    async with web.pool.connection() as conn:
        await casework.ring_here(conn, who, subscription, allowed=web.config.notify.push_hosts, now=now)
    return Response(status_code=204)


@router.post("/push/off", status_code=204)
async def ring_no_more(web: TheWeb, who: Doctor, now: Now, subscription: Subscribed) -> Response:
    """Ring it no more."""
    async with web.pool.connection() as conn:
        await casework.ring_no_more(conn, who, subscription, allowed=web.config.notify.push_hosts, now=now)
    return Response(status_code=204)


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
    if isinstance(await auth.check_password(web, who.name, password, now=now), Refused):
        raise BadInput(N_("The password is not right."))
    async with web.pool.connection() as conn:
        await accounts.set_pin(conn, who.name, pin)
        await accounts.audit(conn, by=who.name, action="pin_set", subject="", now=now)
    return RedirectResponse("/doctor", 303)
