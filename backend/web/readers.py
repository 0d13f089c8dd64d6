"""Who may see which elders: doctors of the signed team or with an open offer or visit, and relatives with a consent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from backend.db.pool import Connection
from backend.web.read import rows_of

READERS = """
SELECT e.id AS elder_id, c.team_id,
       ARRAY(
           SELECT o.doctor_id FROM visit v JOIN visit_offer o ON o.visit_id = v.id
           WHERE v.elder_id = e.id AND o.answer IS NULL AND v.state = 'offered'
           UNION
           SELECT v.doctor_id FROM visit v WHERE v.elder_id = e.id AND v.state IN ('accepted', 'on_the_way', 'at_home')
       ) AS doctor_ids,
       coalesce((SELECT jsonb_object_agg(r.account_name, r.sees) FROM family_right(%(now)s) r WHERE r.elder_id = e.id), '{}') AS family
FROM elder e
LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL
    AND (%(now)s::timestamptz AT TIME ZONE e.zone)::date BETWEEN c.signed_on AND c.ends_on
WHERE e.id = ANY(%(elder_ids)s)
"""
FAMILY_RIGHTS = "SELECT account_name, elder_id, sees FROM family_right(%(now)s) WHERE account_name = ANY(%(names)s) ORDER BY elder_id"


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
    rows = await (await conn.execute(READERS, {"elder_ids": sorted(elder_ids), "now": now})).fetchall()
    return {
        row["elder_id"]: Readers(
            row["team_id"], frozenset(row["doctor_ids"]), {name: frozenset(sees) for name, sees in row["family"].items()}
        )
        for row in rows
    }


async def family_rights(conn: Connection, names: Collection[str], *, now: datetime) -> dict[str, dict[str, frozenset[str]]]:
    """What accounts of families may see now: account -> elder -> things. Who may see nothing is absent."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for row in await rows_of(conn, FAMILY_RIGHTS, {"names": list(names), "now": now}):
        found.setdefault(row["account_name"], {})[row["elder_id"]] = frozenset(row["sees"])
    return found
