"""Work inside a transaction whose failure must not undo, or hold up, the rest of it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from backend.db.pool import Connection

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Apart:
    """What has become of it."""

    is_failed: bool = False


@asynccontextmanager
async def apart(conn: Connection, what: str, *, event: str, **ids: object) -> AsyncIterator[Apart]:
    """A savepoint: whatever fails inside is undone and logged as `what`, and the work around it goes on. A lost connection rises."""
    outcome = Apart()
    try:
        async with conn.transaction():
            yield outcome
    except Exception:
        if conn.broken or conn.closed:
            raise
        outcome.is_failed = True
        logger.exception("%s", what, extra={"event": event, **ids})
