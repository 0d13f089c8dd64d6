"""Absence: something was not heard for too long. Judged by the worker's clock, since silence brings no message to judge on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from backend.rules.hours import next_stretch, stretch
from backend.rules.model import SEVERITY, Event, InternalEvent, Judgement, Level, Quantity, RuleBase, Verdict, span_us, to_datetime, to_us
from backend.rules.track import Episode
from contract.events import EventKind
from contract.quantities import QuantityName

Hold = Literal["away", "gateway_offline"]
Span = tuple[int, int | None]
"""Microseconds: from, and until (None: it lasts)."""

YES_OR_NO = frozenset({QuantityName.BED_OCCUPIED, QuantityName.PRESENCE})
"""Quantities whose 0 means that nobody is there: only other values are a sign of life."""


class AbsenceLevel(Level):
    """Breached when nothing was heard for `for_s` seconds, or for that long after the event `after` of the rule."""

    for_s: float = Field(ge=1, le=7 * 86_400)
    after: Event | None = None
    warn_home_s: float = Field(default=0, ge=0, le=3600)
    held_while: list[Hold] = Field(default_factory=list)


class AbsenceRule(RuleBase):
    """`of`: the gateway itself (any message), a quantity of the elder (any device), or an event.

    Time counts only inside the hours of `active`, from their begin on, and not while it is held. With `after`, only that event, inside the
    hours, starts the count.
    """

    kind: Literal["absence"]
    of: Literal["gateway"] | Quantity | Event
    levels: list[AbsenceLevel] = Field(min_length=1, max_length=3)

    @model_validator(mode="after")
    def _levels_agree(self) -> Self:
        if len({(level.after, tuple(sorted(level.held_while))) for level in self.levels}) != 1:
            raise ValueError("all levels of one rule have the same after and held_while")
        names, times = [level.name for level in self.levels], [level.for_s for level in self.levels]
        if names != [name for name in SEVERITY if name in names] or times != sorted(times):
            raise ValueError(f"levels stand from mild to grave, each name once, with a growing for_s: {', '.join(SEVERITY)}")
        for level in self.levels:
            if level.warn_home_s >= level.for_s:
                raise ValueError("warn_home_s must be shorter than for_s: the warning comes that long before the alert")
        return self

    @property
    def after(self) -> Event | None:
        """The event that starts the count; None: what was heard does."""
        return self.levels[0].after

    @property
    def held_while(self) -> list[Hold]:
        """When silence says nothing."""
        return self.levels[0].held_while

    @property
    def is_of_signs(self) -> bool:
        """True when it waits for events, or for a yes: what was heard last is remembered as a sign, not looked for among readings."""
        return isinstance(self.of, EventKind | InternalEvent) or self.of in YES_OR_NO or self.after is not None

    @property
    def signs(self) -> set[str]:
        """Events and quantities that are to be remembered for it. Going to bed is a sign of being in bed."""
        if not self.is_of_signs:
            return set()
        own = {self.of, *([self.after] if self.after else []), *([EventKind.BED_ENTRY] if self.of is QuantityName.BED_OCCUPIED else [])}
        return {str(one) for one in own}

    def is_sound(self, value: float) -> bool:
        """True when a sample of this value is a sign of life: events, and what says yes or no, are none with 0."""
        return value > 0 if self.of in YES_OR_NO or isinstance(self.of, EventKind | InternalEvent) else True


def due_at(rule: AbsenceRule, since: int, for_s: float, *, held: Sequence[Span], before: int, home_zone: str) -> int | None:
    """When `for_s` of counted time have passed since then; None when that is not before or at `before`. Microseconds."""
    start = since
    while start <= before:
        begin, end = next_stretch(rule.active, start, home_zone)
        due = _pass(max(start, begin), span_us(for_s), held)
        if due is not None and due < end:
            return due if due <= before else None
        start = end
    return None


def _pass(start: int, span: int, held: Sequence[Span]) -> int | None:
    """The instant at which `span` has passed since `start`, leaving out what is held; None where a hold never ends."""
    at, left = start, span
    for begin, end in sorted(held, key=lambda one: one[0]):
        if end is not None and end <= at:
            continue
        if begin - at >= left:
            break
        left -= max(0, begin - at)
        if end is None:
            return None
        at = max(at, end)
    return at + left


def episodes(
    rule: AbsenceRule, heard: Sequence[int], after: Sequence[int], *, held: Sequence[Span], now: int, home_zone: str
) -> list[Episode]:
    """Stretches from when it was due to when it was heard again; all times sorted, in microseconds. Heard when it is due is in time."""
    found: list[Episode] = []
    for since, until in _silences(rule, heard, after, home_zone):
        end = now if until is None else until - 1
        steps: list[tuple[int, tuple[str, ...]]] = []
        names: tuple[str, ...] = ()
        for level in rule.levels:
            due = due_at(rule, since, level.for_s, held=held, before=end, home_zone=home_zone)
            if due is not None:
                names = (*names, level.name)
                steps.append((due, names))
        if steps:
            closed = [(until, ())] if until is not None else []
            found.append(Episode(steps[0][0], [*steps, *closed], 0, until or steps[-1][0], until))
    return found


def _silences(rule: AbsenceRule, heard: Sequence[int], after: Sequence[int], home_zone: str) -> list[tuple[int, int | None]]:
    """Stretches of silence: since when it counts, and when it was heard again."""
    if rule.after is None:
        return [(at, heard[row + 1] if row + 1 < len(heard) else None) for row, at in enumerate(heard)]
    found: list[tuple[int, int | None]] = []
    for at in after:
        if found and (found[-1][1] is None or at < found[-1][1]):
            continue
        if stretch(rule.active, at, home_zone) is not None:
            found.append((at, next((one for one in heard if one > at), None)))
    return found


def verdict(
    rule: AbsenceRule, heard: Sequence[int], after: Sequence[int], *, held: Sequence[Span], now: int, home_zone: str
) -> tuple[Verdict, str | None]:
    """What is said at `now`, of what was heard by then. HELD: it counts but is not due, or must not count now. Never heard: UNKNOWN."""
    known = [at for at in heard if at <= now], [at for at in after if at <= now]
    if not any(known):
        return Verdict.UNKNOWN, None
    open_ = [one for one in episodes(rule, *known, held=held, now=now, home_zone=home_zone) if one.closed_at is None]
    is_held = any(begin <= now and (end is None or now < end) for begin, end in held)
    if open_:
        return (Verdict.HELD if is_held else Verdict.BREACHED), open_[-1].level
    silences = _silences(rule, *known, home_zone)
    is_counting = rule.after is not None and bool(silences) and silences[-1][1] is None
    if is_held or is_counting or stretch(rule.active, now, home_zone) is None:
        return Verdict.HELD, None
    return Verdict.CLEAR, None


def judge(rule: AbsenceRule, heard_at: datetime, now: datetime, *, listening_since: datetime | None = None) -> Judgement:
    """BREACHED once `for_s` has passed since `heard_at`, else CLEAR. For what the worker asks of one clock: a gateway, a quantity.

    `listening_since`: nobody could hear before; that delays a breach, but it is not a sound.
    """
    since = to_us(max(heard_at, listening_since or heard_at))
    return judge_since(rule, since, heard_at, now, held=(), home_zone="Asia/Shanghai")


def judge_since(rule: AbsenceRule, since: int, heard_at: datetime, now: datetime, *, held: Sequence[Span], home_zone: str) -> Judgement:
    """The same with the instant from which it counts, what holds it, and the home's zone: the gravest level that is due by `now`."""
    evidence: dict[str, float | str] = {"heard_at": heard_at.isoformat()}
    for level in reversed(rule.levels):
        due = due_at(rule, since, level.for_s, held=held, before=to_us(now), home_zone=home_zone)
        if due is not None:
            return Judgement(Verdict.BREACHED, to_datetime(due), level.name, evidence)
    return Judgement(Verdict.CLEAR, heard_at, None, evidence)
