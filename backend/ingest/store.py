"""Tables only ingest writes: events, rejects, gateway status."""

from collections.abc import Mapping
from datetime import datetime

from backend.db import arrays
from backend.db.pool import Connection
from backend.ingest.decode import Reject
from backend.readings.model import Home
from backend.readings.store import LISTENER_AGE_MAX
from contract.events import Event
from contract.status import GatewayStatus

ADD_EVENT = """
INSERT INTO event (gateway_id, event_id, device_id, elder_id, kind, at, received_at, confidence, detail, acceleration)
VALUES (%(gateway_id)s, %(event_id)s, %(device_id)s, %(elder_id)s, %(kind)s, %(at)s, %(received_at)s, %(confidence)s, %(detail)s,
        %(acceleration)s)
ON CONFLICT (gateway_id, event_id) DO NOTHING
RETURNING id
"""
TOPIC_MAX = 200
"""Characters kept of a topic nobody could read; a real one has at most 60."""

LISTEN = """
INSERT INTO listener (first_shard, last_shard, since, at) VALUES (%(first_shard)s, %(last_shard)s, %(since)s, %(now)s)
ON CONFLICT (first_shard, last_shard) DO UPDATE SET at = EXCLUDED.at, since = CASE
    WHEN EXCLUDED.since - listener.at <= %(break_max)s THEN least(listener.since, EXCLUDED.since) ELSE EXCLUDED.since
END
"""
"""A break that the worker takes for none is none: an ingest restarted in it does not begin anew to wait for homes silent since before."""
LINK_EVENT = "UPDATE event SET alert_id = %(alert_id)s WHERE id = %(id)s"
KEEP_REJECT = """
INSERT INTO ingest_reject (received_at, topic, gateway_id, digest, reason, detail, payload)
VALUES (%(received_at)s, %(topic)s, %(gateway_id)s, %(digest)s, %(reason)s, %(detail)s, %(payload)s)
ON CONFLICT (topic, digest) DO NOTHING
"""
PUT_STATUSES = """
UPDATE gateway g SET status = CASE WHEN n.online THEN n.status::jsonb ELSE g.status END,
    status_at = n.at, clock_offset_s = coalesce(n.clock_offset_s, g.clock_offset_s),
    online_changed_at = CASE WHEN g.online IS DISTINCT FROM n.online THEN %(now)s ELSE g.online_changed_at END, online = n.online
FROM unnest(%(gateways)s::text[], %(online)s::bool[], %(statuses)s::text[], %(ats)s::timestamptz[], %(offsets)s::float8[])
    AS n (gateway_id, online, status, at, clock_offset_s)
WHERE g.id = n.gateway_id
"""


async def add_event(conn: Connection, home: Home, event: Event, *, received_at: datetime) -> int | None:
    """Store an event. Returns its row's id, None when this event is known already."""
    values = {
        "gateway_id": home.gateway_id,
        "event_id": event.event_id,
        "device_id": event.device,
        "elder_id": home.elder_id,
        "kind": event.kind,
        "at": event.at,
        "received_at": received_at,
        "confidence": event.confidence,
        "detail": event.detail,
        "acceleration": event.window.model_dump_json() if event.window else None,
    }
    row = await (await conn.execute(ADD_EVENT, values)).fetchone()
    return row["id"] if row else None


async def link_event(conn: Connection, row_id: int, alert_id: int) -> None:
    """Remember which alert an event belongs to."""
    await conn.execute(LINK_EVENT, {"id": row_id, "alert_id": alert_id})


async def keep_reject(conn: Connection, reject: Reject) -> None:
    """Keep bytes that nobody could read; the same bytes again are kept once."""
    values = {
        "received_at": reject.arrival.received_at,
        "topic": reject.arrival.topic.replace("\0", "")[:TOPIC_MAX],
        "gateway_id": reject.gateway_id,
        "digest": reject.digest,
        "reason": reject.reason,
        "detail": reject.detail.replace("\0", ""),
        "payload": reject.arrival.payload,
    }
    await conn.execute(KEEP_REJECT, values)


async def put_statuses(conn: Connection, statuses: Mapping[str, tuple[GatewayStatus, float | None]], *, now: datetime) -> None:
    """Store how gateways say they are, each with what its clock is behind in seconds, if that is known.

    A last will only says that a gateway is gone, so the last full status stays readable.
    """
    messages = [status for status, _ in statuses.values()]
    values = {
        "gateways": arrays.texts(statuses.keys()),
        "online": [status.online for status in messages],
        "statuses": arrays.texts([status.model_dump_json() for status in messages]),
        "ats": arrays.texts([status.at.isoformat() for status in messages]),
        "offsets": [offset_s for _, offset_s in statuses.values()],
    }
    await conn.execute(PUT_STATUSES, values | {"now": now})


async def listen(conn: Connection, *, first_shard: int, last_shard: int, since: datetime, now: datetime) -> None:
    """Say that homes of these shards were listened to from `since` until `now`."""
    values = {"first_shard": first_shard, "last_shard": last_shard, "since": since, "now": now, "break_max": LISTENER_AGE_MAX}
    await conn.execute(LISTEN, values)
