"""Cases that travel with a rule: a feed of values and events, and what must be said at which second. Pure.

The form is told in docs/rules.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from backend.rules.kinds import AnyRule
from backend.rules.kinds.absence import AbsenceRule
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.score import CONSCIOUSNESS, OXYGEN, ScoreRule
from backend.rules.model import EVENT_ALIASES, QUANTITY_ALIASES, SECOND, SEVERITY, InternalEvent, RuleShape, Verdict, known_zone, to_us
from backend.rules.patch import Override, apply, as_name, ends_at
from backend.rules.tell import Feed, Said, tell
from contract.events import EventKind
from contract.quantities import QuantityName

FED = frozenset([*QuantityName, *EventKind, *InternalEvent, "gateway", "total", OXYGEN, CONSCIOUSNESS])
START = datetime(2026, 3, 1, tzinfo=UTC)
"""When a case begins that does not say so."""
SAMPLES_MAX = 100_000
SECONDS_MAX = 10 * 366 * 86_400
"""A case is at most ten years long."""
STARTS = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
Second = Annotated[float, Field(ge=0, le=SECONDS_MAX)]
PAIR = re.compile(r"(\d+(?:\.\d+)?):([+-]?\d+(?:\.\d+)?)(?:x(\d{1,6})/(\d+(?:\.\d+)?))?", re.ASCII)
WORD = re.compile(r"(_|[+-]?\d+(?:\.\d+)?)(?:x(\d{1,6}))?", re.ASCII)


def _as_text(given: Any) -> Any:
    """A list of numbers, or one, as the text that says the same."""
    if isinstance(given, list):
        return " ".join(map(str, given))
    return str(given) if isinstance(given, int | float) else given


Values = Annotated[str, BeforeValidator(_as_text)]


class FeedForm(RuleShape):
    """What comes in. `values`: one every `every_s` seconds from second 0, "95x6 86 _x2" is six times 95, once 86, two missing.

    `at`: "0:86 31:86x5/10", each with its own second, the latter five times, every 10 s from 31 on. Both may be tables
    by quantity. `events`: by event, the seconds at which it happened.
    """

    every_s: float = Field(default=60, gt=0, le=366 * 86_400)
    values: Values | dict[str, Values] = Field(default_factory=dict)
    at: str | dict[str, str] = Field(default_factory=dict)
    events: dict[str, list[Second]] = Field(default_factory=dict)


class Expect(RuleShape):
    """What must be said at second `at_s`, of what was measured by then.

    `level`: the newest sample breaches it, or it stands; `stands`: it stands, and no graver one (`none`: none does).
    """

    at_s: Second
    verdict: Verdict | None = None
    level: str | None = None
    stands: str | None = None

    @field_validator("verdict", mode="before")
    @classmethod
    def _any_case(cls, given: Any) -> Any:
        return given.lower() if isinstance(given, str) else given

    @field_validator("level", "stands")
    @classmethod
    def _level_has_a_name(cls, given: str | None) -> str | None:
        if given is not None and given.lower() not in (*SEVERITY, "none", ""):
            raise ValueError(f"there is no level {given}: write one of {', '.join(SEVERITY)}, or none")
        return given and given.lower()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.verdict is None and self.level is None and self.stands is None:
            raise ValueError("give verdict (CLEAR, HELD, BREACHED, UNKNOWN), level, stands, or several of them")
        return self


class Held(RuleShape):
    """A stretch in which an absence must not count."""

    what: Literal["away", "gateway_offline"]
    from_s: float = Field(ge=-SECONDS_MAX, le=SECONDS_MAX)
    until_s: float | None = Field(default=None, le=SECONDS_MAX)


class Case(RuleShape):
    """One case. `elder` or `group`: tried with the overrides that the file has for that one."""

    rule: str
    elder: str | None = None
    group: str | None = None
    name: str | None = None
    start: datetime = START
    zone: str = "Asia/Shanghai"
    feed: FeedForm
    held: list[Held] = Field(default_factory=list)
    expect: list[Expect] = Field(min_length=1)

    @field_validator("elder", "group", mode="before")
    @classmethod
    def _numbers_are_names(cls, given: Any) -> Any:
        return as_name(given)

    @field_validator("start")
    @classmethod
    def _aware(cls, start: datetime) -> datetime:
        start = start if start.tzinfo else start.replace(tzinfo=UTC)
        if not STARTS[0] <= start < STARTS[1]:
            raise ValueError("a case begins between 1900 and 2200")
        return start

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, zone: str) -> str:
        return known_zone(zone)

    @model_validator(mode="after")
    def _feed_can_be_read(self) -> Self:
        found = [pair for text in _texts(self.feed.values).values() for pair in every(text, self.feed.every_s)]
        found += [pair for text in _texts(self.feed.at).values() for pair in timed(text)]
        if any(not 0 <= second <= SECONDS_MAX for second, _ in found):
            raise ValueError(f"a feed lies between second 0 and {SECONDS_MAX}")
        return self

    @property
    def title(self) -> str:
        """Its name, or the rule's."""
        return self.name or self.rule


