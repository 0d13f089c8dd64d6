"""Teams with their shifts, and who has signed with whom: everybody in the centre sees it, the administrator keeps it."""

from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from backend.people import accounts, teams
from backend.people.model import Id
from backend.web import auth, render
from backend.web.auth import Admin, Conn, Now, Operator, TheWeb
from backend.web.render import ZONE

router = APIRouter(include_in_schema=False)

DUE_WITHIN = timedelta(days=60)
"""Project's choice: contracts that end so soon are to be renewed."""


def _today(now: datetime) -> date:
    return now.astimezone(ZoneInfo(ZONE)).date()


@router.get("/teams")
async def show_teams(request: Request, conn: Conn, who: Operator, now: Now) -> Response:
    """Teams, members, shifts."""
    await accounts.audit_view(conn, by=who.name, subject="teams", now=now)
    found = await teams.teams(conn, now=now, today=_today(now))
    return render.page(request, "teams.html", teams=found)


@router.post("/teams/doctors/{doctor_id}/shifts")
async def add_shift(
    web: TheWeb, who: Admin, now: Now, doctor_id: Id, starts_at: Annotated[datetime, Form()], ends_at: Annotated[datetime, Form()]
) -> Response:
    """Put a doctor on duty; times are the centre's."""
    zone = ZoneInfo(ZONE)
    async with web.pool.connection() as conn, conn.transaction():
        await teams.add_shift(conn, doctor_id=doctor_id, starts_at=starts_at.replace(tzinfo=zone), ends_at=ends_at.replace(tzinfo=zone))
        await accounts.audit(conn, by=who.name, action="shift_added", subject=f"doctor:{doctor_id}", now=now)
    return RedirectResponse("/teams", 303)


@router.post("/teams/doctors/{doctor_id}/end-shift")
async def end_shift(web: TheWeb, who: Admin, now: Now, doctor_id: Id, starts_at: Annotated[datetime, Form()]) -> Response:
    """Take a shift back."""
    async with web.pool.connection() as conn, conn.transaction():
        await teams.end_shift(conn, doctor_id=doctor_id, starts_at=starts_at)
        await accounts.audit(conn, by=who.name, action="shift_ended", subject=f"doctor:{doctor_id}", now=now)
    return RedirectResponse("/teams", 303)


@router.post("/teams/doctors/{doctor_id}/active")
async def set_active(web: TheWeb, who: Admin, now: Now, doctor_id: Id, is_active: Annotated[bool, Form()] = False) -> Response:
    """A member leaves the team, or comes back."""
    async with web.pool.connection() as conn, conn.transaction():
        await teams.set_active(conn, doctor_id, is_active=is_active)
        await accounts.audit(conn, by=who.name, action="member_changed", subject=f"doctor:{doctor_id}", now=now)
    return RedirectResponse("/teams", 303)


@router.get("/contracts")
async def show_contracts(
    request: Request, conn: Conn, who: Operator, now: Now, search: Annotated[str, Query(max_length=40)] = "", due: bool = False
) -> Response:
    """Elders and their contracts."""
    today = _today(now)
    await accounts.audit_view(conn, by=who.name, subject="contracts", now=now)
    found = await teams.contracts(conn, only_due=due, due_before=today + DUE_WITHIN, search=search)
    rate = await teams.signed_rate(conn, today=today)
    all_teams = await teams.teams(conn, now=now, today=today)
    return render.page(
        request, "contracts.html", contracts=found, rate=rate, teams=all_teams, search=search, due=due, today=today,
        soon=today + DUE_WITHIN, a_year_on=today + timedelta(days=365),
    )  # fmt: skip


@router.post("/contracts/{elder_id}")
async def sign(
    conn: Conn,
    who: Admin,
    now: Now,
    elder_id: Id,
    doctor_id: Annotated[str, Form(max_length=40)],
    signed_on: Annotated[date, Form()],
    ends_on: Annotated[date, Form()],
) -> Response:
    """Sign, renew, or change the team."""
    await auth.open_elder(conn, who, elder_id, now=now)
    async with conn.transaction():
        await teams.sign(conn, elder_id, doctor_id=doctor_id, signed_on=signed_on, ends_on=ends_on, by=who.name)
        await accounts.audit(conn, by=who.name, action="signed", subject=f"elder:{elder_id}", now=now)
    return RedirectResponse(f"/contracts?search={elder_id}", 303)


@router.post("/contracts/{elder_id}/end")
async def end(conn: Conn, who: Admin, now: Now, elder_id: Id, reason: Annotated[str, Form(min_length=1, max_length=200)]) -> Response:
    """End a contract, with the reason."""
    await auth.open_elder(conn, who, elder_id, now=now)
    async with conn.transaction():
        await teams.end_contract(conn, elder_id, on=_today(now), reason=reason, by=who.name)
        await accounts.audit(conn, by=who.name, action="contract_ended", subject=f"elder:{elder_id}", now=now)
    return RedirectResponse(f"/contracts?search={elder_id}", 303)
