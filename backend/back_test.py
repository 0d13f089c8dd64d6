"""The back-test of a draft: what it would have said about the centre's own last days, beside the rule in force. A process of its own.

    python -m backend.back_test NUMBER     the database's configuration is JSON on standard input; progress and result are rows

The same machines as live. Elders are the same at every run: the first by a digest of their id, so that nobody is picked by hand.
"""

import asyncio
import json
import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.config import DatabaseConfig
from backend.db.pool import Connection, open_pool
from backend.rules.engine import DEFAULT_ZONE
from backend.rules.kinds import RULE, AnyRule
from backend.rules.kinds import all as alls
from backend.rules.kinds.absence import AbsenceRule
from backend.rules.kinds.all import AllRule
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.score import SIGN_OF, ScoreRule
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.kinds.trend import TrendRule
from backend.rules.model import SEVERITY, span_us, to_datetime, to_us
from backend.rules.paging import LOUD
from backend.rules.tell import Feed
from backend.rules.tell import episodes as episodes_of
from backend.rules.track import Episode, Point
from contract.quantities import QUANTITIES, QuantityName

DAYS = 30
ELDERS_MAX = 100
LISTED_MAX = 500
MARGIN = 0.001
"""Stored values are floats of four bytes: nearer to a limit than this they are rounded before they are judged, as live."""
DECIMALS = 4
BEAT_S = 0.5

TEST = "SELECT body FROM back_test WHERE id = %(id)s"
RULES = "SELECT DISTINCT ON (id) id, body, is_retired FROM rule ORDER BY id, version DESC"
ELDERS = """
SELECT e.id, e.name, e.zone FROM elder e
WHERE EXISTS (SELECT FROM series s WHERE s.elder_id = e.id AND s.last_at >= %(from_at)s)
    OR EXISTS (SELECT FROM gateway g WHERE g.elder_id = e.id AND g.heard_at >= %(from_at)s)
ORDER BY md5(e.id) LIMIT %(elders_max)s
"""
SEGMENTS = """
SELECT s.id, s.quantity, g.start_at, g.offsets_ms, g.values_ FROM series s JOIN any_segment g ON g.series_id = s.id
WHERE s.elder_id = %(elder_id)s AND s.quantity = ANY(%(quantities)s) AND s.statistic IN ('sample', 'mean') AND g.start_at >= %(from_at)s
ORDER BY s.id, g.start_at
"""
EVENTS = """
SELECT kind, at FROM event WHERE elder_id = %(elder_id)s AND at >= %(from_at)s AND kind = ANY(%(kinds)s) ORDER BY at
"""
OPERATORS = "SELECT count(*) AS number FROM account WHERE role = 'operator' AND is_active"
BEAT = "UPDATE back_test SET state = 'running', progress = %(progress)s, beat_at = now() WHERE id = %(id)s"
DONE = "UPDATE back_test SET state = 'done', progress = 1, beat_at = now() WHERE id = %(id)s"
FAIL = "UPDATE back_test SET state = 'failed', fault = %(fault)s, beat_at = now() WHERE id = %(id)s"
PREVIEW = """
UPDATE rule_draft d SET preview = %(preview)s, preview_seen_by = NULL FROM back_test t
WHERE t.id = %(id)s AND d.id = t.draft_id AND d.body = t.body
"""

Row = dict[str, Any]


@dataclass(slots=True)
class Tally:
    """What one rule said of all elders."""

    rule: AnyRule
    found: list[tuple[Row, Episode]] = field(default_factory=list)

    def take(self, elder: Row, episodes: Sequence[Episode], *, begin: int) -> None:
        """Add an elder's episodes that opened in the tested time."""
        self.found += [(elder, one) for one in episodes if one.opened_at >= begin]

    def priority(self, episode: Episode) -> str:
        """The priority of the gravest level an episode had."""
        worst = episode.worst(SEVERITY)
        return next(str(level.priority) for level in self.rule.levels if level.name == worst)

    def summary(self, *, elder_days: float, operator_hours: float) -> dict[str, Any]:
        """Figures for people. An alarm is an episode that rings at operators: of high or medium priority."""
        alarms = sum(self.priority(one) in LOUD for _, one in self.found)
        by_level: dict[str, int] = {}
        for _, one in self.found:
            by_level[one.worst(SEVERITY)] = by_level.get(one.worst(SEVERITY), 0) + 1
        return {
            "episodes": len(self.found),
            "alarms": alarms,
            "elders": len({elder["id"] for elder, _ in self.found}),
            "alarms_per_elder_day": round(alarms / elder_days, 4) if elder_days else 0,
            "alarms_per_operator_hour": round(alarms / operator_hours, 4) if operator_hours else 0,
            "by_level": by_level,
        }

    def listed(self) -> list[dict[str, Any]]:
        """The newest episodes, for reading one by one."""
        newest = sorted(self.found, key=lambda one: one[1].opened_at, reverse=True)[:LISTED_MAX]
        return [
            {
                "elder_id": elder["id"],
                "elder": elder["name"],
                "level": one.worst(SEVERITY),
                "priority": self.priority(one),
                "opened_at": to_datetime(one.opened_at).isoformat(),
                "closed_at": to_datetime(one.closed_at).isoformat() if one.closed_at is not None else None,
                "peak": one.peak,
            }
            for elder, one in newest
        ]


