"""Our own bed mat: who lies in it, and how they breathe.

    10 BED MAT    OO RR HH MM BB    occupied 0/1, respiration /min, heart rate /min, movement 0..100, battery %

Missing: occupied FF, respiration 0, heart rate 0, movement FF, battery FF. An empty bed breathes nothing: its rates are not believed.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import ClassVar

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices import bridge
from gateway.devices.driver import NO_OPTIONS, Line, Measurement, Options, Output, Reason, Refusal, Signal

_STATE = struct.Struct("<BBBBB")
MISSING = 0xFF


class BedMat:
    """Driver state: whether somebody lay in the bed when last heard, so that getting in or out is one event."""

    is_framed: ClassVar[bool] = True
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 15.0
    line: ClassVar[Line] = Line(bauds=(115200,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._was_occupied: bool | None = None

    def start(self, now_s: float) -> Iterable[Output]:
        """Its bridge needs no telling."""
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Never called: this device sits behind a bridge."""
        raise NotImplementedError

    def tick(self, now_s: float) -> Iterable[Output]:
        """Time alone changes nothing here."""
        return []

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Decode one frame. A wrong length or an unknown type is a refusal."""
        if frame.type != bridge.BED_MAT:
            return [Refusal(Reason.UNKNOWN_TYPE)]
        if len(frame.payload) != _STATE.size:
            return [Refusal(Reason.LENGTH)]
        return list(self._state(*_STATE.unpack(frame.payload)))

    def _state(self, occupied: int, respiration: int, heart_rate: int, movement: int, battery: int) -> Iterator[Output]:
        if battery != MISSING:
            yield Measurement(QuantityName.BATTERY, battery)
        if occupied not in (0, 1):
            yield Refusal(Reason.NO_CONTACT)
            return
        yield from self._entry_or_exit(bool(occupied))
        yield Measurement(QuantityName.BED_OCCUPIED, occupied)
        if movement != MISSING:
            yield Measurement(QuantityName.MOVEMENT, movement)
        if occupied and respiration:
            yield Measurement(QuantityName.RESPIRATION_RATE, respiration)
        if occupied and heart_rate:
            yield Measurement(QuantityName.HEART_RATE, heart_rate)

    def _entry_or_exit(self, is_occupied: bool) -> Iterator[Signal]:
        if self._was_occupied is not None and is_occupied is not self._was_occupied:
            yield Signal(EventKind.BED_ENTRY if is_occupied else EventKind.BED_EXIT, "")
        self._was_occupied = is_occupied
