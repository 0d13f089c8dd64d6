"""Rules as data, and what they say: the shape of a `[[rule]]` block, samples in, judgements out. No I/O, no clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.events import EventKind

LATE_PAGE_S = 900
"""RULES B2: readings older than this open an item for the day's review, but page nobody."""
COOLDOWN_S = 900
"""RULES D, example 1: after a human closed an alert, the same level does not open a new one for this long."""

RuleId = str
VisitClass = Literal["emergency", "urgent", "same_day", "by_date"]
LevelName = Literal["technical", "attention", "urgent", "emergency"]
SEVERITY: tuple[LevelName, ...] = get_args(LevelName)
"""From mild to grave."""
Priority = Literal["high", "medium", "low", "technical"]


class Verdict(StrEnum):
    """What a rule says now. UNKNOWN is a verdict: too old or too few samples are never CLEAR."""

    CLEAR = "clear"
    BREACHED = "breached"
    HELD = "held"
    UNKNOWN = "unknown"


class InternalEvent(StrEnum):
    """Things the backend itself notices; rules of kind `event` may name them beside the contract's kinds."""

    CLOCK_OFF = "clock_off"
    CLOCK_RIGHT = "clock_right"
    RULE_FAILED = "rule_failed"


AnyEvent = EventKind | InternalEvent


@dataclass(frozen=True, slots=True)
class Sample:
    """One plausible reading of one series."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule says at `at` (home's time). `level` is set when BREACHED; `evidence` holds what a person needs to check it."""

    verdict: Verdict
    at: datetime
    level: str | None = None
    evidence: dict[str, float | str] = field(default_factory=dict)


class RuleShape(BaseModel):
    """Base of every table inside a rule file: frozen; unknown keys, and numbers that no value could ever pass, are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Title(RuleShape):
    """The rule's name for people."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Limit(RuleShape):
    """Exactly one comparison. The word says what equality does."""

    below: float | None = None
    at_most: float | None = None
    above: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        given = [value for value in (self.below, self.at_most, self.above, self.at_least) if value is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of below, at_most, above, at_least")
        return self

    def test(self) -> Callable[[float], bool]:
        """The comparison as a function, for tight loops."""
        if self.below is not None:
            return self.below.__gt__
        if self.at_most is not None:
            return self.at_most.__ge__
        if self.above is not None:
            return self.above.__lt__
        assert self.at_least is not None
        return self.at_least.__le__

    @property
    def is_upper(self) -> bool:
        """True when large values pass."""
        return self.above is not None or self.at_least is not None

    @property
    def bound(self) -> float:
        """The number of the comparison."""
        return next(value for value in (self.below, self.at_most, self.above, self.at_least) if value is not None)

    def overlaps(self, other: "Limit") -> bool:
        """True when some value passes both: for limits that look different ways."""
        upper, lower = (self, other) if self.is_upper else (other, self)
        return upper.bound < lower.bound or (upper.test()(lower.bound) and lower.test()(lower.bound))


class Level(RuleShape):
    """What every kind of level has: a name, how loud it is, and whether it asks for a doctor by itself."""

    name: LevelName
    priority: Priority
    visit: VisitClass | None = None


class RuleBase(RuleShape):
    """What every kind of rule has. `source` says where its numbers come from: no source, no medical number."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    title: Title
    source: str = Field(min_length=3)


RANK: dict[Priority, int] = {"high": 0, "medium": 1, "low": 2, "technical": 3}
"""Order of the operators' queue."""
