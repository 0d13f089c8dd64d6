"""What a rule says at one instant, of everything measured by then. Pure; the same machines as live and in back-tests.

Verdicts, in order: UNKNOWN without fresh data; then what the newest sample says. The level is what stands, so it outlives silence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from backend.rules.kinds import AnyRule
from backend.rules.kinds import absence as absences
from backend.rules.kinds import all as alls
from backend.rules.kinds import event as events
from backend.rules.kinds.absence import AbsenceRule
from backend.rules.kinds.all import AllRule
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.score import ScoreRule, totals
from backend.rules.model import Verdict, span_us
from backend.rules.track import Episode, Point
from contract.events import EventKind
from contract.quantities import QUANTITIES, QuantityName


@dataclass(frozen=True, slots=True)
class Feed:
    """All that was seen of one elder: samples by quantity, times by event, both sorted; and what held absences (what, from, until)."""

    tracks: Mapping[str, Sequence[Point]]
    events: Mapping[str, Sequence[int]] = field(default_factory=dict)
    held: Sequence[tuple[str, int, int | None]] = ()
    whole: "Feed | None" = None
    """What this is a part of; None: it is whole."""

    def until(self, now: int) -> "Feed":
        """What was measured by then."""
        return Feed(
            {name: [point for point in points if point[0] <= now] for name, points in self.tracks.items()},
            {name: [at for at in found if at <= now] for name, found in self.events.items()},
            self.held,
            self.whole or self,
        )


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict; the level that stands, which outlives silence and values between the limits; and the level the newest sample breaches."""

    verdict: Verdict
    level: str | None
    breaches: str | None = None


def tell(rule: AnyRule, rules: Mapping[str, AnyRule], feed: Feed, *, now: int, home_zone: str) -> Said:
    """What a rule says at `now`. `rules`: by id, those that one of kind `all` is made of."""
    seen = feed.until(now)
    if isinstance(rule, AbsenceRule):
        held = [(begin, end) for what, begin, end in seen.held if what in rule.held_while]
        heard, after = sounds(rule, seen), starts(rule, seen)
        verdict, level = absences.verdict(rule, heard, after, held=held, now=now, home_zone=home_zone)
        return Said(verdict, level)
    stretches = episodes(rule, rules, seen, now=now, home_zone=home_zone)
    level = stretches[-1].level if stretches else None
    if isinstance(rule, EventRule):
        if level is not None:
            return Said(Verdict.BREACHED, level)
        is_pending = any(now < at + span_us(rule.cancel_s) for at in _not_taken_back(rule, seen))
        return Said(Verdict.HELD if is_pending else Verdict.CLEAR, None)
    if isinstance(rule, AllRule):
        return _tell_all(rule, rules, seen, level, now=now, home_zone=home_zone)
    points = samples(rule, seen)
    machine = rule.machine(home_zone)
    for at, value in points:
        machine.step(at, value)
    newest = points[-1][0] if points else None
    if isinstance(rule, ScoreRule) and "total" not in seen.tracks:
        said = totals(rule, seen.tracks)
        newest = newest if said and said[-1][1] is not None else None
    is_fresh = newest is not None and now - newest <= span_us(rule.fresh_s)
    return Said(machine.verdict, level, machine.breaches) if is_fresh else Said(Verdict.UNKNOWN, level)


def _tell_all(rule: AllRule, rules: Mapping[str, AnyRule], seen: Feed, level: str | None, *, now: int, home_zone: str) -> Said:
    if not rule.members <= rules.keys():
        return Said(Verdict.UNKNOWN, level)
    said = [tell(rules[member], rules, seen, now=now, home_zone=home_zone).verdict for member in sorted(rule.members)]
    if Verdict.UNKNOWN in said:
        return Said(Verdict.UNKNOWN, level)
    if level is not None:
        return Said(Verdict.BREACHED, level)
    return Said(Verdict.CLEAR if Verdict.CLEAR in said else Verdict.HELD, None)


def episodes(rule: AnyRule, rules: Mapping[str, AnyRule], feed: Feed, *, now: int, home_zone: str) -> list[Episode]:
    """The stretches of an alert of this rule, in order of time, of everything in the feed."""
    if isinstance(rule, AbsenceRule):
        held = [(begin, end) for what, begin, end in feed.held if what in rule.held_while]
        return absences.episodes(rule, sounds(rule, feed), starts(rule, feed), held=held, now=now, home_zone=home_zone)
    if isinstance(rule, EventRule):
        taken_back = times(str(rule.cancelled_by), feed)
        return events.episodes(rule, times(rule.event, feed), taken_back, now=now, home_zone=home_zone)
    if isinstance(rule, AllRule):
        parts = {member: episodes(rules[member], rules, feed, now=now, home_zone=home_zone) for member in rule.members if member in rules}
        return alls.episodes(rule, parts)
    machine = rule.machine(home_zone)
    machine.run(samples(rule, feed))
    return machine.latch.episodes


def samples(rule: AnyRule, feed: Feed) -> list[Point]:
    """What a rule of numbers looks at: believed samples of its quantity, or the totals of its table."""
    if isinstance(rule, ScoreRule):
        if "total" in feed.tracks:
            return list(feed.tracks["total"])
        believed = {name: _believed(name, points) for name, points in feed.tracks.items()}
        return [(at, total) for at, total, _ in totals(rule, believed) if total is not None]
    quantity: QuantityName = rule.quantity  # type: ignore[union-attr]
    return _believed(quantity, feed.tracks.get(quantity, ()))


def _believed(name: str, points: Sequence[Point]) -> list[Point]:
    quantity = QUANTITIES.get(name)  # type: ignore[call-overload]
    return [point for point in points if quantity is None or quantity.is_plausible(point[1])]


def times(name: str, feed: Feed) -> list[int]:
    """When an event happened; a feed may give it as samples that are not 0."""
    return sorted({*feed.events.get(name, ()), *(at for at, value in feed.tracks.get(name, ()) if value)})


def sounds(rule: AbsenceRule, feed: Feed) -> list[int]:
    """When that was heard of which the rule misses something."""
    heard = {at for at, value in feed.tracks.get(rule.of, ()) if rule.is_sound(value)} | set(feed.events.get(rule.of, ()))
    if rule.of is QuantityName.BED_OCCUPIED:
        heard |= set(feed.events.get(EventKind.BED_ENTRY, ()))
    return sorted(heard)


def starts(rule: AbsenceRule, feed: Feed) -> list[int]:
    """When the event happened after which the rule waits.

    Readings of a mat have an exit where a no follows a yes if the whole feed has none: what comes later takes back nothing.
    """
    found = times(str(rule.after), feed)
    if times(str(rule.after), feed.whole or feed) or rule.after is not EventKind.BED_EXIT or rule.of is not QuantityName.BED_OCCUPIED:
        return found
    readings = sorted(feed.tracks.get(rule.of, ()))
    return [at for (_, before), (at, value) in pairwise(readings) if rule.is_sound(before) and not rule.is_sound(value)]


def _not_taken_back(rule: EventRule, feed: Feed) -> list[int]:
    taken_back = times(str(rule.cancelled_by), feed)
    return [at for at in times(rule.event, feed) if not any(at <= back <= at + span_us(rule.cancel_s) for back in taken_back)]
