"""The operators' board: the queue, the elder of the chosen case, its story and the steps; without a choice, the street.

A page and its parts are the same routes: htmx asks for the part it replaces, a browser gets the whole board.
"""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from markupsafe import Markup

from backend.cases import calls, duty
from backend.cases.lifecycle import Disposition
from backend.db.pool import Connection
from backend.errors import NotFound
from backend.people import accounts
from backend.people.accounts import Account
from backend.people.model import Id
from backend.rules import store as rules
from backend.rules.model import VisitClass
from backend.web import auth, board, chart, elder_read, read, render, steps, timeline
from backend.web.api.cases import TEXT_MAX
from backend.web.auth import Conn, Now, Operator, TheWeb, Web
from backend.web.events import EventStream
from backend.web.language import Translator
from backend.web.read import Row
from contract.quantities import QuantityName

router = APIRouter(prefix="/operator", include_in_schema=False)

BEFORE = timedelta(minutes=15)
"""How long before a case the story begins."""

Text = Annotated[str, Form(min_length=1, max_length=TEXT_MAX)]


@router.get("")
async def show_board(request: Request, web: TheWeb, conn: Conn, who: Operator, now: Now) -> Response:
    """The board with the street."""
    return await _show(request, web, conn, who, {"street_html": Markup(await _street(request, web, conn, who, now))})


@router.get("/cases/{case_id}")
async def board_with_case(request: Request, web: TheWeb, conn: Conn, who: Operator, now: Now, case_id: int) -> Response:
    """The board with one case chosen."""
    case = await auth.open_case(conn, who, case_id, now=now)
    context = await _story(conn, case, auth.say_of(request), now) | await _card(conn, case["elder_id"], now)
    context |= await _charts(conn, case["elder_id"], context["latest"], context["quantity"])
    return await _show(request, web, conn, who, context)


@router.get("/alerts/{alert_id}")
async def board_with_alert(conn: Conn, who: Operator, now: Now, alert_id: int) -> Response:
    """To the case of an alert, whose number may stand in an old link."""
    await auth.open_alert(conn, who, alert_id, now=now)
    case_id = await read.case_of_alert(conn, alert_id)
    if case_id is None:
        raise NotFound(f"alert {alert_id} has no case")
    return RedirectResponse(f"/operator/cases/{case_id}", 303)


@router.get("/elders/{elder_id}")
async def board_with_elder(request: Request, web: TheWeb, conn: Conn, who: Operator, now: Now, elder_id: Id) -> Response:
    """The board with one elder chosen, and that elder's cases."""
    await auth.open_elder(conn, who, elder_id, now=now)
    history = await read.elder_cases(conn, elder_id)
    history.sort(key=lambda case: case["opened_at"], reverse=True)
    card = await _card(conn, elder_id, now)
    charts = await _charts(conn, elder_id, card["latest"], QuantityName.HEART_RATE)
    return await _show(request, web, conn, who, {"history": history} | card | charts)


@router.get("/live", response_class=StreamingResponse)
async def live(request: Request, web: TheWeb, who: Operator) -> EventStream:
    """The stream of a console, see backend/web/board.py."""
    console = web.board.enter(auth.language_of(request))  # before the look: what changes after it is told
    try:
        async with web.pool.connection() as conn:
            await web.live.catch_up(conn)
    except BaseException:
        web.board.leave(console)
        raise
    return EventStream(web.board.stream(console), lambda: web.board.leave(console))


@router.get("/queue")
async def queue(
    request: Request, web: TheWeb, conn: Conn, who: Operator, rows: Annotated[int, Query(ge=1, le=board.ROWS_MAX)] = board.ROWS
) -> Response:
    """The queue alone."""
    if rows != board.ROWS:
        return HTMLResponse(web.board.longer_html(auth.language_of(request), await read.queue(conn, limit=rows), rows))
    return HTMLResponse(await _queue(request, web, conn))


@router.get("/beside")
async def beside(request: Request, conn: Conn, who: Operator) -> Response:
    """What stands beside the queue and is a person's own."""
    return render.page(request, "beside.html", **await _own(conn, who))


@router.get("/street")
async def street(request: Request, web: TheWeb, conn: Conn, who: Operator, now: Now) -> Response:
    """The street alone."""
    return HTMLResponse(await _street(request, web, conn, who, now))


@router.get("/elders/{elder_id}/vitals")
async def vitals(
    request: Request, conn: Conn, who: Operator, now: Now, elder_id: Id, case_id: Annotated[int | None, Query(alias="case")] = None
) -> Response:
    """An elder's newest values and devices alone; a live view asked for here belongs to the case."""
    await auth.open_elder(conn, who, elder_id, now=now)
    return render.page(request, "elder_live.html", case_id=case_id, **await _card(conn, elder_id, now))


@router.get("/cases/{case_id}/story")
async def story(request: Request, conn: Conn, who: Operator, now: Now, case_id: int) -> Response:
    """A case's banner, state and story alone."""
    return await fresh_story(request, conn, who, case_id, now)


@router.post("/cases/{case_id}/take")
async def take(request: Request, conn: Conn, who: Operator, now: Now, case_id: int) -> Response:
    """Take the case."""
    await steps.take(conn, who, case_id, now=now)
    return await fresh_story(request, conn, who, case_id, now)


@router.post("/cases/{case_id}/give-back")
async def give_back(request: Request, conn: Conn, who: Operator, now: Now, case_id: int) -> Response:
    """Put the case back into the queue."""
    await steps.put_back(conn, who, case_id, now=now)
    return await fresh_story(request, conn, who, case_id, now)


