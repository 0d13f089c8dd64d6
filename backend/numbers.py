"""From readings to episodes: the window that new samples can change is loaded, judged anew, and written; what is new in it is told.

Calm readings of calm homes do not come here. What follows for people is the monitor's business.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from backend.alerts.model import Subject
from backend.db.pool import Connection
from backend.readings import store as readings
from backend.readings.model import StoredSeries
from backend.rules import episodes
from backend.rules.engine import Active
from backend.rules.episodes import Stored
from backend.rules.kinds import all as alls
from backend.rules.kinds.all import AllRule
from backend.rules.kinds.score import FILLED_IN, SIGN_OF, ScoreRule, totals
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.kinds.trend import TrendRule
from backend.rules.model import Verdict, span_us, to_datetime, to_us
from backend.rules.revision import Revision
from backend.rules.track import Episode, Point, is_same
from contract.quantities import Statistic

LIVE = timedelta(hours=1)
"""Readings of the last hour: whatever follows them is loaded with them, since it is little."""
END = datetime(2200, 1, 1, tzinfo=UTC)


Load = Callable[[datetime, datetime], Awaitable[list[Point]]]
"""All samples of a window, sorted, each once."""
IsLast = Callable[[datetime], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Step:
    """Something an episode does that was not known: a level is set (the gravest that stands then), or it ends (`level` None)."""

    at: datetime
    level: str | None
    episode: Episode


@dataclass(frozen=True, slots=True)
class News:
    """What new samples brought: steps in order of time, the open episode, what the newest sample says, and an unconfirmed first reading."""

    steps: list[Step]
    standing: Episode | None
    verdict: Verdict
    asked_at: datetime | None
    is_asking: bool
    value: float | None
    last_at: datetime | None
    is_changed: bool
    has_grown: bool
    first_at: datetime
    label: str | None = None
    """What a score is called: partial where consciousness or oxygen is unknown."""


def source_of(series: StoredSeries) -> str:
    """What an episode calls a series of its subject: the device, and what its values stand for where they are no single samples."""
    columns = series.columns
    return columns.device_id if columns.statistic is Statistic.SAMPLE else f"{columns.device_id}/{columns.statistic}"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Within one transaction; `now` is when the backend received what it judges."""

    conn: Connection
    now: datetime
    home_zone: str

    async def follow(self, active: Active, subject: Subject, series: StoredSeries) -> News:
        """Judge one series by a threshold or a trend."""
        rule = active.rule
        assert isinstance(rule, ThresholdRule | TrendRule)
        columns = series.columns
        source = source_of(series)

        async def load(from_at: datetime, to_at: datetime) -> list[Point]:
            found = await readings.window(self.conn, series.id, columns.quantity, from_at=from_at, to_at=to_at)
            return sorted({(to_us(sample.at), sample.value) for sample in found})

        async def is_last(to_at: datetime) -> bool:
            return not await readings.goes_on(self.conn, [series.id], after=to_at)

        first, last = to_us(columns.start_at), to_us(readings.last_at(columns))
        return await self._revise(active, subject, source, first, last, load=load, is_last=is_last)

    async def score(self, active: Active, subject: Subject, first: datetime, last: datetime) -> News:
        """Judge an elder's signs together, all devices and what people filled in."""
        rule = active.rule
        assert isinstance(rule, ScoreRule) and subject.elder_id is not None
        elder_id = subject.elder_id
        labels: list[str] = []
        ids = await readings.series_of(self.conn, elder_id, list(SIGN_OF))

        async def load(from_at: datetime, to_at: datetime) -> list[Point]:
            tracks: dict[str, list[Point]] = {name: [] for name in (*SIGN_OF, *FILLED_IN)}
            for series_id, quantity in ids:
                found = await readings.window(self.conn, series_id, quantity, from_at=from_at, to_at=to_at)
                tracks[quantity] += [(to_us(sample.at), sample.value) for sample in found]
            for name, at, value in await episodes.observed(self.conn, elder_id, from_at=from_at, to_at=to_at):
                tracks[name].append((to_us(at), value))
            begin = to_us(from_at) + span_us(rule.table.max_age_s)
            said = totals(rule, {name: sorted(set(points)) for name, points in tracks.items()})
            labels.extend(label for _, total, label in said if total is not None)
            return [(at, total) for at, total, _ in said if total is not None and at >= begin]

        async def is_last(to_at: datetime) -> bool:
            return not await readings.goes_on(self.conn, [series_id for series_id, _ in ids], after=to_at)

        # A reading counts in totals for `max_age_s` after it.
        reach = to_us(last) + span_us(rule.table.max_age_s)
        news = await self._revise(active, subject, "score", to_us(first), reach, load=load, is_last=is_last)
        return replace(news, label=labels[-1] if labels else None)

    async def _revise(self, active: Active, subject: Subject, source: str, first: int, last: int, *, load: Load, is_last: IsLast) -> News:
        assert isinstance(active.rule, ThresholdRule | TrendRule | ScoreRule)
        old = await episodes.from_on(self.conn, subject.key, active.rule.id, since=to_datetime(first), source=source)
        work = Revision(active.rule, [one.episode for one in old], first=first, last=last, home_zone=self.home_zone)
        looked_at: list[Point] = []
        while (need := work.needs()) is not None:
            from_at, to_at = map(to_datetime, need)
            is_live = to_at > self.now - LIVE
            points = await load(from_at, END if is_live else to_at)
            looked_at += points
            work.feed(points, is_last=is_live or await is_last(to_at))
        new = work.episodes
        used = {one.opened_at: _used(looked_at, one.opened_at, span_us(active.rule.lookback_s)) for one in new}
        await self._write(active, subject, source, old, new, used)
        asked_at = to_datetime(work.asked_at[-1]) if work.asked_at and work.is_asking else None
        newest = looked_at[-1] if looked_at else None
        return _news(old, new, newest, first_at=to_datetime(first), verdict=work.verdict, asked_at=asked_at, is_asking=work.is_asking)

    async def together(self, active: Active, subject: Subject, since: datetime) -> News:
        """Judge a rule that is made of others from the episodes of those, as far as they changed since then."""
        rule = active.rule
        assert isinstance(rule, AllRule)
        parts = {
            member: [one.episode for one in await episodes.from_on(self.conn, subject.key, member, since=since)] for member in rule.members
        }
        old = await episodes.from_on(self.conn, subject.key, rule.id, since=since)
        new = [one for one in alls.episodes(rule, parts) if one.closed_at is None or one.closed_at >= to_us(since)]
        await self._write(active, subject, "all", old, new, {})
        return _news(old, new, None, first_at=since, verdict=Verdict.BREACHED)

    async def _write(
        self, active: Active, subject: Subject, source: str, old: Sequence[Stored], new: Sequence[Episode],
        samples: Mapping[int, Sequence[Point]],
    ) -> None:  # fmt: skip
        if old or new:
            await episodes.replace(
                self.conn, old, new, elder_id=subject.elder_id, gateway_id=subject.gateway_id, active=active, source=source, now=self.now,
                samples=samples,
            )  # fmt: skip


