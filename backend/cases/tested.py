"""When each alarm device last proved that it works: the newest call for help of it that reached the centre, a test or a real one.

Users test their alarm monthly (DOMAIN 3.1, 51), so a device that has said nothing of the kind for 30 days is to be tried.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from backend.db.pool import Connection

Row = dict[str, Any]

UNTESTED_AFTER = timedelta(days=30)
LIST_MAX = 200
ALARM_KINDS = ("sos", "fall", "button", "smoke", "gas", "water")
ALARM_TYPES = ("jiahu_pendant", "jiahu_wearable")
"""What has an alarm by its type. Any other device has one once it has sent one: a radio button has the type of its receiver."""

LAST_TESTS = """
SELECT e.id AS elder_id, e.name AS elder_name, g.id AS gateway_id, d.id AS device_id, d.type, last.at AS tested_at
FROM gateway g
JOIN elder e ON e.id = g.elder_id
CROSS JOIN LATERAL jsonb_to_recordset(
    CASE jsonb_typeof(g.status -> 'devices') WHEN 'array' THEN g.status -> 'devices' ELSE '[]' END
) AS d (id text, type text)
LEFT JOIN LATERAL (
    SELECT max(v.at) AS at FROM event v WHERE v.gateway_id = g.id AND v.device_id = d.id AND v.kind = ANY(%(kinds)s)
) last ON true
WHERE (d.type = ANY(%(types)s) OR last.at IS NOT NULL)
"""
UNTESTED = f"""
WITH untested AS (
    {LAST_TESTS} AND (last.at IS NULL OR last.at < %(before)s) AND (%(areas)s::text[] IS NULL OR e.area_id = ANY(%(areas)s))
)
SELECT elder_id, elder_name, gateway_id, device_id, type, tested_at, count(*) OVER () AS total FROM untested
ORDER BY tested_at NULLS FIRST, elder_id, device_id LIMIT %(limit)s
"""
OF_ELDER = f"{LAST_TESTS} AND e.id = %(elder_id)s"


async def untested(conn: Connection, *, now: datetime, areas: Sequence[str] | None = None) -> tuple[list[Row], int]:
    """Devices untested for UNTESTED_AFTER, those never tested first, at most LIST_MAX; and how many there are."""
    values = {"before": now - UNTESTED_AFTER, "areas": areas, "limit": LIST_MAX}
    rows = await (await conn.execute(UNTESTED.encode(), values | _ALARMS)).fetchall()
    return rows, rows[0]["total"] if rows else 0


async def of_elder(conn: Connection, elder_id: str) -> dict[tuple[str, str], datetime | None]:
    """The last test of each alarm device of an elder by (gateway, device); None where there was none."""
    rows = await (await conn.execute(OF_ELDER.encode(), {"elder_id": elder_id} | _ALARMS)).fetchall()
    return {(row["gateway_id"], row["device_id"]): row["tested_at"] for row in rows}


_ALARMS: dict[str, Any] = {"kinds": list(ALARM_KINDS), "types": list(ALARM_TYPES)}