@router.post("/cases/{case_id}/note")
async def note(request: Request, conn: Conn, who: Operator, now: Now, case_id: int, text: Text) -> Response:
    """Add a remark."""
    await steps.note(conn, who, case_id, text=text, now=now)
    return await fresh_story(request, conn, who, case_id, now)


@router.post("/cases/{case_id}/dispatch")
async def dispatch(
    request: Request, conn: Conn, who: Operator, now: Now, case_id: int, visit_class: Annotated[VisitClass, Form()], reason: Text
) -> Response:
    """Ask for a family doctor."""
    await steps.send_doctor(conn, who, case_id, visit_class=visit_class, reason=reason, now=now)
    return await fresh_story(request, conn, who, case_id, now)


@router.post("/cases/{case_id}/resolve")
async def resolve(
    request: Request, conn: Conn, who: Operator, now: Now, case_id: int, text: Annotated[str, Form(max_length=TEXT_MAX)] = ""
) -> Response:
    """Say that nobody needs help any more."""
    await steps.resolve(conn, who, case_id, text=text.strip(), now=now)
    return await fresh_story(request, conn, who, case_id, now)


@router.post("/cases/{case_id}/close")
async def close(
    request: Request,
    conn: Conn,
    who: Operator,
    now: Now,
    case_id: int,
    disposition: Annotated[Disposition, Form()],
    text: Annotated[str, Form(max_length=TEXT_MAX)] = "",
) -> Response:
    """Close the case."""
    await steps.close(conn, who, case_id, disposition=disposition, text=text.strip(), now=now)
    return await fresh_story(request, conn, who, case_id, now)


@router.post("/cases/{case_id}/call-off")
async def call_off(request: Request, conn: Conn, who: Operator, now: Now, case_id: int, reason: Text) -> Response:
    """Call the newest visit of the case off."""
    visits = await read.case_visits(conn, case_id)
    if not visits:
        raise NotFound(f"case {case_id} has no visit")
    await steps.cancel(conn, who, visits[-1]["id"], reason=reason, now=now)
    return await fresh_story(request, conn, who, case_id, now)


async def _show(request: Request, web: Web, conn: Connection, who: Account, context: Row) -> Response:
    if "hx-request" in request.headers:
        return render.page(request, "work.html", **context)
    queue = Markup(await _queue(request, web, conn))
    return render.page(request, "operator.html", queue_html=queue, pulse=web.live.pulse, **await _own(conn, who), **context)


async def _own(conn: Connection, who: Account) -> Row:
    """What is a person's own: notes to read, and the cases that are with it, wherever they stand in the queue."""
    return {"unread": await duty.unread(conn, who.name), "held": await read.held_cases(conn, who.name)}


async def _queue(request: Request, web: Web, conn: Connection) -> str:
    """The queue as it is now, drawn."""
    await web.live.catch_up(conn)
    return web.board.queue_html(auth.language_of(request))


async def fresh_story(request: Request, conn: Connection, who: Account, case_id: int, now: datetime) -> Response:
    """A case's banner, state, contact plan and story, after a step."""
    case = await auth.open_case(conn, who, case_id, now=now)
    return render.page(request, "story.html", **await _story(conn, case, auth.say_of(request), now))


async def _street(request: Request, web: Web, conn: Connection, who: Account, now: datetime) -> str:
    await accounts.audit_view(conn, by=who.name, subject="street", now=now)
    return await web.board.street_html(conn, auth.language_of(request))


async def _card(conn: Connection, elder_id: str | None, now: datetime) -> Row:
    """What the card of an elder shows; a case without an elder has an empty one."""
    if elder_id is None:
        return {"elder": None, "latest": {}}
    return {"elder": await elder_read.elder(conn, elder_id, now=now), "latest": await elder_read.latest(conn, elder_id)}


async def _charts(conn: Connection, elder_id: str | None, latest: Row, quantity: QuantityName) -> Row:
    """What the charts of a card show: which quantities, and the limits in force for the elder."""
    if elder_id is None:
        return {}
    return {
        "charts": chart.charts_of(quantity, latest),
        "limits": chart.limits_by_quantity(await rules.load(conn, elder_id), elder_id),
    }


async def _story(conn: Connection, case: Row, say: Translator, now: datetime) -> Row:
    """What the story of a case shows."""
    alerts = await read.case_alerts(conn, case["id"]) if not case["is_group"] else []
    alert_ids = [alert["id"] for alert in alerts]
    visits = await read.case_visits(conn, case["id"])
    people, tries = await calls.plan(conn, case["elder_id"]), await calls.tries(conn, case["id"])
    lines = timeline.compose(
        await read.alert_steps(conn, alert_ids),
        await read.events(conn, case, alert_ids, before=BEFORE, now=now) if not case["is_group"] else [],
        await read.visit_steps(conn, alert_ids),
        await read.notifications(conn, case["id"], alert_ids),
        say=say,
        case_steps=await read.case_steps(conn, case["id"]),
    )
    return {
        "case": case,
        "alerts": alerts,
        "homes_out": await read.group_homes(conn, case["id"]) if case["is_group"] else [],
        "visit": visits[-1] if visits else None,
        "plan": people,
        "tries": tries,
        "next_call": calls.next_person(people, tries),
        "lines": lines,
        "fall": await read.fall_window(conn, alert_ids),
        "quantity": chart.quantity_of(case["rule"] or {}),
    }
