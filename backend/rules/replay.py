"""Plays recorded readings and events to the rules in the order they arrived, and says which alert intervals follow.

The intervals depend on the times of measurement alone; what became known when, and who was called, on the times of arrival too.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from backend.rules import patch
from backend.rules.engine import DEFAULT_ZONE, Active
from backend.rules.kinds import AnyRule
from backend.rules.kinds import all as alls
from backend.rules.kinds.absence import AbsenceRule
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.score import FILLED_IN, SIGN_OF, ScoreRule, totals
from backend.rules.model import SEVERITY, span_us, to_datetime, to_us
from backend.rules.paging import decide
from backend.rules.patch import Override
from backend.rules.revision import Revision
from backend.rules.tell import Feed
from backend.rules.tell import episodes as episodes_of
from backend.rules.track import Episode, Point, is_same
from contract.quantities import QUANTITIES

FOREVER = 1 << 62


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One reading, or one event (`name` is its kind, `value` what it brought, 1 where nothing). Microseconds."""

    received_at: int
    measured_at: int
    name: str
    value: float


@dataclass(slots=True)
class Note:
    """What became known of an episode: when, and who was called."""

    episode: Episode
    known_at: int
    pages: list[dict[str, Any]] = field(default_factory=list)
    why: str = ""
    told: int = -1


@dataclass(frozen=True, slots=True)
class Interval:
    """One alert interval of one elder and rule, and its story."""

    elder: str
    active: Active
    note: Note

    def as_json(self) -> dict[str, Any]:
        """The object that `rules replay` prints."""
        episode = self.note.episode
        return {
            "elder": self.elder,
            "rule": self.active.rule.id,
            "version": self.active.version,
            "overrides": list(self.active.overrides),
            "level": episode.worst(SEVERITY),
            "levels": [{"at": _iso(at), "level": level} for at, level in _gravest(episode)],
            "opened_at": _iso(episode.opened_at),
            "closed_at": _iso(episode.closed_at) if episode.closed_at is not None else None,
            "known_at": _iso(self.note.known_at),
            "peak": episode.peak,
            "paged": bool(self.note.pages),
            "why": self.note.why,
            "pages": self.note.pages,
        }


def _gravest(episode: Episode) -> list[tuple[int, str]]:
    """(when, gravest level from then on), where that changes; a milder level that comes to stand beside it is no change."""
    found: list[tuple[int, str]] = []
    for at, names in episode.steps:
        if names and (not found or found[-1][1] != names[-1]):
            found.append((at, names[-1]))
    return found


def _iso(at: int) -> str:
    return to_datetime(at).isoformat().replace("+00:00", "Z")


def replay_all(
    rules: Mapping[str, AnyRule], overrides: Sequence[Override], rows_of: Mapping[str, Iterable[Row]], *, until: int | None = None
) -> Iterator[Interval]:
    """Intervals of all elders, elder by elder, in order of opening.

    `until`: when silence is judged last; else at the last measurement of all, and cancel windows run to their ends: what comes out
    depends on no time of arrival.
    """
    last = max((row.measured_at for rows in rows_of.values() for row in rows), default=0)
    for elder, rows in sorted(rows_of.items()):
        own = [one for one in overrides if one.elder == elder]
        replay = Replay(elder, rules, own)
        yield from replay.play(sorted(set(rows)), until=last if until is None else until, events_until=FOREVER if until is None else until)


