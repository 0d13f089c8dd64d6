"""The wearable in Python, for machines without a C compiler: what `firmware_stubs` says on the wire, said by independent code.

Its only clock is its samples: n samples are n / 50 s, so the same samples always give the same frames. No I/O.

    every second      WEARABLE_VITALS
    button            held 1 s: SOS. Held again for 3 s, begun within 30 s: cancelled. Otherwise a new hold is nothing within 30 s.
                      Two shorter presses at most 1.5 s apart, within 90 s after an impact and without an SOS since: cancelled too
    impact            |a| over a peak, the largest within 1 s either way, and a direction after it that differs from the mean direction
                      3.0 to 1.5 s before: FALL_CANDIDATE and its window as PACKED_CHUNKs. The numbers go by the place on the body
    until answered    an event, with its window, again every 2 s, 90 times, then every 30 s, until its ACK comes or 210 times
    memory            four SOS events and two falls wait at a time; what finds no room is dropped, and its number with it: of
                      falls the one with the smallest peak

Sources: `firmware_stubs/include/bridge_frame.h`, `src/sos_button.h`, `src/fall_detector.h`.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.bridges.framing import Frame, FrameReader, seal
from simulators.home import RATE_HZ, Placement, Samples
from simulators.wire import (
    Ack,
    EventKey,
    FallCandidate,
    FrameType,
    SosKind,
    WearableVitals,
    fall_candidate,
    packed,
    packed_chunks,
    parse_ack,
    sos,
    wearable_vitals,
)

BEFORE_SAMPLES = 3 * RATE_HZ
AFTER_SAMPLES = 5 * RATE_HZ // 2
WINDOW_SAMPLES = BEFORE_SAMPLES + AFTER_SAMPLES
VITALS_SAMPLES = RATE_HZ
REPEAT_SAMPLES = 2 * RATE_HZ
LATER_SAMPLES = 30 * RATE_HZ
SENDINGS_SOON = 90
SENDINGS_MAX = 210
PRESS_SAMPLES = RATE_HZ
CANCEL_SAMPLES = 3 * RATE_HZ
CANCEL_WITHIN_SAMPLES = 30 * RATE_HZ
WELL_WITHIN_SAMPLES = 90 * RATE_HZ
WELL_APART_SAMPLES = 3 * RATE_HZ // 2
WAITING_MAX = {FrameType.SOS: 4, FrameType.FALL_CANDIDATE: 2}
_PEAK = -AFTER_SAMPLES
_MEAN_SAMPLES = 3 * RATE_HZ // 2


@dataclass(frozen=True, slots=True)
class Trigger:
    """What counts as an impact: mg, degrees, and where after it directions are taken: from so many samples on, in pieces so long."""

    peak_mg: int
    turn_degrees: int
    after: int
    piece: int


_TRUNK = Trigger(1700, 20, RATE_HZ, _MEAN_SAMPLES)
TRIGGERS = {
    Placement.WAIST: _TRUNK,
    Placement.CHEST: _TRUNK,
    Placement.HIP: _TRUNK,
    Placement.WRIST: Trigger(1600, 15, 12, RATE_HZ // 2),
}

Impact = tuple[FallCandidate, Samples]


@dataclass(frozen=True, slots=True)
class Sensed:
    """What the wearable's other sensors say now: beats/min, percent, degrees Celsius on the skin, percent. None is no value."""

    heart_rate: int | None = None
    spo2: int | None = None
    skin_temperature: float | None = None
    battery: int | None = None
    is_worn: bool = True
    is_pressed: bool = False


@dataclass(slots=True)
class _Waiting:
    key: EventKey
    happened: int
    report: SosKind | Impact
    sendings: int = 0
    due: int = 0

    @property
    def peak_mg(self) -> int:
        """Of a fall; all presses are equal."""
        return 0 if isinstance(self.report, SosKind) else self.report[0].peak_mg

    @property
    def type(self) -> FrameType:
        return FrameType.SOS if isinstance(self.report, SosKind) else FrameType.FALL_CANDIDATE