async def run(conn: Connection, test_id: int, *, now: datetime, days: int = DAYS, elders_max: int = ELDERS_MAX) -> dict[str, Any]:
    """Run a back-test that was asked for, write its progress and its result, and give the result."""
    test = await (await conn.execute(TEST, {"id": test_id})).fetchone()
    assert test is not None
    rows = await (await conn.execute(RULES)).fetchall()
    others = {row["id"]: RULE.validate_python(row["body"]) for row in rows if not row["is_retired"]}
    tallies = {"new": Tally(RULE.validate_python(test["body"]))}
    if tallies["new"].rule.id in others:
        tallies["old"] = Tally(others[tallies["new"].rule.id])
    from_at = now - timedelta(days=days)
    elders = await (await conn.execute(ELDERS, {"from_at": from_at, "elders_max": elders_max})).fetchall()
    beat_at = now - timedelta(days=1)
    for number, elder in enumerate(elders):
        if (clock := datetime.now(UTC)) - beat_at > timedelta(seconds=BEAT_S):
            beat_at = clock
            await conn.execute(BEAT, {"id": test_id, "progress": number / len(elders)})
        await _test_elder(conn, elder, tallies, others, from_at=from_at, now=now)
    operators = await (await conn.execute(OPERATORS)).fetchone()
    on_duty = max(1, (operators["number"] if operators else 0) // 3)
    figures = {"elder_days": len(elders) * days, "operator_hours": on_duty * days * 24}
    preview = {
        "elders": len(elders),
        "days": days,
        "operators_on_duty": on_duty,
        "until": now.isoformat(),
        "list": tallies["new"].listed(),
    } | {name: tally.summary(**figures) for name, tally in tallies.items()}
    async with conn.transaction():
        await conn.execute(PREVIEW, {"id": test_id, "preview": json.dumps(preview)})
        await conn.execute(DONE, {"id": test_id})
    return preview


async def _test_elder(
    conn: Connection, elder: Row, tallies: Mapping[str, Tally], others: Mapping[str, AnyRule], *, from_at: datetime, now: datetime
) -> None:
    needed = [tally.rule for tally in tallies.values()]
    needed += [others[member] for rule in needed if isinstance(rule, AllRule) for member in rule.members if member in others]
    numbers = {name for rule in needed for name in _quantities(rule)}
    columns = await _load(conn, elder["id"], sorted(numbers), from_at)
    kinds = sorted({kind for rule in needed for kind in _kinds(rule)})
    found = await (await conn.execute(EVENTS, {"elder_id": elder["id"], "from_at": from_at, "kinds": kinds})).fetchall() if kinds else []
    events: dict[str, list[int]] = {}
    for row in found:
        events.setdefault(row["kind"], []).append(to_us(row["at"]))
    zone = elder["zone"] or DEFAULT_ZONE
    for tally in tallies.values():
        episodes = _episodes(tally.rule, dict(others) | {tally.rule.id: tally.rule}, columns, events, now=to_us(now), zone=zone)
        tally.take(elder, episodes, begin=to_us(from_at))


Segment = tuple[int, list[int], list[float]]
"""Start in microseconds, offsets in milliseconds, values."""
Columns = dict[str, list[list[Segment]]]
"""By quantity, the series of an elder; each its segments in order."""


async def _load(conn: Connection, elder_id: str, quantities: Sequence[str], from_at: datetime) -> Columns:
    columns: Columns = {}
    if not quantities:
        return columns
    series: dict[int, list[Segment]] = {}
    async with conn.cursor(binary=True) as cursor:
        await cursor.execute(SEGMENTS, {"elder_id": elder_id, "quantities": list(quantities), "from_at": from_at})
        async for row in cursor:
            if row["id"] not in series:
                series[row["id"]] = []
                columns.setdefault(row["quantity"], []).append(series[row["id"]])
            series[row["id"]].append((to_us(row["start_at"]), row["offsets_ms"], row["values_"]))
    return columns


def _episodes(
    rule: AnyRule, rules: Mapping[str, AnyRule], columns: Columns, events: Mapping[str, list[int]], *, now: int, zone: str
) -> list[Episode]:
    if isinstance(rule, ThresholdRule | TrendRule):
        found = [one for segments in columns.get(rule.quantity, ()) for one in _of_series(rule, segments, zone)]
        return sorted(found, key=lambda one: one.opened_at)
    if isinstance(rule, AllRule):
        parts = {one: _episodes(rules[one], rules, columns, events, now=now, zone=zone) for one in rule.members if one in rules}
        return alls.episodes(rule, parts)
    hot = _hot(rule, columns) if isinstance(rule, ScoreRule) else None
    tracks = {
        name: sorted({point for segments in found for segment in segments for point in _points(segment, hot)})
        for name, found in columns.items()
    }
    return episodes_of(rule, rules, Feed(tracks, events), now=now, home_zone=zone)


def _of_series(rule: ThresholdRule | TrendRule, segments: Sequence[Segment], zone: str) -> list[Episode]:
    """Episodes of one series. Segments whose extremes are calm are passed over while nothing stands or has begun."""
    machine = rule.machine(zone)
    plausible = QUANTITIES[rule.quantity].is_plausible
    ends = [start + offsets[-1] * 1000 for start, offsets, _ in segments]
    is_overlapping = any(end >= start for end, (start, _, _) in zip(ends, segments[1:], strict=False))
    if is_overlapping:
        machine.run(sorted({point for segment in segments for point in _points(segment) if plausible(point[1])}))
        return machine.latch.episodes
    for segment in segments:
        low, high = min(segment[2]), max(segment[2])
        if not machine.is_idle or not rule.is_quiet(low - MARGIN, high + MARGIN):
            machine.run([point for point in _points(segment) if plausible(point[1])])
    return machine.latch.episodes


def _points(segment: Segment, hot: "Hot | None" = None) -> list[Point]:
    """The samples of a segment, or those of its hot spans."""
    start, offsets, values = segment
    wanted = [(0, len(values))] if hot is None else [(low, high) for span, low, high in _spans(segment, hot.span) if span in hot.spans]
    return [(start + offsets[row] * 1000, round(values[row], DECIMALS)) for low, high in wanted for row in range(low, high)]


def _spans(segment: Segment, span: int) -> Iterator[tuple[int, int, int]]:
    """The rows of a segment span by span of so many microseconds: (span since 1970, first row, row after the last)."""
    start, offsets, _ = segment
    low = 0
    while low < len(offsets):
        number = (start + offsets[low] * 1000) // span
        high = bisect_left(offsets, -(((number + 1) * span - start) // -1000), low)
        yield number, low, high
        low = high


@dataclass(frozen=True, slots=True)
class Hot:
    """Spans of time, as long as a reading stays valid, outside of which every total is calm and changes nothing."""

    span: int
    spans: set[int]


def _hot(rule: ScoreRule, columns: Columns) -> Hot:
    """Where the signs, at their worst together, might stay short of clear; and what follows until a way back must have been found."""
    span = span_us(rule.table.max_age_s)
    worst: dict[int, dict[str, int]] = {}
    for name, found in columns.items():
        for segment in (segment for segments in found for segment in segments):
            for number, low, high in _spans(segment, span):
                values = segment[2][low:high]
                points = rule.points(QuantityName(name), min(values) - MARGIN, max(values) + MARGIN)
                own = worst.setdefault(number, {})
                own[name] = max(points, own.get(name, 0))
    nothing: dict[str, int] = {}
    hot = set()
    for number, own in worst.items():
        before = worst.get(number - 1, nothing)
        if not rule.is_quiet(0, sum(max(own.get(name, 0), before.get(name, 0)) for name in own.keys() | before.keys())):
            hot.add(number)
    way_back = 2 + math.ceil(max(rule.clear_of(level).hold_s for level in rule.levels) / rule.table.max_age_s)
    whole = {number for number, own in worst.items() if len(own) >= rule.table.quantities_min}
    return Hot(span, hot | {number - 1 for number in hot} | _after(hot, sorted(worst), whole, way_back))


def _after(hot: set[int], measured: Sequence[int], whole: set[int], way_back: int) -> set[int]:
    """The measured spans behind each hot one, up to so many in a row that are calm and have signs enough for a total."""
    found: set[int] = set()
    for number in hot:
        last, calm = number, 0
        for following in measured[bisect_right(measured, number) :]:
            if following in hot or calm > way_back:
                break
            found.add(following)
            calm = (calm if following == last + 1 else 0) + (following in whole)
            last = following
    return found


def _quantities(rule: AnyRule) -> list[str]:
    if isinstance(rule, ThresholdRule | TrendRule):
        return [rule.quantity]
    if isinstance(rule, ScoreRule):
        return [str(name) for name in SIGN_OF]
    return [rule.of] if isinstance(rule, AbsenceRule) and rule.of in set(QuantityName) else []


def _kinds(rule: AnyRule) -> list[str]:
    if isinstance(rule, EventRule):
        return [str(one) for one in (rule.event, rule.cancelled_by) if one is not None]
    return [str(one) for one in rule.signs] if isinstance(rule, AbsenceRule) else []


async def _main(test_id: int, database: DatabaseConfig) -> None:
    pool = await open_pool(database)
    async with pool, pool.connection() as conn:
        try:
            await run(conn, test_id, now=datetime.now(UTC))
        except ValueError as error:
            await conn.execute(FAIL, {"id": test_id, "fault": str(error)[:500]})
            raise


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), DatabaseConfig.model_validate_json(sys.stdin.read())))
