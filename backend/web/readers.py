"""Who may see which elders: doctors of the signed team or with an open offer or visit, and relatives with a consent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from backend.db.apart import apart
from backend.db.pool import Connection
from backend.web.read import rows_of

READERS = """
SELECT e.id AS elder_id, c.team_id,
       ARRAY(
           SELECT o.doctor_id FROM visit v JOIN visit_offer o ON o.visit_id = v.id
           WHERE v.elder_id = e.id AND o.answer IS NULL AND v.state = 'offered'
           UNION
           SELECT v.doctor_id FROM visit v WHERE v.elder_id = e.id AND v.state IN ('accepted', 'on_the_way', 'at_home')
       ) AS doctor_ids
FROM elder e
LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL
    AND (%(now)s::timestamptz AT TIME ZONE e.zone)::date BETWEEN c.signed_on AND c.ends_on
WHERE e.id = ANY(%(elder_ids)s)
"""
RELATIVES = "SELECT elder_id, account_name, sees FROM family_right(%(now)s) WHERE elder_id = ANY(%(elder_ids)s)"
FAMILY_RIGHTS = "SELECT account_name, elder_id, sees FROM family_right(%(now)s) WHERE account_name = ANY(%(names)s) ORDER BY elder_id"
FAMILY_MARKS = """
SELECT r.account_name, r.elder_id, concat_ws('|', floor(extract(epoch FROM %(now)s::timestamptz) / 300),
    CASE WHEN 'state' = ANY(r.sees) THEN concat_ws(
        ' ', (SELECT floor(extract(epoch FROM max(g.heard_at)) / %(each_s)s) FROM gateway g WHERE g.elder_id = r.elder_id),
        (SELECT string_agg(s.last_value::text, ',' ORDER BY s.id) FROM series s
         WHERE s.elder_id = r.elder_id AND s.quantity = 'bed_occupied'),
        (SELECT floor(extract(epoch FROM max(l.at)) / %(each_s)s) FROM last_sign l WHERE l.elder_id = r.elder_id),
        (SELECT string_agg(w.id::text || w.until_at, ',' ORDER BY w.id) FROM away w WHERE w.elder_id = r.elder_id AND w.until_at > %(now)s)
    ) END,
    CASE WHEN 'values' = ANY(r.sees) THEN (
        SELECT floor(extract(epoch FROM max(s.last_at)) / %(each_s)s)::text FROM series s WHERE s.elder_id = r.elder_id
    ) END,
    CASE WHEN 'visits' = ANY(r.sees) THEN (
        SELECT string_agg(d.id::text || d.promised_at, ',' ORDER BY d.id) FROM due_visit d
        WHERE d.elder_id = r.elder_id AND d.state = 'due' AND d.promised_at >= %(now)s
    ) END,
    CASE WHEN 'messages' = ANY(r.sees) THEN (
        SELECT concat(count(*), ' ', count(m.done_at)) FROM family_message m
        WHERE m.elder_id = r.elder_id
            AND (m.by = r.account_name OR NOT m.is_from_family AND coalesce(m.to_name, r.account_name) = r.account_name)
    ) END) AS mark
FROM family_right(%(now)s) r WHERE r.account_name = ANY(%(names)s)
"""
"""What a family may see that has no version, as a text that differs when it does; values and times of signs count in steps of `each_s`."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Which doctors may see an elder: those of the signed team, and those who hold an open offer or visit.

    `family`: account of a relative -> what that one may see (people/families.py).
    """

    team_id: str | None
    doctor_ids: frozenset[str]
    family: Mapping[str, frozenset[str]] = field(default_factory=dict)


async def readers_of(conn: Connection, elder_ids: Collection[str], *, now: datetime) -> dict[str, Readers]:
    """Who may see these elders, by elder; one who does not exist is absent."""
    values = {"elder_ids": sorted(elder_ids), "now": now}
    family: dict[str, dict[str, frozenset[str]]] = {}
    async with apart(conn, "families see nothing: their rights cannot be read", event="families_untold"):
        for row in await rows_of(conn, RELATIVES, values):
            family.setdefault(row["elder_id"], {})[row["account_name"]] = frozenset(row["sees"])
    return {
        row["elder_id"]: Readers(row["team_id"], frozenset(row["doctor_ids"]), family.get(row["elder_id"], {}))
        for row in await rows_of(conn, READERS, values)
    }


async def family_rights(conn: Connection, names: Collection[str], *, now: datetime) -> dict[str, dict[str, frozenset[str]]]:
    """What accounts of families may see now: account -> elder -> things. Who may see nothing is absent."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for row in await rows_of(conn, FAMILY_RIGHTS, {"names": list(names), "now": now}):
        found.setdefault(row["account_name"], {})[row["elder_id"]] = frozenset(row["sees"])
    return found


async def family_marks(conn: Connection, names: Collection[str], *, each_s: float, now: datetime) -> dict[str, dict[str, str]]:
    """A mark of what accounts of families may see beside alarms and visits: account -> elder -> text that changes when that does."""
    found: dict[str, dict[str, str]] = {}
    for row in await rows_of(conn, FAMILY_MARKS, {"names": list(names), "each_s": each_s, "now": now}):
        found.setdefault(row["account_name"], {})[row["elder_id"]] = row["mark"]
    return found
