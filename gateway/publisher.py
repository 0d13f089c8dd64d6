"""The only paho user here: sends what the outbox holds, urgent events first, and forgets it when the backend says `Stored`.

paho's thread only puts what it hears into a queue; everything else happens in the thread that calls `pump`. A broker's acknowledgement
means nothing here: what the backend does not answer in time is sent again.
"""

import logging
import math
import queue
import random
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import ValidationError

from contract import topics
from contract.commands import COMMAND, Command
from contract.events import AccelerationWindow, Event, EventKind
from contract.status import GatewayStatus
from contract.stored import ANSWER, Refused, Stored, digest_of
from contract.topics import Leaf
from gateway.batch import make_batch
from gateway.clock import Word, read_uptime_s
from gateway.config import BROKER_PASSWORD, Config, broker_password
from gateway.errors import BadInput
from gateway.outbox import Entry, EventEntry, Outbox
from gateway.stored_event import StoredEvent

logger = logging.getLogger(__name__)

EVENTS_UNANSWERED_MAX = 64
"""While so many wait for their answer, only urgent ones are sent besides."""
FAREWELL_WAIT_S = 2
REFUSED_FILES_MAX = 100
"""Refused payloads kept for a human; the oldest gives way."""
QOS = 1
CONNECT_TIMEOUT_S = 2.0
"""So long a connection may take to come about; then another try is better than the kernel's ever longer waits."""
RECONNECT_JITTER_S = 0.3
"""Not all homes knock in the same moment at a broker that was away."""
UNHEARD_S = 5.0
"""Bytes that the broker's machine has not confirmed for so long (TCP_USER_TIMEOUT): the network was cut without a word."""
HEARD_AT_ONCE = 16
"""Messages taken in one `pump`, of which answers cost a synced write: what devices say must not wait long behind them."""


@dataclass(slots=True)
class Sent:
    """A message on its way. `digest` names its bytes; `first` and `last` are the sequences it carried."""

    digest: str
    first: int
    last: int
    kind: EventKind | None
    payload: bytes
    sent_s: float
    is_first: bool
    delivery: mqtt.MQTTMessageInfo


@dataclass(frozen=True, slots=True)
class Refusal:
    """The backend cannot read a message; it was set aside here too."""

    digest: str
    reason: str
    kind: EventKind | None


@dataclass(slots=True)
class Heard:
    """What came from the backend: commands to carry out, messages it refused, and what its clock said."""

    commands: list[Command] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)


