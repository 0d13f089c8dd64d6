"""Messages to people, as rows: written in the alert's transaction, unique per (alert, step, person), claimed by one worker at a time."""

import json
from datetime import datetime, timedelta
from typing import Any

from backend.db.pool import Connection

ADD = """
INSERT INTO notification (alert_id, step, person, channel, address, body, due_at)
SELECT %(alert_id)s, %(step)s, 'contact:' || c.position, c.notify_channel, c.notify_address, %(body)s, %(now)s
FROM contact c WHERE c.elder_id = %(elder_id)s AND c.notify_channel IS NOT NULL
ON CONFLICT (alert_id, step, person) DO NOTHING
"""
CLAIM = """
UPDATE notification SET attempts = attempts + 1, due_at = %(lease_until)s
WHERE id = (SELECT id FROM notification WHERE state = 'waiting' AND due_at <= %(now)s ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, alert_id, step, person, channel, address, body, attempts
"""
FINISH = "UPDATE notification SET state = %(state)s, sent_at = %(sent_at)s, error = %(error)s, due_at = %(due_at)s WHERE id = %(id)s"

LEASE = timedelta(seconds=60)
"""A worker that dies while sending frees its row after this long; it must exceed every channel's time-out."""


async def add(conn: Connection, *, alert_id: int, elder_id: str, step: str, body: dict[str, Any], now: datetime) -> None:
    """Write one row for every contact of the elder who wants to be told. `body` is the JSON object the channel sends."""
    values = {"alert_id": alert_id, "elder_id": elder_id, "step": step, "body": json.dumps(body), "now": now}
    await conn.execute(ADD, values)


async def claim(conn: Connection, *, now: datetime) -> dict[str, Any] | None:
    """Take the next due row for LEASE; commit before sending. None when nothing is due."""
    return await (await conn.execute(CLAIM, {"now": now, "lease_until": now + LEASE})).fetchone()


async def sent(conn: Connection, notification_id: int, *, now: datetime) -> None:
    """The channel took it."""
    await conn.execute(FINISH, {"id": notification_id, "state": "sent", "sent_at": now, "error": None, "due_at": now})


async def failed(conn: Connection, notification_id: int, *, error: str, retry_at: datetime | None, now: datetime) -> None:
    """The channel did not take it; `retry_at` None means never again."""
    state = "failed" if retry_at is None else "waiting"
    await conn.execute(FINISH, {"id": notification_id, "state": state, "sent_at": None, "error": error[:500], "due_at": retry_at or now})
