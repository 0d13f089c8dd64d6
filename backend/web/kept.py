"""What many ask for at once and may be some seconds old: read once for all of them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Kept(Generic[Thing]):
    """Something that is read anew when it is older than `age_max`, by one at a time."""

    def __init__(self, age_max: timedelta) -> None:
        self._age_max = age_max
        self._kept: tuple[datetime, Thing] | None = None
        self._reading = asyncio.Lock()

    async def get(self, read: Callable[[], Awaitable[Thing]], now: datetime) -> Thing:
        """What was read less than `age_max` ago, else what `read` gives now. Raises what `read` raises, and keeps nothing of it."""
        async with self._reading:
            if self._kept is None or not now - self._age_max < self._kept[0] <= now:
                self._kept = now, await read()
            return self._kept[1]
