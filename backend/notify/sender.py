"""Sends one waiting message: claim, send in a thread, record. Backs off while the channel says that trying again may help."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from backend.config import NotifyConfig
from backend.db.pool import TRANSIENT, Pool
from backend.notify import outbox
from backend.notify.channels import CHANNELS
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import compose

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 12
DEFAULTS = NotifyConfig()
BACKOFF_S = 5.0
BACKOFF_MAX_S = 600.0
ASKED_MAX_S = 3600.0
"""A channel that wants us to wait longer than an hour is asked again all the same."""


async def send_one(pool: Pool, *, now: datetime, settings: NotifyConfig = DEFAULTS) -> bool:
    """Send the next due message. False when nothing is due."""
    async with pool.connection() as conn:
        row = await outbox.claim(conn, now=now)
    if row is None:
        return False
    if not row["is_wanted"]:
        async with pool.connection() as conn:
            await outbox.failed(conn, row["id"], error="the offer is over", retry_at=None, now=now)
        return True
    try:
        async with _keeping(pool, row["id"]):
            await asyncio.to_thread(CHANNELS[row["channel"]], compose(row, settings), settings)
    except NotDelivered as error:
        await _failed(pool, row, error, now=now)
        return True
    except Exception as error:  # a fault of ours in one message: it is counted like any other, and the next one goes out
        logger.exception("a channel broke", extra={"event": "channel_broke", "id": row["id"], "channel": row["channel"]})
        await _failed(pool, row, NotDelivered(f"{type(error).__name__}: {error}", is_final=False, is_in_doubt=True), now=now)
        return True
    async with pool.connection() as conn:
        await outbox.sent(conn, row["id"], now=now)
    return True


async def _failed(pool: Pool, row: dict[str, Any], error: NotDelivered, *, now: datetime) -> None:
    retry_at = None if error.is_final or row["attempts"] >= ATTEMPTS_MAX else now + wait(row["attempts"], error.retry_after_s)
    logger.warning("notification not delivered", extra={"event": "notification_failed", "id": row["id"], "attempt": row["attempts"]})
    async with pool.connection() as conn:
        await outbox.failed(conn, row["id"], error=str(error), retry_at=retry_at, now=now, is_in_doubt=error.is_in_doubt)
        if error.is_gone:
            await outbox.forget(conn, channel=row["channel"], address=row["address"], now=now)


@asynccontextmanager
async def _keeping(pool: Pool, notification_id: int) -> AsyncIterator[None]:
    """Renew the lease of a row while it is being sent: a slow receiver must not get the message from a second worker as well."""

    async def keep() -> None:
        while True:
            await asyncio.sleep(outbox.LEASE.total_seconds() / 3)
            with suppress(TRANSIENT):
                async with pool.connection() as conn:
                    await outbox.renew(conn, notification_id, more=outbox.LEASE / 3)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()


def wait(attempts: int, asked_s: float | None) -> timedelta:
    """How long until the next try: what the channel asks for, up to ASKED_MAX_S, else our own back-off."""
    return backoff(attempts) if asked_s is None else timedelta(seconds=min(asked_s, ASKED_MAX_S))


def backoff(attempts: int) -> timedelta:
    """Wait after `attempts` >= 1 failures: 5 s, doubling, at most 10 min."""
    return timedelta(seconds=min(BACKOFF_S * 2 ** (attempts - 1), BACKOFF_MAX_S))
