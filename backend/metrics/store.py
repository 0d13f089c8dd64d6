"""What the tables say about the whole: what is open, what waits, and how the homes are. Read-only."""

from dataclasses import dataclass, field
from datetime import datetime

from backend.db.pool import Connection

CASES = """
SELECT priority, state, count(*) AS open, min(waiting_since) AS oldest_at FROM care_case WHERE state <> 'closed' GROUP BY priority, state
"""
VISITS = "SELECT state, count(*) AS open FROM visit WHERE state <> ALL (ARRAY['done', 'cancelled']) GROUP BY state"
OFFERS = "SELECT min(offered_at) AS oldest_at FROM visit_offer WHERE answer IS NULL"
NOTIFICATIONS = "SELECT channel, count(*) AS waiting, min(due_at) AS oldest_at FROM notification WHERE state = 'waiting' GROUP BY channel"
GATEWAYS = """
SELECT count(*) FILTER (WHERE heard_at IS NULL) AS never,
    count(*) FILTER (WHERE heard_at >= %(online_since)s AND online IS NOT FALSE) AS online,
    count(*) FILTER (WHERE heard_at < %(online_since)s OR heard_at IS NOT NULL AND NOT online) AS offline,
    coalesce(sum((status->>'waiting')::bigint), 0)::bigint AS waiting,
    coalesce(max((status->>'waiting')::bigint), 0) AS waiting_max,
    count(*) FILTER (WHERE heard_at >= %(online_since)s AND (clock_offset_s > %(behind_s)s OR clock_offset_s < -%(ahead_s)s)) AS clock_off
FROM gateway
"""


@dataclass(frozen=True, slots=True)
class Open:
    """What people have to do, at `at`. Keys: (priority, state) of cases, state of visits, channel of notifications."""

    at: datetime
    cases: dict[tuple[str, str], int] = field(default_factory=dict)
    unanswered_since: dict[str, datetime] = field(default_factory=dict)
    """By priority: since when its oldest case has waited to be taken."""
    visits: dict[str, int] = field(default_factory=dict)
    offered_since: datetime | None = None
    notifications: dict[str, int] = field(default_factory=dict)
    due_since: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gateways:
    """How the homes' gateways are. `waiting` and `waiting_max`: entries in their outboxes, by their last status."""

    online: int
    offline: int
    never: int
    waiting: int
    waiting_max: int
    clock_off: int


async def read_open(conn: Connection, *, now: datetime) -> Open:
    """Count what is open; through indexes that hold nothing else, so it stays quick however much is closed."""
    cases = await (await conn.execute(CASES)).fetchall()
    visits = await (await conn.execute(VISITS)).fetchall()
    offer = await (await conn.execute(OFFERS)).fetchone()
    notifications = await (await conn.execute(NOTIFICATIONS)).fetchall()
    return Open(
        at=now,
        cases={(row["priority"], row["state"]): row["open"] for row in cases},
        unanswered_since={row["priority"]: row["oldest_at"] for row in cases if row["state"] == "new"},
        visits={row["state"]: row["open"] for row in visits},
        offered_since=offer["oldest_at"] if offer else None,
        notifications={row["channel"]: row["waiting"] for row in notifications},
        due_since={row["channel"]: row["oldest_at"] for row in notifications},
    )


async def read_gateways(conn: Connection, *, online_since: datetime, behind_s: float, ahead_s: float) -> Gateways:
    """Count all gateways: online are those heard since `online_since` that did not say farewell.

    A clock is off when it is more than `behind_s` behind or `ahead_s` ahead of ours.
    """
    values = {"online_since": online_since, "behind_s": behind_s, "ahead_s": ahead_s}
    row = await (await conn.execute(GATEWAYS, values)).fetchone()
    assert row is not None
    return Gateways(**row)
