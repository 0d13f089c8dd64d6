"""Threshold: a quantity beyond a limit for at least `hold_s` breaches; back past `clear` for its `hold_s` clears; between is HELD."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from backend.rules.model import (
    COOLDOWN_S,
    LATE_PAGE_S,
    SEVERITY,
    Judgement,
    Level,
    Limit,
    RuleBase,
    RuleShape,
    Sample,
    Verdict,
)
from contract.quantities import QuantityName


class ThresholdLevel(Level, Limit):
    """A level is breached when the limit is passed without interruption for `hold_s` seconds of event time."""

    hold_s: float = Field(default=0, ge=0, le=86_400)


class Clear(Limit):
    """The way back, with its own hold: hysteresis."""

    hold_s: float = Field(default=0, ge=0, le=86_400)


class Timing(RuleShape):
    """`max_gap_s`: a longer silence breaks a run. `fresh_s`: without data for longer the verdict is UNKNOWN."""

    max_gap_s: float = Field(default=30, gt=0)
    fresh_s: float = Field(default=60, gt=0)
    late_page_s: float = Field(default=LATE_PAGE_S, ge=0)
    cooldown_s: float = Field(default=COOLDOWN_S, ge=0)


class ThresholdRule(RuleBase):
    """One quantity against one or more levels. Levels keep independent runs, so a rise from urgent never skips attention."""

    kind: Literal["threshold"]
    quantity: QuantityName
    levels: list[ThresholdLevel] = Field(min_length=1, max_length=4)
    clear: Clear
    timing: Timing = Timing()

    @model_validator(mode="after")
    def _sides_agree(self) -> Self:
        if len({level.is_upper for level in self.levels}) != 1:
            raise ValueError("all levels of one rule must look the same way: up (above, at_least) or down (below, at_most)")
        if self.clear.is_upper == self.levels[0].is_upper:
            raise ValueError("clear must look the other way than the levels, or the alert could never end")
        if any(self.clear.overlaps(level) for level in self.levels):
            raise ValueError("clear must not pass a value that breaches a level")
        return self

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        names = [level.name for level in self.levels]
        if names != [name for name in SEVERITY if name in names]:
            raise ValueError(f"levels stand from mild to grave, each name once: {', '.join(SEVERITY)}")
        return self

    @property
    def lookback_s(self) -> float:
        """How far before a new sample a window must reach so that every run that matters to it lies inside."""
        return max([level.hold_s for level in self.levels] + [self.clear.hold_s]) + self.timing.max_gap_s

    def is_quiet(self, low: float, high: float) -> bool:
        """True when values between `low` and `high` can neither breach nor stay short of clear: no window is needed."""
        back = self.clear.test()
        beyond = [level.test() for level in self.levels]
        return back(low) and back(high) and not any(test(low) or test(high) for test in beyond)


class _Run:
    """How long a condition has held without interruption."""

    __slots__ = ("hold", "passes", "since")

    def __init__(self, passes: Callable[[float], bool], hold_s: float) -> None:
        self.passes = passes
        self.hold = timedelta(seconds=hold_s)
        self.since: datetime | None = None

    def holds(self, sample: Sample) -> bool:
        """Take the next sample; True when the condition has now held for the whole hold time."""
        if not self.passes(sample.value):
            self.since = None
            return False
        self.since = self.since or sample.at
        return sample.at - self.since >= self.hold


def judge(rule: ThresholdRule, samples: Sequence[Sample], *, after: datetime) -> list[Judgement]:
    """Judgements at every sample at or after `after` where the verdict or level differs from the one before, oldest first.

    `samples` are one series, sorted by time, reaching `lookback_s` before `after`. The result depends on nothing else: not on the order
    of arrival, not on how readings were cut into batches.
    """
    levels = [(level.name, _Run(level.test(), level.hold_s)) for level in reversed(rule.levels)]
    clear = _Run(rule.clear.test(), rule.clear.hold_s)
    gap = timedelta(seconds=rule.timing.max_gap_s)
    found: list[Judgement] = []
    previous: Sample | None = None
    for sample in samples:
        if previous is not None and sample.at - previous.at > gap:
            for run in (clear, *(run for _, run in levels)):
                run.since = None
        previous = sample
        judgement = _judge_one(levels, clear, sample)
        if sample.at >= after and not (found and (found[-1].verdict, found[-1].level) == (judgement.verdict, judgement.level)):
            found.append(judgement)
    return found


def _judge_one(levels: Sequence[tuple[str, _Run]], clear: _Run, sample: Sample) -> Judgement:
    held = [(name, run) for name, run in levels if run.holds(sample)]
    is_clear = clear.holds(sample)
    if held:
        name, run = held[0]
        assert run.since is not None
        return Judgement(Verdict.BREACHED, sample.at, name, {"value": sample.value, "since": run.since.isoformat()})
    return Judgement(Verdict.CLEAR if is_clear else Verdict.HELD, sample.at, None, {"value": sample.value})
