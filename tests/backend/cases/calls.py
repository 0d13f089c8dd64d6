"""Alerts that open cases, as the monitor brings them."""

from datetime import datetime

from backend.alerts import store as alerts
from backend.alerts.model import Subject
from backend.cases import store as cases
from backend.db.pool import Connection
from tests.backend.street import NOW

WANG = Subject("elder-1", "gw-1")


async def bring(
    conn: Connection,
    rule_id: str = "sos",
    priority: str = "high",
    *,
    at: datetime = NOW,
    now: datetime | None = None,
    subject: Subject = WANG,
) -> int:
    """Open an alert and bring it to its case, whose id is returned."""
    async with conn.transaction():
        alert_id = await alerts.open_alert(
            conn, subject, rule_id=rule_id, rule_version=1, priority=priority, level="emergency", at=at, now=now or at,
            evidence={"devices": ["wearable-1"]},
        )  # fmt: skip
        assert alert_id is not None
        return await cases.follow(conn, alert_id, now=now or at)
