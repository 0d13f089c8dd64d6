"""The only paho user of the backend: its thread hands bytes to asyncio through a bounded queue, and sends answers and commands."""

import asyncio
import contextlib
import json
import logging
import re
import ssl
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from backend.config import BROKER_PASSWORD, BrokerConfig, IngestConfig, secret
from backend.errors import Unavailable
from contract import topics
from contract.listening import Listening
from contract.stored import digest_of
from contract.topics import Leaf

logger = logging.getLogger(__name__)

REFUSED_LOGIN = frozenset({"Not authorized", "Bad user name or password"})
SURE, ONCE = 1, 0
"""QoS 1 for what is rare and urgent. Batches, states and answers go at most once: what is lost is sent again, since only `Stored` counts,
and the broker's acknowledgements would cost more than the messages."""
SENDER_MAX = 256
"""Messages of one gateway in the queue: it sends at most 8 batches and 64 events before it waits for answers."""
OLD = timedelta(seconds=900)
"""Readings that were older when their home sent them call nobody (docs/rules.md, Time), so their batch lets what is live go first.
An event that was older calls as loudly as ever, after those that have just happened."""
EVENTS_MAX = 50
"""Events in one transaction: each that opens a case takes some 5 ms, and what comes after waits for all of them."""
OLD_FIRST, OLD_GROUP_S = 16, 0.2
"""How many batches of a backlog go into one transaction at first; then as many as take about that long: what is live waits for it."""
OLD_SHARE = 16
"""Of a full group one in so many is of a backlog, however much is live: what waits is stored in the end."""
BEGINS, SENT, HAPPENED = (re.compile(rb'"%s": ?"([^"]{19,35})"' % name) for name in (b"start_at", b"sent_at", b"at"))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came from the broker. `is_retained`: it is old news that the broker kept.

    Of a message over `message_bytes_max` only the beginning is held; `whole_digest` then names all of it, since its gateway knows no other.
    """

    topic: str
    payload: bytes
    is_retained: bool
    received_at: datetime
    whole_digest: str | None = None

    @property
    def digest(self) -> str:
        """The name that the answer to this message must carry."""
        return self.whole_digest or digest_of(self.payload)

    @property
    def is_old(self) -> bool:
        """True for what a home kept: the event, or all readings of the batch, older than OLD when they were sent, by the home's own clock.

        What cannot be read is not: the decoder says what is wrong with it.
        """
        if not self.topic.endswith((f"/{Leaf.SERIES}", f"/{Leaf.EVENT}")):
            return False
        try:
            begins = HAPPENED if self.topic.endswith(Leaf.EVENT) else BEGINS
            oldest_at, sent_at = (datetime.fromisoformat(one.search(self.payload)[1].decode()) for one in (begins, SENT))  # type: ignore[index]
            if begins is HAPPENED or sent_at - oldest_at <= OLD:  # nearly all batches: spares reading them twice
                return sent_at - oldest_at > OLD
            every = json.loads(self.payload)["series"]
            newest_at = max(datetime.fromisoformat(one["start_at"]) + timedelta(milliseconds=one["offsets_ms"][-1]) for one in every)
            return sent_at - newest_at > OLD
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
            return False


class Inbox:
    """Arrivals waiting for the writer: events first, then batches, of each the live ones before those that a home kept. Bounded in sum and
    per sender: no home can shut out others.

    What does not fit is dropped unanswered: its gateway sends it again. Each transaction costs as much as some 20 messages, so what is no
    event is taken at most every `pace_s`: at once while messages are rare, together when they are many. An event waits for one group of
    others at most, and others for one of events, however many of each there are.
    """

    def __init__(self, size_max: int, pace_s: float = 0.0) -> None:
        self._urgent: deque[Arrival] = deque()
        self._late: deque[Arrival] = deque()
        self._other: deque[Arrival] = deque()
        self._old: deque[Arrival] = deque()
        self._old_max = OLD_FIRST
        self._handed: tuple[float, int, float] | None = None
        self._size_max = size_max
        self._of_sender: Counter[tuple[str, bool]] = Counter()
        self._ready = asyncio.Event()
        self._pace_s = pace_s
        self._paced_until_s = 0.0
        self._passed_over = False
        self._enough = asyncio.Event()
        self._enough_count = 1
        self.dropped = 0

    @property
    def waiting(self) -> tuple[int, int]:
        """How many events wait, and how many others."""
        return len(self._urgent) + len(self._late), len(self._other) + len(self._old)

    @property
    def oldest_at(self) -> datetime | None:
        """When what has waited longest came, a backlog's batches apart, which wait on purpose; None when nothing waits."""
        firsts = (_came_first(queue) for queue in (self._urgent, self._late, self._other))
        return min((at for at in firsts if at is not None), default=None)

    def put(self, arrival: Arrival) -> None:
        """Add one arrival; on the event loop's thread."""
        sender = _sender(arrival)
        live, old = (self._urgent, self._late) if sender[1] else (self._other, self._old)
        queue = old if arrival.is_old else live
        if len(queue) >= self._size_max or self._of_sender[sender] >= SENDER_MAX:
            self.dropped += 1
            return
        if queue is self._urgent and self._late and self._of_sender[sender]:
            self._hasten(sender)
        self._of_sender[sender] += 1
        queue.append(arrival)
        self._ready.set()
        if sender[1] or len(self._other) >= self._enough_count:
            self._enough.set()

    def _hinder(self) -> list[Arrival]:
        """Take out the backlog of homes whose events still wait: a home's call goes before what it kept, whosever turn it is."""
        every, self._old = self._old, deque()
        hindered: list[Arrival] = []
        for one in every:
            (hindered if self._of_sender[_sender(one)[0], True] else self._old).append(one)
        return hindered

    def _hasten(self, sender: tuple[str, bool]) -> None:
        """What this home kept goes before its newer event: a cancel that comes before its press takes nothing back."""
        late, self._late = self._late, deque()
        for one in late:
            (self._urgent if _sender(one) == sender else self._late).append(one)

    async def take(self, count_max: int) -> list[Arrival]:
        """Wait for at least one arrival. Returns events alone, or else others and some of a backlog; at most `count_max`."""
        self._weigh(count_max)
        await self._ready.wait()
        await self._gather(count_max)
        now_s = asyncio.get_running_loop().time()
        hindered = self._hinder() if self.waiting[0] else []
        events, others = self.waiting
        if events and not (self._passed_over and others):
            taken = _mixed(self._urgent, self._late, min(EVENTS_MAX, count_max), EVENTS_MAX)
            self._passed_over, self._handed = bool(others) and now_s >= self._paced_until_s, None
        else:
            before = len(self._old)
            taken = _mixed(self._other, self._old, count_max, self._old_max)
            old = before - len(self._old)
            self._passed_over, self._paced_until_s = False, now_s + self._pace_s
            self._handed = (now_s, old, _bytes(taken[-old:]) / max(1, _bytes(taken))) if old else None
        self._old.extendleft(reversed(hindered))
        self._of_sender -= Counter(map(_sender, taken))
        if self.waiting == (0, 0):
            self._ready.clear()
        return taken

    def _weigh(self, count_max: int) -> None:
        """As many of a backlog at once as are stored in about OLD_GROUP_S; asked when the writer comes back for more.

        Their part of a group's time goes by their bytes. Twice as many are tried only once as many have been stored quickly.
        """
        if self._handed is not None:
            handed_s, old, share = self._handed
            took_s = (asyncio.get_running_loop().time() - handed_s) * share
            if took_s > OLD_GROUP_S:
                self._old_max = max(1, old // 2)
            elif took_s < OLD_GROUP_S / 2:
                self._old_max = max(self._old_max, min(count_max, old * 2))

    async def _gather(self, count_max: int) -> None:
        """Wait for the pace, or for `count_max` live ones, or for an event, which neither waits nor is counted in the pace."""
        self._enough_count = count_max
        wait_s = self._paced_until_s - asyncio.get_running_loop().time()
        if not self.waiting[0] and len(self._other) < count_max and wait_s > 0:
            self._enough.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):  # `wait_for` may lose a cancellation, see Pool
                    await self._enough.wait()


