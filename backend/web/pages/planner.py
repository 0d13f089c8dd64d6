"""The planner's board: a team's day as a map and as bars of time, with what moving a visit costs before it is moved."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from markupsafe import Markup
from pydantic import BaseModel, Field

from backend.db.pool import Connection
from backend.dispatch import day_store, plan_store, progress_store
from backend.dispatch.day import edit
from backend.dispatch.day.assemble import Day, DueRow, minute_of
from backend.dispatch.roads import roads_of
from backend.errors import BadInput, NotFound
from backend.people import accounts
from backend.people.accounts import Account
from backend.web import auth, labels, render
from backend.web.auth import Now, Operator, TheWeb, Web
from backend.web.language import Translator

router = APIRouter(prefix="/planner", include_in_schema=False)

Team = Annotated[str, Form(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class Move(BaseModel):
    """Where a stop is to go. Without a tour the visit is left out. `is_trial`: only say what it would cost."""

    due: int
    side: int = Field(ge=0, le=1)
    tour: str | None = Field(default=None, max_length=60)
    position: int = Field(ge=0, le=500)
    version: int
    is_trial: bool


@router.get("")
async def board(request: Request, web: TheWeb, who: Operator, now: Now, team: str = "", day: date | None = None) -> Response:
    """The board of a team's day; without words in the address the first team and today."""
    chosen_day = day or now.astimezone(progress_store.ZONE).date()
    async with web.pool.connection() as conn:
        teams = await plan_store.teams(conn)
        team_id = team if any(one["id"] == team for one in teams) else teams[0]["id"] if teams else ""
        plan = await plan_store.newest(conn, team_id, chosen_day)
        context: dict[str, Any] = {
            "teams": teams,
            "team_id": team_id,
            "day": chosen_day,
            "plan": plan,
            "data": None,
            "rows": [],
            "left": [],
        }
        if plan is not None and plan["made_at"] is not None:
            context |= await _made(conn, web, who, plan, auth.say_of(request), now)
    return render.page(request, "planner.html", **context)


@router.post("/ask")
async def ask(web: TheWeb, who: Operator, now: Now, team: Team, day: Annotated[date, Form()]) -> Response:
    """Ask the worker for a plan, with what is due by the date rules put on the list first."""
    async with web.pool.connection() as conn, conn.transaction():
        if not any(one["id"] == team for one in await plan_store.teams(conn)):
            raise NotFound(f"there is no team {team}")
        plan_id = await plan_store.ask(conn, team, day, by=who.name, now=now)
        await accounts.audit(conn, by=who.name, action="plan_asked", subject=f"plan:{plan_id}", now=now)
    return _back(team, day)


@router.get("/plans/{plan_id}/share")
async def share(web: TheWeb, who: Operator, plan_id: int) -> Response:
    """How far the search is: `state`, and `share` from 0 to 1."""
    async with web.pool.connection() as conn:
        plan = await plan_store.read(conn, plan_id)
    return JSONResponse({"state": plan["state"], "share": plan["share"]})


@router.post("/plans/{plan_id}/publish")
async def publish(web: TheWeb, who: Operator, now: Now, plan_id: int) -> Response:
    """Make it the day's plan; its times are now promised."""
    async with web.pool.connection() as conn, conn.transaction():
        plan = await plan_store.read(conn, plan_id)
        await plan_store.publish(conn, plan_id, now=now)
        await accounts.audit(conn, by=who.name, action="plan_published", subject=f"plan:{plan_id}", now=now)
    return _back(plan["team_id"], plan["day"])


@router.post("/plans/{plan_id}/move")
async def move(request: Request, web: TheWeb, who: Operator, now: Now, plan_id: int, wanted: Annotated[Move, Body()]) -> Response:
    """Move one stop of a draft, or say what that would cost: `adds` and `travel` in minutes, `breaks` in words, `version`."""
    say = auth.say_of(request)
    async with web.pool.connection() as conn, conn.transaction():
        plan = await plan_store.lock(conn, plan_id)
        if plan["state"] != "draft" or plan["version"] != wanted.version:
            raise BadInput(say("This plan has changed meanwhile. Load the page again."))
        day = await _day(conn, web, plan, now)
        moved = edit.move(day, await plan_store.tours_of(conn, plan_id), wanted.due, wanted.side, wanted.tour, wanted.position)
        if moved is None:
            raise NotFound("there is no such stop or tour in this plan")
        if not wanted.is_trial and not moved.breaks:
            await plan_store.keep(conn, plan_id, day, moved.tours, moved.unserved, cost=moved.cost, moves=0, now=now)
            await accounts.audit(conn, by=who.name, action="plan_moved", subject=f"plan:{plan_id}", now=now)
    breaks = [say(labels.PLAN_FAULT[rule]) for rule in moved.breaks]
    return JSONResponse({"adds": round(moved.adds, 1), "travel": round(moved.travel, 1), "breaks": breaks})


