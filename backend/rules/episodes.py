"""Episodes in the database: what rules said in event time. The caller owns the transaction."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from backend.db.pool import Connection
from backend.rules.engine import Active
from backend.rules.kinds.score import CONSCIOUSNESS, OXYGEN
from backend.rules.model import to_datetime, to_us
from backend.rules.track import Episode, Point, is_same

SAMPLES_MAX = 500
"""Samples kept with an episode, the newest of what was looked at when it opened."""

TOUCHED = """
SELECT coalesce(elder_id, 'gateway:' || gateway_id) AS subject, rule_id, 
    CASE WHEN bool_or(closed_at IS NULL) THEN NULL ELSE max(closed_at) END AS until
FROM episode
WHERE coalesce(elder_id, 'gateway:' || gateway_id) = ANY(%(subjects)s) AND coalesce(closed_at, 'infinity') >= %(since)s
GROUP BY 1, 2
"""
FROM_ON = """
SELECT id, source, opened_at, closed_at, last_at, steps, peak, alert_id FROM episode
WHERE coalesce(elder_id, 'gateway:' || gateway_id) = %(subject)s AND coalesce(closed_at, 'infinity') >= %(since)s
    AND rule_id = %(rule_id)s AND (%(source)s::text IS NULL OR source = %(source)s)
ORDER BY opened_at
"""
DROP = "DELETE FROM episode WHERE id = ANY(%(ids)s)"
CHANGE = """
UPDATE episode SET opened_at = %(opened_at)s, closed_at = %(closed_at)s, last_at = %(last_at)s, steps = %(steps)s, peak = %(peak)s
WHERE id = %(id)s
"""
OPEN_ANEW = """
UPDATE episode SET rule_version = %(rule_version)s, overrides = %(overrides)s, samples = %(samples)s WHERE id = %(id)s
"""
ADD = """
INSERT INTO episode (elder_id, gateway_id, rule_id, rule_version, overrides, source, opened_at, closed_at, last_at, steps, peak, known_at,
    samples)
VALUES (%(elder_id)s, %(gateway_id)s, %(rule_id)s, %(rule_version)s, %(overrides)s, %(source)s, %(opened_at)s, %(closed_at)s, %(last_at)s,
    %(steps)s, %(peak)s, %(known_at)s, %(samples)s)
"""
LINK = """
UPDATE episode SET alert_id = %(alert_id)s
WHERE coalesce(elder_id, 'gateway:' || gateway_id) = %(subject)s AND rule_id = %(rule_id)s AND alert_id IS NULL
    AND known_at >= %(since)s
"""
STANDING = """
SELECT count(*) AS number FROM episode
WHERE coalesce(elder_id, 'gateway:' || gateway_id) = %(subject)s AND coalesce(closed_at, 'infinity') = 'infinity' AND rule_id = %(rule_id)s
    AND source <> %(but)s
"""
HAPPENED_AFTER = """
SELECT min(at) AS at FROM event
WHERE gateway_id = %(gateway_id)s AND device_id = %(device)s AND kind = %(kind)s AND at >= %(after)s
"""
SCORE = """
INSERT INTO score_sign AS s (elder_id, quantity, at, points)
SELECT * FROM unnest(%(elder_ids)s::text[], %(quantities)s::text[], %(ats)s::timestamptz[], %(points)s::smallint[])
    AS n (elder_id, quantity, at, points) ORDER BY 1, 2
ON CONFLICT (elder_id, quantity) DO UPDATE SET at = greatest(s.at, EXCLUDED.at),
    points = CASE WHEN s.at >= EXCLUDED.at - %(max_age)s THEN greatest(s.points, EXCLUDED.points) ELSE EXCLUDED.points END
