"""What operators tell the rules about an elder: on oxygen and awake, which no device says and NEWS2 needs; and when somebody was away."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from backend.alerts.model import Subject
from backend.errors import NotFound
from backend.monitor import Monitor
from backend.people import accounts
from backend.people.model import Id
from backend.rules import episodes, watch
from backend.rules import store as rules
from backend.web import auth, render
from backend.web.auth import Conn, Now, Operator, TheWeb

router = APIRouter(prefix="/operator/elders/{elder_id}/watch", include_in_schema=False)
review = APIRouter(prefix="/operator/review", include_in_schema=False)

Consciousness = Literal["", "A", "C", "V", "P", "U"]


@review.get("")
async def show_late(request: Request, web: TheWeb, who: Operator, now: Now) -> Response:
    """The review of the day: what became known too late to call anybody."""
    async with web.pool.connection() as conn:
        await accounts.audit_view(conn, by=who.name, subject="review", now=now)
        return render.page(request, "review.html", late=await episodes.late(conn))


@router.get("")
async def show(request: Request, conn: Conn, who: Operator, now: Now, elder_id: Id) -> Response:
    """When somebody is or was away, and what was seen lately; the form for the latter."""
    await auth.open_elder(conn, who, elder_id, now=now)
    away, seen = await watch.away(conn, elder_id), await watch.observed(conn, elder_id)
    return render.page(request, "watch.html", elder_id=elder_id, away=away, seen=seen)


@router.post("/seen")
async def observe(
    web: TheWeb, who: Operator, now: Now, elder_id: Id, oxygen: Annotated[Literal["", "yes", "no"], Form()] = "",
    consciousness: Annotated[Consciousness, Form()] = "",
) -> Response:  # fmt: skip
    """Fill in what no device says; scores are judged again at once."""
    async with web.pool.connection() as conn, conn.transaction():
        await auth.open_elder(conn, who, elder_id, now=now)
        on_oxygen = {"yes": True, "no": False}.get(oxygen)
        await watch.observe(conn, elder_id, on_oxygen=on_oxygen, consciousness=consciousness or None, by=who.name, now=now)
        await accounts.audit(conn, by=who.name, action="elder_observed", subject=f"elder:{elder_id}", now=now)
        gateway_id = await watch.home_of(conn, elder_id)
        if gateway_id is None:
            raise NotFound(f"elder {elder_id} has no home")
        await Monitor(conn, await rules.load(conn), now).on_observation(Subject(elder_id, gateway_id), now)
    return _back(elder_id)


def _back(elder_id: str) -> Response:
    return RedirectResponse(f"/operator/elders/{elder_id}/watch", 303)