def _mixed(live: deque[Arrival], old: deque[Arrival], count_max: int, old_max: int) -> list[Arrival]:
    """The first of both, the live ones first, at most `count_max`."""
    count = min(old_max, len(old), max(count_max - len(live), count_max // OLD_SHARE, 1))
    return _first(live, count_max - count) + _first(old, count)


def _first(queue: deque[Arrival], count_max: int) -> list[Arrival]:
    return [queue.popleft() for _ in range(min(count_max, len(queue)))]


def _bytes(arrivals: list[Arrival]) -> int:
    return sum(len(one.payload) for one in arrivals)


def _came_first(queue: deque[Arrival]) -> datetime | None:
    """Asked from other threads too, while the loop's thread may just take the last one."""
    try:
        return queue[0].received_at
    except IndexError:
        return None


def _sender(arrival: Arrival) -> tuple[str, bool]:
    """Who sent it: last level but one of the topic, where the broker lets a gateway write its own name only. And whether it is an event."""
    rest, _, leaf = arrival.topic.rpartition("/")
    return rest.rpartition("/")[2], leaf == Leaf.EVENT


class Subscriber:
    """One connection to the broker with a clean session; nothing depends on what the broker keeps."""

    def __init__(self, broker: BrokerConfig, ingest: IngestConfig, inbox: Inbox, *, client_id: str) -> None:
        self._broker = broker
        self._shards = range(ingest.first_shard, ingest.last_shard + 1)
        filters = topics.upward_filters(ingest.first_shard, ingest.last_shard)
        self._filters = [(one, SURE if one.endswith(Leaf.EVENT) else ONCE) for one in filters]
        self._bytes_max = ingest.message_bytes_max
        self._inbox = inbox
        self._arrived: deque[Arrival] = deque()
        self._loop = asyncio.get_running_loop()
        self.connected_at: datetime | None = None
        self._is_unreachable = False
        self.fault: asyncio.Future[None] = self._loop.create_future()
        self._client = self._make_client(client_id)

    def _make_client(self, client_id: str) -> mqtt.Client:
        protocol = mqtt.MQTTv5 if self._broker.protocol == "5" else mqtt.MQTTv311
        clean = {} if protocol == mqtt.MQTTv5 else {"clean_session": True}
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol, **clean)  # type: ignore[arg-type]
        client.username_pw_set(self._broker.username, secret(BROKER_PASSWORD))
        if self._broker.ca_file is not None:
            client.tls_set(str(self._broker.ca_file), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    async def start(self) -> None:
        """Begin connecting in the background; it goes on for as long as it takes."""
        self._client.connect_async(self._broker.host, self._broker.port, self._broker.keepalive_s)
        self._client.loop_start()

    async def stop(self) -> None:
        """Disconnect and end paho's thread."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    @property
    def is_connected(self) -> bool:
        """True while homes can be heard."""
        return self.connected_at is not None

    def publish(self, gateway_id: str, leaf: Leaf, payload: bytes) -> None:
        """Send to one gateway. Not connected: dropped, since the gateway will ask again by sending again."""
        if self.is_connected:
            self._client.publish(topics.build(gateway_id, leaf), payload, qos=ONCE if leaf is Leaf.STORED else SURE)

    # -- paho's thread: hand over, never raise -------------------------------------------------------------------------------------------

    def _on_connect(self, client: mqtt.Client, userdata: object, flags: object, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.is_failure:
            logger.warning("broker refused: %s", reason, extra={"event": "broker_refused"})
            if str(reason) in REFUSED_LOGIN:
                self._loop.call_soon_threadsafe(self._fail, f"the broker refuses user {self._broker.username!r}: {reason}")
            return
        self._is_unreachable = False
        client.subscribe(self._filters)

    def _on_subscribe(
        self, client: mqtt.Client, userdata: object, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        """From now on homes are heard. They are told, since what they sent meanwhile nobody has."""
        now = datetime.now(UTC)
        self._loop.call_soon_threadsafe(self._note_connection, now)
        logger.info("connected to the broker", extra={"event": "broker_connected"})
        word = Listening(at=now).model_dump_json()
        for shard in self._shards:
            client.publish(topics.listening(shard), word, qos=SURE)

    def _on_connect_fail(self, client: mqtt.Client, userdata: object) -> None:
        level = logging.DEBUG if self._is_unreachable else logging.WARNING
        self._is_unreachable = True
        where = f"{self._broker.host}:{self._broker.port}"
        logger.log(level, "cannot reach the broker at %s; trying until it answers", where, extra={"event": "broker_unreachable"})

    def _on_disconnect(
        self, client: mqtt.Client, userdata: object, flags: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._note_connection, None)
        logger.warning("lost the broker: %s", reason, extra={"event": "broker_lost"})

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        whole_digest = digest_of(payload) if len(payload) > self._bytes_max else None
        arrival = Arrival(message.topic, payload[: self._bytes_max + 1], message.retain, datetime.now(UTC), whole_digest)
        self._arrived.append(arrival)
        if len(self._arrived) == 1:  # else the loop has been woken already, and takes this one too
            self._loop.call_soon_threadsafe(self._take_arrived)

    def _take_arrived(self) -> None:
        while self._arrived:
            self._inbox.put(self._arrived.popleft())

    def _note_connection(self, connected_at: datetime | None) -> None:
        self.connected_at = connected_at

    def _fail(self, why: str) -> None:
        if not self.fault.done():
            self.fault.set_exception(Unavailable(f"{why}. Check [broker] username and {BROKER_PASSWORD}"))