@dataclass(frozen=True, slots=True)
class Fault:
    """What was expected, and what was found instead."""

    expect: Expect
    found: Said

    def __str__(self) -> str:
        return f"at {self.expect.at_s:g} s expected {_words(self.expect)}, found {words(self.found)}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, tried."""

    case: Case
    faults: list[Fault]


def try_case(case: Case, rules: Mapping[str, AnyRule], overrides: Sequence[Override] = ()) -> Outcome:
    """Feed it to the rule, compare. `rules` has the rule, and those it is made of; `overrides` count for cases that name whose they are."""
    start = to_us(case.start)
    rules = _as_of(case, rules, overrides)
    feed = make_feed(case, rules[case.rule])
    faults = []
    for expect in case.expect:
        said = tell(rules[case.rule], rules, feed, now=start + round(expect.at_s * SECOND), home_zone=case.zone)
        if not _is_met(expect, said):
            faults.append(Fault(expect, said))
    return Outcome(case, faults)


def _as_of(case: Case, rules: Mapping[str, AnyRule], overrides: Sequence[Override]) -> Mapping[str, AnyRule]:
    """The rules with the overrides of a case's group and elder, the elder's over the group's."""
    if case.elder is None and case.group is None:
        return rules
    in_force = [one for one in overrides if case.start < ends_at(one.why.until, case.zone)]
    of_group = [one for one in in_force if one.group is not None and one.group == case.group]
    of_elder = [one for one in in_force if one.elder is not None and one.elder == case.elder]
    found = dict(rules)
    for one in (*of_group, *of_elder):
        found[one.rule] = apply(found[one.rule], one.patch)
    return found


def _is_met(expect: Expect, said: Said) -> bool:
    is_verdict = expect.verdict is None or expect.verdict is said.verdict
    is_level = expect.level is None or _name(expect.level) in (said.level, said.breaches or said.level)
    return is_verdict and is_level and (expect.stands is None or _name(expect.stands) == said.level)


def words(said: Said) -> str:
    """What was said, for people: `BREACHED attention, urgent stands`."""
    return f"{' '.join(filter(None, [said.verdict.upper(), said.breaches]))}, {said.level or 'none'} stands"


def _words(expect: Expect) -> str:
    words = " ".join(filter(None, [expect.verdict.upper() if expect.verdict else None, expect.level]))
    return ", ".join(filter(None, [words, f"{expect.stands} stands" if expect.stands else None]))


def _name(level: str) -> str | None:
    return None if level in ("none", "") else level


def make_feed(case: Case, rule: AnyRule) -> Feed:
    """A case's samples and events at their instants."""
    samples: dict[str, list[tuple[float, float]]] = {}
    for name, text in _texts(case.feed.values, rule).items():
        samples.setdefault(name, []).extend(every(text, case.feed.every_s))
    for name, text in _texts(case.feed.at, rule).items():
        samples.setdefault(name, []).extend(timed(text))
    start = to_us(case.start)
    tracks = {name: sorted({(start + round(second * SECOND), value) for second, value in found}) for name, found in samples.items()}
    events = {EVENT_ALIASES.get(name, name): [start + round(one * SECOND) for one in sorted(at)] for name, at in case.feed.events.items()}
    held = [
        (one.what, start + round(one.from_s * SECOND), None if one.until_s is None else start + round(one.until_s * SECOND))
        for one in case.held
    ]
    return Feed(tracks, events, held)


