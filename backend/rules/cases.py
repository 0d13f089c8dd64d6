"""Cases that travel with a rule: a feed of values and events, and what must be said at which second. Pure.

The form is told in docs/rules.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from backend.rules.kinds import AnyRule
from backend.rules.kinds.absence import AbsenceRule
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.score import ScoreRule
from backend.rules.model import EVENT_ALIASES, QUANTITY_ALIASES, SECOND, RuleShape, Verdict, to_us
from backend.rules.tell import Feed, Said, tell

START = datetime(2026, 3, 1, tzinfo=UTC)
"""When a case begins that does not say so."""
SAMPLES_MAX = 100_000
WORD = re.compile(r"(_|[+-]?\d+(?:\.\d+)?)(?:x(\d+))?")


class FeedForm(RuleShape):
    """What comes in. `values`: one every `every_s` seconds from second 0, "95x6 86 _x2" is six times 95, once 86, two missing.

    `at`: "0:86 31:86", each with its own second. Both may be tables by quantity. `events`: by event, the seconds at which it happened.
    """

    every_s: float = Field(default=60, gt=0)
    values: str | dict[str, str] = Field(default_factory=dict)
    at: str | dict[str, str] = Field(default_factory=dict)
    events: dict[str, list[float]] = Field(default_factory=dict)


class Expect(RuleShape):
    """What must be said at second `at_s`, of what was measured by then.

    `level`: the newest sample breaches it, or it stands; `stands`: it stands, and no graver one (`none`: none does).
    """

    at_s: float = Field(ge=0)
    verdict: Verdict | None = None
    level: str | None = None
    stands: str | None = None

    @field_validator("verdict", mode="before")
    @classmethod
    def _any_case(cls, given: Any) -> Any:
        return given.lower() if isinstance(given, str) else given

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.verdict is None and self.level is None and self.stands is None:
            raise ValueError("give verdict (CLEAR, HELD, BREACHED, UNKNOWN), level, stands, or several of them")
        return self


class Held(RuleShape):
    """A stretch in which an absence must not count."""

    what: Literal["away", "gateway_offline"]
    from_s: float
    until_s: float | None = None


class Case(RuleShape):
    """One case."""

    rule: str
    name: str | None = None
    start: datetime = START
    zone: str = "Asia/Shanghai"
    feed: FeedForm
    held: list[Held] = Field(default_factory=list)
    expect: list[Expect] = Field(min_length=1)

    @field_validator("start")
    @classmethod
    def _aware(cls, start: datetime) -> datetime:
        return start if start.tzinfo else start.replace(tzinfo=UTC)

    @model_validator(mode="after")
    def _feed_can_be_read(self) -> Self:
        for text in (*_texts(self.feed.values).values(),):
            every(text, self.feed.every_s)
        for text in (*_texts(self.feed.at).values(),):
            timed(text)
        return self

    @property
    def title(self) -> str:
        """Its name, or the rule's."""
        return self.name or self.rule


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, tried. `faults`: what was expected and what was found instead, one line each."""

    case: Case
    faults: list[str]


def try_case(case: Case, rules: Mapping[str, AnyRule]) -> Outcome:
    """Feed it to the rule and compare. `rules` has the rule, and those it is made of."""
    start = to_us(case.start)
    feed = make_feed(case, rules[case.rule])
    faults = []
    for expect in case.expect:
        said = tell(rules[case.rule], rules, feed, now=start + round(expect.at_s * SECOND), home_zone=case.zone)
        if not _is_met(expect, said):
            faults.append(f"at {expect.at_s:g} s expected {_words(expect)}, found {words(said)}")
    return Outcome(case, faults)


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


def every(text: str, every_s: float) -> list[tuple[float, float]]:
    """`95x6 86 _x2`, one every `every_s` seconds: (second, value) without the missing ones."""
    matches = [(word, WORD.fullmatch(word)) for word in text.split()]
    if wrong := [word for word, match in matches if match is None]:
        raise ValueError(f"{wrong[0]!r} is no value of a feed: write 95, 95x6 or _x2")
    values = [(match[1], int(match[2] or 1)) for _, match in matches if match]
    if sum(count for _, count in values) > SAMPLES_MAX:
        raise ValueError(f"a feed has at most {SAMPLES_MAX} values")
    flat = [value for value, count in values for _ in range(count)]
    return [(row * every_s, float(value)) for row, value in enumerate(flat) if value != "_"]


def timed(text: str) -> list[tuple[float, float]]:
    """`0:86 31:86`."""
    pairs = [word.partition(":") for word in text.split()]
    try:
        return [(float(second), float(value)) for second, _, value in pairs]
    except ValueError as error:
        raise ValueError(f"{text!r} is no timed feed: write SECOND:VALUE, such as 0:86 31:86") from error


def span_of(case: Case) -> timedelta:
    """From its begin to its last expectation."""
    return timedelta(seconds=max(one.at_s for one in case.expect))
