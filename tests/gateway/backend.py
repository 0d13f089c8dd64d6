"""A backend for the gateway's tests: it hears what homes send, and answers when and what a test wants."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Self

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from contract import topics
from contract.commands import Command
from contract.events import Event
from contract.listening import Listening
from contract.message import Message
from contract.readings import SeriesBatch
from contract.status import GatewayStatus
from contract.stored import Refused, RefusedReason, Stored, digest_of
from contract.topics import Leaf
from simulators.servers import Broker
from tests.gateway.home import eventually

MODELS: dict[Leaf, type[SeriesBatch] | type[Event] | type[GatewayStatus]] = {
    Leaf.SERIES: SeriesBatch,
    Leaf.EVENT: Event,
    Leaf.STATUS: GatewayStatus,
}


class Heard(NamedTuple):
    """One message of a gateway."""

    leaf: Leaf
    message: SeriesBatch | Event | GatewayStatus
    payload: bytes


def stored(heard: Heard) -> Message:
    """The answer that lets the gateway forget."""
    message = heard.message
    if isinstance(message, SeriesBatch):
        return Stored(log_id=message.log_id, first=message.first, last=message.last, at=datetime.now(UTC))
    assert isinstance(message, Event)
    return Stored(log_id=message.log_id, first=message.sequence, last=message.sequence, at=datetime.now(UTC))


def refused(heard: Heard) -> Message:
    """The answer to what cannot be read."""
    return Refused(digest=digest_of(heard.payload), reason=RefusedReason.NOT_VALID, detail="because", at=datetime.now(UTC))


class Backend:
    """Signs in as `backend`. `answer` is asked in paho's thread for each batch and event; None keeps silent."""

    def __init__(self, broker: Broker, answer: Callable[[Heard], Message | None] = stored) -> None:
        self.answer = answer
        self.heard: list[Heard] = []
        self._broker = broker
        self._is_subscribed = threading.Event()
        protocol = mqtt.MQTTv5 if broker.protocol == "5" else mqtt.MQTTv311
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="backend-of-tests", protocol=protocol)
        self._client.username_pw_set("backend", broker.accounts["backend"])
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe([(one, 1) for one in topics.upward_filters()])
        self._client.on_subscribe = lambda *_: self._is_subscribed.set()
        self._client.on_disconnect = lambda *_: self._is_subscribed.clear()
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait(self) -> None:
        """Return once it hears everything, e.g. after a restart of the broker."""
        eventually(self._is_subscribed.is_set, what="the subscription")

    def say(self, message: Message | Command | bytes, leaf: Leaf = Leaf.STORED) -> None:
        """Send to gateway gw-1."""
        payload = message if isinstance(message, bytes) else message.model_dump_json().encode()
        self._client.publish(topics.build("gw-1", leaf), payload, qos=1)

    def listen(self) -> None:
        """Say to all homes of the shard of gw-1 that they are heard."""
        word = Listening(at=datetime.now(UTC)).model_dump_json()
        self._client.publish(topics.listening(topics.shard_of("gw-1")), word, qos=1)

    @property
    def batches(self) -> list[SeriesBatch]:
        return [one.message for one in self.heard if isinstance(one.message, SeriesBatch)]

    @property
    def events(self) -> list[Event]:
        return [one.message for one in self.heard if isinstance(one.message, Event)]

    @property
    def statuses(self) -> list[GatewayStatus]:
        return [one.message for one in self.heard if isinstance(one.message, GatewayStatus)]

    @property
    def sequences(self) -> list[int]:
        """Of all readings, in the order they came, repeats included."""
        return [batch.first + offset for batch in self.batches for series in batch.series for offset in series.sequences]

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        if not message.payload:
            return  # a retained status is cleared
        leaf = topics.parse(message.topic).leaf
        heard = Heard(leaf, MODELS[leaf].model_validate_json(message.payload), bytes(message.payload))
        self.heard.append(heard)
        if leaf is not Leaf.STATUS and (answer := self.answer(heard)) is not None:
            self.say(answer)


def clear_status(broker: Broker) -> None:
    """Make the broker forget what gw-1 retained."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="broom", protocol=mqtt.MQTTv311)
    client.username_pw_set("gw-1", broker.accounts["gw-1"])
    client.connect(broker.host, broker.port)
    client.loop_start()
    client.publish(topics.build("gw-1", Leaf.STATUS), b"", qos=1, retain=True).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
