"""The report of a day, week or month, of all areas or one: as a page, as CSV, as PDF."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from backend.cases import attendance, report, tested
from backend.cases.report import CENTRE
from backend.db.pool import Connection
from backend.errors import BadInput
from backend.people import accounts
from backend.web import auth, render, tables
from backend.web.auth import Now, Operator, TheWeb
from backend.web.labels import N_
from backend.web.report_paper import Figures, compose

router = APIRouter(prefix="/operator", include_in_schema=False)

Period = Literal["day", "week", "month"]
Format = Literal["", "csv", "pdf"]
MEDIA = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}


@router.get("/report")
async def show_report(
    request: Request, web: TheWeb, who: Operator, now: Now, period: Period = "month", on: str = "",
    area: Annotated[str, Query(max_length=40)] = "", format: Format = "",
) -> Response:  # fmt: skip
    """Answer times, codes, alarms per elder-day, times to the home, false alarms, the noisiest and untested devices."""
    try:
        day = date.fromisoformat(on) if on else now.astimezone(CENTRE).date()
        from_at, to_at = span(period, day)
    except (ValueError, OverflowError) as error:
        raise BadInput(N_("The day is a date, such as 2026-03-01.")) from error
    async with web.pool.connection() as conn:
        await accounts.audit_view(conn, by=who.name, subject="report", now=now)
        figures = await gather(conn, from_at=from_at, to_at=to_at, area=area or None, now=now)
        weeks = [] if format else await report.kept_weeks(conn)
        if format:
            await accounts.audit(conn, by=who.name, action="report_taken", subject="report", now=now, detail={"format": format})
    paper = compose(figures, auth.say_of(request))
    if not format:
        return render.page(
            request, "report.html", paper=paper, period=period, day=day, area=area, areas=figures.areas, late=figures.answers.late_cases,
            weeks=[row["week_start"] for row in weeks],
        )  # fmt: skip
    data = tables.csv_of(paper) if format == "csv" else await tables.pdf_of(paper, font=web.config.web.print_font, turns=web.printing)
    name = f"jiahu-{period}-{from_at:%Y-%m-%d}{f'-{area}' if area else ''}.{format}"
    return Response(data, media_type=MEDIA[format], headers={"content-disposition": f'attachment; filename="{name}"'})


def span(period: Period, day: date) -> tuple[datetime, datetime]:
    """The day, week (from Monday) or month that holds a day, by the centre's clock."""
    first = {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[period]
    after = {"day": first + timedelta(days=1), "week": first + timedelta(days=7), "month": (first + timedelta(days=31)).replace(day=1)}[
        period
    ]
    return datetime.combine(first, time(), CENTRE), datetime.combine(after, time(), CENTRE)


async def gather(conn: Connection, *, from_at: datetime, to_at: datetime, area: str | None, now: datetime) -> Figures:
    """All figures of a span. Raises BadInput for an area that is not there."""
    areas = await report.areas_in(conn, area) if area else None
    if areas == []:
        raise BadInput(N_("There is no such area."))
    until = min(to_at, max(now, from_at))
    untested, untested_total = await tested.untested(conn, now=until, areas=areas)
    return Figures(
        from_at, to_at, until, now, area,
        calls=await report.calls(conn, from_at=from_at, to_at=to_at, areas=areas),
        alarms=await report.alarms(conn, from_at=from_at, to_at=to_at, areas=areas),
        watched=await report.watched(conn, from_at=from_at, to_at=to_at, areas=areas),
        areas=await report.area_names(conn),
        dispositions=await report.dispositions(conn, from_at=from_at, to_at=to_at, areas=areas),
        attendance=await attendance.by_class(conn, from_at=from_at, to_at=to_at, now=now, areas=areas),
        outcomes=await report.outcomes(conn, from_at=from_at, to_at=to_at, areas=areas),
        chatter=await report.chatter(conn, from_at=from_at, to_at=to_at, areas=areas),
        untested=untested, untested_total=untested_total,
    )  # fmt: skip
