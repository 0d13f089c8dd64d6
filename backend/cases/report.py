"""What the centre reports: how fast calls were answered, what they turned out to be, and which rules, devices and elders are noisy.

A call is answered when somebody takes its case: each waiting counts, from the moment the case is opened, waits again, or comes back from a
rest, to the taking. Technical trouble and group items are no calls; what ended by itself before anybody took it is left out, and said, and
so are cases that were closed as tests. With `areas` everything is about elders who live in one of them.
"""

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from backend.db.pool import Connection

Row = dict[str, Any]
Key = TypeVar("Key", bound=Hashable)

CENTRE = ZoneInfo("Asia/Shanghai")
"""Days, months and weeks (from Monday) are those of the centre."""
TARGETS: tuple[tuple[int, float, str], ...] = (
    (15, 0.95, "GB/T 33358-2016"),
    (60, 0.975, "TSA"),
    (180, 0.99, "TSA"),
)
"""Seconds, share of calls, source (TSA: MASCOT Telecare report 2015-16 under its code). China is stricter on time, Britain on share."""
TOP = 10

CALLS = """
WITH waiting AS (
    SELECT s.case_id, s.id, s.at, lead(s.id) OVER (PARTITION BY s.case_id ORDER BY s.id) AS next_id
    FROM case_step s JOIN care_case c ON c.id = s.case_id
    WHERE s.action IN ('opened', 'reopened', 'rearmed') AND s.at >= %(from_at)s
        AND NOT c.is_group AND coalesce(s.detail ->> 'priority', c.priority) <> 'technical'
        AND NOT EXISTS (SELECT FROM case_step q WHERE q.case_id = s.case_id AND q.action = 'rested' AND q.at = s.at AND q.id > s.id)
)
SELECT w.case_id, w.at, ended.action, ended.at AS ended_at, c.disposition, e.area_id
FROM waiting w
JOIN care_case c ON c.id = w.case_id
LEFT JOIN elder e ON e.id = c.elder_id
LEFT JOIN LATERAL (
    SELECT e.action, e.at FROM case_step e
    WHERE e.case_id = w.case_id AND e.id > w.id AND (w.next_id IS NULL OR e.id < w.next_id) AND e.action IN ('taken', 'closed', 'rested')
    ORDER BY e.id LIMIT 1
) ended ON true
WHERE w.at < %(to_at)s AND (%(areas)s::text[] IS NULL OR e.area_id = ANY(%(areas)s)) ORDER BY w.at, w.id
"""
DISPOSITIONS = """
SELECT c.disposition, count(*) AS cases FROM care_case c LEFT JOIN elder e ON e.id = c.elder_id
WHERE c.closed_at >= %(from_at)s AND c.closed_at < %(to_at)s AND (%(areas)s::text[] IS NULL OR e.area_id = ANY(%(areas)s))
GROUP BY 1 ORDER BY 2 DESC, 1
"""
ALARMS = """
SELECT a.opened_at AS at, e.area_id FROM alert a JOIN elder e ON e.id = a.elder_id
WHERE a.opened_at >= %(from_at)s AND a.opened_at < %(to_at)s AND a.priority <> 'technical' AND a.disposition IS DISTINCT FROM 'test'
    AND (%(areas)s::text[] IS NULL OR e.area_id = ANY(%(areas)s))
"""
WATCHED = """
SELECT e.area_id, greatest(g.first_at, %(from_at)s) AS since, count(*) AS elders
FROM elder e
JOIN (SELECT elder_id, min(first_seen_at) AS first_at FROM gateway WHERE elder_id IS NOT NULL GROUP BY elder_id) g ON g.elder_id = e.id
WHERE g.first_at < %(to_at)s AND (%(areas)s::text[] IS NULL OR e.area_id = ANY(%(areas)s)) GROUP BY 1, 2
"""
"""Who is watched since when: from the first gateway on. All who were before the span are one row of each area."""
AREAS = """
WITH RECURSIVE below AS (
    SELECT id FROM area WHERE id = %(area)s
    UNION
    SELECT a.id FROM area a JOIN below b ON a.parent_id = b.id
)
SELECT id FROM below
"""
AREA_NAMES = "SELECT id, name, parent_id FROM area ORDER BY name, id"
OUTCOMES = """
WITH closed AS (
    SELECT a.rule_id, r.body -> 'title' AS title, a.elder_id, e.name AS elder_name, a.gateway_id, a.disposition,
           a.evidence -> 'devices' AS devices
    FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version LEFT JOIN elder e ON e.id = a.elder_id
    WHERE a.closed_at >= %(from_at)s AND a.closed_at < %(to_at)s AND (%(areas)s::text[] IS NULL OR e.area_id = ANY(%(areas)s))
), told AS (
    SELECT 'rule' AS kind, rule_id AS id, (array_agg(title))[1] AS title, NULL AS name, disposition, count(*) AS n FROM closed GROUP BY 2, 5
    UNION ALL
    SELECT 'elder', coalesce(elder_id, gateway_id), NULL, min(elder_name), disposition, count(*) FROM closed GROUP BY 2, 5
    UNION ALL
    SELECT 'device', gateway_id || ' ' || device, NULL, NULL, disposition, count(*)
    FROM closed, jsonb_array_elements_text(CASE WHEN jsonb_typeof(devices) = 'array' THEN devices ELSE '[]' END) AS device
    WHERE gateway_id IS NOT NULL GROUP BY 2, 5
)
SELECT kind, id, (array_agg(title))[1] AS title, min(name) AS name, sum(n)::integer AS alerts,
       coalesce(sum(n) FILTER (WHERE disposition = 'false'), 0)::integer AS false_alarms,
       coalesce(sum(n) FILTER (WHERE disposition = 'technical'), 0)::integer AS technical,
       coalesce(sum(n) FILTER (WHERE disposition = 'real'), 0)::integer AS real
FROM told GROUP BY kind, id ORDER BY kind, 6 DESC, 7 DESC, id
"""
CHATTER = """
WITH noise AS (
    SELECT a.rule_id, r.body -> 'title' AS title, a.elder_id, e.name AS elder_name, a.gateway_id, s.id
    FROM alert_step s JOIN alert a ON a.id = s.alert_id JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version
    LEFT JOIN elder e ON e.id = a.elder_id
    WHERE s.at >= %(from_at)s AND s.at < %(to_at)s AND s.action IN ('opened', 'repeated', 'raised')
        AND (%(areas)s::text[] IS NULL OR e.area_id = ANY(%(areas)s))
), told AS (
    SELECT 'rule' AS kind, rule_id AS id, (array_agg(title))[1] AS title, NULL AS name, count(*)::integer AS times FROM noise GROUP BY 2
    UNION ALL
    SELECT 'elder', coalesce(elder_id, gateway_id), NULL, min(elder_name), count(*)::integer FROM noise GROUP BY 2
), ranked AS (
    SELECT kind, id, title, name, times, row_number() OVER (PARTITION BY kind ORDER BY times DESC, id) AS place FROM told
)
SELECT kind, id, title, name, times, place FROM ranked WHERE place <= %(top)s ORDER BY kind, place
"""
IS_KEPT = "SELECT FROM chatter_report WHERE week_start = %(week_start)s"
KEEP = """
INSERT INTO chatter_report (week_start, made_at, body) VALUES (%(week_start)s, %(now)s, %(body)s) ON CONFLICT (week_start) DO NOTHING
"""
KEPT = "SELECT week_start, made_at FROM chatter_report ORDER BY week_start DESC LIMIT 52"


