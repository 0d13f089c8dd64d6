"""The district's homes as one program: batches and presses over two raw MQTT 3.1.1 connections, as fast as asked for.

    python -m benchmarks.district_load SETTINGS.json     prints one JSON line at the end

With `recorded` the batches are written to that file first and only read from there while it is measured: as fast as they are answered, with
at most WINDOW unanswered. Then nothing of this program is a limit but the counting of answers.

A Python MQTT client sends 3 500 packets a second at most (measured), so the packets are written here: text templates with the sequences and
times of the minute filled in. The broker's acknowledgements are read and counted, and so are the backend's answers.
"""

import json
import mmap
import secrets
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from contract import topics
from contract.events import Event, EventKind
from contract.quantities import QuantityName
from contract.readings import Series, SeriesBatch
from contract.status import DeviceStatus, GatewayStatus
from contract.topics import Leaf

READINGS = 12
STEP_S = 5
CALM = (
    (QuantityName.HEART_RATE, 72.0, 6.0, 0),
    (QuantityName.SPO2, 97.0, 1.0, 0),
    (QuantityName.RESPIRATION_RATE, 15.0, 2.0, 1),
    (QuantityName.SKIN_TEMPERATURE, 33.2, 0.4, 1),
    (QuantityName.MOVEMENT, 12.0, 8.0, 1),
)
"""Quantity, middle, spread and decimals of a calm day: nothing a shipped rule minds."""
PER_BATCH = READINGS * len(CALM)
LOG_ID = "0" * 16
VARIANTS = 64
TICK_S = 0.01
WINDOW = 4_000
"""Batches on their way at once: each home has at most 8, and there are many homes."""
CHUNK = 50
PUBLISH = 3
"""Type of a packet that brings a message (MQTT 3.1.1, 2.2.1)."""
EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
SENT, START = "2001-01-01T00:00:00Z", "2001-01-01T00:00:01Z"