"""
SCORED = "SELECT elder_id, quantity, at, points FROM score_sign WHERE elder_id = ANY(%(elder_ids)s)"
OBSERVED = """
SELECT at, on_oxygen, consciousness FROM observation WHERE elder_id = %(elder_id)s AND at BETWEEN %(from_at)s AND %(to_at)s ORDER BY at
"""
LATE = """
SELECT a.id, a.elder_id, e.name, e.zone, a.rule_id, r.body -> 'title' AS title, a.level, a.condition, a.opened_at, a.known_at,
    (SELECT max(p.closed_at) FROM episode p WHERE p.alert_id = a.id) AS ended_at,
    (SELECT max(p.peak) FROM episode p WHERE p.alert_id = a.id) AS peak
FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version LEFT JOIN elder e ON e.id = a.elder_id
WHERE a.state <> 'closed' AND a.priority = 'low' AND a.evidence @> '{"late": true}'
ORDER BY a.known_at DESC LIMIT 500
"""
HEAR = """
INSERT INTO last_sign (elder_id, name, at) SELECT * FROM unnest(%(elder_ids)s::text[], %(names)s::text[], %(ats)s::timestamptz[])
    AS n (elder_id, name, at) ORDER BY 1, 2
ON CONFLICT (elder_id, name) DO UPDATE SET at = greatest(last_sign.at, EXCLUDED.at)
"""


async def touched(conn: Connection, subjects: Collection[str], *, since: datetime) -> dict[str, dict[str, datetime | None]]:
    """By subject and rule, when the last episode that ends at or after `since` ends; None: it has not ended."""
    rows = await (await conn.execute(TOUCHED, {"subjects": list(subjects), "since": since})).fetchall()
    found: dict[str, dict[str, datetime | None]] = {}
    for row in rows:
        found.setdefault(row["subject"], {})[row["rule_id"]] = row["until"]
    return found


class Stored:
    """An episode with its row."""

    __slots__ = ("alert_id", "episode", "id", "source")

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.id: int = row["id"]
        self.source: str = row["source"]
        self.alert_id: int | None = row["alert_id"]
        closed_at = to_us(row["closed_at"]) if row["closed_at"] is not None else None
        steps = [(at, tuple(names)) for at, names in row["steps"]]
        self.episode = Episode(to_us(row["opened_at"]), steps, row["peak"], to_us(row["last_at"]), closed_at)


async def from_on(conn: Connection, subject: str, rule_id: str, *, since: datetime, source: str | None = None) -> list[Stored]:
    """Episodes of a subject and rule that end at or after `since`, or have not ended; of one source, or of all."""
    values = {"subject": subject, "rule_id": rule_id, "since": since, "source": source}
    return [Stored(row) for row in await (await conn.execute(FROM_ON, values)).fetchall()]


async def replace(
    conn: Connection,
    old: Sequence[Stored],
    new: Sequence[Episode],
    *,
    elder_id: str | None,
    gateway_id: str,
    active: Active,
    source: str,
    now: datetime,
    samples: Mapping[int, Sequence[Point]],
) -> None:
    """Write what changed. A stretch that only grew or shrank keeps its row, and so its alert and when it became known.

    `samples`: by the opening of each, what it rests on. A stretch that opens at another time than before keeps the rule and the samples by
    which it does so now; one that opens when it did keeps those by which it was opened.
    """
    rule = {"rule_id": active.rule.id, "rule_version": active.version, "overrides": list(active.overrides)}
    left = {one.id: one for one in old}
    changed: list[tuple[Stored, Episode]] = []
    added: list[Episode] = []
    for episode in new:
        row = next((one for one in left.values() if is_same(one.episode, episode)), None)
        if row is None:
            added.append(episode)
        elif left.pop(row.id).episode != episode:
            changed.append((row, episode))
    if left:
        await conn.execute(DROP, {"ids": list(left)})
    for row, episode in changed:
        await conn.execute(CHANGE, _values(episode) | {"id": row.id})
        if row.episode.opened_at != episode.opened_at:
            await conn.execute(OPEN_ANEW, rule | _used(samples, episode) | {"id": row.id})
    owner = {"elder_id": elder_id, "gateway_id": gateway_id, "source": source, "known_at": now}
    for episode in added:
        await conn.execute(ADD, _values(episode) | owner | rule | _used(samples, episode))


def _used(samples: Mapping[int, Sequence[Point]], episode: Episode) -> dict[str, str]:
    return {"samples": json.dumps([[at // 1000, value] for at, value in samples.get(episode.opened_at, ())[-SAMPLES_MAX:]])}


def _values(episode: Episode) -> dict[str, Any]:
    return {
        "opened_at": to_datetime(episode.opened_at),
        "closed_at": to_datetime(episode.closed_at) if episode.closed_at is not None else None,
        "last_at": to_datetime(episode.last_at),
        "steps": json.dumps(episode.steps),
        "peak": episode.peak,
    }


async def link(conn: Connection, subject: str, rule_id: str, alert_id: int, *, since: datetime) -> None:
    """Episodes that became known since then belong to this alert."""
    await conn.execute(LINK, {"subject": subject, "rule_id": rule_id, "alert_id": alert_id, "since": since})


async def happened_after(conn: Connection, gateway_id: str, device: str, kind: str, after: datetime) -> datetime | None:
    """When a device first reported this kind of event at or after that; None when it did not."""
    values = {"gateway_id": gateway_id, "device": device, "kind": str(kind), "after": after}
    row = await (await conn.execute(HAPPENED_AFTER, values)).fetchone()
    at: datetime | None = row["at"] if row else None
    return at


async def is_standing(conn: Connection, subject: str, rule_id: str, *, but: str = "") -> bool:
    """True while any series of the subject, `but` this source, has an open episode of the rule."""
    row = await (await conn.execute(STANDING, {"subject": subject, "rule_id": rule_id, "but": but})).fetchone()
    return bool(row and row["number"])


async def hear(conn: Connection, signs: Mapping[tuple[str, str], datetime]) -> None:
    """Move what was last heard: (elder, name) -> when."""
    if signs:
        values = {"elder_ids": [elder for elder, _ in signs], "names": [name for _, name in signs], "ats": list(signs.values())}
        await conn.execute(HEAR, values)


async def score(
    conn: Connection, signs: Mapping[tuple[str, str], tuple[datetime, int]], *, of: Collection[str], max_age: timedelta
) -> dict[str, list[tuple[datetime, int]]]:
    """Remember what signs scored, (elder, quantity) -> (when, points); give all that is remembered `of` elders.

    Points are the most of a row of readings no further apart than `max_age`: an upper bound of what a sign may add to a total.
    """
    columns = {
        "elder_ids": [elder for elder, _ in signs],
        "quantities": [quantity for _, quantity in signs],
        "ats": [at for at, _ in signs.values()],
        "points": [points for _, points in signs.values()],
    }
    if signs:
        await conn.execute(SCORE, columns | {"max_age": max_age})
    found: dict[str, list[tuple[datetime, int]]] = {}
    for row in await (await conn.execute(SCORED, {"elder_ids": sorted(of)})).fetchall() if of else ():
        found.setdefault(row["elder_id"], []).append((row["at"], row["points"]))
    return found


async def late(conn: Connection) -> list[dict[str, Any]]:
    """The review of the day: open alerts that became known too late to call anybody, the newest first."""
    return await (await conn.execute(LATE)).fetchall()


async def observed(conn: Connection, elder_id: str, *, from_at: datetime, to_at: datetime) -> list[tuple[str, datetime, float]]:
    """What people filled in for a score: (OXYGEN or CONSCIOUSNESS, when, value)."""
    rows = await (await conn.execute(OBSERVED, {"elder_id": elder_id, "from_at": from_at, "to_at": to_at})).fetchall()
    oxygen = [(OXYGEN, row["at"], float(row["on_oxygen"])) for row in rows if row["on_oxygen"] is not None]
    return oxygen + [(CONSCIOUSNESS, row["at"], float(row["consciousness"] != "A")) for row in rows if row["consciousness"] is not None]
