"""Rules as data, and what they say: the shape of a `[[rule]]` block, samples in, judgements out. No I/O, no clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidatorFunctionWrapHandler, field_validator, model_validator

from contract.events import EventKind
from contract.quantities import QuantityName

LATE_PAGE_S = 900
"""Our own choice: readings older than this open an item for the day's review, but page nobody."""
COOLDOWN_S = 900
"""Our own choice: after a human closed an alert, the same level does not open a new one for this long."""

LONGEST_S = 366 * 86_400
"""No time in a rule is longer than a year."""
RuleId = str
VisitClass = Literal["emergency", "urgent", "same_day", "by_date"]
LevelName = Literal["technical", "info", "attention", "warn", "warning", "urgent", "crit", "critical", "emergency"]
SEVERITY: tuple[LevelName, ...] = get_args(LevelName)
"""From mild to grave."""
Priority = Literal["high", "medium", "low", "technical"]
PRIORITY_OF: dict[LevelName, Priority] = {
    "technical": "technical",
    "info": "low",
    "attention": "medium",
    "warn": "medium",
    "warning": "medium",
}
"""How loud a level is that does not say so itself; all others are high."""

QUANTITY_ALIASES = {
    "systolic": "blood_pressure_systolic",
    "sbp": "blood_pressure_systolic",
    "systolic_bp": "blood_pressure_systolic",
    "diastolic": "blood_pressure_diastolic",
    "dbp": "blood_pressure_diastolic",
    "mean_pressure": "blood_pressure_mean",
    "pulse": "heart_rate",
    "pulse_rate": "heart_rate",
    "respiration": "respiration_rate",
    "resp_rate": "respiration_rate",
    "temperature": "body_temperature",
    "movement": "body_movement",
}
EVENT_ALIASES = {
    "bed_left": "bed_exit",
    "bed_entered": "bed_entry",
    "door_open": "door_opened",
    "door_close": "door_closed",
    "movement_seen": "motion",
}
"""Short names a rule file may use for ours."""


def _alias(table: dict[str, str]) -> BeforeValidator:
    return BeforeValidator(lambda name: table.get(name, name) if isinstance(name, str) else name)


Quantity = Annotated[QuantityName, _alias(QUANTITY_ALIASES)]
"""A quantity of the contract, or one of QUANTITY_ALIASES."""

SECOND = 1_000_000
"""The engine counts time in whole microseconds since 1970, UTC: exact, and quick to compare."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """An aware instant as microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def to_datetime(at_us: int) -> datetime:
    """Inverse of `to_us`, in UTC."""
    return EPOCH + at_us * MICROSECOND


def span_us(seconds: float) -> int:
    """A length of time in seconds as microseconds."""
    return round(seconds * SECOND)


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
Event = Annotated[AnyEvent, _alias(EVENT_ALIASES)]
"""An event of the contract or of the backend, or one of EVENT_ALIASES."""


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


def known_zone(name: str) -> str:
    """The name of a time zone. Raises ValueError for one that is none."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name}: write a name such as Asia/Shanghai, or, in `active`, home") from error


class RuleShape(BaseModel):
    """Base of every table inside a rule file: frozen; unknown keys, and numbers that no value could ever pass, are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_alias=True, validate_by_name=True, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _no_yes_or_no(cls, given: Any) -> Any:
        if isinstance(given, dict) and (key := next((key for key, value in given.items() if isinstance(value, bool)), None)) is not None:
            raise ValueError(f"{key} cannot be true or false: nothing in a rule is; write its number, its text, or leave it out")
        return given


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
    """A name, how loud it is (by its name, where it is not said), and whether it asks for a doctor by itself."""

    name: LevelName
    priority: Priority = "high"
    visit: VisitClass | None = None

    @field_validator("name", mode="before")
    @classmethod
    def _any_case(cls, given: Any) -> Any:
        return given.lower() if isinstance(given, str) else given

    @model_validator(mode="before")
    @classmethod
    def _priority_by_name(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("priority") is None:
            return {key: value for key, value in given.items() if key != "priority"} | {
                "priority": PRIORITY_OF.get(str(given.get("name")).lower(), "high")  # type: ignore[call-overload]
            }
        return given


DAYS_BEGIN, DAYS_END = ("00:00", "00:00:00", time(0)), ("24:00", "24:00:00")


class Hours(RuleShape):
    """Hours in which a rule speaks: `from` is inside, `until` is not; over midnight where `from` is later. `zone`: `home`, or as IANA."""

    from_: time = Field(alias="from")
    until: time
    zone: str = "home"

    @field_validator("until", mode="before")
    @classmethod
    def _midnight_ends_a_day(cls, given: Any) -> Any:
        return "00:00" if given in DAYS_END else given

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, zone: str) -> str:
        return zone if zone == "home" else known_zone(zone)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.from_ == self.until:
            raise ValueError("from and until are the same: leave `active` out for a rule that always speaks")
        return self


class Grouping(RuleShape):
    """Alerts of one episode: those of `with` within `within_s` belong to one case."""

    with_: list[RuleId] = Field(alias="with", min_length=1)
    within_s: float = Field(gt=0, le=86_400)


class RuleBase(RuleShape):
    """What every kind of rule has. `source`: where its numbers come from; no source, no medical number."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    title: Title
    source: str = Field(min_length=3)
    active: Hours | None = None
    groups: Grouping | None = None

    @field_validator("active", mode="wrap")
    @classmethod
    def _whole_day_is_always(cls, given: Any, read: ValidatorFunctionWrapHandler) -> Hours | None:
        if isinstance(given, dict) and given.get("from") in DAYS_BEGIN and given.get("until") in DAYS_END:
            read(given | {"until": "12:00"})  # a fault in the rest of it is still said
            return None
        return read(given)  # type: ignore[no-any-return]

    @field_validator("levels", mode="after", check_fields=False)
    @classmethod
    def _from_mild_to_grave(cls, levels: Sequence[Level]) -> Sequence[Level]:
        return sorted(levels, key=lambda level: SEVERITY.index(level.name))

    @model_validator(mode="before")
    @classmethod
    def _title_by_id(cls, given: Any) -> Any:
        if isinstance(given, dict) and "title" not in given and given.get("id"):
            return given | {"title": {"zh": given["id"], "en": given["id"]}}
        return given


RANK: dict[Priority, int] = {"high": 0, "medium": 1, "low": 2, "technical": 3}
"""Order of the operators' queue."""
