"""Messages to people, as rows: written in the transaction of what they tell, once per (alert or case, step, person), claimed by one worker.

Nothing goes out without consent: that of an elder's contact in the import file is part of the contract, every other channel of a person is
a route with the words consented to; where a contact has routes, they stand in place of the file, also when all of them were withdrawn.
"""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from backend.db.pool import Connection

DUE = """CASE WHEN r.quiet_spares_high AND %(priority)s = 'high' THEN %(now)s::timestamptz
    ELSE after_quiet(%(now)s, r.zone, r.quiet_from, r.quiet_to) END"""
ADD = f"""
INSERT INTO notification (alert_id, step, person, name, channel, address, body, due_at)
SELECT %(alert_id)s, %(step)s, told.person, told.name, told.channel, told.address, %(body)s, told.due_at
FROM (
    SELECT 'contact:' || c.position AS person, c.name, c.notify_channel AS channel, c.notify_address AS address,
        %(now)s::timestamptz AS due_at
    FROM contact c
    WHERE c.elder_id = %(elder_id)s AND c.notify_channel IS NOT NULL
        AND NOT EXISTS (SELECT FROM notify_route r WHERE r.person = 'contact:' || c.elder_id || ':' || c.name)
    UNION ALL
    SELECT 'contact:' || c.position || '/' || r.id, c.name, r.channel, r.address, {DUE}
    FROM contact c JOIN notify_route r ON r.person = 'contact:' || c.elder_id || ':' || c.name
    WHERE c.elder_id = %(elder_id)s AND r.withdrawn_at IS NULL AND %(priority)s = ANY(r.priorities)
        AND c.position = (SELECT min(d.position) FROM contact d WHERE d.elder_id = c.elder_id AND d.name = c.name)
) told
ON CONFLICT (alert_id, step, person) DO NOTHING
"""
ADD_FOR_PEOPLE = f"""
INSERT INTO notification (case_id, visit_id, step, person, channel, address, body, due_at)
SELECT %(case_id)s, %(visit_id)s, %(step)s, r.person || '/' || r.id, r.channel, r.address, %(body)s, {DUE}
FROM notify_route r WHERE r.person = ANY(%(people)s) AND r.withdrawn_at IS NULL AND %(priority)s = ANY(r.priorities)
ON CONFLICT DO NOTHING
"""
CLAIM = """
UPDATE notification SET attempts = attempts + 1, due_at = %(lease_until)s, sending_since = %(now)s,
    doubts = doubts + (sending_since IS NOT NULL)::integer
WHERE id = (SELECT id FROM notification WHERE state = 'waiting' AND due_at <= %(now)s ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, alert_id, case_id, visit_id, step, person, channel, address, body, key, attempts, doubts,
    visit_id IS NULL OR EXISTS (
        SELECT FROM visit_offer o JOIN account a ON a.doctor_id = o.doctor_id
        WHERE o.visit_id = notification.visit_id AND o.answer IS NULL AND 'account:' || a.name = split_part(person, '/', 1)
    ) AS is_wanted
"""
RENEW = "UPDATE notification SET due_at = due_at + %(more)s WHERE id = %(id)s AND state = 'waiting'"
FINISH = """
UPDATE notification SET state = %(state)s, sent_at = %(sent_at)s, error = %(error)s, due_at = %(due_at)s, sending_since = NULL,
    doubts = doubts + %(doubt)s WHERE id = %(id)s AND (%(state)s = 'sent' OR (state = 'waiting' AND sending_since IS NOT NULL))
"""
"""What has gone out, has; else only a row that is still being sent changes, not one that was called off meanwhile."""
READ = "UPDATE notification SET read_at = %(now)s WHERE key = %(key)s AND read_at IS NULL RETURNING id, alert_id, case_id, person"
BY_KEY = "SELECT id, body, read_at, sent_at, visit_id, split_part(person, '/', 1) AS person FROM notification WHERE key = %(key)s"
ROUTES = """
SELECT id, person, channel, address, priorities, quiet_from, quiet_to, quiet_spares_high, consented_at, consented_to
FROM notify_route WHERE person = %(person)s AND withdrawn_at IS NULL ORDER BY id
"""
FORMER = """
SELECT DISTINCT r.person, substr(r.person, length(%(prefix)s) + 1) AS name FROM notify_route r
WHERE r.withdrawn_at IS NULL AND starts_with(r.person, %(prefix)s)
    AND NOT EXISTS (SELECT FROM contact c WHERE 'contact:' || c.elder_id || ':' || c.name = r.person) ORDER BY r.person
"""
ANY_ROUTE = "SELECT FROM notify_route WHERE person = %(person)s LIMIT 1"
ADD_ROUTE = """
INSERT INTO notify_route (person, channel, address, priorities, quiet_from, quiet_to, quiet_spares_high, consented_at, consented_to)
VALUES (%(person)s, %(channel)s, %(address)s, %(priorities)s, %(quiet_from)s, %(quiet_to)s, %(quiet_spares_high)s, %(now)s,
        %(consented_to)s)
ON CONFLICT (person, channel, address) WHERE withdrawn_at IS NULL DO UPDATE SET priorities = EXCLUDED.priorities,
    quiet_from = EXCLUDED.quiet_from, quiet_to = EXCLUDED.quiet_to, quiet_spares_high = EXCLUDED.quiet_spares_high
RETURNING id
"""
WITHDRAW = "UPDATE notify_route SET withdrawn_at = %(now)s WHERE id = %(id)s AND person = %(person)s AND withdrawn_at IS NULL"
CALL_OFF = """
UPDATE notification n SET state = 'failed', error = 'consent withdrawn' FROM notify_route r
WHERE r.id = %(id)s AND n.state = 'waiting' AND (split_part(n.person, '/', 2) = r.id::text
    OR (n.channel, n.address) = (r.channel, r.address)
    AND r.person = (SELECT 'contact:' || a.elder_id || ':' || n.name FROM alert a WHERE a.id = n.alert_id))
"""
"""What waits by this route, or to the same address by the file of people: not what another person, or another elder, wants sent there."""
FORGET = """
UPDATE notify_route SET withdrawn_at = %(now)s WHERE channel = %(channel)s AND address = %(address)s AND withdrawn_at IS NULL
    AND person IS DISTINCT FROM %(but)s
"""
CALL_OFF_ADDRESS = """
UPDATE notification SET state = 'failed', error = 'address gone' WHERE state = 'waiting' AND channel = %(channel)s AND address = %(address)s
    AND split_part(person, '/', 1) IS DISTINCT FROM %(but)s
"""

