"""The elders: a list with its search, and a page with everything that is on file about one of them."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from backend.cases import tested
from backend.db.pool import Connection
from backend.people import accounts, search
from backend.people.model import Id
from backend.rules import drafts, overrides, patch
from backend.rules.sentence import sentence
from backend.web import auth, elder_read, render
from backend.web.auth import Conn, Now, Staff
from backend.web.labels import N_
from backend.web.language import Language
from backend.web.read import Row
from contract.quantities import QUANTITIES

router = APIRouter(prefix="/elders", include_in_schema=False)

SPANS: tuple[tuple[int, str], ...] = (
    (24, N_("1 day")),
    (24 * 7, N_("1 week")),
    (24 * 30, N_("1 month")),
    (24 * 365, N_("1 year")),
    (24 * 365 * 5, N_("5 years")),
)
"""Hours of a trend."""


@router.get("")
async def show_list(
    request: Request, conn: Conn, who: Staff, now: Now, search_: Annotated[str, Query(alias="search", max_length=60)] = "",
    page: Annotated[int, Query(ge=1, le=search.PAGE_MAX)] = 1,
) -> Response:  # fmt: skip
    """Those who fit, by pinyin: everybody for the centre, their own for a doctor. htmx asks for the lines alone."""
    doctor = (who.team_id, who.doctor_id) if who.role == "doctor" else None
    found = await search.find(conn, search_, page=page, doctor=doctor, now=now)
    shown = {"search": search_, "page": page, "elders": found.ids}
    await accounts.audit_view(conn, by=who.name, subject="elders", now=now, detail=shown)
    lines = await elder_read.lines(conn, found.ids, now=now)
    template = "elders_found.html" if "hx-request" in request.headers else "elders.html"
    return render.page(
        request, template, elders=lines, total=found.total, count_max=search.COUNT_MAX, page=page, search=search_,
        has_more=found.total > page * search.PAGE_ROWS,
    )  # fmt: skip


@router.get("/{elder_id}")
async def show_elder(request: Request, conn: Conn, who: Staff, now: Now, elder_id: Id) -> Response:
    """Health file, trends, devices, rules with this elder's overrides, visits and cases."""
    await auth.open_elder(conn, who, elder_id, now=now)
    elder = await elder_read.elder(conn, elder_id, now=now)
    assert elder is not None, "it was just opened"
    measured = await elder_read.quantities(conn, elder_id)
    return render.page(
        request, "elder.html", elder=elder, latest=await elder_read.latest(conn, elder_id), spans=SPANS,
        measured=[name for name in QUANTITIES if name in measured], tests=await tested.of_elder(conn, elder_id),
        untested_before=now - tested.UNTESTED_AFTER, rules=await _rules(conn, elder_id, auth.language_of(request), now),
        visits=await elder_read.visits(conn, elder_id), due=await elder_read.due(conn, elder_id),
        cases=await elder_read.cases(conn, elder_id), edits_rules=who.leads_rules,
        today=now.astimezone(ZoneInfo(elder["zone"])).date(),
    )  # fmt: skip


async def _rules(conn: Connection, elder_id: str, language: Language, now: datetime) -> list[Row]:
    """The rules in force with their sentences; what is different for this elder or the team stands first, with its reason and last day."""
    known = await drafts.in_force(conn)
    changed: dict[str, list[Row]] = {}
    for row in await overrides.in_force_for(conn, elder_id, now=now):  # the team's first: the elder's own goes over it
        rule = patch.patched(known, row)
        if rule is not None:
            known[row["rule_id"]] = rule
            changed.setdefault(row["rule_id"], []).append(row)
    rows = [{"rule": rule, "overrides": changed.get(rule_id, []), "sentence": sentence(rule, language)} for rule_id, rule in known.items()]
    return sorted(rows, key=lambda row: not row["overrides"])
