"""Frames that the kernel had taken for a gateway which then died: not accepted, and so no loss. Everything else that is missing is one.

Such frames stand next to the death: the last ones before it, within TAIL_S, or the first ones until its successor has emptied the port's
buffers, which opening a serial port does. A hole with a stored frame between it and the death is no tail.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from simulators.faults.ledger import End

TAIL_S = 1.0
"""On a busy machine. The goal is 0.05 s: what a gateway may hold before it syncs (20 ms), and the time to read and write it."""
FLUSH_S = 1.0
"""From the moment the port is seen open to the moment its buffers were emptied, on a busy machine."""

Death = tuple[float, float]
"""(dead from, port open again); the second is infinite where it never was."""


class Tails:
    """For one device: `stored` are the times at which its stored frames were written, in order; `deaths` in order too."""

    def __init__(self, stored: Sequence[float], deaths: Sequence[Death]) -> None:
        self._stored = stored
        self._deaths = deaths
        self.longest_s = 0.0
        """The longest time before a death that was excused so far."""

    def excuse(self, written_at: float) -> bool:
        """Is the missing frame that was written at `written_at` part of a tail?"""
        for dead_at, open_at in self._deaths:
            if dead_at - TAIL_S <= written_at <= dead_at and not self._is_stored_within(written_at, dead_at):
                self.longest_s = max(self.longest_s, dead_at - written_at)
                return True
            if dead_at < written_at <= open_at + FLUSH_S and not self._is_stored_within(dead_at, written_at):
                return True
        return False

    def _is_stored_within(self, from_at: float, to_at: float) -> bool:
        return bisect_left(self._stored, to_at) > bisect_right(self._stored, from_at)


def deaths(ends: Sequence[End], ports: Sequence[tuple[float, bool]]) -> list[Death]:
    """When a gateway was dead, from its ends and from when its port was opened (True) and left (False)."""
    found = []
    for end in sorted(ends, key=lambda one: one.at):
        dead_at = _first(ports, end.at, is_heard=False) if end.is_gentle else end.at
        found.append((dead_at, _first(ports, dead_at, is_heard=True)))
    return found


def _first(ports: Sequence[tuple[float, bool]], after_at: float, *, is_heard: bool) -> float:
    return next((at for at, was_heard in ports if at > after_at and was_heard is is_heard), float("inf"))