@dataclass(frozen=True, slots=True)
class Answers:
    """How calls were answered. `within` counts those taken in at most so many seconds, `waiting` those neither taken nor over.

    `overdue` counts those that still wait after so many seconds. `tests` are no calls: they are in no other number.
    """

    calls: int
    answered: int
    waiting: int
    ended_by_themselves: int
    within: dict[int, int]
    overdue: dict[int, int]
    slowest_s: float | None
    late_cases: list[int]
    tests: int = 0

    def share(self, seconds: int) -> float | None:
        """Answered within so many seconds, of those answered or overdue; None where there was no such call."""
        counted = self.answered + self.overdue[seconds]
        return self.within[seconds] / counted if counted else None


def count(rows: list[Row], *, now: datetime) -> Answers:
    """Count the waitings of CALLS. One that still waits counts against a target once its time is over. Pure."""
    everything = len(rows)
    rows = [row for row in rows if row["disposition"] != "test"]
    taken = [(row["case_id"], (row["ended_at"] - row["at"]).total_seconds()) for row in rows if row["action"] == "taken"]
    still = [(row["case_id"], (now - row["at"]).total_seconds()) for row in rows if row["action"] is None]
    last_s = max(seconds for seconds, _, _ in TARGETS)
    return Answers(
        calls=len(rows),
        answered=len(taken),
        waiting=len(still),
        ended_by_themselves=len(rows) - len(taken) - len(still),
        within={seconds: sum(took <= seconds for _, took in taken) for seconds, _, _ in TARGETS},
        overdue={seconds: sum(waited > seconds for _, waited in still) for seconds, _, _ in TARGETS},
        slowest_s=max((took for _, took in taken), default=None),
        late_cases=sorted({case_id for case_id, took in taken + still if took > last_s}),
        tests=everything - len(rows),
    )


