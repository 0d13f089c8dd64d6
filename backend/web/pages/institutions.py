"""The map of institutions: one touch calls, another opens the way; beside an elder, the nearest that is open comes first."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from backend.errors import BadInput, NotFound
from backend.institutions import hours, store
from backend.institutions.model import KINDS
from backend.people import accounts
from backend.people.model import Id
from backend.web import auth, labels, read, render
from backend.web.auth import Admin, Now, Somebody, TheWeb
from backend.web.labels import N_
from backend.web.place import distance_km, is_placed
from backend.web.read import Row

router = APIRouter(prefix="/institutions", include_in_schema=False)

SHOWN_MAX = 60
"""More marks than this hide each other, and nobody reads a longer list: a search narrows it."""
Text = Annotated[str, Query(max_length=60)]


@router.get("")
async def show(
    request: Request, web: TheWeb, who: Somebody, now: Now, search: Text = "", kind: Text = "", elder: Text = "", open_only: bool = False
) -> Response:
    """The directory with its map; with an elder, by the distance from that home."""
    if kind and kind not in KINDS:
        raise BadInput(N_("Choose a kind of the list."))
    async with web.pool.connection() as conn:
        home = None
        if elder:
            await auth.open_elder(conn, who, elder, now=now)
            home = await read.elder(conn, elder, now=now)
        found = await store.listed(conn, kind=kind, search=search, closed_too=who.role == "admin")
    everything = arranged(found, home, now)
    listed = [one for one in everything if one["is_open"] or not open_only]
    return render.page(
        request, "institutions.html", institutions=listed[:SHOWN_MAX], total=len(listed), elder=home, kinds=KINDS, kind=kind, search=search,
        open_only=open_only, nearest=nearest_open(everything) if is_placed(home) else None, hours_text=labels.hours_text,
    )  # fmt: skip


@router.get("/edit")
async def edit(request: Request, web: TheWeb, who: Admin, id: Annotated[str, Query(max_length=40)] = "") -> Response:
    """The form for a new institution, or for one that is known."""
    async with web.pool.connection() as conn:
        known = await store.find(conn, id) if id else None
    if id and known is None:
        raise NotFound(f"there is no institution {id}")
    given = {name: "" if value is None else str(value) for name, value in (known or {}).items()}
    return _form(request, given, is_known=known is not None)


@router.post("")
async def save(request: Request, web: TheWeb, who: Admin, now: Now, id: Annotated[Id, Form()]) -> Response:
    """Store what the form says."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str) and name in store.COLUMNS}
    try:
        institution = store.read_form(form)
    except BadInput as error:
        return _form(request, form, is_known=False, fault=str(error))
    async with web.pool.connection() as conn, conn.transaction():
        await store.save(conn, [institution])
        await accounts.audit(conn, by=who.name, action="institution_saved", subject=f"institution:{id}", now=now)
    return RedirectResponse(f"/institutions?{urlencode({'search': institution.name})}", 303)


def arranged(found: list[Row], home: Row | None, now: datetime) -> list[Row]:
    """Institutions with `is_open` (None when not known) and, from a home with coordinates, `km`; then the nearest first."""
    zone = ZoneInfo(home["zone"] if home else render.ZONE)
    local = now.astimezone(zone)
    rows = [
        one
        | {
            "is_open": hours.is_open(one["hours"], local) if one["is_active"] else False,
            "km": distance_km(home, one) if home is not None and is_placed(home) and is_placed(one) else None,
        }
        for one in found
    ]
    return sorted(rows, key=lambda one: (one["km"] is None, one["km"] or 0))


def nearest_open(rows: list[Row]) -> Row | None:
    """The first that is open now; None where none is known to be."""
    return next((one for one in rows if one["is_open"] and one["km"] is not None), None)


def _form(request: Request, given: dict[str, str], *, is_known: bool, fault: str = "") -> Response:
    status = 422 if fault else 200
    return render.page(request, "institution_form.html", status=status, given=given, kinds=KINDS, is_known=is_known, fault=fault)
