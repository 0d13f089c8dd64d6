"""Threshold: a quantity beyond a limit for `hold_s`, or `times` times within `within_s`, breaches; back past `clear` it is over."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from math import inf, nextafter
from typing import Literal, Self

from pydantic import Field, model_validator

from backend.rules.hours import stretch
from backend.rules.model import (
    COOLDOWN_S,
    LATE_PAGE_S,
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
from backend.rules.track import Latch, Point, gravest, word_of
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

    max_gap_s: float = Field(default=MAX_GAP_S, gt=0)
    fresh_s: float = Field(default=FRESH_S, gt=0)
    late_page_s: float = Field(default=LATE_PAGE_S, ge=0)
    cooldown_s: float = Field(default=COOLDOWN_S, ge=0)


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

    __slots__ = (
        "_band",
        "_clears",
        "_gap",
        "_levels",
        "_previous",
        "_repeat_gap",
        "_runs",
        "asked_at",
        "breaches",
        "hours",
        "latch",
        "verdict",
        "zone",
    )

    def __init__(self, rule: Ladder, home_zone: str) -> None:
        self._levels = [
            (level.test(), span_us(level.hold_s), level.times, span_us(level.within_s or 0), level.first is not None)
            for level in rule.levels
        ]
        self._clears = [(clear.test(), span_us(clear.hold_s), clear.times) for clear in map(rule.clear_of, rule.levels)]
        self._gap, self._repeat_gap = span_us(rule.gap_s), span_us(rule.repeat_gap_s)
        self._band = rule.band
        self.hours, self.zone = rule.active, home_zone
        self.latch = Latch(tuple(level.name for level in rule.levels), rule.levels[0].is_upper)
        self._runs: list[_Run] = [_Run() for _ in rule.levels]
        self._previous: int | None = None
        self.verdict = Verdict.UNKNOWN
        self.breaches: str | None = None
        self.asked_at: list[int] = []

    @property
    def is_asking(self) -> bool:
        """True while the first of several readings is neither confirmed nor refuted."""
        return not self.latch.is_any and any(bool(run.hits) and asks for run, (*_, asks) in zip(self._runs, self._levels, strict=True))

    def run(self, points: Sequence[Point]) -> None:
        """Take samples for their episodes alone: those inside the band cost next to nothing while nothing is set or begun."""
        low, high = self._band
        latch, step = self.latch, self.step
        is_idle = not latch.is_any and not any(run.is_begun for run in self._runs)
        for at, value in points:
            if is_idle and low <= value <= high:
                continue
            step(at, value)
            is_idle = not latch.is_any and not any(run.is_begun for run in self._runs)

    def warm(self, points: Sequence[Point]) -> None:
        """Take samples that are judged already: only what has begun in them matters."""
        for at, value in points:
            self._look(at, value)
        self.asked_at.clear()

    def step(self, at: int, value: float) -> None:
        """Take one sample."""
        reached, cleared = self._look(at, value)
        self.verdict = word_of(reached, cleared)
        self.breaches = gravest(self.latch.names, reached)
        self.latch.take(at, value, reached, cleared)

    def _look(self, at: int, value: float) -> tuple[list[bool], list[bool]]:
        gap = at - self._previous if self._previous is not None else 0
        self._previous = at
        is_inside = self.hours is None or stretch(self.hours, at, self.zone) is not None
        reached, cleared = [], []
        for run, level, (clears, clear_hold, clear_times) in zip(self._runs, self._levels, self._clears, strict=True):
            if gap > self._gap:
                run.since = run.clear_since = None
            if gap > self._repeat_gap:
                run.clear_count = 0
            is_back = clears(value)
            if is_back:
                run.clear_since = at if run.clear_since is None else run.clear_since
                run.clear_count += 1
                run.hits.clear()
            else:
                run.clear_since, run.clear_count = None, 0
            cleared.append(is_back and at - run.clear_since >= clear_hold and run.clear_count >= clear_times)  # type: ignore[operator]
            reached.append(self._reaches(run, level, at, level[0](value) and is_inside))
        return reached, cleared

    def _reaches(self, run: "_Run", level: tuple[Callable[[float], bool], int, int, int, bool], at: int, is_beyond: bool) -> bool:
        _, hold, times, within, asks = level
        if not is_beyond:
            run.since = None
            return False
        if times == 1:
            run.since = at if run.since is None else run.since
            return at - run.since >= hold
        while run.hits and at - run.hits[0] > within:
            run.hits.popleft()
        if asks and not run.hits:
            self.asked_at.append(at)
        if not run.hits or run.hits[-1] != at:
            run.hits.append(at)
        return len(run.hits) >= times


class _Run:
    """How long, or how often, one level has been passed, and its way back."""

    __slots__ = ("clear_count", "clear_since", "hits", "since")

    def __init__(self) -> None:
        self.since: int | None = None
        self.hits: deque[int] = deque()
        self.clear_since: int | None = None
        self.clear_count = 0

    @property
    def is_begun(self) -> bool:
        return self.since is not None or bool(self.hits)


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
