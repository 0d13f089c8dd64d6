"""What new samples do to the episodes of one series, wherever in time they fall: the stretch they can change is judged anew, no more.

Episodes are a function of the rule and of all samples, and of nothing else. So what is stored before new samples come is right up to the
first of them, and right again from where old and new agree that nothing stands and no run reaches back to them.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Protocol

from backend.rules.model import Verdict, span_us
from backend.rules.track import Episode, Latch, Point

CHUNK_S = 6 * 3600
"""How much is looked at in one go when a change reaches beyond the first window; it doubles each time."""


class NumberMachine(Protocol):
    """A machine of one of the kinds that look at numbers."""

    latch: Latch
    asked_at: list[int]

    @property
    def verdict(self) -> Verdict:
        """What the newest sample says."""

    def restore(self, episode: Episode) -> None:
        """Go on from an open episode."""

    @property
    def is_asking(self) -> bool:
        """True while the first of several readings is neither confirmed nor refuted."""

    def run(self, points: Sequence[Point]) -> None:
        """Take samples."""

    def warm(self, points: Sequence[Point]) -> None:
        """Take samples that are judged already."""


class NumberRule(Protocol):
    """A rule of one of the kinds that look at numbers."""

    @property
    def lookback_s(self) -> float:
        """How far before a sample a window must reach."""

    def machine(self, home_zone: str) -> NumberMachine:
        """A fresh machine."""


class Revision:
    """Ask `needs` for a window and `feed` it, until it needs nothing; then `episodes` holds all of them, and `asked_at` what was asked.

    `episodes`: those known, in order. `first`, `last`: of the new samples, which the windows already hold. Microseconds.
    """

    def __init__(self, rule: NumberRule, episodes: Sequence[Episode], *, first: int, last: int, home_zone: str) -> None:
        self._lookback = span_us(rule.lookback_s)
        self._old = list(episodes)
        self._machine = rule.machine(home_zone)
        self._begin = first
        self._settled = last + self._lookback
        around = next((one for one in episodes if one.opened_at <= first and (one.closed_at is None or one.closed_at >= first)), None)
        if around is not None and first > around.last_at:
            self._machine.restore(deepcopy(around))
            if not self._machine.latch.is_any:  # its levels are not of this version: what they said ends here
                ended = replace(around, steps=[*around.steps, (first, ())], closed_at=first)
                self._old[self._old.index(around)] = ended
        elif around is not None:
            self._begin = around.opened_at
        self._next: tuple[int, int] | None = (self._begin - self._lookback, self._settled)
        self._chunk = span_us(CHUNK_S)
        self._kept_until = self._begin
        self.episodes: list[Episode] = []

    def needs(self) -> tuple[int, int] | None:
        """The window to be fed next: from and to, both inside; None when it is done."""
        return self._next

    def feed(self, points: Sequence[Point], *, is_last: bool) -> None:
        """All samples of the window, sorted by time and value, each once. `is_last`: there are none after it."""
        assert self._next is not None
        _, end = self._next
        if end == self._settled:
            split = next((row for row, (at, _) in enumerate(points) if at >= self._begin), len(points))
            self._machine.warm(points[:split])
            points = points[split:]
        self._machine.run(points)
        if is_last or (not self._machine.latch.is_any and not _names_at(self._old, end)):
            self._finish(None if is_last else end)
        else:
            self._next = (end + 1, end + self._chunk)
            self._chunk *= 2

    def _finish(self, agreed_at: int | None) -> None:
        self._next = None
        made = self._machine.latch.episodes
        before = [one for one in self._old if one.opened_at < self._begin and not (made and made[0].opened_at == one.opened_at)]
        after = [one for one in self._old if agreed_at is not None and one.opened_at > agreed_at]
        self.episodes = [*before, *made, *after]

    @property
    def asked_at(self) -> list[int]:
        """When the first of several readings asked for another."""
        return self._machine.asked_at

    @property
    def is_asking(self) -> bool:
        """True while such a reading is neither confirmed nor refuted."""
        return self._machine.is_asking

    @property
    def verdict(self) -> Verdict:
        """What the newest sample says while a level stands."""
        return self._machine.verdict


def _names_at(episodes: Sequence[Episode], at: int) -> tuple[str, ...]:
    return next((one.names_at(at) for one in reversed(episodes) if one.opened_at <= at), ())
