"""Trend: a quantity has risen, or fallen, by so much within a time, against what it was before."""

from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Literal, Self

from pydantic import Field, model_validator

from backend.rules.hours import stretch
from backend.rules.model import COOLDOWN_S, LATE_PAGE_S, LONGEST_S, SEVERITY, Level, Quantity, RuleBase, RuleShape, Verdict, span_us
from backend.rules.track import Episode, Latch, Point, gravest, word_of

Baseline = Literal["median", "mean", "min", "max", "first"]


class TrendTiming(RuleShape):
    """As of a threshold; weights and the like are measured once a day, so fresh is what is at most two days old."""

    fresh_s: float = Field(default=172_800, gt=0, le=LONGEST_S)
    late_page_s: float = Field(default=LATE_PAGE_S, ge=0, le=LONGEST_S)
    cooldown_s: float = Field(default=COOLDOWN_S, ge=0, le=LONGEST_S)


class TrendLevel(Level):
    """Breached when the newest value differs from the baseline of those before it, at most `within_s` old, by that much or more.

    `samples_min` counts the newest one too.
    """

    rise_at_least: float | None = Field(default=None, gt=0)
    fall_at_least: float | None = Field(default=None, gt=0)
    within_s: float = Field(gt=0, le=90 * 86_400)
    baseline: Baseline = "median"
    samples_min: int = Field(default=2, ge=2, le=1000)

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if (self.rise_at_least is None) == (self.fall_at_least is None):
            raise ValueError("give exactly one of rise_at_least, fall_at_least")
        return self

    @property
    def is_upper(self) -> bool:
        """True when a rise breaches."""
        return self.rise_at_least is not None

    @property
    def bound(self) -> float:
        """The change that breaches, always positive."""
        return self.rise_at_least or self.fall_at_least or 0


class TrendClear(RuleShape):
    """The way back: the change is smaller than this. Without it, smaller than the mildest level's."""

    change_below: float = Field(gt=0)


class TrendRule(RuleBase):
    """One quantity against its own past."""

    kind: Literal["trend"]
    quantity: Quantity
    levels: list[TrendLevel] = Field(min_length=1, max_length=6)
    clear: TrendClear | None = None
    timing: TrendTiming = TrendTiming()

    @model_validator(mode="after")
    def _levels_agree(self) -> Self:
        if len({level.is_upper for level in self.levels}) != 1:
            raise ValueError("all levels of one rule must look the same way: rise_at_least or fall_at_least")
        names = [level.name for level in self.levels]
        if names != [name for name in SEVERITY if name in names]:
            raise ValueError(f"levels stand from mild to grave, each name once: {', '.join(SEVERITY)}")
        if self.clear is not None and self.clear.change_below > min(level.bound for level in self.levels):
            raise ValueError("clear.change_below must not be above the smallest change that breaches")
        return self

    @property
    def fresh_s(self) -> float:
        """Without data for longer, nothing is known."""
        return self.timing.fresh_s

    @property
    def lookback_s(self) -> float:
        """How far before a new sample a window must reach."""
        return max(level.within_s for level in self.levels)

    def is_quiet(self, low: float, high: float) -> bool:
        """Never by its extremes alone: a change is seen against the past."""
        return False

    def machine(self, home_zone: str = "Asia/Shanghai") -> "TrendMachine":
        """A fresh machine that takes samples in order of time."""
        return TrendMachine(self, home_zone)


class TrendMachine:
    """Takes the samples of one series in order of time."""

    __slots__ = ("_pasts", "_rule", "asked_at", "breaches", "is_asking", "is_idle", "latch", "verdict", "zone")

    def __init__(self, rule: TrendRule, home_zone: str) -> None:
        self._rule, self.zone = rule, home_zone
        self._pasts = [_Past(level) for level in rule.levels]
        self.latch = Latch(tuple(level.name for level in rule.levels), rule.levels[0].is_upper)
        self.verdict = Verdict.UNKNOWN
        self.breaches: str | None = None
        self.asked_at: list[int] = []
        self.is_asking = False
        self.is_idle = False

    def restore(self, episode: Episode) -> None:
        """Go on from an open episode."""
        self.latch.restore(episode)

    def run(self, points: Sequence[Point]) -> None:
        """Take samples."""
        for at, value in points:
            self.step(at, value)

    def warm(self, points: Sequence[Point]) -> None:
        """Take samples that are judged already."""
        for at, value in points:
            for past in self._pasts:
                past.change(at, value)

    def step(self, at: int, value: float) -> None:
        """Take one sample."""
        changes = [past.change(at, value) for past in self._pasts]
        is_inside = stretch(self._rule.active, at, self.zone) is not None
        levels = self._rule.levels
        reached = [change is not None and change >= level.bound and is_inside for change, level in zip(changes, levels, strict=True)]
        back = self._rule.clear.change_below if self._rule.clear else min(level.bound for level in levels)
        cleared = [change is not None and change < back for change in changes]
        self.verdict = Verdict.UNKNOWN if all(change is None for change in changes) else word_of(reached, cleared)
        self.breaches = gravest(self.latch.names, reached)
        self.latch.take(at, value, reached, cleared)


class _Past:
    """The samples before the newest, at most `within_s` older than it, in order of time and of value."""

    __slots__ = ("_by_time", "_by_value", "_level", "_within")

    def __init__(self, level: TrendLevel) -> None:
        self._level = level
        self._within = span_us(level.within_s)
        self._by_time: deque[Point] = deque()
        self._by_value: list[float] = []

    def change(self, at: int, value: float) -> float | None:
        """Take a sample. How far it is from the baseline of those before, in the direction of the level; None with too few."""
        while self._by_time and at - self._by_time[0][0] > self._within:
            _, gone = self._by_time.popleft()
            self._by_value.remove(gone)
        change = None
        if len(self._by_time) + 1 >= self._level.samples_min:
            base = BASELINES[self._level.baseline](self._by_time, self._by_value)
            change = round(value - base if self._level.is_upper else base - value, 6)
        self._by_time.append((at, value))
        insort(self._by_value, value)
        return change


def _median(_: Sequence[Point], values: Sequence[float]) -> float:
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


BASELINES: dict[Baseline, Callable[[Sequence[Point], Sequence[float]], float]] = {
    "median": _median,
    "mean": lambda _, values: mean(values),
    "min": lambda _, values: values[0],
    "max": lambda _, values: values[-1],
    "first": lambda points, _: points[0][1],
}