class Wearable:
    """One worn device with its event counter; `boot` is what a real one draws at its start."""

    def __init__(self, address: int, *, boot: int, placement: Placement = Placement.WAIST) -> None:
        self.address = address
        self.boot = boot
        self._now = 0
        self._counter = 0
        self._events = 0
        self._out: list[bytes] = []
        self._waiting: list[_Waiting] = []
        self._button = _Button()
        self._impacts = _ImpactWatch(TRIGGERS[placement])
        self._reader = FrameReader()

    def feed(self, samples: Samples, sensed: Sensed) -> None:
        """Live through `samples` (N, 3) mg at 50 Hz, during which the other sensors say `sensed`."""
        for sample in samples:
            self._now += 1
            if kind := self._button.feed(is_pressed=sensed.is_pressed, now=self._now):
                self._remember(kind, self._now)
            if impact := self._impacts.feed(sample):
                self._button.note_fall(self._now)
                self._remember(impact, self._now - AFTER_SAMPLES + 1)
            if self._now % VITALS_SAMPLES == 1:
                self._say_vitals(sensed)
            self._say_events()

    def take(self) -> list[bytes]:
        """Frames to send since the last call, oldest first."""
        out, self._out = self._out, []
        return out

    def hear(self, data: bytes) -> list[Ack]:
        """Take bytes from the gateway, cut anywhere. Returns the acknowledgements that were for this device, known event or not."""
        frames = [item for item in self._reader.feed(data) if isinstance(item, Frame) and item.address == self.address]
        acks = [ack for ack in map(parse_ack, frames) if ack is not None]
        answered = {(ack.key, ack.type) for ack in acks}
        self._waiting = [event for event in self._waiting if (event.key, event.type) not in answered]
        return acks

    def _remember(self, report: SosKind | Impact, happened: int) -> None:
        event = _Waiting(EventKey(self.boot, self._events), happened, report, due=self._now)
        self._events = self._events + 1 & 0xFFFF
        rivals = [other for other in self._waiting if other.type == event.type]
        if len(rivals) >= WAITING_MAX[event.type]:
            weakest = min(rivals, key=lambda other: other.peak_mg)
            if weakest.peak_mg >= event.peak_mg:
                return
            self._waiting.remove(weakest)
        self._waiting.append(event)

    def _say_vitals(self, sensed: Sensed) -> None:
        vitals = WearableVitals(sensed.heart_rate, sensed.spo2, sensed.skin_temperature, None, sensed.battery, sensed.is_worn)
        self._send(FrameType.WEARABLE_VITALS, wearable_vitals(vitals))

    def _say_events(self) -> None:
        for event in self._waiting:
            if event.due <= self._now:
                self._send_event(event)
                event.sendings += 1
                event.due = self._now + (REPEAT_SAMPLES if event.sendings < SENDINGS_SOON else LATER_SAMPLES)
        self._waiting = [event for event in self._waiting if event.sendings < SENDINGS_MAX]

    def _send_event(self, event: _Waiting) -> None:
        age_ms = (self._now - event.happened) * 1000 // RATE_HZ
        if isinstance(event.report, SosKind):
            self._send(FrameType.SOS, sos(event.key, age_ms, event.report))
            return
        candidate, window = event.report
        chunks = packed_chunks(event.key, window)
        self._send(FrameType.FALL_CANDIDATE, fall_candidate(event.key, age_ms, candidate, len(chunks)))
        for chunk in chunks:
            self._send(FrameType.PACKED_CHUNK, chunk)

    def _send(self, kind: FrameType, payload: bytes) -> None:
        self._out.append(seal(Frame(kind, self.address, self._counter, payload)))
        self._counter = self._counter + 1 & 0xFFFF


