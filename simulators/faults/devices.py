"""The devices of one home: a wearable and a bed mat on one pseudo terminal, which write down what they said, and when, in the ledger.

0.1 s    WEARABLE_VITALS, its number hidden in the values (`codes`)
0.5 s    BED_MAT, likewise
2 s      an event that was not acknowledged, again, at most 90 times: what the firmware does (`firmware_stubs/include/bridge_frame.h`)
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from gateway.bridges.framing import Frame, FrameReader, open_sealed, seal
from simulators.faults import codes
from simulators.faults.ledger import EventSent, FrameSent, Ledger
from simulators.home import RATE_HZ, synthetic_fall
from simulators.serial_bridge import SerialBridge
from simulators.wearable import Sensed, Wearable
from simulators.wire import (
    AGE_MS_MAX,
    BedMatState,
    EventKey,
    FrameType,
    SosKind,
    WearableVitals,
    bed_mat,
    parse_ack,
    sos,
    wearable_vitals,
)

VITALS_S = 0.1
MAT_S = 0.5
REPEAT_S = 2.0
SENDINGS_MAX = 90
TICK_S = 0.02
WAITING_BYTES_MAX = 1_500
"""What the device holds back for a slow reader before it drops: far less than the bridge, so that the ledger knows each frame's fate."""
WEARABLE_ADDRESS = 1
MAT_ADDRESS = 2
STANDING_S = 4
_EVENT_HEAD_BYTES = 4
_AGE_END_BYTES = 6


@dataclass(slots=True)
class _Repeating:
    event: EventSent
    payloads: list[tuple[FrameType, bytes]]
    due_s: float = 0.0


