"""Teams of family doctors, their shifts, and 家庭医生签约: what the centre keeps up to date. The caller owns the transaction.

One active contract per elder, a year or longer (规范签约管理意见): the tables say so, and a change ends the old one and begins another.
"""

from datetime import date, datetime
from typing import Any, cast

from backend.db.pool import Connection
from backend.errors import BadInput, NotFound
from backend.people.model import Contract

Row = dict[str, Any]

TEAMS = """
SELECT t.id, t.name, t.phone, f.name AS fallback_name, t.fallback_team_id,
       (SELECT coalesce(jsonb_agg(a.name ORDER BY a.name), '[]') FROM team_area ta JOIN area a ON a.id = ta.area_id WHERE ta.team_id = t.id)
           AS areas,
       (SELECT count(*) FROM contract c WHERE c.team_id = t.id AND c.cancelled_on IS NULL AND %(today)s BETWEEN c.signed_on AND c.ends_on)
           AS signed,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', d.id, 'name', d.name, 'phone', d.phone, 'role', d.role, 'is_active', d.is_active,
            'shifts', (
                SELECT coalesce(jsonb_agg(jsonb_build_object('starts_at', s.starts_at, 'ends_at', s.ends_at) ORDER BY s.starts_at), '[]')
                FROM (SELECT starts_at, ends_at FROM shift WHERE doctor_id = d.id AND ends_at > %(now)s ORDER BY starts_at LIMIT 5) s)
            ) ORDER BY array_position(ARRAY['gp', 'nurse', 'public_health', 'specialist'], d.role), d.name), '[]')
        FROM doctor d WHERE d.team_id = t.id) AS members
FROM team t LEFT JOIN team f ON f.id = t.fallback_team_id ORDER BY t.name
"""
ADD_SHIFT = "INSERT INTO shift (doctor_id, starts_at, ends_at) VALUES (%(doctor_id)s, %(starts_at)s, %(ends_at)s) ON CONFLICT DO NOTHING"
OVERLAP = """
SELECT FROM shift WHERE doctor_id = %(doctor_id)s AND tstzrange(starts_at, ends_at) && tstzrange(%(starts_at)s, %(ends_at)s)
"""
END_SHIFT = "DELETE FROM shift WHERE doctor_id = %(doctor_id)s AND starts_at = %(starts_at)s"
SET_ACTIVE = "UPDATE doctor SET is_active = %(is_active)s WHERE id = %(doctor_id)s"
OTHER_GPS = """
SELECT d.role <> 'gp' OR EXISTS (
    SELECT FROM doctor o WHERE o.team_id = d.team_id AND o.id <> d.id AND o.role = 'gp' AND o.is_active
) AS can_leave
FROM doctor d WHERE d.id = %(doctor_id)s
"""
DOCTOR = "SELECT id, team_id, name, is_active FROM doctor WHERE id = %(doctor_id)s"
CONTRACTS = """
SELECT e.id AS elder_id, e.name, e.born_on, e.address, a.name AS area, t.name AS team_name, d.name AS doctor_name, c.doctor_id,
       c.signed_on, c.ends_on
FROM elder e
LEFT JOIN area a ON a.id = e.area_id
LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL
LEFT JOIN team t ON t.id = c.team_id
LEFT JOIN doctor d ON d.id = c.doctor_id
WHERE (NOT %(only_due)s OR c.ends_on IS NULL OR c.ends_on < %(due_before)s)
  AND (%(search)s = '' OR e.name ILIKE '%%' || %(search)s || '%%' OR e.pinyin ILIKE '%%' || %(search)s || '%%'
       OR e.id = %(search)s OR e.phone = %(search)s)
ORDER BY c.ends_on NULLS FIRST, e.id LIMIT %(limit)s
"""
RATE = """
SELECT count(*) AS elders, count(c.id) AS signed FROM elder e
LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL AND %(today)s BETWEEN c.signed_on AND c.ends_on
WHERE e.born_on <= %(today)s::date - interval '65 years'
"""
END_CONTRACT = """
UPDATE contract SET cancelled_on = %(on)s, end_reason = %(reason)s, written_by = %(by)s
WHERE elder_id = %(elder_id)s AND cancelled_on IS NULL RETURNING id
"""
SIGN = """
INSERT INTO contract (elder_id, team_id, doctor_id, signed_on, ends_on, written_by)
VALUES (%(elder_id)s, %(team_id)s, %(doctor_id)s, %(signed_on)s, %(ends_on)s, %(by)s)
"""
LIST_MAX = 200

