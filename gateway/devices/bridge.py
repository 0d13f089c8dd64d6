"""What the drivers of our own firmware share: frame types, event keys, acknowledgements. Layouts as in firmware_stubs' bridge_frame.h.

7F ACK, gateway -> device    BB BB EE EE TT          boot, event, type of the frame that is acknowledged; little-endian
04 SOS, device -> gateway    BB BB EE EE AG AG KK    boot, event, age ms, 1 pressed / 2 cancelled
"""

import struct

from contract.events import EventKind
from gateway.bridges.framing import Frame, seal
from gateway.devices.driver import Reason, Refusal, Signal

WEARABLE_VITALS = 0x01
FALL_CANDIDATE = 0x02
WINDOW_CHUNK = 0x03
SOS = 0x04
PACKED_CHUNK = 0x06
BED_MAT = 0x10
PENDANT_STATUS = 0x11
BLE_NOTIFICATION = 0x20
BLE_BRIDGE_STATUS = 0x21
ACK = 0x7F

_ACK = struct.Struct("<HHB")
_SOS = struct.Struct("<HHHB")
_PRESSES = {1: EventKind.SOS, 2: EventKind.SOS_CANCELLED}


def key_of(boot: int, event: int) -> str:
    """Name of an event among all of one device: the random number of its start, and its count since."""
    return f"{boot:04x}-{event}"


def acknowledge(frame: Frame, boot: int, event: int) -> bytes:
    """The sealed frame that tells a device to stop repeating this event."""
    return seal(Frame(ACK, frame.address, event, _ACK.pack(boot, event, frame.type)))


def sos(frame: Frame) -> Signal | Refusal:
    """The press, or its cancellation, that an SOS frame reports. Raises struct.error for a wrong length."""
    boot, event, age_ms, kind = _SOS.unpack(frame.payload)
    if kind not in _PRESSES:
        return Refusal(Reason.FORMAT)
    return Signal(_PRESSES[kind], key_of(boot, event), age_ms / 1000, acknowledge(frame, boot, event))
