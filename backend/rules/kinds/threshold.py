"""Threshold: a quantity beyond a limit for `hold_s`, or `times` times within `within_s`, breaches; back past `clear` it is over."""

from collections import deque
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from math import inf, nextafter
from typing import Literal, Self

from pydantic import Field, model_validator

from backend.rules.hours import stretch
from backend.rules.model import (
    COOLDOWN_S,
    LATE_PAGE_S,
    LONGEST_S,
    SEVERITY,
    Judgement,
    Level,
    Limit,
    Quantity,
    RuleBase,
    RuleShape,
    Sample,
    Verdict,
    span_us,
    to_us,
)
from backend.rules.track import Episode, Latch, Point, gravest, word_of
from contract.quantities import QUANTITIES

FRESH_S = 60
MAX_GAP_S = 30


class Clear(Limit):
    """The way back, with its own hold or its own number of readings: hysteresis."""

    hold_s: float = Field(default=0, ge=0, le=86_400)
    times: int = Field(default=1, ge=1, le=20)


class ThresholdLevel(Level, Limit):
    """Breached when the limit is passed without interruption for `hold_s` seconds of event time, or by `times` readings within `within_s`.

    `first`: what the first of several readings does. `clear`: the level's own way back, instead of the rule's.
    """

    hold_s: float = Field(default=0, ge=0, le=86_400)
    times: int = Field(default=1, ge=1, le=20)
    within_s: float | None = Field(default=None, gt=0, le=30 * 86_400)
    first: Literal["ask_to_remeasure"] | None = None
    clear: Clear | None = None

    @model_validator(mode="after")
    def _hold_or_times(self) -> Self:
        if (self.times > 1) != (self.within_s is not None):
            raise ValueError("times (2 or more) and within_s belong together")
        if self.times > 1 and self.hold_s > 0:
            raise ValueError("give hold_s, for a steady signal, or times and within_s, for single measurements; not both")
        if self.first is not None and self.times == 1:
            raise ValueError("first needs times and within_s: with one reading there is nothing to confirm")
        return self


class Timing(RuleShape):
    """`max_gap_s`: a longer silence breaks a run. `fresh_s`: without data for longer the verdict is UNKNOWN."""

    max_gap_s: float = Field(default=MAX_GAP_S, gt=0, le=LONGEST_S)
    fresh_s: float = Field(default=FRESH_S, gt=0, le=LONGEST_S)
    late_page_s: float = Field(default=LATE_PAGE_S, ge=0, le=LONGEST_S)
    cooldown_s: float = Field(default=COOLDOWN_S, ge=0, le=LONGEST_S)


class Ladder(RuleBase):
    """Levels of one number, from mild to grave, and the ways back. Levels keep runs of their own: none is skipped on the way.

    Without `clear` a level is over as soon as its limit is not passed any more.
    """

    levels: list[ThresholdLevel] = Field(min_length=1, max_length=6)
    clear: Clear | None = None
    timing: Timing = Timing()

    @model_validator(mode="after")
    def _sides_agree(self) -> Self:
        if len({level.is_upper for level in self.levels}) != 1:
            raise ValueError("all levels of one rule must look the same way: up (above, at_least) or down (below, at_most)")
        for clear in filter(None, [self.clear, *(level.clear for level in self.levels)]):
            if clear.is_upper == self.levels[0].is_upper:
                raise ValueError("clear must look the other way than the levels, or the alert could never end")
        for level in self.levels:
            way_back = level.clear or self.clear
            if way_back is not None and way_back.overlaps(level):
                raise ValueError(f"clear must not pass a value that breaches a level ({level.name})")
        return self

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        names = [level.name for level in self.levels]
        if names != [name for name in SEVERITY if name in names]:
            raise ValueError(f"levels stand from mild to grave, each name once: {', '.join(SEVERITY)}")
        for mild, grave in pairwise(self.levels):
            is_milder = grave.bound < mild.bound if grave.is_upper else grave.bound > mild.bound
            if is_milder and (grave.hold_s, grave.times) <= (mild.hold_s, mild.times):
                raise ValueError(
                    f"{grave.name} must not have a milder limit than {mild.name}, unless it needs a longer hold_s or more times"
                )
        return self

    @model_validator(mode="after")
    def _holds_can_be_reached(self) -> Self:
        for name, clear in (("clear", self.clear), *((level.name, level.clear) for level in self.levels)):
            if clear is not None and clear.hold_s > 0 and clear.times > 1:
                raise ValueError(f"{name}: give hold_s or times for the way back, not both")
        return self

    def clear_of(self, level: ThresholdLevel) -> Clear:
        """The way back of one level: its own, the rule's, or the other side of its limit."""
        return level.clear or self.clear or Clear.model_validate(_other_side(level))

    @property
    def gap_s(self) -> float:
        """A longer silence breaks a run."""
        return self.timing.max_gap_s

    @property
    def fresh_s(self) -> float:
        """Without data for longer, nothing is known: at least as long as repeats may take."""
        if "fresh_s" in self.timing.model_fields_set:
            return self.timing.fresh_s
        return max([self.timing.fresh_s, *(level.within_s or 0 for level in self.levels)])

    @property
    def repeat_gap_s(self) -> float:
        """Readings further apart are not counted together on the way back."""
        return max([self.gap_s, *(level.within_s or 0 for level in self.levels)])

    @property
    def lookback_s(self) -> float:
        """How far before a new sample a window must reach so that every run that matters to it lies inside."""
        ways_back = [self.clear_of(level) for level in self.levels]
        holds = [max(level.hold_s, level.within_s or 0) for level in self.levels] + [clear.hold_s for clear in ways_back]
        return max(max(holds) + self.gap_s, max(clear.times for clear in ways_back) * self.repeat_gap_s)

    def is_quiet(self, low: float, high: float) -> bool:
        """True when values between `low` and `high` can neither breach nor stay short of clear: no window is needed."""
        floor, ceiling = self.band
        return floor <= low and high <= ceiling

    @cached_property
    def band(self) -> tuple[float, float]:
        """The closed range of values that pass every way back, and so no level."""
        return band_of([self.clear_of(level) for level in self.levels])

    def machine(self, home_zone: str = "Asia/Shanghai") -> "Machine":
        """A fresh machine that takes samples in order of time."""
        return Machine(self, home_zone)


