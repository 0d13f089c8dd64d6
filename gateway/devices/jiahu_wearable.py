"""Our own wearable: vitals once a second, SOS, and fall candidates with the raw window around the impact.

    01 VITALS          HH SS TT TT NN NN BB FF       heart rate /min, SpO2 %, skin temperature i16 0.01 Cel, steps, battery %, flags
    02 FALL CANDIDATE  BB BB EE EE AG AG PP PP TU RT CH II II
                       boot, event, age ms, peak mg, turn degrees, rate Hz, chunks, row of the peak
    03 WINDOW CHUNK    BB BB EE EE IX CH (XX XX YY YY ZZ ZZ)*      boot, event, index, chunks, i16 mg, at most 40 rows
    06 PACKED CHUNK    BB BB EE EE IX CH (SS SS SS SS)*            as 03, but a row in 32 bits: 0-9 x, 10-19 y, 20-29 z, signed, and
                                                                   30-31 the step of all three: 0 4 mg, 1 8 mg, 2 16 mg, 3 64 mg;
                                                                   a field stands for the middle of its step
    04 SOS             BB BB EE EE AG AG KK          boot, event, age ms, 1 pressed / 2 cancelled

Little-endian. Missing: heart rate 0, SpO2 0, temperature 7FFF, battery FF. Flags bit 0: worn; off the body no value is believed.
Candidate and chunks are repeated until acknowledged, so chunks of repeats fill the holes of earlier ones.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from contract.events import AccelerationWindow, EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices import bridge
from gateway.devices.driver import NO_OPTIONS, Line, Measurement, Options, Output, Reason, Refusal, Signal

_VITALS = struct.Struct("<BBhHBB")
_CANDIDATE = struct.Struct("<HHHHBBBH")
_CHUNK = struct.Struct("<HHBB")
_ROW = struct.Struct("<hhh")
_PACKED_ROW = struct.Struct("<I")
_PACKED_STEPS_MG = (4, 8, 16, 64)
TEMPERATURE_MISSING = 0x7FFF
BATTERY_UNKNOWN = 0xFF
WORN = 0x01
WINDOW_WAIT_S = 7.0
"""The device repeats every 2 s: three sets may be damaged before a candidate is judged without its whole window."""
CANDIDATES_MAX = 4
"""More at once than the device can hold; the oldest is then judged without its window rather than lost."""
CHUNKS_MAX = 14
"""5.5 s at 100 samples per second, 40 in a chunk; or at 50 and 20, packed."""

Row = tuple[int, int, int]


@dataclass(slots=True)
class _Candidate:
    frame: Frame
    boot: int
    event: int
    impact_s: float
    first_s: float
    rate_hz: int
    chunk_count: int
    peak_index: int
    chunks: dict[int, list[Row]] = field(default_factory=dict)


class Wearable:
    """Driver state: fall candidates whose windows are not complete."""

    is_framed: ClassVar[bool] = True
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 10.0
    line: ClassVar[Line] = Line(bauds=(115200,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._candidates: dict[tuple[int, int], _Candidate] = {}

    def start(self, now_s: float) -> Iterable[Output]:
        """Its bridge needs no telling."""
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Never called: this device sits behind a bridge."""
        raise NotImplementedError

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Decode one frame. A wrong length or an unknown type is a refusal."""
        try:
            if frame.type == bridge.WEARABLE_VITALS:
                return list(_vitals(*_VITALS.unpack(frame.payload)))
            if frame.type == bridge.SOS:
                return [bridge.sos(frame)]
            if frame.type == bridge.FALL_CANDIDATE:
                return self._take_candidate(frame, now_s)
            if frame.type == bridge.WINDOW_CHUNK:
                return self._take_chunk(frame, now_s, [*_ROW.iter_unpack(frame.payload[_CHUNK.size :])])
            if frame.type == bridge.PACKED_CHUNK:
                return self._take_chunk(frame, now_s, [_unpack(*row) for row in _PACKED_ROW.iter_unpack(frame.payload[_CHUNK.size :])])
        except struct.error:
            return [Refusal(Reason.LENGTH)]
        return [Refusal(Reason.UNKNOWN_TYPE)]

    def tick(self, now_s: float) -> Iterable[Output]:
        """Hand over candidates whose windows stayed incomplete for WINDOW_WAIT_S: without a window, which never clears them of a fall."""
        for key, candidate in list(self._candidates.items()):
            if now_s - candidate.first_s >= WINDOW_WAIT_S:
                del self._candidates[key]
                yield _signal(candidate, None, now_s)

    def _take_candidate(self, frame: Frame, now_s: float) -> Iterable[Output]:
        boot, event, age_ms, _peak, _turn, rate_hz, chunk_count, peak_index = _CANDIDATE.unpack(frame.payload)
        if not rate_hz or not 1 <= chunk_count <= CHUNKS_MAX:
            return [Refusal(Reason.FORMAT)]
        candidate = self._candidates.get((boot, event))
        if candidate is None:
            candidate = _Candidate(frame, boot, event, now_s - age_ms / 1000, now_s, rate_hz, chunk_count, peak_index)
            self._candidates[boot, event] = candidate
        return list(self._give_way(now_s))

    def _give_way(self, now_s: float) -> Iterator[Signal]:
        while len(self._candidates) > CANDIDATES_MAX:
            yield _signal(self._candidates.pop(next(iter(self._candidates))), None, now_s)

    def _take_chunk(self, frame: Frame, now_s: float, rows: list[Row]) -> Iterable[Output]:
        boot, event, index, chunk_count = _CHUNK.unpack_from(frame.payload)
        if not rows:
            return [Refusal(Reason.LENGTH)]
        candidate = self._candidates.get((boot, event))
        if candidate is None:
            return []
        if chunk_count != candidate.chunk_count or index >= chunk_count:
            return [Refusal(Reason.FORMAT)]
        candidate.chunks[index] = rows
        return self._finish(candidate, now_s)

    def _finish(self, candidate: _Candidate, now_s: float) -> Iterable[Output]:
        if len(candidate.chunks) < candidate.chunk_count:
            return []
        del self._candidates[candidate.boot, candidate.event]
        rows = [row for index in sorted(candidate.chunks) for row in candidate.chunks[index]]
        x, y, z = ([row[axis] for row in rows] for axis in range(3))
        return [_signal(candidate, AccelerationWindow(rate_hz=candidate.rate_hz, x=x, y=y, z=z), now_s)]


def _unpack(packed: int) -> Row:
    half_mg = _PACKED_STEPS_MG[packed >> 30] // 2
    x, y, z = ((packed >> at & 0x3FF ^ 0x200) - 0x200 for at in (0, 10, 20))
    return (2 * x + 1) * half_mg, (2 * y + 1) * half_mg, (2 * z + 1) * half_mg


def _vitals(heart_rate: int, spo2: int, temperature: int, _steps: int, battery: int, flags: int) -> Iterator[Output]:
    if battery != BATTERY_UNKNOWN:
        yield Measurement(QuantityName.BATTERY, battery)
    if not flags & WORN:
        yield Refusal(Reason.NO_CONTACT)
        return
    if heart_rate:
        yield Measurement(QuantityName.HEART_RATE, heart_rate)
    if spo2:
        yield Measurement(QuantityName.SPO2, spo2)
    if temperature != TEMPERATURE_MISSING:
        yield Measurement(QuantityName.SKIN_TEMPERATURE, temperature / 100)


def _signal(candidate: _Candidate, window: AccelerationWindow | None, now_s: float) -> Signal:
    return Signal(
        EventKind.FALL,
        bridge.key_of(candidate.boot, candidate.event),
        now_s - candidate.impact_s,
        bridge.acknowledge(candidate.frame, candidate.boot, candidate.event),
        window,
        candidate.peak_index,
        is_candidate=True,
    )
