"""Elders: their series for charts."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from backend.errors import BadInput
from backend.people.model import Id
from backend.web import auth, chart, series
from backend.web.auth import Conn, Now, Staff
from backend.web.labels import N_
from backend.web.model import SeriesView
from contract.quantities import QUANTITIES, QuantityName

router = APIRouter(prefix="/api/elders", tags=["elders"])


@router.get("/{elder_id}/series")
async def get_series(
    conn: Conn,
    who: Staff,
    now: Now,
    elder_id: Id,
    quantity: QuantityName,
    from_at: Annotated[AwareDatetime, Query(alias="from")],
    to_at: Annotated[AwareDatetime, Query(alias="to")],
) -> SeriesView:
    """Plausible values of a quantity between two instants, in columns per device. 422 for an empty span or one over 15 years."""
    span_s = (to_at - from_at).total_seconds()
    if not 0 < span_s <= chart.SPAN_S_MAX:
        raise BadInput(N_("Choose a span of at most 15 years that ends after it begins."))
    step = chart.step_s(span_s)
    believed = (QUANTITIES[quantity].low, QUANTITIES[quantity].high)
    await auth.open_elder(conn, who, elder_id, now=now)
    raw_kept, minutes_kept = await series.kept(conn, quantity)
    of_s = chart.source_s(step, now - from_at, raw_kept=raw_kept, minutes_kept=minutes_kept)
    step = max(step, of_s)
    span = (from_at, to_at) if of_s == 1 else chart.widen(from_at, to_at, of_s)
    rows = await series.buckets(conn, elder_id, quantity, span, of_s=of_s, step_s=step, believed=believed)
    return chart.columns(elder_id, quantity, rows, from_at=from_at, to_at=to_at, step=step)
