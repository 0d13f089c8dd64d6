"""When each alarm device last proved that it works: the newest call for help of it that reached the centre, a test or a real one.

Users test their alarm monthly (Sovereign's standards for users), so a device that has said nothing of the kind for 30 days is to be tried.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from backend.db.pool import Connection

Row = dict[str, Any]

UNTESTED_AFTER = timedelta(days=30)
LIST_MAX = 200
ALARM_TYPES = ("jiahu_pendant", "jiahu_wearable")
"""What has an alarm by its type. Any other device has one once it has sent one: a radio button has the type of its receiver."""

IS_ALARM = "kind IN ('sos', 'fall', 'button', 'smoke', 'gas', 'water')"
"""As in the index `event_of_alarms`, to the letter: it serves no other question."""
DEVICES = """
gateway g CROSS JOIN LATERAL jsonb_to_recordset(
    CASE jsonb_typeof(g.status -> 'devices') WHEN 'array' THEN g.status -> 'devices' ELSE '[]' END
) AS d (id text, type text)
"""
UNTESTED = f"""
WITH last AS (
    SELECT gateway_id, device_id, max(at) AS at FROM event WHERE {IS_ALARM} GROUP BY gateway_id, device_id
), untested AS (
    SELECT g.elder_id, g.id AS gateway_id, d.id AS device_id, d.type, last.at AS tested_at
    FROM {DEVICES} LEFT JOIN last ON last.gateway_id = g.id AND last.device_id = d.id
    WHERE g.elder_id IS NOT NULL AND (d.type = ANY(%(types)s) OR last.at IS NOT NULL) AND (last.at IS NULL OR last.at < %(before)s)
        AND (%(areas)s::text[] IS NULL OR g.elder_id IN (SELECT id FROM elder WHERE area_id = ANY(%(areas)s)))
), first AS (
    SELECT elder_id, gateway_id, device_id, type, tested_at, count(*) OVER () AS total FROM untested
    ORDER BY tested_at NULLS FIRST, elder_id, device_id LIMIT %(limit)s
)
SELECT f.elder_id, e.name AS elder_name, f.gateway_id, f.device_id, f.type, f.tested_at, f.total
FROM first f JOIN elder e ON e.id = f.elder_id ORDER BY f.tested_at NULLS FIRST, f.elder_id, f.device_id
"""
"""The tests of all homes are read once and joined; names are looked up of the listed alone."""
OF_ELDER = f"""
SELECT g.id AS gateway_id, d.id AS device_id, last.at AS tested_at
FROM {DEVICES} CROSS JOIN LATERAL (
    SELECT max(v.at) AS at FROM event v WHERE v.gateway_id = g.id AND v.device_id = d.id AND v.{IS_ALARM}
) last
WHERE g.elder_id = %(elder_id)s AND (d.type = ANY(%(types)s) OR last.at IS NOT NULL)
"""


async def untested(conn: Connection, *, now: datetime, areas: Sequence[str] | None = None) -> tuple[list[Row], int]:
    """Devices untested for UNTESTED_AFTER, those never tested first, at most LIST_MAX; and how many there are."""
    values = {"before": now - UNTESTED_AFTER, "areas": areas, "limit": LIST_MAX, "types": list(ALARM_TYPES)}
    rows = await (await conn.execute(UNTESTED.encode(), values)).fetchall()
    return rows, rows[0]["total"] if rows else 0


async def of_elder(conn: Connection, elder_id: str) -> dict[tuple[str, str], datetime | None]:
    """The last test of each alarm device of an elder by (gateway, device); None where there was none."""
    rows = await (await conn.execute(OF_ELDER.encode(), {"elder_id": elder_id, "types": list(ALARM_TYPES)})).fetchall()
    return {(row["gateway_id"], row["device_id"]): row["tested_at"] for row in rows}