LEASE = timedelta(seconds=60)
"""A worker that dies while sending frees its row after this long. One that lives, and has a slow receiver, renews it."""


async def add(
    conn: Connection, *, alert_id: int, elder_id: str, step: str, body: dict[str, Any], now: datetime, priority: str = "high"
) -> None:
    """Write one row for every channel of every contact of the elder who wants to be told. `body` is the JSON object the channel sends."""
    values = {"alert_id": alert_id, "elder_id": elder_id, "step": step, "body": json.dumps(body), "now": now, "priority": priority}
    await conn.execute(ADD, values)


async def add_for_case(
    conn: Connection, *, case_id: int, people: Collection[str], step: str, body: dict[str, Any], priority: str, now: datetime
) -> None:
    """Write one row for every channel of these people (`account:NAME`) that they want used for this priority."""
    values = {"case_id": case_id, "visit_id": None, "people": list(people), "step": step, "body": json.dumps(body)}
    await conn.execute(ADD_FOR_PEOPLE, values | {"priority": priority, "now": now})


async def add_for_visit(
    conn: Connection, *, visit_id: int, people: Collection[str], step: str, body: dict[str, Any], priority: str, now: datetime
) -> None:
    """The same about a visit that is offered; one whose offer is over by the time it would be sent, is not."""
    values = {"case_id": None, "visit_id": visit_id, "people": list(people), "step": step, "body": json.dumps(body)}
    await conn.execute(ADD_FOR_PEOPLE, values | {"priority": priority, "now": now})