ENDS_EARLY = "A shift must end after it starts."
OVERLAPS = "This doctor has another shift at that time; end it first."
NEEDS_A_GP = "A team needs a family doctor: put another one in first."
HAS_LEFT = "This doctor has left the team."
TOO_SHORT = "A contract runs at least one year."


async def teams(conn: Connection, *, now: datetime, today: date) -> list[Row]:
    """All teams with their members, coming shifts (five each), areas, and how many elders have signed with them."""
    return await _all(conn, TEAMS, {"now": now, "today": today})


async def add_shift(conn: Connection, *, doctor_id: str, starts_at: datetime, ends_at: datetime) -> None:
    """Put a doctor on duty. Raises BadInput when it ends before it starts or overlaps another shift, NotFound for no such doctor."""
    await _doctor(conn, doctor_id)
    values = {"doctor_id": doctor_id, "starts_at": starts_at, "ends_at": ends_at}
    if ends_at <= starts_at:
        raise BadInput(ENDS_EARLY)
    if await (await conn.execute(OVERLAP, values)).fetchone() is not None:
        raise BadInput(OVERLAPS)
    await conn.execute(ADD_SHIFT, values)


async def end_shift(conn: Connection, *, doctor_id: str, starts_at: datetime) -> None:
    """Take a shift back."""
    await conn.execute(END_SHIFT, {"doctor_id": doctor_id, "starts_at": starts_at})


async def set_active(conn: Connection, doctor_id: str, *, is_active: bool) -> None:
    """A member who has left is asked no more. Raises BadInput where the team would have no family doctor, NotFound."""
    await _doctor(conn, doctor_id)
    row = await (await conn.execute(OTHER_GPS, {"doctor_id": doctor_id})).fetchone()
    if not is_active and row is not None and not row["can_leave"]:
        raise BadInput(NEEDS_A_GP)
    await conn.execute(SET_ACTIVE, {"doctor_id": doctor_id, "is_active": is_active})


async def contracts(conn: Connection, *, only_due: bool, due_before: date, search: str) -> list[Row]:
    """Elders with their contract, those without first, then by its end; at most LIST_MAX. `search`: name, pinyin, id or telephone."""
    values = {"only_due": only_due, "due_before": due_before, "search": search.strip(), "limit": LIST_MAX}
    return await _all(conn, CONTRACTS, values)


async def signed_rate(conn: Connection, *, today: date) -> Row:
    """Elders of 65 and more, and how many of them have a contract in force (签约服务率)."""
    return cast(Row, await (await conn.execute(RATE, {"today": today})).fetchone())


async def sign(conn: Connection, elder_id: str, *, doctor_id: str, signed_on: date, ends_on: date, by: str) -> None:
    """Sign an elder with a doctor and the doctor's team; a contract that runs ends the day before. Raises BadInput, NotFound."""
    doctor = await _doctor(conn, doctor_id)
    if not doctor["is_active"]:
        raise BadInput(HAS_LEFT)
    try:
        Contract(team=doctor["team_id"], doctor=doctor_id, signed_on=signed_on, ends_on=ends_on)
    except ValueError as error:
        raise BadInput(TOO_SHORT) from error
    await conn.execute(END_CONTRACT, {"elder_id": elder_id, "on": signed_on, "reason": "signed anew", "by": by})
    values = {"elder_id": elder_id, "team_id": doctor["team_id"], "doctor_id": doctor_id, "signed_on": signed_on, "ends_on": ends_on}
    await conn.execute(SIGN, values | {"by": by})


async def end_contract(conn: Connection, elder_id: str, *, on: date, reason: str, by: str) -> None:
    """End the contract in force, with the reason. Raises NotFound when there is none."""
    values = {"elder_id": elder_id, "on": on, "reason": reason, "by": by}
    if await (await conn.execute(END_CONTRACT, values)).fetchone() is None:
        raise NotFound(f"elder {elder_id} has no contract")


async def _doctor(conn: Connection, doctor_id: str) -> Row:
    row = await (await conn.execute(DOCTOR, {"doctor_id": doctor_id})).fetchone()
    if row is None:
        raise NotFound(f"there is no doctor {doctor_id}")
    return row


async def _all(conn: Connection, statement: str, values: Row) -> list[Row]:
    return await (await conn.execute(statement, values)).fetchall()
