"""Blood pressure cuffs that keep their measurements until they are asked: Visomat double comfort and Beurer BM65, from their layouts.

Visomat  STX R00 ETX -> STX M1 nn (YYMMDDHHMM flag sys3 dia3 pulse3).. M2 nn .. ETX, one digit more behind a count of 00
BM65     AA -> 55    A4 -> 32 characters    A2 -> count    A3 n -> AC sys-25 dia-25 pulse month day hour minute year-2000, or A9
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CuffReading:
    """One measurement: the cuff's clock, mmHg, /min."""

    at: datetime
    systolic: int
    diastolic: int
    pulse: int


@dataclass(slots=True)
class Visomat:
    """The memory of both users, oldest first."""

    first: list[CuffReading] = field(default_factory=list)
    second: list[CuffReading] = field(default_factory=list)
    _asked: bytearray = field(default_factory=bytearray)

    def write(self, now_s: float) -> bytes:
        """It says nothing by itself."""
        return b""

    def answer(self, data: bytes, now_s: float) -> bytes:
        """The whole memory for each request in these bytes."""
        self._asked += data
        count = self._asked.count(b"\2R00\3")
        if count:
            self._asked.clear()
        del self._asked[:-4]
        return (b"\2" + _block(1, self.first) + _block(2, self.second) + b"\3") * count


def _block(user: int, readings: list[CuffReading]) -> bytes:
    rows = "".join(f"{one.at:%y%m%d%H%M}0{one.systolic:03}{one.diastolic:03}{one.pulse:03}" for one in readings)
    return f"M{user}{len(readings):02}{rows or '1'}".encode()


@dataclass(slots=True)
class Bm65:
    """The memory, newest first; None is an empty place."""

    readings: list[CuffReading | None] = field(default_factory=list)
    _asked: bytearray = field(default_factory=bytearray)

    def write(self, now_s: float) -> bytes:
        """It says nothing by itself."""
        return b""

    def answer(self, data: bytes, now_s: float) -> bytes:
        """The answers to the questions in these bytes, which may end within one."""
        self._asked += data
        answers = b""
        while self._asked and not (self._asked[0] == 0xA3 and len(self._asked) < 2):
            answers += self._answer(self._asked.pop(0))
        return answers

    def _answer(self, question: int) -> bytes:
        match question:
            case 0xAA:
                return b"\x55"
            case 0xA4:
                return b"BEURER BM65 UG".ljust(32)
            case 0xA2:
                return bytes((len(self.readings),))
            case 0xA3:
                index = self._asked.pop(0) - 1
                return _record(self.readings[index]) if 0 <= index < len(self.readings) else b"\xa9"
        return b""


def _record(one: CuffReading | None) -> bytes:
    if one is None:
        return b"\xa9"
    at = one.at
    return bytes((0xAC, one.systolic - 25, one.diastolic - 25, one.pulse, at.month, at.day, at.hour, at.minute, at.year - 2000))
