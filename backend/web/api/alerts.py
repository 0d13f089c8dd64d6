"""Alerts: the queue, one alert, and what operators do with it."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from backend.alerts.lifecycle import Disposition
from backend.people.model import Id
from backend.rules.model import VisitClass
from backend.web import auth, read, steps
from backend.web.auth import Now, Operator, Somebody, TheWeb
from backend.web.model import AlertView, VisitView

router = APIRouter(prefix="/api/alerts", tags=["alerts"])

TEXT_MAX = 2_000
Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]


class Body(BaseModel):
    """Base of what is posted: unknown keys are refused, blanks around texts dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class NoteBody(Body):
    """A remark."""

    text: Text


class DispatchBody(Body):
    """How soon a doctor should come, and why."""

    visit_class: VisitClass
    reason: Text


class CloseBody(Body):
    """Why the alert is closed."""

    disposition: Disposition
    text: str = Field(default="", max_length=TEXT_MAX)


@router.get("")
async def list_alerts(web: TheWeb, who: Somebody, now: Now, elder_id: Id | None = None) -> list[AlertView]:
    """Open alerts by priority, then those nobody has taken, then age; or the newest alerts of one elder, open and closed."""
    async with web.pool.connection() as conn:
        if elder_id is None:
            rows = await auth.visible(conn, who, await read.open_alerts(conn), now=now)
        else:
            await auth.open_elder(conn, who, elder_id, now=now)
            rows = await read.elder_alerts(conn, elder_id)
    return [AlertView.of(row) for row in rows]


@router.get("/{alert_id}")
async def get_alert(web: TheWeb, who: Somebody, now: Now, alert_id: int) -> AlertView:
    """One alert."""
    async with web.pool.connection() as conn:
        return AlertView.of(await auth.open_alert(conn, who, alert_id, now=now))


@router.post("/{alert_id}/acknowledge", status_code=204)
async def acknowledge(web: TheWeb, who: Operator, now: Now, alert_id: int) -> Response:
    """Take an alert. 409 with the winner's name when somebody else has it."""
    async with web.pool.connection() as conn:
        await steps.acknowledge(conn, who, alert_id, now=now)
    return Response(status_code=204)


@router.post("/{alert_id}/note", status_code=204)
async def note(web: TheWeb, who: Operator, now: Now, alert_id: int, body: NoteBody) -> Response:
    """Add a remark."""
    async with web.pool.connection() as conn:
        await steps.note(conn, who, alert_id, text=body.text, now=now)
    return Response(status_code=204)


@router.post("/{alert_id}/dispatch")
async def dispatch(web: TheWeb, who: Operator, now: Now, alert_id: int, body: DispatchBody) -> VisitView:
    """Ask for a family doctor. Answers the visit, which is the one that was open already when there was one."""
    async with web.pool.connection() as conn:
        visit_id = await steps.send_doctor(conn, who, alert_id, visit_class=body.visit_class, reason=body.reason, now=now)
        return VisitView.of((await read.visits(conn, [visit_id]))[0])


@router.post("/{alert_id}/close", status_code=204)
async def close(web: TheWeb, who: Operator, now: Now, alert_id: int, body: CloseBody) -> Response:
    """Close with a code."""
    async with web.pool.connection() as conn:
        await steps.close(conn, who, alert_id, disposition=body.disposition, text=body.text, now=now)
    return Response(status_code=204)
