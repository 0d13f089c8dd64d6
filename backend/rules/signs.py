"""Signs of life that absence rules wait for: the last of each is a row, so that hours of silence need no hours of readings."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.db.pool import Connection
from backend.readings.model import Home
from backend.rules.hours import stretch
from backend.rules.kinds.absence import AbsenceRule, Hold, Span, judge_since
from backend.rules.model import Judgement, to_us

SILENT = """
SELECT e.elder_id, g.gateway_id, h.at AS heard_at, a.at AS after_at
FROM (
    SELECT elder_id FROM last_sign WHERE name = %(starts)s AND at <= %(due_before)s
    UNION SELECT unnest(%(also)s::text[])
) AS e
JOIN LATERAL (SELECT id AS gateway_id FROM gateway WHERE elder_id = e.elder_id ORDER BY id LIMIT 1) AS g ON true
LEFT JOIN last_sign h ON h.elder_id = e.elder_id AND h.name = %(of)s
LEFT JOIN last_sign a ON a.elder_id = e.elder_id AND a.name = %(after)s
"""
AWAY = """
SELECT elder_id, from_at, until_at FROM away WHERE elder_id = ANY(%(elder_ids)s) AND until_at > %(now)s - interval '14 days'
"""
OFFLINE = """
SELECT g.elder_id, a.opened_at - interval '180 s' AS from_at,
    CASE WHEN a.state = 'closed' THEN a.closed_at WHEN a.condition = 'recovered' THEN a.changed_at END AS until_at
FROM alert a JOIN gateway g ON g.id = a.gateway_id
WHERE g.elder_id = ANY(%(elder_ids)s) AND a.rule_id = 'gateway_silent' AND coalesce(a.closed_at, %(now)s) > %(now)s - interval '8 days'
"""
WARN = """
INSERT INTO last_sign (elder_id, name, at) VALUES (%(elder_id)s, %(name)s, %(now)s)
ON CONFLICT (elder_id, name) DO UPDATE SET at = EXCLUDED.at WHERE last_sign.at < %(since)s
"""


@dataclass(frozen=True, slots=True)
class Silent:
    """An elder of whom something may be missing: when it was heard last, and when the event after which it is missed last happened."""

    home: Home
    heard_at: datetime | None
    after_at: datetime | None

    @property
    def since(self) -> datetime:
        """From when it counts."""
        found = self.after_at or self.heard_at
        assert found is not None
        return found


async def silent(conn: Connection, of: str, after: str | None, *, due_before: datetime, also: Collection[str]) -> list[Silent]:
    """Elders whose last sign, or last event `after`, is older than `due_before`, and those in `also`.

    Where the sign was never heard nobody can hear it: a home with a door contact alone does not miss motion.
    """
    values = {"of": of, "after": after, "starts": after or of, "due_before": due_before, "also": list(also)}
    rows = await (await conn.execute(SILENT, values)).fetchall()
    found = [Silent(Home(row["gateway_id"], row["elder_id"]), row["heard_at"], row["after_at"]) for row in rows]
    return [one for one in found if one.heard_at is not None and (after is None or one.after_at is not None)]


async def held(conn: Connection, elder_ids: Sequence[str], kinds: Sequence[Hold], *, now: datetime) -> dict[str, list[Span]]:
    """When silence says nothing about these elders: away, or their gateway known to be off line."""
    found: dict[str, list[Span]] = defaultdict(list)
    for kind, query in (("away", AWAY), ("gateway_offline", OFFLINE)):
        if kind in kinds and elder_ids:
            for row in await (await conn.execute(query, {"elder_ids": list(elder_ids), "now": now})).fetchall():
                until = to_us(row["until_at"]) if row["until_at"] is not None else None
                found[row["elder_id"]].append((to_us(row["from_at"]), until))
    return found


def judge_signs(rule: AbsenceRule, one: Silent, held: Sequence[Span], *, now: datetime, home_zone: str) -> Judgement | None:
    """What a rule says of an elder's signs; None where it does not speak: not armed, outside its hours, or held just now."""
    at = to_us(now)
    if any(begin <= at and (end is None or at < end) for begin, end in held):
        return None
    heard_at = one.heard_at or one.since
    if rule.after is not None and one.heard_at is not None and one.heard_at > one.since:
        return judge_since(rule, at, one.heard_at, now, held=(), home_zone=home_zone)
    if rule.after is not None and stretch(rule.active, to_us(one.since), home_zone) is None:
        return None
    return judge_since(rule, to_us(one.since), heard_at, now, held=held, home_zone=home_zone)


async def note_warning(conn: Connection, elder_id: str, rule_id: str, *, since: datetime, now: datetime) -> bool:
    """Remember that the home was warned; False when it was already, since the silence began."""
    values = {"elder_id": elder_id, "name": f"warned:{rule_id}", "since": since, "now": now}
    return (await conn.execute(WARN, values)).rowcount == 1
