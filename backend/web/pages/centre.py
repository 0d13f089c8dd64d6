"""The centre as a whole: who is on duty, and the hand-over between shifts."""

from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from backend.cases import duty
from backend.errors import BadInput
from backend.people import accounts
from backend.web import casework, read, render
from backend.web.auth import CENTRE as CENTRE_ROLES
from backend.web.auth import Admin, Conn, Now, Operator
from backend.web.labels import N_

router = APIRouter(prefix="/operator", include_in_schema=False)

CENTRE = ZoneInfo(render.ZONE)
Name = Annotated[str, Form(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")]
Part = Annotated[str, Form(pattern="^(desk|second|supervisor|on_call)$")]


@router.get("/duty")
async def show_duty(request: Request, conn: Conn, who: Operator, now: Now) -> Response:
    """Who is on duty now and next, hand-over notes, and what oneself has."""
    held = await read.held_cases(conn, who.name)
    everybody = [one for one in await accounts.everybody(conn) if one["role"] in CENTRE_ROLES and one["is_active"]]
    return render.page(
        request, "duty.html", shifts=await duty.coming(conn, now=now), notes=await duty.notes(conn, who.name), held=held,
        people=everybody, parts=duty.PARTS, centre=CENTRE,
    )  # fmt: skip


@router.post("/duty")
async def plan_duty(conn: Conn, who: Admin, now: Now, name: Name, part: Part, starts: str = Form(), hours: float = Form(gt=0)) -> Response:
    """Put somebody on duty; `starts` is on the centre's clock."""
    try:
        starts_at = datetime.fromisoformat(starts).replace(tzinfo=CENTRE)
    except ValueError as error:
        raise BadInput(N_("The beginning is a day and a time.")) from error
    known = {one["name"] for one in await accounts.everybody(conn) if one["role"] in CENTRE_ROLES}
    if name not in known or hours > 24 * 31:
        raise BadInput(N_("Choose an operator, and at most 24 hours."))
    ends_at = starts_at + timedelta(hours=hours)
    await casework.plan_duty(conn, who, name=name, part=part, starts_at=starts_at, ends_at=ends_at, now=now)
    return RedirectResponse("/operator/duty", 303)


@router.post("/duty/cancel")
async def cancel_duty(conn: Conn, who: Admin, now: Now, name: Name, part: Part, starts_at: Annotated[datetime, Form()]) -> Response:
    """Take a shift out of the plan."""
    await casework.cancel_duty(conn, who, name=name, part=part, starts_at=starts_at, now=now)
    return RedirectResponse("/operator/duty", 303)


@router.post("/hand-over")
async def hand_over(
    conn: Conn, who: Operator, now: Now, to_name: Name, note: Annotated[str, Form(min_length=1, max_length=2_000)]
) -> Response:
    """Everything one has goes to the next shift, with a note."""
    if not note.strip():
        raise BadInput(N_("Write a note for the next shift."))
    await casework.hand_over(conn, who, to_name=to_name, note=note.strip(), now=now)
    return RedirectResponse("/operator/duty", 303)


@router.post("/hand-over/{note_id}/read")
async def read_note(conn: Conn, who: Operator, now: Now, note_id: int) -> Response:
    """The note was read."""
    await casework.read_note(conn, who, note_id, now=now)
    return RedirectResponse("/operator/duty", 303)