class Replay:
    """One elder's readings and rules."""

    def __init__(self, elder: str, rules: Mapping[str, AnyRule], overrides: Sequence[Override], home_zone: str = DEFAULT_ZONE) -> None:
        self._elder, self._zone = elder, home_zone
        self._pieces = {rule.id: _pieces(rule, overrides, home_zone) for rule in rules.values()}
        self._rules = rules
        self._looking: dict[str, list[Any]] = defaultdict(list)
        for rule in rules.values():
            if not isinstance(rule, AbsenceRule | EventRule | alls.AllRule):
                for name in _inputs(rule):
                    self._looking[name].append(rule)
        self._tracks: dict[str, list[Point]] = defaultdict(list)
        self._events: dict[str, list[int]] = defaultdict(list)
        self._arrived: dict[tuple[str, int], int] = {}
        self._episodes: dict[tuple[str, int], list[Episode]] = {}
        self._notes: dict[str, list[Note]] = defaultdict(list)

    def play(self, rows: Sequence[Row], *, until: int, events_until: int) -> list[Interval]:
        """Take all rows, sorted by arrival, and give the intervals."""
        for received_at, group in groupby(rows, key=lambda row: row.received_at):
            self._arrive(list(group), received_at)
        for rule in self._rules.values():
            if isinstance(rule, AbsenceRule):
                self._look(rule, until)
            elif isinstance(rule, EventRule):
                self._look(rule, events_until)
        found = [
            Interval(self._elder, self._active(rule_id, note.episode.opened_at), note)
            for rule_id, notes in self._notes.items()
            for note in notes
        ]
        return sorted(found, key=lambda one: (one.note.episode.opened_at, one.active.rule.id))

    def _arrive(self, rows: Sequence[Row], received_at: int) -> None:
        news: dict[str, list[Point]] = defaultdict(list)
        for row in rows:
            quantity = QUANTITIES.get(row.name)  # type: ignore[call-overload]
            point = (row.measured_at, row.value)
            if quantity is None and row.name not in FILLED_IN:
                insort(self._events[row.name], row.measured_at)
                self._arrived.setdefault((row.name, row.measured_at), received_at)
                news[row.name].append(point)
            elif (quantity is None or quantity.is_plausible(row.value)) and not _holds(self._tracks[row.name], point):
                insort(self._tracks[row.name], point)
                news[row.name].append(point)
        for rule in self._rules.values():
            if isinstance(rule, EventRule) and (rule.event in news or rule.cancelled_by in news):
                self._look(rule, received_at)
        for rule in {rule.id: rule for name in news for rule in self._looking.get(name, ())}.values():
            self._revise(rule, [point for name in _inputs(rule) for point in news.get(name, ())], received_at)

    def _revise(self, rule: Any, points: Sequence[Point], known_at: int) -> None:
        is_changed = False
        first, last = min(points)[0], max(points)[0]
        for number, (begin, end, active) in enumerate(self._pieces[rule.id]):
            if last < begin or first >= end:
                continue
            old = self._episodes.get((rule.id, number), [])
            if self._is_calm(active.rule, old, points):
                continue
            work = Revision(active.rule, old, first=max(first, begin), last=min(last, end - 1), home_zone=self._zone)  # type: ignore[arg-type]
            while (need := work.needs()) is not None:
                from_, to = max(need[0], begin), min(need[1], end - 1)
                work.feed(self._points(active.rule, from_, to), is_last=to == end - 1 or not self._is_after(rule, to))
            self._episodes[rule.id, number] = work.episodes
            is_changed = is_changed or bool(old) or bool(work.episodes)
        if is_changed:
            self._note(rule.id, self._whole(rule), known_at)

    def _whole(self, rule: Any) -> list[Episode]:
        """Episodes of all pieces. What an override left open ends with it, once there is a sample after it."""
        found: list[Episode] = []
        for number, (_, end, _) in enumerate(self._pieces[rule.id]):
            for one in self._episodes.get((rule.id, number), []):
                is_cut = one.closed_at is None and self._is_after(rule, end - 1)
                found.append(replace(one, steps=[*one.steps, (end, ())], closed_at=end) if is_cut else one)
        return found

    @staticmethod
    def _is_calm(rule: Any, old: Sequence[Episode], points: Sequence[Point]) -> bool:
        """As live: readings inside the band of a rule change nothing where no episode ends at or after them."""
        if isinstance(rule, ScoreRule) or not rule.is_quiet(min(value for _, value in points), max(value for _, value in points)):
            return False
        first = min(points)[0]
        return not any(one.closed_at is None or one.closed_at >= first for one in old)

    def _points(self, rule: Any, from_: int, to: int) -> list[Point]:
        if not isinstance(rule, ScoreRule):
            return _slice(self._tracks[rule.quantity], from_, to)
        tracks = {name: _slice(self._tracks[name], from_ - span_us(rule.table.max_age_s), to) for name in _inputs(rule)}
        return [(at, total) for at, total, _ in totals(rule, tracks) if total is not None and at >= from_]

    def _is_after(self, rule: Any, to: int) -> bool:
        return any(self._tracks[name] and self._tracks[name][-1][0] > to for name in _inputs(rule))

    def _look(self, rule: AnyRule, now: int) -> None:
        """Judge what needs no window: events and absences."""
        self._note(rule.id, episodes_of(rule, self._rules, Feed(self._tracks, self._events), now=now, home_zone=self._zone), now)

    def _note(self, rule_id: str, episodes: Sequence[Episode], known_at: int) -> None:
        before, self._notes[rule_id] = self._notes[rule_id], []
        for episode in episodes:
            note = next((one for one in before if is_same(one.episode, episode)), None)
            if note is None:
                note = Note(episode, self._known_at(self._rules[rule_id], episode, known_at))
                self._call(self._active(rule_id, episode.opened_at), note, note.known_at)
            else:
                before.remove(note)
                if note.episode != episode:
                    note.episode = episode
                    self._call(self._active(rule_id, episode.opened_at), note, known_at)
            self._notes[rule_id].append(note)
        for rule in self._rules.values():
            if isinstance(rule, alls.AllRule) and rule_id in rule.members:
                parts = {member: [note.episode for note in self._notes[member]] for member in rule.members}
                self._note(rule.id, alls.episodes(rule, parts), known_at)

    def _known_at(self, rule: AnyRule, episode: Episode, now: int) -> int:
        """Silence is known when it is due, an event when it is there and its cancel window is over; all else as its readings arrive."""
        if isinstance(rule, AbsenceRule):
            return episode.opened_at
        if isinstance(rule, EventRule):
            return max(episode.opened_at, self._arrived.get((rule.event, episode.opened_at - span_us(rule.cancel_s)), 0))
        return now

    def _call(self, active: Active, note: Note, known_at: int) -> None:
        level = note.episode.level or note.episode.worst(SEVERITY)
        rank = active.rank(level)
        if rank <= note.told:
            return
        is_paged, why = decide(active, note.episode, level, known_at=known_at)
        if is_paged and (by := self._muted_by(active.rule.id, level)) is not None:
            is_paged, why = False, f"muted by {by}"
        if is_paged:
            note.told = rank
            note.pages.append({"known_at": _iso(known_at), "level": level, "why": why})
        if is_paged or not note.pages:
            note.why = why

    def _muted_by(self, rule_id: str, level: str) -> str | None:
        for rule in self._rules.values():
            is_open = isinstance(rule, alls.AllRule) and any(note.episode.closed_at is None for note in self._notes[rule.id])
            if is_open and f"{rule_id}.{level}" in rule.mutes:  # type: ignore[union-attr]
                return rule.id
        return None

    def _active(self, rule_id: str, at: int) -> Active:
        return next(active for begin, end, active in self._pieces[rule_id] if begin <= at < end)


def _pieces(rule: AnyRule, overrides: Sequence[Override], home_zone: str) -> list[tuple[int, int, Active]]:
    """A rule from end to end of its overrides: with all that are in force until then, the later over the earlier; at last without any."""
    own = [(to_us(patch.ends_at(one.why.until, home_zone)), number, one) for number, one in enumerate(overrides, 1) if one.rule == rule.id]
    found, begin = [], -FOREVER
    for end in [*sorted({end for end, *_ in own}), FOREVER]:
        used = {number: one for until, number, one in own if until >= end}
        found.append((begin, end, Active(patch.apply_all(rule, used.values()), 1, tuple(used))))
        begin = end
    return found


def _inputs(rule: Any) -> Sequence[str]:
    return [*SIGN_OF, *FILLED_IN] if isinstance(rule, ScoreRule) else [rule.quantity]


def _slice(track: Sequence[Point], from_: int, to: int) -> list[Point]:
    return list(track[bisect_left(track, (from_, -1e308)) : bisect_right(track, (to, 1e308))])


def _holds(track: Sequence[Point], point: Point) -> bool:
    row = bisect_left(track, point)
    return row < len(track) and track[row] == point
