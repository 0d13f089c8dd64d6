"""A process that sends messages at a set pace: as frames on serial lines for our gateway, or to an MQTT broker for the peer.

    python -m benchmarks.peers.load PLAN        prints `ready`; begins at `go` on its standard input; SIGTERM ends the sending, the end of
                                                the input ends the process, which prints what it counted as JSON

The plan is JSON: see `Plan`.
"""

import json
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, cast

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import BaseModel

from benchmarks.peers.ledger import Ledger
from benchmarks.peers.message import DEVICES, values_of
from gateway.bridges.framing import Frame, FrameReader, seal
from simulators.child_process import wait_until
from simulators.serial_bridge import SerialBridge
from simulators.wire import EventKey, FrameType, SosKind, WearableVitals, parse_ack, sos, wearable_vitals

TICK_S = 0.002
BEGIN_DEADLINE_S = 20.0
BOOT = 0x4A48
REPEAT_S = 2.0
"""As the firmware does: an SOS that was not acknowledged is sent again."""
COUNTER_MAX = 0x10000


class Phase(BaseModel):
    """So many messages a second for so many seconds; 0 messages: a pause."""

    rate: float
    seconds: float

    @property
    def count(self) -> int:
        """Messages of the phase."""
        return round(self.rate * self.seconds)


class Plan(BaseModel):
    """What to send, and where. `ports`: serial lines, the last that of a button; or `broker_port` of a broker on this machine."""

    phases: list[Phase]
    ledger: Path
    events: Path | None = None
    events_per_s: float = 0.0
    ports: list[Path] = []
    broker_port: int = 0


class Line(Protocol):
    """How messages reach a gateway."""

    def is_ready(self) -> bool:
        """True once somebody listens."""
        ...

    def send(self, number: int, now_s: float) -> None:
        """Send a message."""
        ...

    def tick(self, now_s: float) -> None:
        """Read and write what waits."""
        ...

    def counts(self) -> dict[str, int]:
        """What the line itself lost."""
        ...


class SerialLines:
    """Wearables behind bridges. A vital sign is accepted once the kernel has its frame, an SOS once the gateway acknowledges it."""

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._bridges = [SerialBridge(path) for path in plan.ports]
        self._readers = [FrameReader() for _ in plan.ports]
        self._ledger = ledger
        self._events = Ledger(plan.events) if plan.events else None
        self._event_s = 1 / plan.events_per_s if plan.events_per_s else 0.0
        self._next_event_s = 0.0
        self._sent_events = 0
        self._waiting: dict[int, float] = {}
        for bridge in self._bridges:
            bridge.plug()

    def is_ready(self) -> bool:
        """All ports are open at the other end."""
        return all(bridge.is_heard() for bridge in self._bridges)

    def send(self, number: int, now_s: float) -> None:
        """One frame of vitals."""
        device = number % DEVICES
        values = values_of(number)
        payload = wearable_vitals(WearableVitals(values.heart_rate, values.spo2, values.temperature / 100, None, None, True))
        self._ledger.sent_s[number] = now_s
        self._write(device % (len(self._bridges) - 1), Frame(FrameType.WEARABLE_VITALS, device + 1, number % COUNTER_MAX, payload))
        self._ledger.accepted_s[number] = now_s

    def tick(self, now_s: float) -> None:
        """Send and repeat SOS, hear acknowledgements."""
        self._send_events(now_s)
        for bridge, reader in zip(self._bridges, self._readers, strict=True):
            bridge.flush()
            for item in reader.feed(bridge.read()):
                if isinstance(item, Frame) and (ack := parse_ack(item)) is not None:
                    self._settle(ack.key.event, now_s)

    def counts(self) -> dict[str, int]:
        """Frames that the line dropped because the gateway did not keep up."""
        return {"line_lost": sum(bridge.counts.lost for bridge in self._bridges)}

    def _write(self, line: int, frame: Frame) -> None:
        self._bridges[line].write(seal(frame))

    def _send_events(self, now_s: float) -> None:
        if self._events is None or self._ledger.sent_s[0] == 0:
            return
        if now_s >= self._next_event_s and self._sent_events < len(self._events):
            self._next_event_s = max(now_s, self._next_event_s + self._event_s)
            self._events.sent_s[self._sent_events] = now_s
            self._waiting[self._sent_events] = 0.0
            self._sent_events += 1
        for event, last_s in self._waiting.items():
            if now_s - last_s >= REPEAT_S:
                self._waiting[event] = now_s
                age_ms = round((now_s - self._events.sent_s[event]) * 1000)
                self._write(-1, Frame(FrameType.SOS, DEVICES + 1, event, sos(EventKey(BOOT, event), age_ms, SosKind.PRESSED)))

    def _settle(self, event: int, now_s: float) -> None:
        if self._waiting.pop(event, None) is not None and self._events is not None:
            self._events.accepted_s[event] = now_s