def _news(
    old: Sequence[Stored], new: Sequence[Episode], newest: Point | None, *, first_at: datetime, verdict: Verdict,
    asked_at: datetime | None = None, is_asking: bool = False,
) -> News:  # fmt: skip
    known = [one.episode for one in old]
    standing = new[-1] if new and new[-1].closed_at is None else None
    steps = sorted((step for one in new for step in _steps(one, known)), key=lambda step: step.at)
    return News(
        steps, standing, verdict if standing else Verdict.CLEAR, asked_at, is_asking, newest[1] if newest else None,
        to_datetime(newest[0]) if newest else None, known != list(new), standing is not None and standing not in known, first_at,
    )  # fmt: skip


def _steps(episode: Episode, known: Sequence[Episode]) -> list[Step]:
    """What was not known of an episode: of one that was, the steps after its last known one, or a new end."""
    before = next((one for one in known if is_same(one, episode)), None)
    seen = set(before.steps) if before else set()
    return [Step(to_datetime(at), names[-1] if names else None, episode) for at, names in episode.steps if (at, names) not in seen]


def _used(points: Sequence[Point], opened_at: int, lookback: int) -> list[Point]:
    """The samples that an opening rests on."""
    return [point for point in points if opened_at - lookback <= point[0] <= opened_at]
