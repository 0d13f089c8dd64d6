"""Around one case or elder: the contact plan, what rests, the sheet for 120, 110 and 119, and the channels of the elder's contacts."""

from datetime import datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from backend.cases import rest
from backend.cases.calls import Result
from backend.db.pool import Connection
from backend.errors import BadInput, NotFound
from backend.notify import outbox
from backend.notify.channels import push
from backend.people import accounts
from backend.people.model import Id
from backend.web import auth, casework, elder_read, labels, read, render, timeline
from backend.web.auth import Conn, Now, Operator, Staff
from backend.web.labels import N_
from backend.web.pages.operator import fresh_story
from backend.web.read import Row

router = APIRouter(prefix="/operator", include_in_schema=False)

PersonId = Annotated[str, Form(pattern=r"^(elder|contact:[0-9a-f]{16})$")]
Reason = Annotated[str, Form(min_length=1, max_length=500)]


@router.post("/cases/{case_id}/calls")
async def begin_call(request: Request, conn: Conn, who: Operator, now: Now, case_id: int, person: PersonId) -> Response:
    """Somebody of the plan is being called."""
    await casework.begin_call(conn, who, case_id, person, now=now)
    return await fresh_story(request, conn, who, case_id, now)


@router.post("/cases/{case_id}/calls/{call_id}")
async def end_call(
    request: Request, conn: Conn, who: Operator, now: Now, case_id: int, call_id: int, result: Annotated[Result, Form()]
) -> Response:
    """How the call ended."""
    await casework.end_call(conn, who, case_id, call_id, result, now=now)
    return await fresh_story(request, conn, who, case_id, now)


@router.get("/cases/{case_id}/sheet")
async def case_sheet(request: Request, conn: Conn, who: Operator, now: Now, case_id: int) -> Response:
    """The sheet for 120, 110 and 119 about the elder of a case."""
    case = await auth.open_case(conn, who, case_id, now=now)
    if case["elder_id"] is None:
        raise BadInput(N_("This home has no elder on file: there is nothing to put on a sheet."))
    return await _sheet(request, conn, case["elder_id"], case, now)


@router.get("/elders/{elder_id}/sheet")
async def elder_sheet(request: Request, conn: Conn, who: Operator, now: Now, elder_id: Id) -> Response:
    """The sheet for 120, 110 and 119 about an elder."""
    await auth.open_elder(conn, who, elder_id, now=now)
    return await _sheet(request, conn, elder_id, None, now)


async def _sheet(request: Request, conn: Connection, elder_id: str, case: Row | None, now: datetime) -> Response:
    elder, latest = await elder_read.elder(conn, elder_id, now=now), await elder_read.latest(conn, elder_id)
    return render.page(
        request, "sheet.html", elder=elder, latest=latest, case=case, stamp=f"{now.astimezone(timeline.CENTRE):%Y-%m-%d %H:%M:%S}"
    )


@router.get("/rests")
async def rests(request: Request, conn: Conn, who: Operator, now: Now, case: int | None = None, elder: str = "") -> Response:
    """What rests now, and the form to let something rest: of a case's home, or of an elder."""
    await accounts.audit_view(conn, by=who.name, subject="rests", now=now)
    chosen = await auth.open_case(conn, who, case, now=now) if case is not None else None
    if elder:
        await auth.open_elder(conn, who, elder, now=now)
    subject = (chosen["elder_id"] or f"gateway:{chosen['gateway_id']}") if chosen else elder
    alerts = await read.case_alerts(conn, chosen["id"]) if chosen else []
    return render.page(
        request, "rests.html", rests=await rest.in_force(conn, now=now), subject=subject, alerts=alerts, days_max=rest.DAYS_MAX,
        name=(chosen["elder_name"] or subject) if chosen else elder,
    )  # fmt: skip