async def claim(conn: Connection, *, now: datetime) -> dict[str, Any] | None:
    """Take the next due row for LEASE; commit before sending. None when nothing is due.

    A row that was being sent when its worker died is `doubts` once more: it may have gone out.
    """
    return await (await conn.execute(CLAIM, {"now": now, "lease_until": now + LEASE})).fetchone()


async def renew(conn: Connection, notification_id: int, *, more: timedelta) -> None:
    """The receiver is slow and the worker alive: the row stays claimed for longer."""
    await conn.execute(RENEW, {"id": notification_id, "more": more})


async def sent(conn: Connection, notification_id: int, *, now: datetime) -> None:
    """The channel took it."""
    await conn.execute(FINISH, {"id": notification_id, "state": "sent", "sent_at": now, "error": None, "due_at": now, "doubt": 0})


async def failed(
    conn: Connection, notification_id: int, *, error: str, retry_at: datetime | None, now: datetime, is_in_doubt: bool = False
) -> None:
    """The channel did not take it, or its answer was lost (`is_in_doubt`); `retry_at` None means never again.

    A row that was called off meanwhile stays so.
    """
    error = error.encode("utf-8", "backslashreplace").decode().replace("\0", "")
    values = {"state": "failed" if retry_at is None else "waiting", "sent_at": None, "error": error[:500], "due_at": retry_at or now}
    await conn.execute(FINISH, values | {"id": notification_id, "doubt": int(is_in_doubt)})


async def find(conn: Connection, key: str) -> dict[str, Any] | None:
    """What somebody who has the key of a message may see: its body and whether it was read. None for an unknown key."""
    return await (await conn.execute(BY_KEY, {"key": key})).fetchone()


async def read(conn: Connection, key: str, *, now: datetime) -> dict[str, Any] | None:
    """Whoever got the message says so. Returns the row, None when it was said before or the key is unknown."""
    return await (await conn.execute(READ, {"key": key, "now": now})).fetchone()


async def routes(conn: Connection, person: str) -> list[dict[str, Any]]:
    """The channels of a person in use, oldest first."""
    return await (await conn.execute(ROUTES, {"person": person})).fetchall()


async def former_contacts(conn: Connection, elder_id: str) -> list[dict[str, Any]]:
    """Person and name of whoever has channels in use as a contact of the elder's, but is none any more: nothing goes there."""
    return await (await conn.execute(FORMER, {"prefix": f"contact:{elder_id}:"})).fetchall()


async def has_had_routes(conn: Connection, person: str) -> bool:
    """True once a person had a channel here: then the file of people no longer counts for them."""
    return await (await conn.execute(ANY_ROUTE, {"person": person})).fetchone() is not None


async def add_route(conn: Connection, *, person: str, now: datetime, **route: Any) -> int:
    """Add a channel, or change the priorities and quiet hours of one there is. Returns its id."""
    row = await (await conn.execute(ADD_ROUTE, route | {"person": person, "now": now})).fetchone()
    assert row is not None
    return int(row["id"])


async def forget(conn: Connection, *, channel: str, address: str, now: datetime, but: str | None = None) -> None:
    """Nobody is at this address any more, or only the person `but`: no route of others leads there, and nothing of theirs that waits."""
    values = {"channel": channel, "address": address, "now": now, "but": but}
    await conn.execute(FORGET, values)
    await conn.execute(CALL_OFF_ADDRESS, values)


async def withdraw(conn: Connection, *, person: str, route_id: int, now: datetime) -> None:
    """Consent is withdrawn: nothing more goes there, not even what waits."""
    if (await conn.execute(WITHDRAW, {"id": route_id, "person": person, "now": now})).rowcount:
        await conn.execute(CALL_OFF, {"id": route_id})
