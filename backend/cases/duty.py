"""Who answers calls now, and the note from one shift to the next. The caller owns the transaction."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.errors import BadInput, NotFound

PARTS = ("desk", "second", "supervisor", "on_call")
SHIFT_HOURS_MAX = 24

ON_DUTY = """
SELECT DISTINCT d.account_name AS name, d.part, (
    SELECT count(*) FROM care_case c WHERE c.taken_by = d.account_name AND c.state <> 'closed'
) AS cases
FROM duty d JOIN account a ON a.name = d.account_name
WHERE %(now)s >= d.starts_at AND %(now)s < d.ends_at AND a.is_active ORDER BY cases, name
"""
ADMINS = "SELECT name FROM account WHERE role = 'admin' AND is_active ORDER BY name"
COMING = """
SELECT d.account_name AS name, a.title, d.part, d.starts_at, d.ends_at FROM duty d JOIN account a ON a.name = d.account_name
WHERE d.ends_at > %(now)s ORDER BY d.starts_at, d.part, d.account_name LIMIT 200
"""
ADD = """
INSERT INTO duty (account_name, part, starts_at, ends_at) VALUES (%(name)s, %(part)s, %(starts_at)s, %(ends_at)s)
ON CONFLICT (account_name, part, starts_at) DO UPDATE SET ends_at = EXCLUDED.ends_at
"""
REMOVE = "DELETE FROM duty WHERE account_name = %(name)s AND part = %(part)s AND starts_at = %(starts_at)s"
HELD = """
SELECT id FROM care_case WHERE taken_by = %(name)s AND state IN ('taken', 'in_hand', 'resolved') ORDER BY id FOR NO KEY UPDATE
"""
HAND_OVER = """
INSERT INTO handover (at, from_name, to_name, note, case_ids) VALUES (%(now)s, %(from_name)s, %(to_name)s, %(note)s, %(case_ids)s)
"""
GIVE = "UPDATE care_case SET taken_by = %(to_name)s, changed_at = %(now)s, version = version + 1 WHERE id = ANY(%(case_ids)s)"
STEPS = """
INSERT INTO case_step (case_id, at, by, action, detail)
SELECT id, %(now)s, %(from_name)s, 'handed_over', %(detail)s FROM unnest(%(case_ids)s::bigint[]) AS id
"""
NOTES = """
SELECT h.id, h.at, h.from_name, f.title AS from_title, h.to_name, t.title AS to_title, h.note, h.case_ids, h.read_at
FROM handover h JOIN account f ON f.name = h.from_name JOIN account t ON t.name = h.to_name
WHERE h.to_name = %(name)s OR h.from_name = %(name)s ORDER BY h.id DESC LIMIT 50
"""
UNREAD = "SELECT count(*) AS n FROM handover WHERE to_name = %(name)s AND read_at IS NULL"
READ = "UPDATE handover SET read_at = %(now)s WHERE id = %(id)s AND to_name = %(name)s AND read_at IS NULL"


async def on_duty(conn: Connection, *, now: datetime) -> dict[str, list[str]]:
    """Names by part, those with the fewest cases first. Where no supervisor is on duty, the administrators are."""
    found: dict[str, list[str]] = {part: [] for part in PARTS}
    for row in await (await conn.execute(ON_DUTY, {"now": now})).fetchall():
        found[row["part"]].append(row["name"])
    if not found["supervisor"]:
        found["supervisor"] = [row["name"] for row in await (await conn.execute(ADMINS)).fetchall()]
    return found


def people(on: dict[str, list[str]], tells: Collection[str], *, holder: str | None, asked: Collection[str]) -> list[str]:
    """Whom a rung of a ladder reaches. Pure. A second operator is one who has not been asked yet, from the desk where nobody is second."""
    told: list[str] = []
    for part in tells:
        if part == "holder":
            told += [holder] if holder else []
        elif part == "second":
            free = [name for name in on["second"] + on["desk"] if name not in asked and name not in told]
            told += free[:1] or on["second"][:1]
        else:
            told += on[part]
    return list(dict.fromkeys(told))


async def coming(conn: Connection, *, now: datetime) -> list[dict[str, Any]]:
    """Shifts that have not ended, the next first, at most 200."""
    return await (await conn.execute(COMING, {"now": now})).fetchall()


async def add(conn: Connection, *, name: str, part: str, starts_at: datetime, ends_at: datetime) -> None:
    """Put somebody on duty. Raises BadInput for a shift that ends before it starts or is longer than SHIFT_HOURS_MAX."""
    hours = (ends_at - starts_at).total_seconds() / 3600
    if not 0 < hours <= SHIFT_HOURS_MAX and part != "on_call":
        raise BadInput(f"a shift ends after it starts and takes at most {SHIFT_HOURS_MAX} hours")
    if hours <= 0:
        raise BadInput("a shift ends after it starts")
    await conn.execute(ADD, {"name": name, "part": part, "starts_at": starts_at, "ends_at": ends_at})


async def remove(conn: Connection, *, name: str, part: str, starts_at: datetime) -> None:
    """Take a shift out of the plan; one that is not there is none."""
    await conn.execute(REMOVE, {"name": name, "part": part, "starts_at": starts_at})


async def hand_over(conn: Connection, *, from_name: str, to_name: str, note: str, now: datetime) -> list[int]:
    """End of a shift: everything that this person has goes to the next, with a note. Returns the cases."""
    case_ids = [row["id"] for row in await (await conn.execute(HELD, {"name": from_name})).fetchall()]
    values = {"from_name": from_name, "to_name": to_name, "note": note, "case_ids": case_ids, "now": now}
    await conn.execute(HAND_OVER, values)
    await conn.execute(GIVE, values)
    await conn.execute(STEPS, values | {"detail": json.dumps({"to": to_name, "text": note}, ensure_ascii=False)})
    await hint(conn, LIVE_CHANNEL)
    return case_ids


async def notes(conn: Connection, name: str) -> list[dict[str, Any]]:
    """Hand-over notes to and from a person, the newest first, at most 50."""
    return await (await conn.execute(NOTES, {"name": name})).fetchall()


async def unread(conn: Connection, name: str) -> int:
    """How many hand-over notes wait for this person."""
    row = await (await conn.execute(UNREAD, {"name": name})).fetchone()
    return int(row["n"]) if row else 0


async def read(conn: Connection, note_id: int, *, name: str, now: datetime) -> None:
    """The receiver has read a note. Raises NotFound when it is not this person's or was read."""
    if (await conn.execute(READ, {"id": note_id, "name": name, "now": now})).rowcount == 0:
        raise NotFound(f"there is no unread note {note_id} for {name}")
