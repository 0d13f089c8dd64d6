"""What must be known of the homes of a batch before their readings are judged, asked for all of them together.

Most of what comes is calm and of homes without an alert: two questions for all of them tell which rules may pass it by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backend.alerts import store as alerts
from backend.alerts.model import Subject
from backend.db.pool import Connection
from backend.readings import store as readings
from backend.readings.model import Columns, Home, StoredSeries
from backend.rules import episodes
from backend.rules.engine import RuleBook
from backend.rules.kinds.score import ScoreRule

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Known:
    """Of one subject: rules with an open alert, and when the last episodes of rules end (None: they have not)."""

    open_rules: set[str]
    ends: dict[str, datetime | None]
    scored: Sequence[tuple[datetime, int]] = ()
    """When each sign of a score was measured last, and the most it scored lately."""

    def reach(self, rule_id: str, at: datetime) -> bool:
        """True when readings from `at` on may change an episode or an alert of the rule, however calm they are."""
        if rule_id in self.open_rules:
            return True
        end = self.ends.get(rule_id, NEVER)
        return end is None or end >= at

    def may_score(self, rule: ScoreRule, columns: Columns) -> bool:
        """True when all signs at their worst together might reach a level; one that scores nothing may be the one that was missing."""
        oldest = columns.start_at - timedelta(seconds=rule.table.max_age_s)
        return not rule.is_quiet(0, sum(points for at, points in self.scored if at >= oldest))


async def know(conn: Connection, rules: RuleBook, judged: Sequence[StoredSeries], *, now: datetime) -> dict[str, Known]:
    """What is known of each subject of these readings, by its key; what they score, and the signs of life in them, are remembered."""
    subjects = {subject_of(series.home).key for series in judged}
    open_rules = await alerts.open_rules(conn, subjects)
    ends = await episodes.touched(conn, subjects, since=min(series.columns.start_at for series in judged))
    scored = await _score_signs(conn, rules, judged)
    await episodes.hear(conn, _signs(rules, judged, now=now))
    return {key: Known(open_rules.get(key, set()), ends.get(key, {}), scored.get(key, ())) for key in subjects}


def subject_of(home: Home) -> Subject:
    """Whom a home's alerts are about."""
    return Subject(home.elder_id, home.gateway_id)


async def _score_signs(conn: Connection, rules: RuleBook, judged: Sequence[StoredSeries]) -> dict[str, list[tuple[datetime, int]]]:
    """Remember what these readings score, where they do, and give what all signs of those elders scored lately."""
    signs: dict[tuple[str, str], tuple[datetime, int]] = {}
    elders: set[str] = set()
    max_age_s = 0.0
    for series in judged:
        columns, elder_id = series.columns, series.home.elder_id
        for active in rules.of_elder(elder_id).scores.get(columns.quantity, ()) if elder_id is not None else ():
            assert isinstance(active.rule, ScoreRule) and elder_id is not None
            elders.add(elder_id)
            points = active.rule.points(columns.quantity, min(columns.values), max(columns.values))
            if points:
                at, before = signs.get((elder_id, columns.quantity), (columns.start_at, 0))
                signs[elder_id, columns.quantity] = max(at, readings.last_at(columns)), max(before, points)
                max_age_s = max(max_age_s, active.rule.table.max_age_s)
    return await episodes.score(conn, signs, of=elders, max_age=timedelta(seconds=max_age_s))


def _signs(rules: RuleBook, judged: Sequence[StoredSeries], *, now: datetime) -> dict[tuple[str, str], datetime]:
    """The newest sign of life of each elder in quantities that say yes or no, such as being in bed; never later than now."""
    found: dict[tuple[str, str], datetime] = {}
    for series in judged:
        columns, elder_id = series.columns, series.home.elder_id
        if columns.quantity in rules.signs and elder_id is not None:
            yes = [offset for offset, value in zip(columns.offsets_ms, columns.values, strict=True) if value > 0]
            if yes:
                at = min(columns.start_at + timedelta(milliseconds=yes[-1]), now)
                for name in rules.signs[columns.quantity]:
                    found[elder_id, name] = max(at, found.get((elder_id, name), at))
    return found
