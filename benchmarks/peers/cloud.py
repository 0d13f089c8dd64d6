"""A process that plays the cloud: our backend, which answers `Stored` at once, or the peer's, which acknowledges by MQTT alone.

python -m benchmarks.peers.cloud PLAN       makes the file `greeted` when a gateway has said that it is there; ends with its input
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import BaseModel

from benchmarks.peers.gateways import GATEWAY_ID
from benchmarks.peers.ledger import Ledger
from benchmarks.peers.message import Values, number_of
from contract import topics
from contract.listening import Listening
from contract.quantities import QuantityName
from contract.stored import Stored
from contract.topics import Leaf

IN_FLIGHT_MAX = 1_000
PART = {QuantityName.HEART_RATE: 0, QuantityName.SPO2: 1, QuantityName.SKIN_TEMPERATURE: 2}


class Plan(BaseModel):
    """Whose cloud, at which broker, and the ledgers."""

    kind: Literal["jiahu", "thingsboard"]
    port: int
    user: str | None = None
    password: str | None = None
    ledger: Path
    events: Path | None = None
    greeted: Path


class JiahuCloud:
    """Puts the three values of a message together by device and time. What it has heard it answers at once, as stored."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._ledger = Ledger(plan.ledger)
        self._events = Ledger(plan.events) if plan.events else None
        self._parts: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        return topics.upward_filters()

    def greetings(self) -> list[tuple[str, bytes]]:
        """What to say, and where, once it hears: as our backend does."""
        return [(topics.listening(topics.shard_of(GATEWAY_ID)), Listening(at=datetime.now(UTC)).model_dump_json().encode())]

    def take(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        """Note what a message brings. Returns the answer and where to send it."""
        now_s = time.monotonic()
        if not payload:
            return None
        body = json.loads(payload)
        where = topics.parse(topic)
        if where.leaf is Leaf.STATUS:
            self._plan.greeted.touch()
            return None
        if where.leaf is Leaf.SERIES:
            for series in body["series"]:
                self._take_series(series, now_s)
            first, last = body["first"], body["last"]
        else:
            self._take_event(body, now_s)
            first = last = body["sequence"]
        answer = Stored(log_id=body["log_id"], first=first, last=last, at=datetime.now(UTC))
        return topics.build(where.gateway_id, Leaf.STORED), answer.model_dump_json().encode()

    def _take_series(self, series: dict[str, Any], now_s: float) -> None:
        part = PART.get(series["quantity"])
        if part is None:
            return
        device, start_ms = series["device"], round(datetime.fromisoformat(series["start_at"]).timestamp() * 1000)
        scale = 100 if part == PART[QuantityName.SKIN_TEMPERATURE] else 1
        for offset_ms, value in zip(series["offsets_ms"], series["values"], strict=True):
            key = device, start_ms + offset_ms
            parts = self._parts[key]
            parts[part] = round(value * scale)
            if all(parts):
                del self._parts[key]
                self._ledger.receive(number_of(Values(*parts)), now_s)

    def _take_event(self, event: dict[str, Any], now_s: float) -> None:
        """An SOS has an id of device, its start, the event's number, and the day."""
        if self._events is not None and event["kind"] == "sos":
            self._events.receive(int(event["event_id"].rpartition(":")[2].split("-")[1]), now_s)


class ThingsBoardCloud:
    """What the peer needs of a ThingsBoard: its session limits, and somebody who takes its telemetry."""

    filters = ("v1/gateway/telemetry", "v1/devices/me/rpc/request/+")
    LIMITS: ClassVar[dict[str, Any]] = {
        "maxPayloadSize": 65536,
        "maxInflightMessages": IN_FLIGHT_MAX,
        "rateLimits": {},
        "gatewayRateLimits": {},
    }

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._ledger = Ledger(plan.ledger)

    def greetings(self) -> list[tuple[str, bytes]]:
        """A ThingsBoard says nothing by itself."""
        return []

    def take(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        """Note what a message brings. Returns the answer and where to send it."""
        now_s = time.monotonic()
        if "/rpc/request/" in topic:
            self._plan.greeted.touch()
            is_asked = b"getSessionLimits" in payload
            return (topic.replace("request", "response"), json.dumps(self.LIMITS).encode()) if is_asked else None
        for rows in json.loads(payload).values():
            for row in rows:
                values = row["values"]
                if {"n", "hr", "spo2"} <= values.keys():
                    self._ledger.receive(int(values["n"]), now_s)
        return None


def main(argv: Sequence[str]) -> int:
    """Serve until the input ends."""
    plan = Plan.model_validate_json(argv[0])
    cloud = JiahuCloud(plan) if plan.kind == "jiahu" else ThingsBoardCloud(plan)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="cloud", clean_session=False, protocol=mqtt.MQTTv311)
    if plan.user:
        client.username_pw_set(plan.user, plan.password)
    client.reconnect_delay_set(1, 1)
    client.max_inflight_messages_set(IN_FLIGHT_MAX)

    def on_message(client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        if answer := cloud.take(message.topic, bytes(message.payload)):
            client.publish(*answer, qos=1)

    client.on_message = on_message

    def on_subscribe(client: mqtt.Client, *_: object) -> None:
        print("ready", flush=True)
        for greeting in cloud.greetings():
            client.publish(*greeting, qos=1)

    client.on_subscribe = on_subscribe
    client.on_connect = lambda client, *_: client.subscribe([(one, 1) for one in cloud.filters])
    client.connect("127.0.0.1", plan.port)
    client.loop_start()
    sys.stdin.read()
    client.disconnect()
    client.loop_stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(cast(Sequence[str], sys.argv[1:])))
