"""What people tell the rules about an elder: on oxygen, awake; and, said in `backend/cases/rest.py`, away until when."""

from datetime import datetime
from typing import Any

from backend.db.pool import Connection
from backend.errors import BadInput

AWAY = """
SELECT id, from_at, until_at, reason, by FROM away WHERE elder_id = %(elder_id)s ORDER BY until_at DESC LIMIT 10
"""
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
