"""The time in the home: the machine's own clock, unless the backend's word shows that it is wrong.

A small box has no battery behind its clock. It may start in 1970, or where it stopped, and be set right, or wrong, at any moment. What
never jumps is its count of seconds since it started. So an instant is that count plus an offset, and a step of the offset is a step of the
clock.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contract.message import INSTANT_MAX, INSTANT_MIN

STEP_MIN = timedelta(seconds=2)
"""A smaller change of the offset is a clock that is being steered, not set."""
TRUST_S = 60.0
"""A clock that differs by less from the backend's word is believed: the word took part of that to come."""
DRIFT = 2e-4
"""How far a box's count of seconds may go astray, seconds per second: twice the worst of common crystals (100 ppm)."""
WORD_FOR_S = 600.0
"""So long the most exact word is kept; then a newer one is better."""
MILLISECOND = timedelta(milliseconds=1)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Word:
    """The backend's clock said `at` at some moment between `sent_s` and `heard_s` on the machine's count."""

    at: datetime
    sent_s: float
    heard_s: float

    @property
    def offset_s(self) -> float:
        """Seconds since 1970 at the count's zero, in the middle of what the word allows."""
        return self.at.timestamp() - (self.sent_s + self.heard_s) / 2

    @property
    def doubt_s(self) -> float:
        """Half of what the word leaves open."""
        return (self.heard_s - self.sent_s) / 2


class HomeClock:
    """Turns the machine's clock and count into the time to be stamped. No I/O."""

    def __init__(self) -> None:
        self._word: Word | None = None

    def take(self, word: Word) -> None:
        """Remember the backend's word if it is more exact than the one there is, or that one is old."""
        known = self._word
        if word.doubt_s >= 0 and (known is None or word.doubt_s <= known.doubt_s or word.heard_s - known.heard_s > WORD_FOR_S):
            self._word = word

    def now(self, wall: datetime, uptime_s: float) -> datetime:
        """The time at count `uptime_s` when the machine's clock says `wall`."""
        word = self._word
        if word is not None:
            doubt_s = TRUST_S + word.doubt_s + DRIFT * (uptime_s - word.heard_s)
            if abs(wall.timestamp() - uptime_s - word.offset_s) > doubt_s:
                wall = datetime.fromtimestamp(word.offset_s + uptime_s, UTC)
        return sendable(wall)


def sendable(at: datetime) -> datetime:
    """The nearest instant that the contract can carry: a clock gone mad must not make what cannot be sent."""
    return min(max(at, INSTANT_MIN), INSTANT_MAX - MILLISECOND)


def whole(at: datetime) -> datetime:
    """To the millisecond, as the outbox keeps it."""
    return at - timedelta(microseconds=at.microsecond % 1000)


def offset_of(now: datetime, uptime_s: float) -> timedelta:
    """What must be added to a count of seconds to get an instant, as time since 1970."""
    return now - INSTANT_MIN - timedelta(seconds=uptime_s)


def read_uptime_s() -> float:
    """Seconds since the machine started, sleep included; nobody can set it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def read_boot() -> str:
    """Name of this start of the machine; where there is none, every process is taken for a start of its own."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return f"process-{time.monotonic_ns()}"