class _Button:
    """Tells a call from its cancellation; times in samples."""

    def __init__(self) -> None:
        self._held = 0
        self._called_at: int | None = None
        self._cancels = False
        self._fell_at: int | None = None
        self._tapped_at: int | None = None

    def note_fall(self, now: int) -> None:
        """For a while two short presses take the fall back."""
        has_called = self._called_at is not None and now - self._called_at <= CANCEL_WITHIN_SAMPLES
        self._fell_at, self._tapped_at = None if has_called else now, None

    def feed(self, *, is_pressed: bool, now: int) -> SosKind | None:
        if not is_pressed and 0 < self._held < PRESS_SAMPLES and self._tap(now):
            self._held = 0
            return SosKind.CANCELLED
        self._held = self._held + 1 if is_pressed else 0
        if self._held == 1:
            self._cancels = self._called_at is not None and now - self._called_at <= CANCEL_WITHIN_SAMPLES
        if self._held != (CANCEL_SAMPLES if self._cancels else PRESS_SAMPLES):
            return None
        self._called_at = None if self._cancels else now
        self._fell_at = None
        return SosKind.CANCELLED if self._cancels else SosKind.PRESSED

    def _tap(self, now: int) -> bool:
        """Whether this short press is the second one after a fall."""
        if self._fell_at is None or now - self._fell_at > WELL_WITHIN_SAMPLES:
            return False
        is_second = self._tapped_at is not None and now - self._tapped_at <= WELL_APART_SAMPLES
        self._tapped_at = None if is_second else now
        if is_second:
            self._fell_at = None
        return is_second


class _ImpactWatch:
    """Judges each sample when it is 2.5 s old, by a ring that is then its window."""

    def __init__(self, trigger: Trigger) -> None:
        self._trigger = trigger
        self._ring: deque[NDArray[np.int16]] = deque(maxlen=WINDOW_SAMPLES)
        self._squares: deque[int] = deque(maxlen=WINDOW_SAMPLES)

    def feed(self, sample: NDArray[np.int16]) -> Impact | None:
        """The candidate and its window (N, 3), at the last sample of the window."""
        kept = packed(sample[None, :])[0]
        x, y, z = kept.tolist()
        self._ring.append(kept)
        self._squares.append(x * x + y * y + z * z)
        if len(self._ring) < AFTER_SAMPLES or self._squares[_PEAK] <= self._trigger.peak_mg**2:
            return None
        squares = list(self._squares)
        at = len(squares) + _PEAK
        # Of equal ones, where a sensor clips, the first is the peak.
        if max(squares[max(at - RATE_HZ, 0) : at], default=0) >= squares[at] or max(squares[at + 1 : at + 1 + RATE_HZ]) > squares[at]:
            return None
        window = np.array(self._ring, np.int16)
        turn = turn_degrees(window, self._trigger)
        if turn is not None and turn < self._trigger.turn_degrees:
            return None
        return FallCandidate(math.isqrt(squares[at]), turn, RATE_HZ, at), window


def turn_degrees(window: Samples, trigger: Trigger = _TRUNK) -> int | None:
    """Whole degrees, rounded down, by which the direction turned over the impact of `window` (N, 3): the largest turn of any piece.

    Before is -3.0..-1.5 s or what there is of it. None where there is nothing before, or no direction.
    """
    samples_before = len(window) - (WINDOW_SAMPLES - _MEAN_SAMPLES)
    if samples_before <= 0:
        return None
    before = window[:samples_before].mean(axis=0)
    first, last = len(window) - AFTER_SAMPLES + trigger.after, len(window) - trigger.piece
    turns = [_turn(before, window[at : at + trigger.piece].mean(axis=0)) for at in range(first, last + 1, trigger.piece // 2)]
    return None if None in turns else max(turn for turn in turns if turn is not None)


def _turn(a: NDArray[np.float64], b: NDArray[np.float64]) -> int | None:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return int(math.degrees(math.acos(np.clip(a @ b / lengths, -1, 1)))) if lengths else None