class MqttLine:
    """Sensors that publish with QoS 1 to the broker from which the peer reads; accepted is what that broker acknowledges."""

    UNACKNOWLEDGED_MAX = 2_000

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._ledger = ledger
        self._numbers: dict[int, int] = {}
        self._started_ms = int(time.time() * 1000)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="sensors")
        self._client.max_inflight_messages_set(self.UNACKNOWLEDGED_MAX)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", plan.broker_port)
        self._client.loop_start()

    def is_ready(self) -> bool:
        """Connected."""
        return self._client.is_connected()

    def send(self, number: int, now_s: float) -> None:
        """JSON with a time of its own: the peer takes readings of one millisecond for one."""
        values = values_of(number)
        body = {"ts": self._started_ms + number, "n": number, "hr": values.heart_rate, "spo2": values.spo2}
        self._ledger.sent_s[number] = now_s
        sent = self._client.publish(f"sensor/dev{number % DEVICES:03d}/data", json.dumps(body), qos=1)
        self._numbers[sent.mid] = number

    def tick(self, now_s: float) -> None:
        """paho's thread does it."""

    def counts(self) -> dict[str, int]:
        """QoS 1 to a broker on the same machine loses nothing."""
        return {"line_lost": 0}

    def _on_publish(self, client: mqtt.Client, userdata: object, mid: int, *_: object) -> None:
        now_s = time.monotonic()
        # The acknowledgement may come before `publish` has returned the number under which it was sent.
        while (number := self._numbers.pop(mid, None)) is None:
            time.sleep(0.0001)
        self._ledger.accepted_s[number] = now_s


def main(argv: Sequence[str]) -> int:
    """Run one plan."""
    plan = Plan.model_validate_json(argv[0])
    line: Line = SerialLines(plan, Ledger(plan.ledger)) if plan.ports else MqttLine(plan, Ledger(plan.ledger))
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    print("ready", flush=True)
    if sys.stdin.readline().strip() == "go":
        wait_until(line.is_ready, deadline_s=BEGIN_DEADLINE_S, what="a gateway that listens")
        _send_all(plan.phases, line, lambda: bool(stopped))
    while not select.select([sys.stdin], [], [], TICK_S)[0]:
        line.tick(time.monotonic())
    print(json.dumps(line.counts()), flush=True)
    return 0


def _send_all(phases: Sequence[Phase], line: Line, is_stopped: Callable[[], bool]) -> None:
    for number in _paced(phases, line, is_stopped):
        line.send(number, time.monotonic())


def _paced(phases: Sequence[Phase], line: Line, is_stopped: Callable[[], bool]) -> Iterator[int]:
    """Numbers of the messages, each when it is due; between them the line's other work is done."""
    done = 0
    started_s = time.monotonic()
    for phase in phases:
        number = 0
        while not is_stopped() and (elapsed_s := time.monotonic() - started_s) < phase.seconds:
            due = min(int(elapsed_s * phase.rate) + 1, phase.count)
            yield from range(done + number, done + due)
            number = max(number, due)
            line.tick(time.monotonic())
            time.sleep(TICK_S)
        done += phase.count
        started_s += phase.seconds


if __name__ == "__main__":
    sys.exit(main(cast(Sequence[str], sys.argv[1:])))
