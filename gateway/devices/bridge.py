"""What the drivers of our own firmware share: frame types, event keys, acknowledgements. Layouts as in firmware_stubs' bridge_frame.h.

7F ACK, gateway -> device    BB BB EE EE TT    boot, event, type of the frame that is acknowledged; little-endian
"""

import struct

from gateway.bridges.framing import Frame, seal

WEARABLE_VITALS = 0x01
FALL_CANDIDATE = 0x02
WINDOW_CHUNK = 0x03
SOS = 0x04
PACKED_CHUNK = 0x06
BED_MAT = 0x10
ACK = 0x7F

_ACK = struct.Struct("<HHB")


def key_of(boot: int, event: int) -> str:
    """Name of an event among all of one device: the random number of its start, and its count since."""
    return f"{boot:04x}-{event}"


def acknowledge(frame: Frame, boot: int, event: int) -> bytes:
    """The sealed frame that tells a device to stop repeating this event."""
    return seal(Frame(ACK, frame.address, event, _ACK.pack(boot, event, frame.type)))