class ThresholdRule(Ladder):
    """One quantity against its levels."""

    kind: Literal["threshold"]
    quantity: Quantity

    @model_validator(mode="after")
    def _limits_are_believed(self) -> Self:
        quantity = QUANTITIES[self.quantity]
        for limit in filter(None, [*self.levels, self.clear, *(level.clear for level in self.levels)]):
            if not quantity.is_plausible(limit.bound):
                believed = f"{quantity.low:g} to {quantity.high:g} {quantity.unit}"
                raise ValueError(f"{limit.bound:g} is no {self.quantity}: values from {believed} are believed, all others are left out")
        return self


def _other_side(limit: Limit) -> dict[str, float]:
    for word, other in (("below", "at_least"), ("at_most", "above"), ("above", "at_most"), ("at_least", "below")):
        if (bound := getattr(limit, word)) is not None:
            return {other: bound}
    raise AssertionError("a limit has one comparison")


def band_of(ways_back: Sequence[Clear]) -> tuple[float, float]:
    """The closed range of values that pass all of these."""
    floor, ceiling = -inf, inf
    for clear in ways_back:
        if clear.at_least is not None:
            floor = max(floor, clear.at_least)
        elif clear.above is not None:
            floor = max(floor, nextafter(clear.above, inf))
        elif clear.at_most is not None:
            ceiling = min(ceiling, clear.at_most)
        elif clear.below is not None:
            ceiling = min(ceiling, nextafter(clear.below, -inf))
    return floor, ceiling


