"""What people tell the rules about an elder: away until when, on oxygen, awake. Rows are added and ended, never changed."""

from datetime import datetime
from typing import Any

from backend.db.pool import Connection
from backend.errors import BadInput, NotFound

AWAY = """
SELECT id, from_at, until_at, reason, by FROM away WHERE elder_id = %(elder_id)s ORDER BY until_at DESC LIMIT 10
"""
ADD_AWAY = """
INSERT INTO away (elder_id, from_at, until_at, reason, by) VALUES (%(elder_id)s, %(now)s, %(until_at)s, %(reason)s, %(by)s)
"""
END_AWAY = "UPDATE away SET until_at = %(now)s WHERE id = %(id)s AND elder_id = %(elder_id)s AND until_at > %(now)s AND from_at < %(now)s"
OBSERVED = """
SELECT at, on_oxygen, consciousness, by FROM observation WHERE elder_id = %(elder_id)s ORDER BY at DESC LIMIT 10
"""
OBSERVE = """
INSERT INTO observation (elder_id, at, on_oxygen, consciousness, by)
VALUES (%(elder_id)s, %(now)s, %(on_oxygen)s, %(consciousness)s, %(by)s)
"""
HOME = "SELECT id FROM gateway WHERE elder_id = %(elder_id)s ORDER BY id LIMIT 1"


async def away(conn: Connection, elder_id: str) -> list[dict[str, Any]]:
    """When an elder is or was away, the newest first."""
    return await (await conn.execute(AWAY, {"elder_id": elder_id})).fetchall()


async def go_away(conn: Connection, elder_id: str, *, until_at: datetime, reason: str, by: str, now: datetime) -> None:
    """An elder is away from now on; it ends by itself. Raises BadInput where the end is not ahead."""
    if until_at <= now:
        raise BadInput("the end must be ahead")
    await conn.execute(ADD_AWAY, {"elder_id": elder_id, "until_at": until_at, "reason": reason, "by": by, "now": now})


async def come_back(conn: Connection, elder_id: str, away_id: int, *, now: datetime) -> None:
    """An elder is back before the planned end. Raises NotFound."""
    if not (await conn.execute(END_AWAY, {"id": away_id, "elder_id": elder_id, "now": now})).rowcount:
        raise NotFound(f"elder {elder_id} is not away by {away_id}")


async def observed(conn: Connection, elder_id: str) -> list[dict[str, Any]]:
    """What people saw, the newest first."""
    return await (await conn.execute(OBSERVED, {"elder_id": elder_id})).fetchall()


async def observe(conn: Connection, elder_id: str, *, on_oxygen: bool | None, consciousness: str | None, by: str, now: datetime) -> None:
    """Somebody saw, or asked, whether the elder breathes oxygen and is awake (A, C, V, P, U)."""
    if on_oxygen is None and consciousness is None:
        raise BadInput("say at least one of both")
    values = {"elder_id": elder_id, "on_oxygen": on_oxygen, "consciousness": consciousness, "by": by, "now": now}
    await conn.execute(OBSERVE, values)


async def home_of(conn: Connection, elder_id: str) -> str | None:
    """A gateway of the elder."""
    row = await (await conn.execute(HOME, {"elder_id": elder_id})).fetchone()
    return row["id"] if row else None
