"""A Bluetooth health device behind our own BLE-to-UART bridge: whatever it notifies comes in frames of the address it was bonded with.

    20 BLE NOTIFICATION    UU UU DD..    16-bit number of the characteristic, little-endian, and its value as it was notified

What a value means stands in `gateway.devices.gatt`. Layout as in firmware_stubs' bridge_frame.h.
"""

import math
import struct
from collections.abc import Iterable
from typing import ClassVar

from gateway.bridges.framing import Frame
from gateway.devices import bridge, gatt
from gateway.devices.driver import NO_OPTIONS, Line, Options, Output, Reason, Refusal

_CHARACTERISTIC = struct.Struct("<H")


class BleDevice:
    """No state: each value stands for itself."""

    is_framed: ClassVar[bool] = True
    is_fast: ClassVar[bool] = True
    """A belt tells each beat."""
    quiet_s: ClassVar[float] = math.inf
    """A cuff speaks when it is used; a belt in a drawer is no fault."""
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
        """Decode one frame. No whole number of a characteristic, an unknown one, or an unknown type is a refusal."""
        if frame.type != bridge.BLE_NOTIFICATION:
            return [Refusal(Reason.UNKNOWN_TYPE)]
        if len(frame.payload) < _CHARACTERISTIC.size:
            return [Refusal(Reason.LENGTH)]
        (characteristic,) = _CHARACTERISTIC.unpack_from(frame.payload)
        return gatt.outputs(f"{characteristic:04x}", frame.payload[_CHARACTERISTIC.size :])
