"""The answer that is a stream of server-sent events."""

import asyncio
from collections.abc import AsyncIterable, Callable
from contextlib import suppress

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

STREAM_S_MAX = 900.0
"""A stream ends after this long, and the page comes back at once with its session checked again."""
GRACE_S = 30.0
"""One that has not ended by itself so long after, because nobody reads it, is cut."""


class EventStream(StreamingResponse):
    """Messages for a page that was let in before its answer began. `leave` is called at the end, even when no message was asked for."""

    def __init__(self, messages: AsyncIterable[str | bytes], leave: Callable[[], None], *, lasts_s: float = STREAM_S_MAX + GRACE_S) -> None:
        super().__init__(messages, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._leave, self._lasts_s = leave, lasts_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lasts_s):
                    await super().__call__(scope, receive, send)
        finally:
            self._leave()
