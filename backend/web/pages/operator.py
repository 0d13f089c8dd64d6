"""The operators' board: the queue, the elder of the chosen alert, its story and the steps; without a choice, the street.

A page and its parts are the same routes: htmx asks for the part it replaces, a browser gets the whole board.
"""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from backend.alerts.lifecycle import Disposition
from backend.db.pool import Connection
from backend.errors import NotFound
from backend.people import accounts
from backend.people.accounts import Account
from backend.people.model import Id
from backend.rules.model import VisitClass
from backend.web import auth, chart, labels, read, render, steps, timeline
from backend.web.api.alerts import TEXT_MAX
from backend.web.auth import Now, Operator, TheWeb
from backend.web.language import Translator
from backend.web.read import Row

router = APIRouter(prefix="/operator", include_in_schema=False)

BEFORE = timedelta(minutes=15)
"""How long before an alert the story begins."""

Text = Annotated[str, Form(min_length=1, max_length=TEXT_MAX)]


@router.get("")
async def board(request: Request, web: TheWeb, who: Operator, now: Now) -> Response:
    """The board with the street."""
    async with web.pool.connection() as conn:
        return await _show(request, web, conn, who, {"homes": await _homes(conn, who, now)})


@router.get("/alerts/{alert_id}")
async def board_with_alert(request: Request, web: TheWeb, who: Operator, now: Now, alert_id: int) -> Response:
    """The board with one alert chosen."""
    async with web.pool.connection() as conn:
        alert = await auth.open_alert(conn, who, alert_id, now=now)
        context = await _story(conn, alert, auth.say_of(request), now)
        return await _show(request, web, conn, who, context | await _card(conn, alert["elder_id"], now))


@router.get("/elders/{elder_id}")
async def board_with_elder(request: Request, web: TheWeb, who: Operator, now: Now, elder_id: Id) -> Response:
    """The board with one elder chosen, and that elder's alerts."""
    async with web.pool.connection() as conn:
        await auth.open_elder(conn, who, elder_id, now=now)
        history = await read.elder_alerts(conn, elder_id)
        history.sort(key=lambda alert: alert["opened_at"], reverse=True)
        return await _show(request, web, conn, who, {"history": history} | await _card(conn, elder_id, now))


@router.get("/queue")
async def queue(request: Request, web: TheWeb, who: Operator) -> Response:
    """The queue alone."""
    async with web.pool.connection() as conn:
        return render.page(request, "queue.html", alerts=await read.open_alerts(conn))


@router.get("/street")
async def street(request: Request, web: TheWeb, who: Operator, now: Now) -> Response:
    """The street alone."""
    async with web.pool.connection() as conn:
        return render.page(request, "street.html", homes=await _homes(conn, who, now))


@router.get("/pulse")
async def pulse(request: Request, web: TheWeb, who: Operator) -> Response:
    """The strip that shows whether homes are heard."""
    return render.page(request, "pulse.html", pulse=web.live.pulse)


@router.get("/elders/{elder_id}/vitals")
async def vitals(request: Request, web: TheWeb, who: Operator, now: Now, elder_id: Id) -> Response:
    """An elder's newest values and devices alone."""
    async with web.pool.connection() as conn:
        await auth.open_elder(conn, who, elder_id, now=now)
        return render.page(request, "elder_live.html", **await _card(conn, elder_id, now))


@router.get("/alerts/{alert_id}/story")
async def story(request: Request, web: TheWeb, who: Operator, now: Now, alert_id: int) -> Response:
    """An alert's banner, state and story alone."""
    async with web.pool.connection() as conn:
        return await _fresh_story(request, conn, who, alert_id, now)


@router.post("/alerts/{alert_id}/take")
async def take(request: Request, web: TheWeb, who: Operator, now: Now, alert_id: int) -> Response:
    """Take the alert."""
    async with web.pool.connection() as conn:
        await steps.acknowledge(conn, who, alert_id, now=now)
        return await _fresh_story(request, conn, who, alert_id, now)