def main() -> None:
    """Play the district as the settings say: host, port, password, homes, minute_s, seconds, presses_per_s."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    load = Load(**settings)
    print(json.dumps(load.run()), flush=True)


class Connection:
    """One MQTT 3.1.1 connection: writes packets, counts what comes back. `on_publish`: is told the topic of each message that comes."""

    def __init__(self, host: str, port: int, user: str, password: str, *, on_publish: Callable[[str], None] | None = None) -> None:
        self._on_publish = on_publish
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fields = [f"load-{secrets.token_hex(4)}", user, password]
        body = b"\x00\x04MQTT\x04\xc2\x00\x00" + b"".join(_text(one) for one in fields)
        self._socket.sendall(b"\x10" + _length(len(body)) + body)
        if self._socket.recv(4)[3] != 0:
            raise SystemExit("the broker refuses the load generator")
        self.counts = dict.fromkeys(range(16), 0)
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def send(self, data: bytes | memoryview) -> None:
        """Write whole packets; waits while the broker does not read."""
        self._socket.sendall(data)

    def subscribe(self, topic_filter: str) -> None:
        """At most once: what counts is how many there are."""
        body = b"\x00\x01" + _text(topic_filter) + b"\x00"
        self.send(b"\x82" + _length(len(body)) + body)

    def _count(self) -> None:
        """Count packets by their type (MQTT 3.1.1, 2.2.1)."""
        data = b""
        while more := self._socket.recv(1 << 18):
            data += more
            at = 0
            while (end := _end_of_packet(data, at)) is not None:
                self.counts[data[at] >> 4] += 1
                if self._on_publish is not None and data[at] >> 4 == PUBLISH:
                    self._on_publish(_topic(data, at))
                at = end
            data = data[at:]


class Load:
    """A steady load, each home once a minute, or with `recorded` as much as is answered; and presses between."""

    def __init__(
        self, *, host: str, port: int, password: str, homes: int, minute_s: float, seconds: float, presses_per_s: float, first_minute: int,
        first_press_home: int = 0, state_every_s: float = 0, recorded: str = "", recorded_per_s: float = 0, minutes_per_batch: int = 1,
    ) -> None:  # fmt: skip
        self._up, self._alarms, self._states, self._down = (Connection(host, port, "load", password) for _ in range(4))
        self._down.subscribe(f"{topics.ROOT}/+/+/{Leaf.STORED}")
        self._homes = homes
        self._rate = homes / minute_s
        self._seconds = seconds
        self._presses_per_s = presses_per_s
        self._first_minute = first_minute
        self._first_press_home = first_press_home
        self._recorded = Path(recorded) if recorded else None
        self._recorded_per_s = recorded_per_s
        self._readings = READINGS * minutes_per_batch
        self._templates = [_template(Random(number), self._readings) for number in range(VARIANTS)]
        self._topics = [topics.build(f"home-{home}", Leaf.SERIES) for home in range(homes)]
        self._packet = 0
        self._presses: list[tuple[str, float]] = []
        self._states_per_s = homes / state_every_s if state_every_s else 0.0
        self._state = _state()

    def run(self) -> dict[str, object]:
        """Send for `seconds`, wait for the last answers. Returns counts and, for each press, its home and time."""
        answers = self._down.counts
        ready = self._record(self._recorded) if self._recorded is not None else None
        begun_s, before = time.monotonic(), answers[3]
        sent = self._send_recorded(ready, begun_s) if ready is not None else self._send_in_time(begun_s)
        sent_in_s = time.monotonic() - begun_s
        answered_at_end = answers[3] - before
        expected = sent + len(self._presses)
        while answers[3] - before < expected and time.monotonic() - begun_s < self._seconds + 30:
            time.sleep(0.1)
        return {
            "batches": sent,
            "seconds": sent_in_s,
            "answered_in_time": answered_at_end,
            "answered": answers[3] - before,
            "drained_after_s": time.monotonic() - begun_s - sent_in_s,
            "own_s": time.process_time(),
            "presses": self._presses,
        }

    def _send_in_time(self, begun_s: float) -> int:
        sent, states = 0, 0
        while (passed_s := time.monotonic() - begun_s) < self._seconds:
            states_due = int(passed_s * self._states_per_s)
            if states_due > states:
                self._states.send(b"".join(self._state_of(number, datetime.now(UTC)) for number in range(states, states_due)))
                states = states_due
            due = int(passed_s * self._rate)
            if due > sent:
                self._up.send(b"".join(self._batch(number, datetime.now(UTC)) for number in range(sent, due)))
            sent = due
            self._press(passed_s)
            time.sleep(TICK_S)
        return sent

    def _record(self, file: Path) -> tuple[memoryview, list[int]]:
        """Batches for the time, as homes would send that were without a network: each home's next minute in every round."""
        count = int(self._recorded_per_s * self._seconds)
        begun_at = datetime.now(UTC) - timedelta(minutes=1 + count // self._homes) * (self._readings // READINGS)
        ends = [0]
        with file.open("wb") as out:
            for number in range(count):
                minutes = number // self._homes * self._readings // READINGS
                ends.append(ends[-1] + out.write(self._batch(number, begun_at + timedelta(minutes=minutes))))
        with file.open("rb") as data:
            return memoryview(mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ)), ends

    def _send_recorded(self, ready: tuple[memoryview, list[int]], begun_s: float) -> int:
        data, ends = ready
        sent, answers, before = 0, self._down.counts, self._down.counts[3]
        while (passed_s := time.monotonic() - begun_s) < self._seconds and sent < len(ends) - 1:
            if sent - (answers[3] - before) + CHUNK > WINDOW:
                time.sleep(0.001)
            else:
                end = min(sent + CHUNK, len(ends) - 1)
                self._up.send(data[ends[sent] : ends[end]])
                sent = end
            self._press(passed_s)
        return sent

    def _batch(self, number: int, at: datetime) -> bytes:
        home = number % self._homes
        count = self._readings * len(CALM)
        first = (self._first_minute * PER_BATCH) + number // self._homes * count + 1
        now = f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
        payload = self._templates[home % VARIANTS] % (first, first + count - 1, first, now, *[now] * len(CALM))
        return self._publish(self._topics[home], payload.encode())

    def _state_of(self, number: int, at: datetime) -> bytes:
        """The state of a home, which the broker keeps."""
        topic = topics.build(f"home-{number % self._homes}", Leaf.STATUS)
        return self._publish(topic, (self._state % f"{at:%Y-%m-%dT%H:%M:%S.%fZ}").encode(), is_retained=True)

    def _press(self, passed_s: float) -> None:
        """Those that are due, each from a home of its own and over another connection than the batches: an alert of its own."""
        while len(self._presses) < passed_s * self._presses_per_s:
            number = len(self._presses)
            home = f"home-{self._first_press_home + number * 7919 % (self._homes // 2)}"
            now = datetime.now(UTC)
            sequence = 10**9 + self._first_minute * 10**6 + number
            event = Event(
                log_id=LOG_ID, sequence=sequence, floor=1, event_id=f"wearable-1:{sequence}", device="wearable-1", kind=EventKind.SOS,
                at=now, sent_at=now,
            )  # fmt: skip
            self._alarms.send(self._publish(topics.build(home, Leaf.EVENT), event.model_dump_json(exclude_none=True).encode()))
            self._presses.append((home, now.timestamp()))

    def _publish(self, topic: str, payload: bytes, *, is_retained: bool = False) -> bytes:
        """With QoS 1, as gateways do."""
        self._packet = self._packet % 65_535 + 1
        return publication(topic, payload, packet=self._packet, is_retained=is_retained)


