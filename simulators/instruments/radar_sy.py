"""A "53 59" radar over a bed: MR60BHA1 and R60A with either dialect, or MR60FDA1. Written from the vendor's layout, not from the driver.

    53 59 ctrl cmd lenH lenL data sum 54 43

Set its attributes; it reports them as the module does: rates and waves in turn, presence, bed and fall when they change, a fall again and
again while it lasts. It answers what it is asked: model 02 A1, firmware 02 A4, presence 80 81, heartbeat 01 01, mode 84 0F.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

from simulators.instruments.rhythm import Rhythm

FRAMES_PER_S = 5
MODEL, FIRMWARE = b"MR60BHA1", b"G60SM1SYv010009"
_QUESTION_BYTES = 10


def sy_frame(ctrl: int, cmd: int, *data: int) -> bytes:
    """One frame: start, ctrl, cmd, length big-endian, data, sum of all before modulo 256, end."""
    body = bytes((0x53, 0x59, ctrl, cmd, len(data) >> 8, len(data) & 0xFF, *data))
    return body + bytes((sum(body) % 256, 0x54, 0x43))


@dataclass(slots=True)
class RadarSy:
    """What the radar sees. Rates per minute, None while it does not know them; movement 0..100; distance in cm."""

    dialect: int = 2
    firmware: bytes = FIRMWARE
    heart_rate: int | None = 68
    respiration: int | None = 15
    is_present: bool = True
    is_in_bed: bool | None = True
    is_fallen: bool = False
    movement: int = 3
    distance_cm: int = 120
    _told: dict[str, object] = field(default_factory=dict)
    _asked: bytearray = field(default_factory=bytearray)
    _rhythm: Rhythm = field(default_factory=lambda: Rhythm(FRAMES_PER_S))
    _turn: Iterator[int] = field(default_factory=lambda: cycle(range(5)))

    def write(self, now_s: float) -> bytes:
        """What the radar says by itself until now."""
        due = self._rhythm.due(now_s)
        return (self._changes() if due else b"") + b"".join(self._report(next(self._turn)) for _ in range(due))

    def answer(self, data: bytes, now_s: float) -> bytes:
        """What it says to these bytes, which may be part of a question."""
        self._asked += data
        answers = b""
        while (at := self._asked.find(b"\x53\x59")) >= 0 and len(self._asked) >= at + _QUESTION_BYTES:
            question = bytes(self._asked[at : at + _QUESTION_BYTES])
            del self._asked[: at + _QUESTION_BYTES]
            if question == sy_frame(question[2], question[3], question[6]):
                answers += self._answer(question)
        return answers

    def _answer(self, question: bytes) -> bytes:
        match question[2], question[3]:
            case 0x02, 0xA1:
                return sy_frame(0x02, 0xA1, *MODEL)
            case 0x02, 0xA4:
                return sy_frame(0x02, 0xA4, *self.firmware)
            case 0x80, 0x81:
                return sy_frame(0x80, 0x81, self.is_present)
            case (0x01, 0x01) | (0x84, 0x0F):
                return question
        return b""

    def _changes(self) -> bytes:
        now: dict[str, object] = {"present": self.is_present, "bed": self.is_in_bed, "fallen": self.is_fallen}
        changed = {name for name, state in now.items() if self._told.get(name, False) != state}
        self._told = now
        bed = 2 if self.is_in_bed is None else int(self.is_in_bed)
        frames = {
            "present": sy_frame(0x80, 0x01, self.is_present),
            "bed": sy_frame(0x84, 0x01, bed),
            "fallen": sy_frame(0x83, 0x01, self.is_fallen),
        }
        return b"".join(frames[name] for name in frames if name in changed)

    def _report(self, turn: int) -> bytes:
        is_old = self.dialect == 1
        distance = self.distance_cm.to_bytes(2, "big")
        reports = (
            sy_frame(0x81 if is_old else 0x85, 0x02, self.heart_rate or 0),
            sy_frame(0x81, 0x05 if is_old else 0x02, self.respiration or 0),
            sy_frame(0x81, 0x06 if is_old else 0x05, *(128,) * 5),
            sy_frame(0x80, 0x03, self.movement),
            sy_frame(0x81, 0x08, *distance) if is_old else sy_frame(0x80, 0x04, *distance),
        )
        return reports[turn] + (sy_frame(0x83, 0x01, 1) if self.is_fallen else b"")
