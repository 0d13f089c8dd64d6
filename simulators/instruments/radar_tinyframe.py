"""A radar that speaks TinyFrame: MR60BHA2 ("heart") or MR60FDA2 and HLK-LD6002C ("fall"). Written from the vendor's layout.

    01 | ID u16 BE | LEN u16 BE | TYPE u16 BE | NOT XOR of these 7 | data LE | NOT XOR of the data, where there is any

It prints its text between frames, as the module does, acknowledges every command and answers settings with 1.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulators.instruments.rhythm import Rhythm

FRAMES_PER_S = 10
DEBUG_TEXT = b"\r\n it's working!!!!\r\n"
DEBUG_EVERY = 50
_PARAMETERS = struct.pack("<ffIffff", 2.2, 0.6, 10, 0.5, 0.5, 0.5, 0.5)


def tiny_frame(kind: int, data: bytes = b"", number: int = 0) -> bytes:
    """One frame."""
    head = b"\x01" + number.to_bytes(2, "big") + len(data).to_bytes(2, "big") + kind.to_bytes(2, "big")
    return head + _checked(head) + (data + _checked(data) if data else b"")


def _checked(data: bytes) -> bytes:
    total = 0
    for byte in data:
        total ^= byte
    return bytes((~total & 0xFF,))


@dataclass(slots=True)
class RadarTinyFrame:
    """What the radar sees. Rates per minute, None while it does not know them; distance in cm."""

    model: str = "heart"
    heart_rate: float | None = 68.0
    respiration: float | None = 15.0
    is_present: bool = True
    is_fallen: bool = False
    distance_cm: float = 120.0
    settings: dict[int, bytes] = field(default_factory=dict)
    _number: int = 0x4200
    _asked: bytearray = field(default_factory=bytearray)
    _rhythm: Rhythm = field(default_factory=lambda: Rhythm(FRAMES_PER_S))

    def write(self, now_s: float) -> bytes:
        """What the radar says by itself until now."""
        return b"".join(self._report() for _ in range(self._rhythm.due(now_s)))

    def answer(self, data: bytes, now_s: float) -> bytes:
        """What it says to these bytes, which may be part of a command."""
        self._asked += data
        return b"".join(self._obey(kind, values) for kind, values in self._commands())

    def _commands(self) -> Iterator[tuple[int, bytes]]:
        while len(self._asked) >= 8:
            length, kind = struct.unpack_from(">HH", self._asked, 3)
            if self._asked[0] != 1 or _checked(bytes(self._asked[:7])) != self._asked[7:8]:
                del self._asked[0]
                continue
            end = 8 + length + bool(length)
            if len(self._asked) < end:
                return
            values = bytes(self._asked[8 : 8 + length])
            del self._asked[:end]
            yield kind, values

    def _obey(self, kind: int, values: bytes) -> bytes:
        if kind == 0xFFFF:
            return tiny_frame(kind, b"1.6.10\0\0")
        if kind == 0x0E06:
            return tiny_frame(kind) + tiny_frame(kind, _PARAMETERS)
        self.settings[kind] = values
        return tiny_frame(kind) + (tiny_frame(kind, b"\1") if kind in (0x0E04, 0x0E08, 0x0E0A, 0x0E0C) else b"")

    def _report(self) -> bytes:
        self._number = (self._number + 1) & 0x7FFF
        text = DEBUG_TEXT if self._number % DEBUG_EVERY == 0 else b""
        reports = self._heart() if self.model == "heart" else self._fall()
        kind, data = reports[self._number % len(reports)]
        return text + tiny_frame(kind, data, self._number)

    def _heart(self) -> list[tuple[int, bytes]]:
        return [
            (0x0A13, struct.pack("<fff", 3.79, 0.81, 0.16)),
            (0x0A14, struct.pack("<f", self.respiration or 0)),
            (0x0A15, struct.pack("<f", self.heart_rate or 0)),
            (0x0A16, struct.pack("<If", self.is_present, self.distance_cm)),
            (0x0F09, struct.pack("<H", self.is_present)),
        ]

    def _fall(self) -> list[tuple[int, bytes]]:
        return [(0x0F09, struct.pack("<H", self.is_present)), (0x0E02, bytes((self.is_fallen,)))]