class Publisher:
    """One connection to the broker, clean session, for the life of the daemon."""

    def __init__(self, config: Config, outbox: Outbox, status: Callable[[datetime], GatewayStatus], *, now: datetime) -> None:
        self._config = config
        self._outbox = outbox
        self._status = status
        self._heard: queue.SimpleQueue[tuple[str, bytes, float]] = queue.SimpleQueue()
        self._in_flight: dict[str, Sent] = {}
        self._sent_readings = 0
        self._sent_events: set[int] = set()
        self._sent_last = {True: 0, False: 0}
        self._has_new_events = True
        self._has_more_readings = False
        self._batch_s = 0.0
        self._hastened_s: float | None = None
        self._status_s: float | None = None
        self._answered_s = -math.inf
        self._complaint = ""
        self._log_id = ""
        self._now = now
        self.is_connected = False
        self.refused = 0
        self._client = self._make_client()

    def _make_client(self) -> mqtt.Client:
        broker = self._config.broker
        protocol = mqtt.MQTTv5 if broker.protocol == "5" else mqtt.MQTTv311
        clean = {} if protocol == mqtt.MQTTv5 else {"clean_session": True}
        client = mqtt.Client(CallbackAPIVersion.VERSION2, self._config.gateway_id, protocol=protocol, **clean)  # type: ignore[arg-type]
        client.username_pw_set(self._config.gateway_id, broker_password())
        if broker.ca_file is not None:
            _trust(client, broker.ca_file)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(1, max(1, round(broker.reconnect_max_s)))
        client.on_socket_open = self._on_socket_open
        client.on_pre_connect = self._on_pre_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def start(self) -> None:
        """Begin connecting in the background; it goes on for as long as it takes."""
        broker = self._config.broker
        self._client.connect_async(broker.host, broker.port, broker.keepalive_s)
        self._client.loop_start()

    def stop(self, now: datetime) -> None:
        """Say that the gateway leaves, and disconnect."""
        if self.is_connected:
            farewell = self._status(now).model_copy(update={"online": False})
            sent = self._client.publish(self._topic(Leaf.STATUS), farewell.model_dump_json(), qos=QOS, retain=True)
            with suppress(RuntimeError):  # the broker is gone by now, and its last will speaks
                sent.wait_for_publish(FAREWELL_WAIT_S)
        self._client.disconnect()
        self._client.loop_stop()

    def notice_event(self) -> None:
        """The outbox has a new event: the next `pump` sends it."""
        self._has_new_events = True

    def hasten(self, interval_s: float | None) -> None:
        """Send readings at least so often from now on; None: as configured."""
        self._hastened_s = interval_s

    def ask_for_status(self) -> None:
        """The next `pump` publishes the status."""
        self._status_s = None

    @property
    def in_flight(self) -> int:
        """Messages sent and not answered yet."""
        return len(self._in_flight)

    @property
    def has_more(self) -> bool:
        """There is more to do than one `pump` does."""
        return self._has_more_readings or not self._heard.empty()

    def pump(self, *, now: datetime, now_s: float) -> Heard:
        """Take what was heard, send what is due; of both only so much as takes a few milliseconds. Returns what is for the daemon."""
        self._now = now
        heard = Heard()
        for _ in range(HEARD_AT_ONCE):
            if self._heard.empty() or not self._take(*self._heard.get(), heard):
                break
        if self._log_id != self._outbox.log_id:
            self._log_id = self._outbox.log_id
            self._sent_last = {True: 0, False: 0}
            self._rewind()
        if self.is_connected:
            self._expire(now_s)
            self._send_events(now, now_s)
            self._send_readings(now, now_s)
            self._send_status(now, now_s)
        return heard

    # -- heard ---------------------------------------------------------------------------------------------------------------------------

    def _take(self, what: str, data: bytes, at_s: float, heard: Heard) -> bool:
        """Take one message. False when that wrote to the disk: enough for now."""
        try:
            if what == Leaf.STORED:
                self._take_answer(data, at_s, heard)
                return False
            if what == Leaf.COMMAND:
                heard.commands.append(COMMAND.validate_json(data))
            elif what == topics.LISTENING:
                self._rewind()
            else:
                self.is_connected = what == "connected"
                self._rewind()
        except ValidationError as error:
            logger.warning("cannot read a message from the backend: %s", error.errors()[0]["msg"], extra={"event": "answer_unreadable"})
        return True

    def _rewind(self) -> None:
        """Connected, cut, heard again, or a new log: whatever the outbox holds is to be sent, from its beginning."""
        self._in_flight.clear()
        self._sent_events.clear()
        self._sent_readings = 0
        self._has_new_events = True
        self._has_more_readings = False
        self._batch_s = 0.0
        self._status_s = None

    def _take_answer(self, data: bytes, at_s: float, heard: Heard) -> None:
        answer = ANSWER.validate_json(data)
        if isinstance(answer, Stored):
            self._take_stored(answer, at_s, heard)
        elif sent := self._in_flight.pop(answer.digest, None):
            heard.refusals.append(self._take_refused(answer, sent))

    def _take_stored(self, stored: Stored, at_s: float, heard: Heard) -> None:
        """Forget readings in first..last (a batch carried them all), or the one event. The answer to a second copy tells no time."""
        if stored.log_id != self._outbox.log_id:
            return
        self._answered_s = at_s
        for sent in [one for one in self._in_flight.values() if (one.first, one.last) == (stored.first, stored.last)]:
            del self._in_flight[sent.digest]
            if sent.is_first:
                heard.words.append(Word(stored.at, sent.sent_s, at_s))
        self._outbox.forget_readings(stored.first, stored.last)
        if stored.first == stored.last:
            self._outbox.forget_event(stored.first)
            self._sent_events.discard(stored.first)
            self._has_new_events = True

    def _take_refused(self, refused: Refused, sent: Sent) -> Refusal:
        """Set aside what the backend cannot read: sending it again is useless, and it must not hold up the rest."""
        self._keep_refused(sent)
        if sent.kind is None:
            self._outbox.forget_readings(sent.first, sent.last)
        else:
            self._outbox.forget_event(sent.first)
            self._sent_events.discard(sent.first)
        self.refused += 1
        logger.error("the backend refuses a message: %s %s", refused.reason, refused.detail, extra={"event": "message_refused"})
        return Refusal(refused.digest, refused.reason, sent.kind)

    def _keep_refused(self, sent: Sent) -> None:
        folder: Path = self._config.outbox.path.parent / "refused"
        try:
            folder.mkdir(exist_ok=True)
            (folder / f"{sent.digest}.json").write_bytes(sent.payload)
            for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-REFUSED_FILES_MAX]:
                old.unlink()
        except OSError as error:
            logger.warning("cannot keep a refused message: %s", error, extra={"event": "refused_not_kept"})

    # -- sent ----------------------------------------------------------------------------------------------------------------------------

    def _expire(self, now_s: float) -> None:
        """What was not answered in time is sent again: an event alone, readings from the oldest unanswered one on."""
        send = self._config.send
        for sent in list(self._in_flight.values()):
            limit_s = send.resend_s if sent.kind is None else send.resend_urgent_s
            if sent.delivery.rc == mqtt.MQTT_ERR_SUCCESS and not sent.delivery.is_published():
                sent.sent_s = now_s  # still in our own queue on a slow line: a second copy would only lengthen it
            if now_s - sent.sent_s < limit_s:
                continue
            del self._in_flight[sent.digest]
            if sent.kind is None:
                self._sent_readings = min(self._sent_readings, sent.first - 1)
                self._batch_s = 0.0
            else:
                self._sent_events.discard(sent.first)
                self._has_new_events = True

    def _send_events(self, now: datetime, now_s: float) -> None:
        """Send events not on their way yet. The floor is read first: should that begin a new log, the events are of the new one too."""
        if not self._has_new_events:
            return
        self._has_new_events = False
        floor = self._outbox.floor()
        for entry in self._outbox.events(count_max=EVENTS_UNANSWERED_MAX + len(self._sent_events)):
            if entry.sequence not in self._sent_events and (entry.is_urgent or len(self._sent_events) < EVENTS_UNANSWERED_MAX):
                self._has_new_events = True
                self._send_event(entry, floor, now, now_s)

    def _send_event(self, entry: EventEntry, floor: int, now: datetime, now_s: float) -> None:
        self._sent_events.add(entry.sequence)
        try:
            event = self._event(entry, floor, now)
        except ValueError as error:
            _say_unsendable(entry.sequence, error)
            return
        self._send(Leaf.EVENT, event.model_dump_json().encode(), entry.sequence, entry.sequence, event.kind, now_s)

    def _event(self, entry: EventEntry, floor: int, now: datetime) -> Event:
        stored = StoredEvent.model_validate_json(entry.body)
        return Event(
            log_id=self._outbox.log_id,
            sequence=entry.sequence,
            floor=floor,
            event_id=stored.event_id,
            device=entry.device,
            kind=stored.kind,
            at=entry.at,
            sent_at=now,
            confidence=stored.confidence,
            detail=stored.detail,
            window=AccelerationWindow.model_validate_json(stored.window_json) if stored.window_json else None,
        )

    def _send_readings(self, now: datetime, now_s: float) -> None:
        """Send one batch when it is time, and in the next steps the rest of what there is then."""
        send = self._config.send
        interval_s = send.batch_interval_s if self._hastened_s is None else min(send.batch_interval_s, self._hastened_s)
        if now_s - self._batch_s < interval_s or sum(one.kind is None for one in self._in_flight.values()) >= send.unanswered_max:
            self._has_more_readings = False
            return
        floor = self._outbox.floor()
        entries = self._outbox.readings(after=self._sent_readings, count_max=send.batch_readings_max)
        self._has_more_readings = bool(entries)
        if entries:
            self._send_batch(entries, floor, now, now_s)
        else:
            self._batch_s = now_s

    def _send_batch(self, entries: Sequence[Entry], floor: int, now: datetime, now_s: float) -> None:
        """Send the first of `entries`, as many as one batch can carry (all, half, a quarter ...). What none can carry is passed over."""
        try:
            batch = make_batch(entries, log_id=self._outbox.log_id, floor=floor, now=now)
        except ValueError as error:
            if len(entries) > 1:
                self._send_batch(entries[: len(entries) // 2], floor, now, now_s)
            else:
                self._sent_readings = entries[0].sequence
                _say_unsendable(entries[0].sequence, error)
            return
        self._sent_readings = batch.last
        self._send(Leaf.SERIES, batch.model_dump_json(exclude_defaults=True).encode(), batch.first, batch.last, None, now_s)

    def _send_status(self, now: datetime, now_s: float) -> None:
        """At once where something changed, and then seldom: an answered batch is a sign of life too, and a district has many homes."""
        send = self._config.send
        if self._status_s is not None:
            is_known_alive = now_s - max(self._status_s, self._answered_s) < send.heartbeat_s
            if is_known_alive and now_s - self._status_s < send.status_interval_s:
                return
        self._status_s = now_s
        self._client.publish(self._topic(Leaf.STATUS), self._status(now).model_dump_json(), qos=QOS, retain=True)

    def _send(self, leaf: Leaf, payload: bytes, first: int, last: int, kind: EventKind | None, now_s: float) -> None:
        digest = digest_of(payload)
        delivery = self._client.publish(self._topic(leaf), payload, qos=QOS)
        is_first = first > self._sent_last[kind is None]
        self._sent_last[kind is None] = max(last, self._sent_last[kind is None])
        self._in_flight[digest] = Sent(digest, first, last, kind, payload, now_s, is_first, delivery)

    def _topic(self, leaf: Leaf) -> str:
        return topics.build(self._config.gateway_id, leaf)

    # -- paho's thread: hand over, never raise -------------------------------------------------------------------------------------------

    def _on_pre_connect(self, client: mqtt.Client, userdata: object) -> None:
        will = GatewayStatus(online=False, at=self._now)
        client.will_set(self._topic(Leaf.STATUS), will.model_dump_json(), qos=QOS, retain=True)

    def _on_connect_fail(self, client: mqtt.Client, userdata: object) -> None:
        self._complain("broker_unreachable", f"cannot be reached: {sys.exc_info()[1]}; check [broker] host, port and ca_file")
        time.sleep(random.uniform(0, RECONNECT_JITTER_S))

    def _on_socket_open(self, client: mqtt.Client, userdata: object, opened: object) -> None:
        """Small messages leave at once; a network that was cut without a word is noticed within seconds, not minutes."""
        if not isinstance(opened, socket.socket):
            return
        with suppress(OSError, AttributeError):  # not every system can
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNHEARD_S * 1000))

    def _on_connect(self, client: mqtt.Client, userdata: object, flags: object, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.is_failure:
            self._complain("broker_refused", f"refuses {self._config.gateway_id}: {reason}; check gateway_id and {BROKER_PASSWORD}")
            return
        self._complaint = ""
        client.drop_out_messages()  # `pump` sends again, urgent ones first
        client.subscribe([(one, QOS) for one in topics.downward_filter(self._config.gateway_id)])
        logger.info("connected to the broker", extra={"event": "broker_connected"})
        self._heard.put(("connected", b"", read_uptime_s()))

    def _on_disconnect(
        self, client: mqtt.Client, userdata: object, flags: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure and not self._complaint:
            self._complain("broker_lost", f"is lost: {reason}")
        self._heard.put(("lost", b"", read_uptime_s()))

    def _complain(self, event: str, what: str) -> None:
        """One warning for each kind of trouble; while it lasts, the rest is for those who look closely."""
        level = logging.DEBUG if what == self._complaint else logging.WARNING
        self._complaint = what
        broker = self._config.broker
        logger.log(level, "the broker at %s:%d %s; readings are kept on disk", broker.host, broker.port, what, extra={"event": event})

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        self._heard.put((message.topic.rpartition("/")[2], bytes(message.payload), read_uptime_s()))


def _trust(client: mqtt.Client, ca_file: Path) -> None:
    try:
        client.tls_set(str(ca_file), tls_version=ssl.PROTOCOL_TLS_CLIENT)
    except OSError as error:
        raise BadInput(f"broker.ca_file: cannot use {ca_file}: {error}. Give a file with the broker's CA certificate in PEM") from error


def _say_unsendable(sequence: int, error: ValueError) -> None:
    """An entry that the contract cannot carry, broken bits on the disk, stays there for a human; the others go on."""
    logger.error("entry %d of the outbox cannot be sent: %s", sequence, type(error).__name__, extra={"event": "entry_unsendable"})
