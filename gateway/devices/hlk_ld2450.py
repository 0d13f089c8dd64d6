"""Hi-Link HLK-LD2450 radars: where up to three people are, ten times a second.

    AA FF 03 00 | XX XX YY YY VV VV RR RR | the same for target 2 | and for target 3 | 55 CC      30 bytes, 256000 8N1

    XX to the side, mm    YY away from the radar, mm    VV speed, cm/s: bit 15 set is plus, clear is minus, bits 0-14 the size
    RR resolution, mm, without sign                     eight zero bytes: this slot is empty

Little-endian. No checksum: start and end must both be right.
Source: vendor's serial protocol of the LD2450; captures in esphome/esphome:tests/integration/fixtures/uart_mock_ld2450.yaml.
"""

import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.cutter import Cutter
from gateway.devices.driver import JSON, NO_OPTIONS, Line, Measurement, Options, Output, Reason, Refusal

START, END = b"\xaa\xff\x03\x00", b"\x55\xcc"
FRAME_BYTES = 30
_SLOT = struct.Struct("<HHHH")
MM_PER_CM = 10


@dataclass(frozen=True, slots=True)
class Target:
    """One person seen."""

    x_mm: int
    y_mm: int
    speed_cm_s: int
    resolution_mm: int


@dataclass(frozen=True, slots=True)
class Packet:
    """One report; no targets: nobody is seen."""

    targets: tuple[Target, ...]


def reader(context: Mapping[str, str]) -> Cutter[Packet]:
    """A reader for a capture; the context says nothing here."""
    return Cutter((START,), _look)


def _look(buffer: bytearray) -> tuple[int, Packet | Reason] | Reason | None:
    if len(buffer) < FRAME_BYTES:
        return None
    if buffer[FRAME_BYTES - len(END) : FRAME_BYTES] != END:
        return Reason.FORMAT
    return FRAME_BYTES, decode(bytes(buffer[:FRAME_BYTES]))


def decode(frame: bytes) -> Packet:
    """Decode a frame of 30 bytes whose start and end are right."""
    slots = _SLOT.iter_unpack(frame[len(START) : -len(END)])
    return Packet(tuple(Target(_signed(x), _signed(y), _signed(speed), size) for x, y, speed, size in slots if x or y or speed or size))


def _signed(number: int) -> int:
    """Sign and size, and the sign bit set means plus."""
    return number & 0x7FFF if number & 0x8000 else -(number & 0x7FFF)


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    return {
        "targets": [
            {"x_mm": one.x_mm, "y_mm": one.y_mm, "speed_cm_s": one.speed_cm_s, "resolution_mm": one.resolution_mm}
            for one in packet.targets
        ]
    }  # fmt: skip


class HlkLd2450:
    """Driver state: the reader alone. The radar reports by itself and needs no command."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = True
    quiet_s: ClassVar[float] = 2.0
    line: ClassVar[Line] = Line(bauds=(256000,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = reader(options.settings)

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def start(self, now_s: float) -> Iterable[Output]:
        """Nothing to send."""
        self._reader.clear()
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        return _tell(self._reader.feed(data, now_s))

    def tick(self, now_s: float) -> Iterable[Output]:
        """Give up a frame cut off."""
        return _tell(self._reader.overdue(now_s))


def _tell(items: Iterable[Packet | Reason]) -> Iterator[Output]:
    """Whether anybody is there, and how far the nearest is, cm along the floor."""
    for item in items:
        if isinstance(item, Reason):
            yield Refusal(item)
        else:
            yield Measurement(QuantityName.PRESENCE, bool(item.targets))
            nearest_mm = min((math.hypot(one.x_mm, one.y_mm) for one in item.targets), default=0.0)
            if nearest_mm:  # nobody stands in the radar itself
                yield Measurement(QuantityName.DISTANCE, nearest_mm / MM_PER_CM)
