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
from backend.web import auth, elder_read, labels, render
from backend.web.auth import Admin, Conn, Now, Somebody, TheWeb
from backend.web.labels import N_
from backend.web.place import distance_km, is_placed
from backend.web.read import Row

router = APIRouter(prefix="/institutions", include_in_schema=False)

SHOWN_MAX = 60
"""More marks than this hide each other, and nobody reads a longer list: a search narrows it."""
Text = Annotated[str, Query(max_length=60)]


@router.get("")
async def show(
    request: Request, conn: Conn, who: Somebody, now: Now, search: Text = "", kind: Text = "", elder: Text = "", open_only: bool = False
) -> Response:
    """The directory with its map; with an elder, by the distance from that home."""
    if kind and kind not in KINDS:
        raise BadInput(N_("Choose a kind of the list."))
    home = None
    if elder:
        await auth.open_elder(conn, who, elder, now=now)
        home = await elder_read.elder(conn, elder, now=now)
    local = now.astimezone(ZoneInfo(home["zone"] if home else render.ZONE))
    near = (home["latitude"], home["longitude"]) if home is not None and is_placed(home) else None
    wanted = await store.open_hours(conn, local) if near or open_only else None
    found = await store.listed(
        conn, kind=kind, search=search, near=near, closed_too=who.role == "admin", hours=wanted if open_only else None, limit=SHOWN_MAX
    )
    nearest = await store.listed(conn, kind=kind, search=search, near=near, hours=wanted, limit=1) if near else None
    return render.page(
        request, "institutions.html", institutions=_shown(found.rows, home, local), total=found.total, elder=home, kinds=KINDS, kind=kind,
        search=search, open_only=open_only, nearest=next(filter(is_placed, _shown(nearest.rows, home, local)), None) if nearest else None,
        hours_text=labels.hours_text,
    )  # fmt: skip


@router.get("/edit")
async def edit(request: Request, conn: Conn, who: Admin, id: Annotated[str, Query(max_length=40)] = "") -> Response:
    """The form for a new institution, or for one that is known."""
    known = await store.find(conn, id) if id else None
    if id and known is None:
        raise NotFound(f"there is no institution {id}")
    given = {name: "" if value is None else str(value) for name, value in (known or {}).items()}
    return _form(request, given, is_known=known is not None)


@router.post("")
async def save(
    request: Request, web: TheWeb, who: Admin, now: Now, id: Annotated[Id, Form()], is_known: Annotated[bool, Form()] = False
) -> Response:
    """Store what the form says. A new institution takes the place of none."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str) and name in store.COLUMNS}
    try:
        institution = store.read_form(form)
        async with web.pool.connection() as conn, conn.transaction():
            await (store.save(conn, [institution]) if is_known else store.add(conn, institution))
            await accounts.audit(conn, by=who.name, action="institution_saved", subject=f"institution:{id}", now=now)
    except BadInput as error:
        return _form(request, form, is_known=is_known, fault=auth.say_of(request)(str(error)))
    return RedirectResponse(f"/institutions?{urlencode({'search': institution.name})}", 303)


def _shown(found: list[Row], home: Row | None, local: datetime) -> list[Row]:
    """Institutions with `is_open` (None when not known) and, from a home with coordinates, `km`."""
    return [
        one
        | {
            "is_open": hours.is_open(one["hours"], local) if one["is_active"] else False,
            "km": distance_km(home, one) if home is not None and is_placed(home) and is_placed(one) else None,
        }
        for one in found
    ]


def _form(request: Request, given: dict[str, str], *, is_known: bool, fault: str = "") -> Response:
    status = 422 if fault else 200
    return render.page(request, "institution_form.html", status=status, given=given, kinds=KINDS, is_known=is_known, fault=fault)
