"""Hi-Link presence radars LD1125H, LD2410 and LD2450, written from the vendor's layouts.

LD1125H "mov, dis=1.23" or "occ, dis=0.85" while somebody is there, "rmax is 6.00" and so on to "get_all"; lines end with CR LF
LD2410  F4F3F2F1 len LE | 02 AA state | moving cm u16, energy | still cm u16, energy | cm u16 | 55 00 | F8F7F6F5
LD2450  AA FF 03 00 | 3 x (x, y, speed, resolution: u16 LE, bit 15 set is plus) | 55 CC
"""

import struct
from dataclasses import dataclass, field

from simulators.instruments.rhythm import Rhythm

FRAMES_PER_S = 10
LINES_PER_S = 4


@dataclass(slots=True)
class Ld1125h:
    """What the radar sees: a distance in cm; nobody while `is_present` is False."""

    is_present: bool = True
    is_moving: bool = False
    distance_cm: int = 140
    _asked: bytearray = field(default_factory=bytearray)
    _rhythm: Rhythm = field(default_factory=lambda: Rhythm(LINES_PER_S))

    def write(self, now_s: float) -> bytes:
        """What the radar says by itself until now."""
        due = self._rhythm.due(now_s)
        line = f"{'mov' if self.is_moving else 'occ'}, dis={self.distance_cm / 100:.2f}\r\n"
        return line.encode() * due if self.is_present else b""

    def answer(self, data: bytes, now_s: float) -> bytes:
        """All settings, for each question in these bytes."""
        self._asked += data
        *lines, rest = self._asked.split(b"\n")
        self._asked = bytearray(rest[-80:])
        return b"rmax is 6.00\r\nmth1_mov is 60\r\nmth1_occ is 60\r\n" * sum(line.strip() == b"get_all" for line in lines)


@dataclass(slots=True)
class Ld2410:
    """What the radar sees: distances in cm; nobody while `is_present` is False."""

    is_present: bool = True
    is_moving: bool = False
    distance_cm: int = 140
    _asked: bytearray = field(default_factory=bytearray)
    _rhythm: Rhythm = field(default_factory=lambda: Rhythm(FRAMES_PER_S))

    def write(self, now_s: float) -> bytes:
        """What the radar says by itself until now."""
        return self._report() * self._rhythm.due(now_s)

    def answer(self, data: bytes, now_s: float) -> bytes:
        """Every command is acknowledged with status 0."""
        self._asked += data
        answers = b""
        while (end := self._asked.find(b"\4\3\2\1")) >= 0:
            command = bytes(self._asked[:end])
            del self._asked[: end + 4]
            if (start := command.find(b"\xfd\xfc\xfb\xfa")) >= 0 and len(command) >= start + 8:
                answers += b"\xfd\xfc\xfb\xfa\4\0" + command[start + 6 : start + 7] + b"\1\0\0\4\3\2\1"
        return answers

    def _report(self) -> bytes:
        state = 0 if not self.is_present else 1 if self.is_moving else 2
        moving, still = (self.distance_cm if state == which else 0 for which in (1, 2))
        body = struct.pack("<BBBHBHBH", 2, 0xAA, state, moving, bool(moving) * 60, still, bool(still) * 60, max(moving, still))
        return b"\xf4\xf3\xf2\xf1" + struct.pack("<H", len(body) + 2) + body + b"\x55\0\xf8\xf7\xf6\xf5"


@dataclass(slots=True)
class Ld2450:
    """Whom the radar sees: at most three of (x mm, y mm, speed cm/s)."""

    targets: list[tuple[int, int, int]] = field(default_factory=lambda: [(-782, 1713, -16)])
    _rhythm: Rhythm = field(default_factory=lambda: Rhythm(FRAMES_PER_S))

    def write(self, now_s: float) -> bytes:
        """What the radar says by itself until now."""
        slots = b"".join(struct.pack("<HHHH", *map(_sign_and_size, target), 320) for target in self.targets[:3])
        return (b"\xaa\xff\3\0" + slots.ljust(24, b"\0") + b"\x55\xcc") * self._rhythm.due(now_s)

    def answer(self, data: bytes, now_s: float) -> bytes:
        """It is not asked anything."""
        return b""


def _sign_and_size(number: int) -> int:
    return number | 0x8000 if number >= 0 else -number