class Machine:
    """Takes the samples of one series in order of time. Between samples it is the whole memory of the rule."""

    __slots__ = ("_band", "_gap", "_previous", "_repeat_gap", "_runs", "asked_at", "hours", "is_idle", "latch", "zone")

    def __init__(self, rule: Ladder, home_zone: str) -> None:
        self._gap, self._repeat_gap = span_us(rule.gap_s), span_us(rule.repeat_gap_s)
        self._band = rule.band
        self.hours, self.zone = rule.active, home_zone
        self.latch = Latch(tuple(level.name for level in rule.levels), rule.levels[0].is_upper)
        self._runs = [_Run(level, rule.clear_of(level)) for level in rule.levels]
        self._previous: int | None = None
        self.asked_at: list[int] = []
        self.is_idle = True
        """Nothing stands and nothing has begun: calm samples may be passed over."""

    @property
    def verdict(self) -> Verdict:
        """What the newest sample says; of one that was passed over, what the one before it said."""
        if self._previous is None:
            return Verdict.UNKNOWN
        return word_of([run.is_reached for run in self._runs], [run.is_cleared for run in self._runs])

    @property
    def breaches(self) -> str | None:
        """The gravest level that the newest sample makes reached."""
        return gravest(self.latch.names, [run.is_reached for run in self._runs])

    @property
    def is_asking(self) -> bool:
        """True while the first of several readings is neither confirmed nor refuted."""
        return not self.latch.is_any and any(bool(run.hits) and run.asks for run in self._runs)

    def restore(self, episode: Episode) -> None:
        """Go on from an open episode."""
        self.latch.restore(episode)
        for run, is_set in zip(self._runs, self.latch.set_, strict=True):
            run.is_set = is_set
        self.is_idle = not self.latch.is_any

    def warm(self, points: Sequence[Point]) -> None:
        """Take samples that are judged already: only what has begun in them matters."""
        before = [run.is_set for run in self._runs]
        for at, value in points:
            self._look(at, value)
        for run, is_set in zip(self._runs, before, strict=True):
            run.is_set = is_set
        self.is_idle = not any(run.is_busy for run in self._runs)
        self.asked_at.clear()

    def run(self, points: Sequence[Point]) -> None:
        """Take samples for their episodes alone: calm ones cost next to nothing while the machine is idle."""
        low, high = self._band
        step = self.step
        for at, value in points:
            if self.is_idle and low <= value <= high:
                continue
            step(at, value)

    def step(self, at: int, value: float) -> None:
        """Take one sample."""
        if self._look(at, value):
            self.latch.change(at, value, [run.is_set for run in self._runs])
        elif self.latch.episode is not None:
            self.latch.touch(at, value)

    def _look(self, at: int, value: float) -> bool:
        """Move all runs by one sample; True when a level was set or given back. Hot: one call per sample that is not calm."""
        previous, self._previous = self._previous, at
        gap = 0 if previous is None else at - previous
        is_changed = False
        is_idle = True
        for run in self._runs:
            if gap > self._gap:
                run.since = run.clear_since = None
                if gap > self._repeat_gap:
                    run.clear_count = 0
            if run.passes(value):
                run.clear_since, run.clear_count, run.is_cleared = None, 0, False
                run.is_reached = self._reaches(run, at)
                if run.is_reached and not run.is_set:
                    run.is_set = is_changed = True
                is_idle = False
                continue
            run.since, run.is_reached = None, False
            if run.clears(value):
                if run.hits:
                    run.hits.clear()
                if run.clear_since is None:
                    run.clear_since = at
                run.clear_count += 1
                run.is_cleared = at - run.clear_since >= run.clear_hold and run.clear_count >= run.clear_times
                if run.is_cleared and run.is_set:
                    run.is_set, is_changed = False, True
            else:
                run.clear_since, run.clear_count, run.is_cleared = None, 0, False
            if run.is_set or run.hits:
                is_idle = False
        self.is_idle = is_idle
        return is_changed

    def _reaches(self, run: "_Run", at: int) -> bool:
        """A sample beyond the limit of a level: True when that has now lasted, or happened often, enough."""
        if self.hours is not None and stretch(self.hours, at, self.zone) is None:
            run.since = None
            return False
        if run.times == 1:
            if run.since is None:
                run.since = at
            return at - run.since >= run.hold
        while run.hits and at - run.hits[0] > run.within:
            run.hits.popleft()
        if run.asks and not run.hits:
            self.asked_at.append(at)
        if not run.hits or run.hits[-1] != at:
            run.hits.append(at)
        return len(run.hits) >= run.times


class _Run:
    """One level: its limit and way back, how long or how often each has been passed, and whether the level is set."""

    __slots__ = (
        "asks", "clear_count", "clear_hold", "clear_since", "clear_times", "clears", "hits", "hold", "is_cleared", "is_reached", "is_set",
        "passes", "since", "times", "within",
    )  # fmt: skip

    def __init__(self, level: ThresholdLevel, clear: Clear) -> None:
        self.passes, self.hold, self.times = level.test(), span_us(level.hold_s), level.times
        self.within, self.asks = span_us(level.within_s or 0), level.first is not None
        self.clears, self.clear_hold, self.clear_times = clear.test(), span_us(clear.hold_s), clear.times
        self.since: int | None = None
        self.hits: deque[int] = deque()
        self.clear_since: int | None = None
        self.clear_count = 0
        self.is_set = self.is_reached = self.is_cleared = False

    @property
    def is_busy(self) -> bool:
        return self.is_set or self.since is not None or bool(self.hits)


def judge(rule: Ladder, samples: Sequence[Sample]) -> list[Judgement]:
    """Judgements at every sample where the verdict or level differs from the one before, oldest first. For people and tests.

    The level is the gravest that is set, so it stays while a value is between the limits.
    """
    machine = rule.machine()
    found: list[Judgement] = []
    for sample in samples:
        machine.step(to_us(sample.at), sample.value)
        said = (machine.verdict, machine.latch.level)
        if not found or (found[-1].verdict, found[-1].level) != said:
            found.append(Judgement(said[0], sample.at, said[1], {"value": sample.value}))
    return found