def _texts(given: str | dict[str, str], rule: AnyRule | None = None) -> dict[str, str]:
    """By quantity or event; one text alone is what the rule looks at."""
    if isinstance(given, dict):
        return {QUANTITY_ALIASES.get(name, EVENT_ALIASES.get(name, name)): text for name, text in given.items()}
    return {_own_name(rule): given} if given else {}


def _own_name(rule: AnyRule | None) -> str:
    if isinstance(rule, AbsenceRule):
        return rule.of
    if isinstance(rule, EventRule):
        return rule.event
    if isinstance(rule, ScoreRule):
        return "total"
    return getattr(rule, "quantity", "")


def fault_of_feed(case: Case, rule: AnyRule) -> str | None:
    """What is wrong with the names in a feed; None where all are known."""
    names = {*_texts(case.feed.values, rule), *_texts(case.feed.at, rule), *(EVENT_ALIASES.get(one, one) for one in case.feed.events)}
    if strange := sorted(names - FED - {""}):
        return f"feed: {strange[0]} is neither a quantity nor an event, see docs/contract.md"
    return None


@dataclass(frozen=True, slots=True)
class Run:
    """The same value so many times, every so many seconds; of an event once, without a value; of what holds, the value is its end."""

    at_s: float
    of: str
    value: float | None
    times: int = 1
    every_s: float | None = None


def rows_of(case: Case, rule: AnyRule) -> list[Run]:
    """A case's feed, row by row for people to read, in order of time."""
    found = [Run(one.from_s, one.what, one.until_s) for one in case.held]
    found += [Run(at_s, EVENT_ALIASES.get(name, name), None) for name, times in case.feed.events.items() for at_s in times]
    for name, text in _texts(case.feed.values, rule).items():
        found += [replace(run, of=name) for run in _runs(text, case.feed.every_s)]
    for name, text in _texts(case.feed.at, rule).items():
        found += [replace(run, of=name) for run in _timed(text)]
    return sorted(found, key=lambda run: run.at_s)


def every(text: str, every_s: float) -> list[tuple[float, float]]:
    """`95x6 86 _x2`, one every `every_s` seconds: (second, value) without the missing ones."""
    return _flat(_runs(text, every_s))


def timed(text: str) -> list[tuple[float, float]]:
    """`0:86 31:86x5/10`: (second, value)."""
    return _flat(_timed(text))


def _flat(runs: Sequence[Run]) -> list[tuple[float, float]]:
    if sum(run.times for run in runs) > SAMPLES_MAX:
        raise ValueError(f"a feed has at most {SAMPLES_MAX} values")
    return [(run.at_s + row * (run.every_s or 0), run.value) for run in runs if run.value is not None for row in range(run.times)]


def _runs(text: str, every_s: float) -> list[Run]:
    matches = [(word, WORD.fullmatch(word)) for word in text.split()]
    if wrong := [word for word, match in matches if match is None]:
        raise ValueError(f"{wrong[0]!r} is no value of a feed: write 95, 95x6 or _x2")
    found, row = [], 0
    for match in (match for _, match in matches if match):
        times = int(match[2] or 1)
        if match[1] != "_":
            found.append(Run(row * every_s, "", float(match[1]), times, every_s))
        row += times
    return found


def _timed(text: str) -> list[Run]:
    matches = [(word, PAIR.fullmatch(word)) for word in text.split()]
    if wrong := [word for word, match in matches if match is None]:
        raise ValueError(f"{wrong[0]!r} is no timed value of a feed: write SECOND:VALUE, such as 0:86, or 0:86x5/10 for five, every 10 s")
    return [
        Run(float(match[1]), "", float(match[2]), int(match[3] or 1), float(match[4]) if match[4] else None)
        for _, match in matches
        if match
    ]