@router.post("/rests")
async def let_rest(
    conn: Conn,
    who: Operator,
    now: Now,
    subject: Annotated[str, Form(pattern=r"^(gateway:)?[a-z0-9][a-z0-9_-]{0,39}$")],
    what: Annotated[str, Form(max_length=90)],
    hours: Annotated[int, Form(ge=1, le=24 * 90)],
    reason: Reason,
) -> Response:
    """Let it rest. `what`: `maintenance`, `away`, `hospital`, or `shelved RULE [DEVICE]`."""
    kind, *named = what.split()
    if kind not in rest.KINDS:
        raise BadInput(N_("Choose what rests."))
    rule_id, device_id = [*named, None, None][:2]
    await casework.let_rest(
        conn, who, subject=subject, now=now, kind=kind, rule_id=rule_id, device_id=device_id, reason=reason.strip(),
        ends_at=now + timedelta(hours=hours),
    )  # fmt: skip
    return RedirectResponse("/operator/rests", 303)


@router.post("/rests/{rest_id}/end")
async def end_rest(conn: Conn, who: Operator, now: Now, rest_id: int) -> Response:
    """Arm again before the time."""
    await casework.end_rest(conn, who, rest_id, now=now)
    return RedirectResponse("/operator/rests", 303)


@router.get("/channels")
async def channels(request: Request, conn: Conn, who: Staff, now: Now, elder: str = "") -> Response:
    """One's own channels, or those of an elder's contacts."""
    people: list[tuple[str, str, str | None]] = [(f"account:{who.name}", who.title, None)]
    former: dict[str, str] = {}
    if elder:
        if who.role not in auth.CENTRE:
            raise NotFound("doctors change their own channels alone")
        await auth.open_elder(conn, who, elder, now=now)
        people = await _contacts(conn, elder, now)
        former = {one["person"]: one["name"] for one in await outbox.former_contacts(conn, elder)}
        people += [(person, name, None) for person, name in former.items()]
    routes = {person: await outbox.routes(conn, person) for person, *_ in people}
    push_key = push.public_key() if who.role == "doctor" else None
    return render.page(request, "channels.html", people=people, former=former, routes=routes, elder=elder, push_key=push_key)


@router.post("/channels")
async def set_channel(
    conn: Conn,
    who: Staff,
    now: Now,
    person: Annotated[str, Form(max_length=400)],
    channel: Annotated[str, Form(max_length=20)],
    address: Annotated[str, Form(min_length=1, max_length=500)],
    consent: Reason,
    priorities: Annotated[list[str], Form()],
    quiet_from: Annotated[str, Form(max_length=5)] = "",
    quiet_to: Annotated[str, Form(max_length=5)] = "",
) -> Response:
    """Add a channel, with the words that the person consented to."""
    if channel not in labels.CHANNEL or not set(priorities) <= labels.PRIORITY.keys():
        raise BadInput(N_("Choose a channel and its priorities."))
    try:
        quiet = (time.fromisoformat(quiet_from), time.fromisoformat(quiet_to)) if quiet_from or quiet_to else None
    except ValueError as error:
        raise BadInput(N_("Quiet hours need a beginning and an end, such as 22:00 and 07:00.")) from error
    await casework.set_route(
        conn, who, person=person, channel=channel, address=address.strip(), priorities=priorities, quiet=quiet,
        consented_to=consent.strip(), now=now,
    )  # fmt: skip
    return RedirectResponse(_channels_of(person), 303)


@router.post("/channels/{route_id}/withdraw")
async def withdraw(conn: Conn, who: Staff, now: Now, route_id: int, person: Annotated[str, Form(max_length=400)]) -> Response:
    """Consent is withdrawn."""
    await casework.withdraw_route(conn, who, person=person, route_id=route_id, now=now)
    return RedirectResponse(_channels_of(person), 303)


async def _contacts(conn: Connection, elder_id: str, now: datetime) -> list[tuple[str, str, str | None]]:
    """Contacts of an elder: person, name, and the channel of the file of people while that counts."""
    found = await elder_read.elder(conn, elder_id, now=now)
    assert found is not None, "it was just opened"
    people: list[tuple[str, str, str | None]] = []
    for one in found["contacts"]:
        person = f"contact:{elder_id}:{one['name']}"
        imported = None if await outbox.has_had_routes(conn, person) else one["notify_channel"]
        people.append((person, f"{one['name']} {one['relation']}", imported))
    return people


def _channels_of(person: str) -> str:
    kind, elder, *_ = [*person.split(":"), ""]
    return f"/operator/channels?elder={elder}" if kind == "contact" else "/operator/channels"
