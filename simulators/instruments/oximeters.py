"""Finger oximeters, written from the vendors' layouts and not from the gateway's drivers: Contec V7 and V5, BCI, Nonin.

Contec V7  01 HH + 7 bytes with bit 7 set, HH carries the bits 7    Contec V5, BCI  5 bytes, bit 7 in the first alone
Nonin 2    01 SS PP FF KK, 25 make a packet                         Nonin 8   4 bytes, bit 7 in the first alone
Nonin 13   00 02 00 0D LL LL data KK 03
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle

from simulators.instruments.rhythm import Rhythm
from simulators.wire import OximeterState, bci_packet

CONTEC_PER_S, BCI_PER_S, NONIN_FRAMES_PER_S = 60, 100, 75
KEEP_ALIVE_S = 30.0
"""A CMS50 falls silent so long after the last keep-alive."""
NONIN_FLOATS = 25


@dataclass(slots=True)
class Contec7:
    """A CMS50D+ with one stored session. Pulse and SpO2 None: no finger. `perfusion` in percent, None where the model has none.

    `stored`: (SpO2, pulse) each second from `stored_at` on, (0, 0) for a second without a finger.
    """

    pulse: int | None = 72
    spo2: int | None = 97
    perfusion: float | None = 4.2
    stored_at: datetime | None = None
    stored: list[tuple[int, int]] = field(default_factory=list)
    commands: list[int] = field(default_factory=list)
    _until_s: float = 0.0
    _is_live: bool = False
    _asked: bytearray = field(default_factory=bytearray)
    _rhythm: Rhythm = field(default_factory=lambda: Rhythm(CONTEC_PER_S))

    def write(self, now_s: float) -> bytes:
        """Live packets while they are wanted and kept alive."""
        if not self._is_live or now_s > self._until_s:
            return b""
        return self._live() * self._rhythm.due(now_s)

    def answer(self, data: bytes, now_s: float) -> bytes:
        """Answers to whole commands; other bytes are passed over."""
        self._asked += data
        answers = b""
        while (at := self._asked.find(b"\x7d\x81")) >= 0 and len(self._asked) >= at + 9:
            answers += self._answer(self._asked[at + 2], now_s)
            del self._asked[: at + 9]
        return answers

    def _answer(self, code: int, now_s: float) -> bytes:
        self.commands.append(code)
        self._until_s = now_s + KEEP_ALIVE_S
        match code:
            case 0xA1:
                self._is_live = True
            case 0xA2:
                self._is_live = False
                return contec7(0x0C)
            case 0xA3:
                return contec7(0x0A, 0, 1 if self.stored else 0)
            case 0xA4:
                return contec7(0x08, 0, 0, *(2 * len(self.stored)).to_bytes(4, "little"))
            case 0xA5 if self.stored_at is not None:
                at = self.stored_at
                date = contec7(0x07, 0, 0, at.year // 100, at.year % 100, at.month, at.day)
                return date + contec7(0x12, 0, 0, at.hour, at.minute, at.second, 0)
            case 0xA6:
                return self._stored()
            case 0xAC:
                return contec7(0x0E, int(self.perfusion is None))
        return b""

    def _stored(self) -> bytes:
        padded = self.stored + [(0, 0)] * (-len(self.stored) % 3)
        triples = (padded[at : at + 3] for at in range(0, len(padded), 3))
        return b"".join(contec7(0x0F, *(byte for point in triple for byte in point)) for triple in triples)

    def _live(self) -> bytes:
        if self.pulse is None or self.spo2 is None:
            return contec7(0x01, 0x84, 0x40, 0x10, 0, 0, 0xFF, 0xFF)
        hundredths = 0xFFFF if self.perfusion is None else round(self.perfusion * 100)
        bar = 6 | (0x10 if self.perfusion is None else 0)
        return contec7(0x01, 5, 51, bar, self.pulse, self.spo2, *hundredths.to_bytes(2, "little"))


def contec7(kind: int, *values: int) -> bytes:
    """One packet: type, the bits 7 of all that follows, the values with bit 7 set."""
    high = sum((value >> 7) << place for place, value in enumerate(values))
    return bytes((kind, 0x80 | high, *(0x80 | value & 0x7F for value in values)))


@dataclass(slots=True)
class Contec5:
    """An older CMS50D+, which speaks by itself. Pulse and SpO2 None: no finger."""

    pulse: int | None = 72
    spo2: int | None = 97
    _rhythm: Rhythm = field(default_factory=lambda: Rhythm(CONTEC_PER_S))

    def write(self, now_s: float) -> bytes:
        """Live packets."""
        pulse, spo2 = self.pulse or 0, self.spo2 or 0
        out = 0x10 if self.pulse is None else 0
        return bytes((0x88, 51, (pulse & 0x80) >> 1 | out | 6, pulse & 0x7F, spo2)) * self._rhythm.due(now_s)

    def answer(self, data: bytes, now_s: float) -> bytes:
        """Nothing."""
        return b""


@dataclass(slots=True)
class Bci:
    """A BerryMed finger clip."""

    pulse: int | None = 72
    spo2: int | None = 97
    _rhythm: Rhythm = field(default_factory=lambda: Rhythm(BCI_PER_S))

    def write(self, now_s: float) -> bytes:
        """Live packets."""
        state = OximeterState(self.pulse, self.spo2, pleth=50 if self.pulse else 0, has_finger=self.pulse is not None)
        return bci_packet(state) * self._rhythm.due(now_s)

    def answer(self, data: bytes, now_s: float) -> bytes:
        """Nothing."""
        return b""


@dataclass(slots=True)
class Nonin:
    """A Nonin OEM module. It streams in `data_format` 2, 7 or 8; in 13 it sends what is put into `results`."""

    pulse: int | None = 72
    spo2: int | None = 97
    data_format: int = 2
    results: list[bytes] = field(default_factory=list)
    _asked: bytearray = field(default_factory=bytearray)
    _frames_sent: int = 0
    _rhythm: Rhythm = field(default_factory=lambda: Rhythm(NONIN_FRAMES_PER_S))
    _turn: Iterator[int] = field(default_factory=lambda: cycle(range(1, NONIN_FLOATS + 1)))

    def write(self, now_s: float) -> bytes:
        """Frames of the selected format."""
        if self.data_format == 13:
            results, self.results = b"".join(self.results), []
            return results
        turns = [next(self._turn) for _ in range(self._rhythm.due(now_s))]
        if self.data_format == 8:
            self._frames_sent += len(turns)
            seconds, self._frames_sent = divmod(self._frames_sent, NONIN_FRAMES_PER_S)
            return self._second() * seconds
        return b"".join(map(self._frame, turns))

    def answer(self, data: bytes, now_s: float) -> bytes:
        """ACK to a known format and to a time, NAK to an unknown format."""
        self._asked += data
        answers = b""
        while (at := self._asked.find(b"\x02\x70\x02\x02")) >= 0 and len(self._asked) >= at + 6:
            wanted = self._asked[at + 4]
            del self._asked[: at + 6]
            is_known = wanted in (2, 7, 8, 13)
            self.data_format = wanted if is_known else self.data_format
            answers += b"\x06" if is_known else b"\x15"
        if b"\x02\x72\x06" in self._asked and len(self._asked) >= self._asked.index(b"\x02\x72\x06") + 10:
            self._asked.clear()
            answers += b"\x06"
        return answers

    def _frame(self, turn: int) -> bytes:
        pulse = 511 if self.pulse is None else self.pulse
        spo2 = 127 if self.spo2 is None else self.spo2
        value = {1: pulse >> 7, 2: pulse & 0x7F, 3: spo2, 4: 48, 14: pulse >> 7, 15: pulse & 0x7F, 16: spo2}
        for place in (9, 10, 11, 17):
            value[place] = spo2
        for high in (20, 22):
            value[high], value[high + 1] = pulse >> 7, pulse & 0x7F
        status = 0x80 | (turn == 1) | (0x08 if self.pulse is None else 0x02)
        head = bytes((status, 0, 1)) if self.data_format == 7 else bytes((1, status, 1))
        body = head + bytes((value.get(turn, 0),))
        return body + bytes((sum(body) % 256,))

    def _second(self) -> bytes:
        pulse = 511 if self.pulse is None else self.pulse
        missing = 0x08 if self.pulse is None else 0
        return bytes((0x80 | pulse >> 7, pulse & 0x7F, 127 if self.spo2 is None else self.spo2, missing))


def nonin_result(at: datetime, pulse: int, spo2: int, *, from_memory: bool = False) -> bytes:
    """One record of format 13; the clock in BCD."""
    data = bytes.fromhex(f"{at:%Y%m%d%H%M%S}00") + bytes((0, 0x10 * from_memory, pulse >> 8, pulse & 0xFF, 0, spo2))
    return b"\x00\x02\x00\x0d" + len(data).to_bytes(2, "big") + data + bytes((sum(data) % 256, 0x03))
