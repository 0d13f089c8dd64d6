"""All: several rules at once for a while, e.g. low SpO2 and a fast pulse; it may mute the weaker alerts it is made of."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from backend.rules.model import COOLDOWN_S, LATE_PAGE_S, LONGEST_S, SEVERITY, Level, RuleBase, RuleShape, span_us
from backend.rules.track import Episode


class AllLevel(Level):
    """Breached when all members have stood together for `overlap_s`."""

    overlap_s: float = Field(default=0, ge=0, le=86_400)


class AllTiming(RuleShape):
    """As of a threshold."""

    late_page_s: float = Field(default=LATE_PAGE_S, ge=0, le=LONGEST_S)
    cooldown_s: float = Field(default=COOLDOWN_S, ge=0, le=LONGEST_S)


class AllRule(RuleBase):
    """`of`: members as rule.level, that level or a graver one. `mutes`: members whose alerts call nobody while this one is open."""

    kind: Literal["all"]
    of: list[str] = Field(min_length=2, max_length=6)
    levels: list[AllLevel] = Field(min_length=1, max_length=3)
    mutes: list[str] = Field(default_factory=list)
    timing: AllTiming = AllTiming()

    @model_validator(mode="after")
    def _members_are_named(self) -> Self:
        for member in (*self.of, *self.mutes):
            rule_id, _, level = member.partition(".")
            if not rule_id or level not in SEVERITY:
                raise ValueError(f"{member!r} is no member: write rule.level, such as spo2_low.attention")
        if len(set(self.of)) != len(self.of):
            raise ValueError("a member stands once")
        if not set(self.mutes) <= set(self.of):
            raise ValueError("only what is in `of` can be muted")
        names, overlaps = [level.name for level in self.levels], [level.overlap_s for level in self.levels]
        if names != [name for name in SEVERITY if name in names] or overlaps != sorted(overlaps):
            raise ValueError(f"levels stand from mild to grave, each name once, with a growing overlap_s: {', '.join(SEVERITY)}")
        return self

    @property
    def members(self) -> set[str]:
        """Ids of the rules it is made of."""
        return {member.partition(".")[0] for member in self.of}


def episodes(rule: AllRule, of_members: Mapping[str, Sequence[Episode]]) -> list[Episode]:
    """Stretches in which all members stood together long enough; `of_members` by the member's rule id, each of any number of series.

    An open member is known to stand up to its newest sample only.
    """
    common: list[tuple[int, int, bool]] | None = None
    for member in rule.of:
        rule_id, _, level = member.partition(".")
        own = _standing(of_members.get(rule_id, ()), SEVERITY.index(level))
        common = own if common is None else _both(common, own)
    return [one for stretch in common or () if (one := _episode(rule, *stretch)) is not None]


def _episode(rule: AllRule, begin: int, end: int, is_open: bool) -> Episode | None:
    steps: list[tuple[int, tuple[str, ...]]] = []
    names: tuple[str, ...] = ()
    for level in rule.levels:
        at = begin + span_us(level.overlap_s)
        if at < end or (at == end and is_open):
            names = (*names, level.name)
            steps.append((at, names))
    if not steps:
        return None
    return Episode(steps[0][0], steps if is_open else [*steps, (end, ())], len(rule.of), end, None if is_open else end)


def _standing(episodes: Sequence[Episode], rank: int) -> list[tuple[int, int, bool]]:
    """(begin, end, still stands) of the stretches with that level or a graver one, those of several series joined, in order."""
    stretches: list[tuple[int, int, bool]] = []
    for one in episodes:
        begin: int | None = None
        for at, names in one.steps:
            is_grave = any(SEVERITY.index(name) >= rank for name in names)
            if is_grave and begin is None:
                begin = at
            elif not is_grave and begin is not None:
                stretches.append((begin, at, False))
                begin = None
        if begin is not None:
            stretches.append((begin, one.last_at, True))
    joined: list[tuple[int, int, bool]] = []
    for begin, end, is_open in sorted(stretches):
        if joined and begin <= joined[-1][1]:
            before, last, was_open = joined[-1]
            joined[-1] = (before, max(last, end), is_open if end > last else was_open or (is_open and end == last))
        else:
            joined.append((begin, end, is_open))
    return joined


def _both(some: Sequence[tuple[int, int, bool]], others: Sequence[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    """Common stretches. One that still stands lasts as long as the other; where both do, the older of their newest samples is known."""
    found = []
    for begin_1, end_1, open_1 in some:
        for begin_2, end_2, open_2 in others:
            begin, is_open = max(begin_1, begin_2), open_1 and open_2
            end = min(end_1, end_2) if open_1 == open_2 else end_2 if open_1 else end_1
            if begin < end or (begin == end and is_open):
                found.append((begin, end, is_open))
    return found
