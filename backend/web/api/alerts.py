"""Alerts: what the rules say. What operators do is done to cases."""

from fastapi import APIRouter, Request, Response

from backend.people.model import Id
from backend.web import auth, read
from backend.web.api.paging import LIMIT, After, Limit, page_of
from backend.web.auth import Conn, Now, Staff
from backend.web.model import AlertView

router = APIRouter(prefix="/api/alerts", tags=["alerts"])


@router.get("")
async def list_alerts(
    request: Request, response: Response, conn: Conn, who: Staff, now: Now, elder_id: Id | None = None, limit: Limit = LIMIT,
    after: After = None,
) -> list[AlertView]:  # fmt: skip
    """Open alerts by priority, then those nobody has taken, then age, a page at a time with a `Link` to the next, as the cases.

    With `elder_id` the newest 200 alerts of one elder, open and closed, on one page.
    """
    if elder_id is None:
        ids = await page_of(request, response, conn, who, read.open_alert_places, limit=limit, after=after, now=now)
        rows = await read.alerts(conn, ids)
    else:
        await auth.open_elder(conn, who, elder_id, now=now)
        rows = await read.elder_alerts(conn, elder_id)
    return [AlertView.of(row) for row in rows]


@router.get("/{alert_id}")
async def get_alert(conn: Conn, who: Staff, now: Now, alert_id: int) -> AlertView:
    """One alert."""
    return AlertView.of(await auth.open_alert(conn, who, alert_id, now=now))