@router.post("/alerts/{alert_id}/note")
async def note(request: Request, web: TheWeb, who: Operator, now: Now, alert_id: int, text: Text) -> Response:
    """Add a remark."""
    async with web.pool.connection() as conn:
        await steps.note(conn, who, alert_id, text=text, now=now)
        return await _fresh_story(request, conn, who, alert_id, now)


@router.post("/alerts/{alert_id}/dispatch")
async def dispatch(
    request: Request, web: TheWeb, who: Operator, now: Now, alert_id: int, visit_class: Annotated[VisitClass, Form()], reason: Text
) -> Response:
    """Ask for a family doctor."""
    async with web.pool.connection() as conn:
        await steps.send_doctor(conn, who, alert_id, visit_class=visit_class, reason=reason, now=now)
        return await _fresh_story(request, conn, who, alert_id, now)


@router.post("/alerts/{alert_id}/close")
async def close(
    request: Request,
    web: TheWeb,
    who: Operator,
    now: Now,
    alert_id: int,
    disposition: Annotated[Disposition, Form()],
    text: Annotated[str, Form(max_length=TEXT_MAX)] = "",
) -> Response:
    """Close the alert."""
    async with web.pool.connection() as conn:
        await steps.close(conn, who, alert_id, disposition=disposition, text=text.strip(), now=now)
        return await _fresh_story(request, conn, who, alert_id, now)


@router.post("/alerts/{alert_id}/call-off")
async def call_off(request: Request, web: TheWeb, who: Operator, now: Now, alert_id: int, reason: Text) -> Response:
    """Call the newest visit of the alert off."""
    async with web.pool.connection() as conn:
        visits = await read.alert_visits(conn, alert_id)
        if not visits:
            raise NotFound(f"alert {alert_id} has no visit")
        await steps.cancel(conn, who, visits[-1]["id"], reason=reason, now=now)
        return await _fresh_story(request, conn, who, alert_id, now)


async def _show(request: Request, web: TheWeb, conn: Connection, who: Account, context: Row) -> Response:
    if "hx-request" in request.headers:
        return render.page(request, "work.html", **context)
    return render.page(request, "operator.html", alerts=await read.open_alerts(conn), pulse=web.live.pulse, **context)


async def _fresh_story(request: Request, conn: Connection, who: Account, alert_id: int, now: datetime) -> Response:
    alert = await auth.open_alert(conn, who, alert_id, now=now)
    return render.page(request, "story.html", **await _story(conn, alert, auth.say_of(request), now))


async def _homes(conn: Connection, who: Account, now: datetime) -> list[Row]:
    await accounts.audit_view(conn, by=who.name, subject="street", now=now)
    return await read.homes(conn, labels.STREET)


async def _card(conn: Connection, elder_id: str | None, now: datetime) -> Row:
    """What the card of an elder shows; an alert of a home without an elder has an empty one."""
    if elder_id is None:
        return {"elder": None, "latest": {}}
    return {"elder": await read.elder(conn, elder_id, now=now), "latest": await read.latest(conn, elder_id)}


async def _story(conn: Connection, alert: Row, say: Translator, now: datetime) -> Row:
    """What the story of an alert shows."""
    visits = await read.alert_visits(conn, alert["id"])
    is_stuck = any(visit["rounds"] and visit["state"] in ("requested", "offered") for visit in visits)
    lines = timeline.compose(
        await read.alert_steps(conn, alert["id"]),
        await read.events(conn, alert, before=BEFORE, now=now),
        await read.visit_steps(conn, alert["id"]),
        await read.notifications(conn, alert["id"]),
        say=say,
    )
    return {
        "alert": alert,
        "visit": visits[-1] if visits else None,
        "lines": lines,
        "doctors_to_call": await read.doctors_to_call(conn, alert["elder_id"]) if is_stuck else [],
        "fall": await read.fall_window(conn, alert["id"]),
        "quantity": chart.quantity_of(alert["rule"]),
        "limits": chart.limits_of(alert["rule"]),
    }
