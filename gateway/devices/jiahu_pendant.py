"""Our own SOS pendant: a button and a battery.

    04 SOS               BB BB EE EE AG AG KK    boot, event, age ms, 1 pressed / 2 cancelled; repeated until acknowledged
    11 PENDANT STATUS    BB                      battery %, FF unknown; every minute

Little-endian. Layouts as in firmware_stubs' bridge_frame.h.
"""

import struct
from collections.abc import Iterable
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices import bridge
from gateway.devices.driver import NO_OPTIONS, Alive, Line, Measurement, Options, Output, Reason, Refusal

BATTERY_UNKNOWN = 0xFF
STATUS_S = 60.0


class Pendant:
    """No state: every frame says all there is."""

    is_framed: ClassVar[bool] = True
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 3.5 * STATUS_S
    """Three statuses may be lost on the air."""
    line: ClassVar[Line] = Line(bauds=(115200,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        pass

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
        try:
            if frame.type == bridge.SOS:
                return [bridge.sos(frame)]
            if frame.type == bridge.PENDANT_STATUS:
                return _status(*struct.unpack("<B", frame.payload))
        except struct.error:
            return [Refusal(Reason.LENGTH)]
        return [Refusal(Reason.UNKNOWN_TYPE)]


def _status(battery: int) -> list[Output]:
    return [Alive()] if battery == BATTERY_UNKNOWN else [Measurement(QuantityName.BATTERY, battery)]