def _back(team: str, day: date) -> Response:
    return RedirectResponse(f"/planner?team={team}&day={day}", 303)


async def _day(conn: Connection, web: Web, plan: dict[str, Any], now: datetime) -> Day:
    """The day that a plan is about, by the half-days, prices and times on the way that the worker plans with."""
    habits = web.config.plan
    day = await day_store.of_plan(conn, plan, now=now, habits=habits)
    roads = roads_of(habits)
    return day if roads is None else await roads.on_roads(day)


async def _made(conn: Connection, web: Web, who: Account, plan: dict[str, Any], say: Translator, now: datetime) -> dict[str, Any]:
    """What the page shows of a plan that is made: the same as data for its script and as rows for people."""
    day = await _day(conn, web, plan, now)
    known = {due.id: due for due in (*day.dues, *day.placeless, *day.kept)}
    kept = {due.id for due in day.kept}
    for elder_id in sorted({due.elder_id for due in known.values()}):
        await accounts.audit_view(conn, by=who.name, subject=f"elder:{elder_id}", now=now)
    stops = await plan_store.stops(conn, plan["id"])
    rows = [_row(stop, known[stop["due_id"]], day, _progress(stop, now, is_kept=stop["due_id"] in kept), say) for stop in stops]
    left = [_left(known[one["due_id"]], one["reason"], say) for one in await plan_store.unserved(conn, plan["id"])]
    tours = [
        {"id": tour.id, "doctor": day.names[tour.person], "half": tour.id.split("/")[1], "ready": tour.ready, "back": tour.back_by}
        for tour in day.instance.tours
    ]
    places = {due.id: due.place for due in known.values() if due.place is not None}
    data = {
        "id": plan["id"],
        "version": plan["version"],
        "isDraft": plan["state"] == "draft",
        "now": minute_of(now, plan["day"], progress_store.ZONE),
        "tours": tours,
        "stops": rows,
        "left": left,
        "places": places,
    }
    return {"data": Markup(render.json_for_page(data)), "rows": rows, "left": left, "names": day.names}


def _left(due: DueRow, reason: str, say: Translator) -> dict[str, Any]:
    return {
        "due": due.id,
        "name": due.elder_name,
        "kind": say(labels.DUE_KIND[due.kind]),
        "due_on": due.due_on.isoformat(),
        "sides": len(due.roles),
        "why": say(labels.UNSERVED[reason]),
    }


def _progress(stop: dict[str, Any], now: datetime, *, is_kept: bool) -> str:
    """What a stop is by now, a key of labels.ON_BOARD, or `waiting`."""
    if stop["skip_reason"] is not None:
        return "skipped"
    if stop["outcome"] == "not_met":
        return "not_met"
    if stop["visit_state"] in labels.ON_BOARD:
        return str(stop["visit_state"])
    if stop["due_state"] != "due":
        return "elsewhere"
    if stop["starts_at"] <= now:
        return "unheard"
    return "next" if is_kept else "waiting"


def _row(stop: dict[str, Any], due: DueRow, day: Day, progress: str, say: Translator) -> dict[str, Any]:
    begins, ends = (stop[key].astimezone(progress_store.ZONE) for key in ("starts_at", "ends_at"))
    return {
        "due": due.id,
        "side": stop["side"],
        "tour": f"{stop['doctor_id']}/{stop['half']}",
        "doctor": day.names.get(stop["doctor_id"], stop["doctor_id"]),
        "half": stop["half"],
        "starts": begins.hour * 60 + begins.minute,
        "ends": ends.hour * 60 + ends.minute,
        "clock": f"{begins:%H:%M}",
        "until": f"{ends:%H:%M}",
        "leg": round(stop["leg_min"]),
        "name": due.elder_name,
        "kind": say(labels.DUE_KIND[due.kind]),
        "why": "，".join(_why(stop["terms"], say)) if say.language == "zh" else ", ".join(_why(stop["terms"], say)),
        "pair": len(due.roles) == 2,
        "progress": progress,
        "said": _said(stop, progress, say),
        "stays": due in day.kept,
    }


def _said(stop: dict[str, Any], progress: str, say: Translator) -> str:
    if progress == "waiting":
        return ""
    word = say(labels.ON_BOARD[progress])
    return f"{word}: {say(labels.SKIPPED[stop['skip_reason']])}" if progress == "skipped" else word


def _why(terms: dict[str, float], say: Translator) -> list[str]:
    """`own patient, +6 min`."""
    words = [say(labels.PLAN_TERM[name]) for name in terms if name in labels.PLAN_TERM]
    return words + ([say("%(min)s min more on the way", min=f"{terms['detour']:+.0f}")] if "detour" in terms else [])
