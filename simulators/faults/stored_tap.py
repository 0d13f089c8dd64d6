"""Loses and repeats the backend's answers to a home: a filter in the network that understands as much MQTT as that takes.

    TT LL [LL LL LL] body        one packet; LL remaining length, 7 bits each, low first, top bit: more follows
    TT  high four bits: 1 CONNECT, 3 PUBLISH, 4 PUBACK; of a PUBLISH bits 1-2 are its QoS
    CONNECT  00 04 'M' 'Q' 'T' 'T' VV ...           VV 4 is MQTT 3.1.1, 5 is MQTT 5
    PUBLISH  NN NN topic [II II] [properties] data   II II only with QoS 1 and 2; properties only in MQTT 5, their length in front
    PUBACK   II II                                  in MQTT 5 without more: success

Sources: OASIS MQTT 3.1.1 and 5.0, sections 2.1, 3.1.2, 3.3, 3.4.
"""

import random
import struct
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

CONNECT = 1
PUBLISH = 3
MQTT_5 = 5
PUBACK = b"\x40\x02"
QOS_0_PUBLISH = 0x30
LEAF = b"/stored"
REMEMBERED = 400
"""Answers kept to be repeated; among the oldest are those of a connection, or an outbox file, that is no more."""


@dataclass(frozen=True, slots=True)
class Publish:
    """A message on its way to the home. `packet_id` is None with QoS 0."""

    topic: bytes
    packet_id: bytes | None
    payload: bytes


class PacketReader:
    """Cuts a stream of MQTT into whole packets; keeps the part that is still to come."""

    def __init__(self) -> None:
        self._part = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Whole packets, oldest first."""
        self._part += data
        while (end := _end_of_first(self._part)) is not None:
            packet, self._part = self._part[:end], self._part[end:]
            yield packet


class StoredTap:
    """The answers to one home, over all its connections. Orders come from any thread; each is carried out with the next packets."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._to_lose = 0
        self._to_repeat = 0
        self._answers: deque[tuple[bytes, bytes]] = deque(maxlen=REMEMBERED)
        self.lost = 0
        self.repeated = 0

    def lose(self, count: int) -> None:
        """The next `count` answers never arrive."""
        with self._lock:
            self._to_lose += count

    def repeat(self, count: int) -> None:
        """Send `count` answers once more, fresh or stale ones."""
        with self._lock:
            self._to_repeat += count

    def heal(self) -> None:
        """Lose and repeat nothing from now on."""
        with self._lock:
            self._to_lose = self._to_repeat = 0

    def make_filter(self) -> "StoredFilter":
        """For a new connection."""
        return StoredFilter(self)

    def takes(self, publish: Publish) -> bool:
        """Remember an answer. True when it is to be lost."""
        with self._lock:
            self._answers.append((publish.topic, publish.payload))
            if self._to_lose == 0:
                return False
            self._to_lose -= 1
            self.lost += 1
            return True

    def repeats(self) -> list[tuple[bytes, bytes]]:
        """Topics and payloads to be sent once more now."""
        with self._lock:
            count = min(self._to_repeat, len(self._answers))
            self._to_repeat -= count
            self.repeated += count
            return [self._random.choice(self._answers) for _ in range(count)]


class StoredFilter:
    """One connection of a home."""

    def __init__(self, tap: StoredTap) -> None:
        self._tap = tap
        self._up = PacketReader()
        self._down = PacketReader()
        self._version = MQTT_5

    def pass_up(self, data: bytes) -> bytes:
        """Whole packets only, so that what is sent back to the broker never falls into the middle of one."""
        packets = list(self._up.feed(data))
        for packet in packets:
            if packet[0] >> 4 == CONNECT:
                self._version = _body(packet)[6]
        return b"".join(packets)

    def pass_down(self, data: bytes) -> tuple[bytes, bytes]:
        """Without the answers that are to be lost, for which the broker gets its PUBACK; with those that come once more."""
        onward, back = b"", b""
        for packet in self._down.feed(data):
            publish = parse_publish(packet, self._version)
            if publish is None or not publish.topic.endswith(LEAF) or not self._tap.takes(publish):
                onward += packet
            elif publish.packet_id is not None:
                back += PUBACK + publish.packet_id
        if onward:
            onward += b"".join(make_publish(topic, payload, self._version) for topic, payload in self._tap.repeats())
        return onward, back


def parse_publish(packet: bytes, version: int) -> Publish | None:
    """The message in a PUBLISH packet; None for any other packet."""
    if packet[0] >> 4 != PUBLISH:
        return None
    body = _body(packet)
    end = 2 + struct.unpack_from(">H", body)[0]
    topic, rest = body[2:end], body[end:]
    packet_id = None
    if packet[0] & 0b110:
        packet_id, rest = rest[:2], rest[2:]
    if version == MQTT_5:
        length, begin = _length_at(rest, 0) or (0, 1)
        rest = rest[begin + length :]
    return Publish(topic, packet_id, rest)


def make_publish(topic: bytes, payload: bytes, version: int) -> bytes:
    """A PUBLISH with QoS 0 and no properties."""
    body = struct.pack(">H", len(topic)) + topic + (b"\0" if version == MQTT_5 else b"") + payload
    return bytes([QOS_0_PUBLISH]) + _length(len(body)) + body


def _end_of_first(data: bytes) -> int | None:
    """Where the first packet ends; None while some of it is still to come."""
    found = _length_at(data, 1)
    if found is None:
        return None
    length, begin = found
    return begin + length if len(data) >= begin + length else None


def _body(packet: bytes) -> bytes:
    found = _length_at(packet, 1)
    assert found is not None, "only whole packets are read"
    return packet[found[1] :]


def _length_at(data: bytes, at: int) -> tuple[int, int] | None:
    """A variable length at `at`, and where it ends; None while it is not whole."""
    length, shift = 0, 0
    for index in range(at, min(at + 4, len(data))):
        length |= (data[index] & 0x7F) << shift
        shift += 7
        if not data[index] & 0x80:
            return length, index + 1
    return None


def _length(length: int) -> bytes:
    out = bytearray()
    while True:
        length, low = divmod(length, 128)
        out.append(low | (0x80 if length else 0))
        if not length:
            return bytes(out)