class Devices:
    """One home's line. `start` makes the port at `link`; from then on frames flow until `hush`, and events until they are acknowledged."""

    def __init__(self, home: str, link: Path, ledger: Ledger, *, seed: int) -> None:
        self.home = home
        self._bridge = SerialBridge(link)
        self._ledger = ledger
        self._boot = Random(f"{seed}/{home}/boot").randrange(1 << 16)
        self._fall = _fall_payloads(seed)
        self._events = 0
        self._numbers = {codes.WEARABLE: 0, codes.BED_MAT: 0}
        self._counter = 0
        self._on_the_way: deque[tuple[FrameSent | None, int]] = deque()
        self._repeating: list[_Repeating] = []
        self._reader = FrameReader()
        self._asked: queue.SimpleQueue[tuple[FrameType, EventSent]] = queue.SimpleQueue()
        self._is_hushed = threading.Event()
        self._is_stopping = threading.Event()
        self.is_sick = False
        self.haste = 1
        self.is_heard = False
        self._thread = threading.Thread(target=self._run, name=f"devices {home}", daemon=True)

    def start(self) -> None:
        """Plug in and begin to speak. Raises OSError."""
        self._bridge.plug()
        self._thread.start()

    def hush(self) -> None:
        """Measure nothing more; what was not acknowledged goes on."""
        self._is_hushed.set()

    def stop(self) -> None:
        """Fall silent and pull the plug."""
        self._is_stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._bridge.unplug()

    def press(self) -> EventSent:
        """The button is held: an SOS from now on."""
        return self._begin(FrameType.SOS, "sos")

    def fall(self) -> EventSent:
        """A fall that the second stage confirms, from now on."""
        return self._begin(FrameType.FALL_CANDIDATE, "fall")

    @property
    def link(self) -> Path:
        """What a gateway opens."""
        return self._bridge.link

    @property
    def unanswered(self) -> int:
        """Events that the devices still repeat."""
        return len(self._repeating) + self._asked.qsize()

    def _begin(self, kind: FrameType, name: str) -> EventSent:
        event = EventSent(self.home, codes.WEARABLE, name, self._boot, self._events, time.time())
        self._events += 1
        self._ledger.events.append(event)
        self._asked.put((kind, event))
        return event

    # -- the devices' thread -------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        started_s = time.monotonic()
        vitals, mats = 0, 0
        while not self._is_stopping.wait(TICK_S):
            now_s = time.monotonic()
            self._watch_port()
            self._hear()
            while not self._asked.empty():
                self._repeating.append(self._made(*self._asked.get()))
            self._say_events(now_s)
            if self._is_hushed.is_set():
                self._flush()
                continue
            if now_s - started_s >= vitals * VITALS_S:
                vitals = int((now_s - started_s) / VITALS_S) + 1  # a moment that was missed is not caught up with
                for _ in range(self.haste):
                    self._say_vitals()
            if now_s - started_s >= mats * MAT_S:
                mats = int((now_s - started_s) / MAT_S) + 1
                self._say_mat()

    def _watch_port(self) -> None:
        is_heard = self._bridge.is_heard()
        if is_heard is not self.is_heard:
            self.is_heard = is_heard
            self._ledger.ports.setdefault(self.home, []).append((time.time(), is_heard))

    def _say_vitals(self) -> None:
        frame = self._next_frame(codes.WEARABLE)
        said = codes.values(codes.WEARABLE, frame.number, is_sick=frame.is_sick)
        vitals = WearableVitals(round(said["heart_rate"]), round(said["spo2"]), said["skin_temperature"], None, None, True)
        self._send(FrameType.WEARABLE_VITALS, WEARABLE_ADDRESS, wearable_vitals(vitals), frame)

    def _say_mat(self) -> None:
        frame = self._next_frame(codes.BED_MAT)
        said = codes.values(codes.BED_MAT, frame.number)
        state = BedMatState(True, round(said["respiration_rate"]), round(said["heart_rate"]), round(said["body_movement"]), None)
        self._send(FrameType.BED_MAT, MAT_ADDRESS, bed_mat(state), frame)

    def _next_frame(self, device: str) -> FrameSent:
        number = self._numbers[device]
        self._numbers[device] = number + 1
        is_sick = self.is_sick and device == codes.WEARABLE
        return FrameSent(self.home, device, number, time.time(), is_heard=False, is_sick=is_sick)

    def _say_events(self, now_s: float) -> None:
        for one in self._repeating:
            if one.due_s <= now_s:
                one.due_s = now_s + REPEAT_S
                one.event.sendings += 1
                self._say_event(one)
        self._repeating = [one for one in self._repeating if one.event.acked_at is None and one.event.sendings < SENDINGS_MAX]

    def _say_event(self, one: _Repeating) -> None:
        age_ms = min(round((time.time() - one.event.happened_at) * 1000), AGE_MS_MAX).to_bytes(2, "little")
        for kind, payload in one.payloads:
            if kind != FrameType.PACKED_CHUNK:
                payload = payload[:_EVENT_HEAD_BYTES] + age_ms + payload[_AGE_END_BYTES:]
            self._send(kind, WEARABLE_ADDRESS, payload, None)

    def _made(self, kind: FrameType, event: EventSent) -> _Repeating:
        key = EventKey(event.boot, event.event)
        if kind is FrameType.SOS:
            return _Repeating(event, [(kind, sos(key, 0, SosKind.PRESSED))])
        head = sos(key, 0, SosKind.PRESSED)[:_EVENT_HEAD_BYTES]
        return _Repeating(event, [(FrameType(one), head + payload[_EVENT_HEAD_BYTES:]) for one, payload in self._fall])

    def _hear(self) -> None:
        for item in self._reader.feed(self._bridge.read()):
            ack = parse_ack(item) if isinstance(item, Frame) else None
            for one in self._repeating:
                if ack is not None and (ack.key.boot, ack.key.event, ack.type) == (one.event.boot, one.event.event, one.payloads[0][0]):
                    one.event.acked_at = one.event.acked_at or time.time()

    def _send(self, kind: FrameType, address: int, payload: bytes, frame: FrameSent | None) -> None:
        if frame is not None:
            self._ledger.frames.append(frame)
        if sum(size for _, size in self._on_the_way) > WAITING_BYTES_MAX:
            return
        data = seal(Frame(kind, address, self._counter, payload))
        self._counter = self._counter + 1 & 0xFFFF
        self._on_the_way.append((frame, len(data)))
        self._do(lambda: self._bridge.write(data))

    def _flush(self) -> None:
        self._do(self._bridge.flush)

    def _do(self, act: Callable[[], None]) -> None:
        """Let the bridge write, and note what became of each frame: those the kernel took come first, then those nobody was there for."""
        before = self._bridge.counts.written, self._bridge.counts.lost
        act()
        now = time.time()
        written, lost = self._bridge.counts.written - before[0], self._bridge.counts.lost - before[1]
        for index in range(written + lost):
            frame, _ = self._on_the_way.popleft()
            if frame is not None:
                frame.written_at = now
                frame.is_heard = index < written


def _fall_payloads(seed: int) -> list[tuple[int, bytes]]:
    """What a wearable says of a synthetic fall: types and payloads of the candidate and its window."""
    standing = np.tile(np.array([0, -1000, 0], np.int16), (STANDING_S * RATE_HZ, 1))
    wearable = Wearable(WEARABLE_ADDRESS, boot=0)
    wearable.feed(np.concatenate([standing, synthetic_fall(seed)]), Sensed())
    frames = [frame for sealed in wearable.take() if isinstance(frame := open_sealed(sealed.strip(b"\0")), Frame)]
    first, second = [index for index, frame in enumerate(frames) if frame.type == FrameType.FALL_CANDIDATE][:2]
    wanted = (FrameType.FALL_CANDIDATE, FrameType.PACKED_CHUNK)
    return [(frame.type, frame.payload) for frame in frames[first:second] if frame.type in wanted]
