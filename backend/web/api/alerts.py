"""Alerts: what the rules say. What operators do is done to cases."""

from fastapi import APIRouter

from backend.people.model import Id
from backend.web import auth, read
from backend.web.auth import Conn, Now, Staff
from backend.web.model import AlertView

router = APIRouter(prefix="/api/alerts", tags=["alerts"])


@router.get("")
async def list_alerts(conn: Conn, who: Staff, now: Now, elder_id: Id | None = None) -> list[AlertView]:
    """Open alerts by priority, then those nobody has taken, then age; or the newest alerts of one elder, open and closed."""
    if elder_id is None:
        rows = await auth.visible(conn, who, await read.open_alerts(conn), now=now)
    else:
        await auth.open_elder(conn, who, elder_id, now=now)
        rows = await read.elder_alerts(conn, elder_id)
    return [AlertView.of(row) for row in rows]


@router.get("/{alert_id}")
async def get_alert(conn: Conn, who: Staff, now: Now, alert_id: int) -> AlertView:
    """One alert."""
    return AlertView.of(await auth.open_alert(conn, who, alert_id, now=now))
