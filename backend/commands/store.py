"""Commands to gateways as rows: written with what causes them, sent by ingest, repeated until the gateway's status names them as done."""

import json
from datetime import datetime, timedelta
from typing import Any

from backend.db.pool import Connection
from contract.commands import COMMAND, LIVE_S_MAX

SPEAK_FOR = timedelta(seconds=60)
"""An answer to a call for help that comes later than this would only confuse."""

LIVE_FOR = timedelta(seconds=LIVE_S_MAX)

ORDER_FOR = timedelta(minutes=2)
"""Whoever enrols a device waits for it; an order that comes later would surprise."""

TO_HOMES = """
INSERT INTO command (gateway_id, body, created_at, until)
SELECT g.id, %(body)s, %(now)s, %(until)s FROM gateway g WHERE g.elder_id = %(elder_id)s AND g.online
"""
ORDER = """
INSERT INTO command (gateway_id, body, created_at, until)
SELECT g.id, %(body)s, %(now)s, %(until)s FROM gateway g WHERE g.id = %(gateway_id)s AND g.online
"""
DUE = """
SELECT id, gateway_id, body, until FROM command
WHERE done_at IS NULL AND until > %(now)s AND (sent_at IS NULL OR sent_at < %(now)s - interval '5 s')
ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
"""
SENT = "UPDATE command SET sent_at = %(now)s WHERE id = ANY(%(ids)s)"
DONE = "UPDATE command SET done_at = %(now)s WHERE gateway_id = %(gateway_id)s AND id = ANY(%(ids)s) AND done_at IS NULL"


async def speak(conn: Connection, *, elder_id: str, text: str, now: datetime) -> None:
    """Have `text` said in every home of the elder whose gateway is on line."""
    body = json.dumps({"kind": "speak", "text": text}, ensure_ascii=False)
    await conn.execute(TO_HOMES, {"elder_id": elder_id, "body": body, "now": now, "until": now + SPEAK_FOR})


async def live_view(conn: Connection, *, elder_id: str, now: datetime) -> datetime | None:
    """Ask every home of the elder whose gateway is on line for raw values. Returns until when; None where none is on line."""
    until = now + LIVE_FOR
    asked = await conn.execute(TO_HOMES, {"elder_id": elder_id, "body": json.dumps({"kind": "live_view"}), "now": now, "until": until})
    return until if asked.rowcount else None


async def enrol(conn: Connection, gateway_id: str, *, device: str, address: str, passkey: str | None, now: datetime) -> bool:
    """Have a gateway listen to a Bluetooth device and pair with it. False where it is not on line: then nothing is asked."""
    return await _order(conn, gateway_id, {"kind": "enrol", "device": device, "address": address, "passkey": passkey}, now)


async def dismiss(conn: Connection, gateway_id: str, *, device: str, now: datetime) -> bool:
    """Have a gateway forget a Bluetooth device. False where it is not on line."""
    return await _order(conn, gateway_id, {"kind": "dismiss", "device": device}, now)


async def _order(conn: Connection, gateway_id: str, body: dict[str, Any], now: datetime) -> bool:
    values = {"gateway_id": gateway_id, "body": json.dumps(body), "now": now, "until": now + ORDER_FOR}
    return (await conn.execute(ORDER, values)).rowcount == 1


async def take_due(conn: Connection, *, now: datetime) -> list[tuple[str, bytes]]:
    """Commands that were not sent yet, or not done for 5 s, as (gateway id, JSON of the contract); marked as sent."""
    rows = await (await conn.execute(DUE, {"now": now})).fetchall()
    if rows:
        await conn.execute(SENT, {"now": now, "ids": [row["id"] for row in rows]})
    return [(row["gateway_id"], _payload(row)) for row in rows]


async def done(conn: Connection, gateway_id: str, ids: list[int], *, now: datetime) -> None:
    """The gateway has carried these out; ids it names again change nothing."""
    if ids:
        await conn.execute(DONE, {"gateway_id": gateway_id, "ids": ids, "now": now})


def _payload(row: dict[str, Any]) -> bytes:
    command = COMMAND.validate_python(row["body"] | {"id": row["id"], "until": row["until"]})
    return command.model_dump_json().encode()
