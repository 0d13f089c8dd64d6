"""Our own BLE-to-UART bridge itself: a sign of life every 10 s. What it passes on comes with the addresses of its devices.

    21 BLE BRIDGE STATUS    PP DD DD    own devices in reach 0..8, frames that found no room since its start, little-endian

A bridge that drops frames hears more than its line carries: each rise is counted as UNRELIABLE among its rejects, and a device whose
event was dropped repeats it. Layout as in firmware_stubs' bridge_frame.h.
"""

import struct
from collections.abc import Iterable
from typing import ClassVar

from gateway.bridges.framing import Frame
from gateway.devices import bridge
from gateway.devices.driver import NO_OPTIONS, Alive, Line, Options, Output, Reason, Refusal

_STATUS = struct.Struct("<BH")
STATUS_S = 10.0


class BleBridge:
    """Driver state: how many frames it had dropped when last heard."""

    is_framed: ClassVar[bool] = True
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 3.5 * STATUS_S
    line: ClassVar[Line] = Line(bauds=(115200,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._dropped: int | None = None

    def start(self, now_s: float) -> Iterable[Output]:
        """It needs no telling."""
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Never called: it speaks frames."""
        raise NotImplementedError

    def tick(self, now_s: float) -> Iterable[Output]:
        """Time alone changes nothing here."""
        return []

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Decode one frame. A wrong length or an unknown type is a refusal."""
        if frame.type != bridge.BLE_BRIDGE_STATUS:
            return [Refusal(Reason.UNKNOWN_TYPE)]
        if len(frame.payload) != _STATUS.size:
            return [Refusal(Reason.LENGTH)]
        _reached, dropped = _STATUS.unpack(frame.payload)
        before, self._dropped = self._dropped, dropped
        return [Refusal(Reason.UNRELIABLE)] if before is not None and dropped > before else [Alive()]
