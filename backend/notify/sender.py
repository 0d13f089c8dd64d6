"""Sends one waiting message: claim, send in a thread, record. Backs off while the channel says that trying again may help."""

import asyncio
import logging
from datetime import datetime, timedelta

from backend.db.pool import Pool
from backend.notify import outbox
from backend.notify.channels import CHANNELS
from backend.notify.channels.failure import NotDelivered

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 12
BACKOFF_S = 5.0
BACKOFF_MAX_S = 600.0


async def send_one(pool: Pool, *, now: datetime) -> bool:
    """Send the next due message. False when nothing is due."""
    async with pool.connection() as conn:
        row = await outbox.claim(conn, now=now)
    if row is None:
        return False
    try:
        await asyncio.to_thread(CHANNELS[row["channel"]], row["address"], row["body"])
    except NotDelivered as error:
        retry_at = None if error.is_final or row["attempts"] >= ATTEMPTS_MAX else now + backoff(row["attempts"])
        logger.warning("notification not delivered", extra={"event": "notification_failed", "id": row["id"], "attempt": row["attempts"]})
        async with pool.connection() as conn:
            await outbox.failed(conn, row["id"], error=str(error), retry_at=retry_at, now=now)
        return True
    async with pool.connection() as conn:
        await outbox.sent(conn, row["id"], now=now)
    return True


def backoff(attempts: int) -> timedelta:
    """Wait after `attempts` >= 1 failures: 5 s, doubling, at most 10 min."""
    return timedelta(seconds=min(BACKOFF_S * 2 ** (attempts - 1), BACKOFF_MAX_S))
