"""Is this process alive, and does it do its work? Conditions, each of which holds or says what is wrong.

Alive: the event loop moves. Ready: besides, the database answers and whatever the process itself names holds. The marks are made on the
event loop; the questions come from the thread of `serving`, so that a loop that stands still can be told from one that works.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from backend.db.pool import TRANSIENT, Pool

BEAT_S = 1.0
LOOP_STILL_MAX_S = 10.0
"""Nothing in these processes may hold the loop for more than a fraction of a second; so long is a fault of ours or a starved machine."""
ASK_S = 2.0
ANSWER_AGE_MAX_S = 10.0
ASK = "SELECT 1"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must hold. `fault` says for people what is wrong; None while it holds."""

    name: str
    fault: str | None = None


class Health:
    """When the loop last moved and the database last answered. `more` names the conditions of this process; any thread may ask."""

    def __init__(self, pool: Pool, more: Callable[[], Iterable[Condition]], clock_s: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._more, self._clock_s = pool, more, clock_s
        self._moved_s = self._answered_s = -math.inf
        self._is_ended = False

    async def run(self) -> None:
        """Make the marks until cancelled."""
        self._is_ended = False
        asking = asyncio.create_task(self._ask_until_ended())
        try:
            await self._beat()
        finally:
            self._is_ended = True  # a pool may swallow a cancellation: the loop must end all the same
            asking.cancel()
            await asyncio.wait({asking}, timeout=ASK_S)

    def is_alive(self) -> list[Condition]:
        """Whether a restart is needed: what only a restart can mend."""
        return [Condition("event_loop", too_old("no move of the event loop", self._clock_s() - self._moved_s, LOOP_STILL_MAX_S))]

    def is_ready(self) -> list[Condition]:
        """Whether the process does its work."""
        database = too_old("no answer of the database", self._clock_s() - self._answered_s, ANSWER_AGE_MAX_S)
        return [*self.is_alive(), Condition("database", database), *self._more()]

    async def _beat(self) -> None:
        while True:
            self._moved_s = self._clock_s()
            await asyncio.sleep(BEAT_S)

    async def _ask_until_ended(self) -> None:
        while not self._is_ended:
            with suppress(TRANSIENT):
                async with self._pool.connection(timeout=ANSWER_AGE_MAX_S) as conn:
                    await conn.execute(ASK)
                    self._answered_s = self._clock_s()
            await asyncio.sleep(ASK_S)


def too_old(what: str, age_s: float, age_s_max: float) -> str | None:
    """The fault of something that must happen at least every `age_s_max`; None while it does. An infinite age: it never has."""
    if age_s <= age_s_max:
        return None
    return f"{what} for {age_s:.0f} s; {age_s_max:g} s are allowed" if math.isfinite(age_s) else f"{what} yet"


def answer(conditions: Sequence[Condition]) -> tuple[int, bytes]:
    """(HTTP status, JSON): 200 while all hold, else 503 with what is wrong by name."""
    wrong = {one.name: one.fault for one in conditions if one.fault is not None}
    body = {"ok": not wrong, "wrong": wrong, "holds": [one.name for one in conditions if one.fault is None]}
    return (503 if wrong else 200), json.dumps(body, ensure_ascii=False).encode()