def _state() -> str:
    """What a gateway with two devices says, with %s for the time."""
    devices = [DeviceStatus(id=name, type="jiahu_wearable", is_lost=False, heard_at=EPOCH, frames=1234) for name in ("wearable-1", "mat-1")]
    state = GatewayStatus(online=True, at=EPOCH, version="0.1.0", log_id=LOG_ID, started_at=EPOCH.replace(second=1), devices=devices)
    text = state.model_dump_json(exclude_none=True)
    found = f'"at":"{SENT}"'
    assert "%" not in text and text.count(f",{found}") == 1
    return text.replace(found, '"at":"%s"')


def _template(random: Random, readings: int = READINGS) -> str:
    """A batch as JSON with %d and %s for sequences and times. The times given here are replaced."""
    series = [
        Series(
            device="wearable-1",
            quantity=quantity,
            start_at=EPOCH.replace(second=1),
            offsets_ms=[row * STEP_S * 1000 + random.randrange(40) for row in range(readings)],
            values=[round(random.gauss(middle, spread / 3), decimals) for _ in range(readings)],
            sequences=[number * readings + row for row in range(readings)],
        )
        for number, (quantity, middle, spread, decimals) in enumerate(CALM)
    ]
    count = readings * len(CALM)
    whole = SeriesBatch(log_id=LOG_ID, first=11, last=10 + count, floor=11, sent_at=EPOCH, series=series).model_dump_json()
    for found, slot in (('"first":11', '"first":%d'), (f'"last":{10 + count}', '"last":%d'), ('"floor":11', '"floor":%d')):
        assert whole.count(found) == 1
        whole = whole.replace(found, slot)
    return whole.replace(SENT, "%s").replace(START, "%s")


def publication(topic: str, payload: bytes, *, packet: int | None = None, is_retained: bool = False) -> bytes:
    """PUBLISH (MQTT 3.1.1, 3.3): with QoS 1 where it has a packet number."""
    body = _text(topic) + (b"" if packet is None else struct.pack(">H", packet)) + payload
    head = 0x30 | (0 if packet is None else 0x02) | int(is_retained)
    return bytes([head]) + _length(len(body)) + body


def _topic(data: bytes, at: int) -> str:
    """The topic of the PUBLISH that begins there (MQTT 3.1.1, 3.3.2)."""
    begin = at + 1
    while data[begin] & 0x80:
        begin += 1
    size = struct.unpack_from(">H", data, begin + 1)[0]
    return data[begin + 3 : begin + 3 + size].decode()


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _length(size: int) -> bytes:
    """Remaining length (MQTT 3.1.1, 2.2.3): seven bits a byte, low ones first."""
    found = bytearray()
    while True:
        size, low = divmod(size, 128)
        found.append(low | (0x80 if size else 0))
        if not size:
            return bytes(found)


def _end_of_packet(data: bytes, at: int) -> int | None:
    """Where the packet that begins at `at` ends; None while it is not all there."""
    size, shift, place = 0, 0, at + 1
    while place < len(data):
        size |= (data[place] & 0x7F) << shift
        shift += 7
        place += 1
        if not data[place - 1] & 0x80:
            return place + size if place + size <= len(data) else None
    return None


if __name__ == "__main__":
    main()