def split(rows: list[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Rows by their key, such as day or area. Pure."""
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def elder_days(watched: list[Row], *, from_at: datetime, to_at: datetime) -> float:
    """Days that elders were watched in [from_at, to_at), from rows of WATCHED. Pure."""
    spans_s = (row["elders"] * max(0.0, (to_at - max(row["since"], from_at)).total_seconds()) for row in watched)
    total_s: float = sum(spans_s)
    return total_s / 86_400


async def calls(conn: Connection, *, from_at: datetime, to_at: datetime, areas: Sequence[str] | None = None) -> list[Row]:
    """The calls that began in [from_at, to_at), for `count` and `split`: case_id, at, action, ended_at, disposition, area_id."""
    return await _all(conn, CALLS, from_at=from_at, to_at=to_at, areas=areas)


async def answers(conn: Connection, *, from_at: datetime, to_at: datetime, now: datetime, areas: Sequence[str] | None = None) -> Answers:
    """How the calls that began in [from_at, to_at) were answered."""
    return count(await calls(conn, from_at=from_at, to_at=to_at, areas=areas), now=now)


async def alarms(conn: Connection, *, from_at: datetime, to_at: datetime, areas: Sequence[str] | None = None) -> list[Row]:
    """Alerts about elders, opened in [from_at, to_at): at, area_id. Neither technical ones nor tests."""
    return await _all(conn, ALARMS, from_at=from_at, to_at=to_at, areas=areas)


async def watched(conn: Connection, *, from_at: datetime, to_at: datetime, areas: Sequence[str] | None = None) -> list[Row]:
    """Since when how many elders are watched, for `elder_days`: area_id, since, elders."""
    return await _all(conn, WATCHED, from_at=from_at, to_at=to_at, areas=areas)


async def areas_in(conn: Connection, area: str) -> list[str]:
    """An area and all that lie in it; empty when there is no such area."""
    return [row["id"] for row in await (await conn.execute(AREAS, {"area": area})).fetchall()]


async def area_names(conn: Connection) -> list[Row]:
    """All areas: id, name, parent_id."""
    return await (await conn.execute(AREA_NAMES)).fetchall()


async def dispositions(conn: Connection, *, from_at: datetime, to_at: datetime, areas: Sequence[str] | None = None) -> list[Row]:
    """Cases closed in [from_at, to_at) by code, the most frequent first."""
    return await _all(conn, DISPOSITIONS, from_at=from_at, to_at=to_at, areas=areas)


async def outcomes(conn: Connection, *, from_at: datetime, to_at: datetime, areas: Sequence[str] | None = None) -> dict[str, list[Row]]:
    """Alerts closed in [from_at, to_at) by `rule`, `device` and `elder`: how many, how many false, technical and real."""
    found: dict[str, list[Row]] = {"rule": [], "device": [], "elder": []}
    for row in await _all(conn, OUTCOMES, from_at=from_at, to_at=to_at, areas=areas):
        found[row["kind"]].append(row)
    return found


async def chatter(conn: Connection, *, from_at: datetime, to_at: datetime, areas: Sequence[str] | None = None) -> dict[str, list[Row]]:
    """The TOP rules and elders by how often they opened, repeated or raised an alert in [from_at, to_at)."""
    found: dict[str, list[Row]] = {"rule": [], "elder": []}
    for row in await _all(conn, CHATTER, from_at=from_at, to_at=to_at, areas=areas, top=TOP):
        found[row["kind"]].append(row)
    return found


async def keep_week(conn: Connection, *, now: datetime) -> date | None:
    """Make the chatter report of the last whole week, unless it was made. Returns the week's Monday when it was made now."""
    today = now.astimezone(CENTRE).date()
    week_start = today - timedelta(days=today.weekday() + 7)
    if await (await conn.execute(IS_KEPT, {"week_start": week_start})).fetchone() is not None:
        return None
    from_at, to_at = (datetime.combine(day, time(), CENTRE) for day in (week_start, week_start + timedelta(days=7)))
    found = await chatter(conn, from_at=from_at, to_at=to_at)
    body = {kind: [{name: row[name] for name in ("place", "id", "times")} for row in rows] for kind, rows in found.items()}
    await conn.execute(KEEP, {"week_start": week_start, "now": now, "body": json.dumps(body)})
    return week_start


async def kept_weeks(conn: Connection) -> list[Row]:
    """The weeks whose chatter report was made, the newest first, at most a year."""
    return await (await conn.execute(KEPT)).fetchall()


async def _all(conn: Connection, statement: str, **values: object) -> list[Row]:
    return await (await conn.execute(statement.encode(), values)).fetchall()
