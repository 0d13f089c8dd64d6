"""Beurer BM65 and BM58 cuffs (PL2303 in the cable): asked record by record for their memory.

    AA -> 55                          are you there
    A4 -> 32 characters               what are you
    A2 -> NN                          how many records
    A3 II -> AC SS DD PP MM TT HH NN YY      record II, from 1: systolic - 25, diastolic - 25, mmHg; pulse /min;
                                      month, day, hour, minute, year - 2000: local time
    A3 II -> A9                       this place is empty
                                      4800 8N1, no checksum: header and a plausible date make a record

Source: atbrask/BM65DataDownloader:beurer.py, McKael/gobm65:gobm65.go, curzon01/bm58:bm58.py. No capture was found.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from contract.quantities import QUANTITIES, QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Line, Options, Output, Reason, Refusal
from gateway.devices.stored import CuffRecord, Session

PING, DESCRIBE, COUNT, READ = 0xAA, 0xA4, 0xA2, 0xA3
PONG, RECORD, EMPTY = 0x55, 0xAC, 0xA9
RECORD_BYTES = 9
NAME_BYTES = 32
OFFSET_MMHG = 25
POLL_S = 60.0
"""A measurement is in the gateway at most this long after the cuff has stored it."""
ANSWER_S = 2.0
"""An answer of 32 characters takes 0.07 s; what has not come by then does not come, and the questions begin anew."""

COMMANDS: Mapping[str, bytes] = MappingProxyType(
    {"ping": bytes((PING,)), "describe": bytes((DESCRIBE,)), "count": bytes((COUNT,)), "read_first": bytes((READ, 1))}
)


@dataclass(frozen=True, slots=True)
class Record:
    """One stored measurement. `time` is the cuff's own clock, local, None where it says no possible time. None is "no value", never 0."""

    systolic_mmhg: int | None
    diastolic_mmhg: int | None
    pulse_bpm: int | None
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no record: `asked` is the question; `count` and `name` by question."""

    asked: int
    count: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Empty:
    """The place that was asked for holds no record."""


Packet = Record | Answer | Empty


class Reader:
    """Cuts answers. `asked` is the open question: a name and a count have no mark of their own. None: whatever has a mark is read.

    Behind bytes that answer nothing only a record is believed then: one byte alone may as well be the rest of a record without its head.
    """

    def __init__(self, asked: int | None = None) -> None:
        self.asked = asked
        self._part = bytearray()
        self._is_astray = False

    def feed(self, data: bytes) -> Iterator[Packet | Reason]:
        """Answers and reasons in these bytes, cut anywhere. FORMAT, once, for a run of bytes that answers nothing."""
        for byte in data:
            self._part.append(byte)
            yield from self._cut()

    def end(self) -> Iterator[Packet | Reason]:
        """TRUNCATED for an answer cut off, then what a false header had hidden."""
        while self._part:
            yield Reason.TRUNCATED
            self._is_astray = True
            del self._part[0]
            yield from self._cut()

    def clear(self) -> None:
        """Forget an answer cut off."""
        self._part.clear()
        self._is_astray = False

    def _cut(self) -> Iterator[Packet | Reason]:
        while self._part and len(self._part) >= self._wanted_bytes():
            packet = decode(bytes(self._part[: self._wanted_bytes()]), self.asked)
            if isinstance(packet, Reason) or (self._is_astray and self.asked is None and not isinstance(packet, Record)):
                del self._part[0]
                if not self._is_astray:
                    yield Reason.FORMAT
                self._is_astray = True
            else:
                del self._part[: self._wanted_bytes()]
                self._is_astray = False
                yield packet

    def _wanted_bytes(self) -> int:
        if self.asked == DESCRIBE:
            return NAME_BYTES
        return RECORD_BYTES if self._part[0] == RECORD and self.asked in (None, READ) else 1


def reader(context: Mapping[str, str]) -> Reader:
    """A reader for a capture; `reply_to` in the context is the question as two hex digits. Raises ValueError for what is none."""
    asked = context.get("reply_to")
    return Reader(int(asked, 16) if asked else None)


def decode(answer: bytes, asked: int | None) -> Packet | Reason:
    """Decode one whole answer, or say FORMAT: it does not answer the question, or its date is none."""
    if asked == DESCRIBE:
        return Answer(DESCRIBE, name=answer.decode("ascii", errors="replace").strip("\0 "))
    if asked == COUNT:
        return Answer(COUNT, count=answer[0])
    if answer[0] == PONG and asked in (None, PING):
        return Answer(PING)
    if answer[0] == EMPTY and asked in (None, READ):
        return Empty()
    if answer[0] == RECORD and len(answer) == RECORD_BYTES and asked in (None, READ):
        return _record(*answer[1:])
    return Reason.FORMAT


def _record(systolic: int, diastolic: int, pulse: int, *date: int) -> Record | Reason:
    """A date with zeros is of a clock never set; one with a 13th month is no date, so this is no record."""
    month, day, hour, minute, year = date
    if month > 12 or day > 31 or hour > 23 or minute > 59 or year > 99:
        return Reason.FORMAT
    try:
        time = datetime(2000 + year, month, day, hour, minute)
    except ValueError:
        time = None
    return Record(_pressure(systolic, QuantityName.SYSTOLIC), _pressure(diastolic, QuantityName.DIASTOLIC), pulse or None, time)


def _pressure(byte: int, quantity: QuantityName) -> int | None:
    pressure = byte + OFFSET_MMHG
    return pressure if byte and QUANTITIES[quantity].is_plausible(pressure) else None


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    if isinstance(packet, Empty):
        return {"record": None}
    if isinstance(packet, Answer):
        told: dict[str, JSON] = {"reply_to": f"{packet.asked:02X}", "ok": True}
        return told | {key: value for key, value in (("count", packet.count), ("name", packet.name)) if value is not None}
    return {
        "systolic_mmhg": packet.systolic_mmhg,
        "diastolic_mmhg": packet.diastolic_mmhg,
        "pulse_bpm": packet.pulse_bpm,
        "time": packet.time.isoformat(timespec="minutes") if packet.time else None,
    }


class BpBeurerBm65:
    """Driver state: the open question, the records of this round, and what the rounds before have told."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = math.inf
    line: ClassVar[Line] = Line(bauds=(4800,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = Reader(PING)
        self._session = Session()
        self._is_open = False
        self._asked_s = 0.0
        self._count = self._index = 0
        self._records: list[CuffRecord] = []

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def start(self, now_s: float) -> Iterable[Output]:
        """Ask for the whole memory: what is new in it was measured while the cuff was away."""
        self._session.interrupt()
        return [self._ask(PING, now_s)]

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere. Each answer brings the next question."""
        for byte in data:  # one by one, for the next question decides how the bytes behind this answer are read
            for item in self._reader.feed(bytes((byte,))):
                if isinstance(item, Reason):
                    yield Refusal(item)
                elif self._is_open:
                    yield Alive()
                    yield from self._go_on(item, now_s)

    def tick(self, now_s: float) -> Iterable[Output]:
        """Begin anew every POLL_S, or where an answer stays away."""
        if self._is_open and now_s - self._asked_s >= ANSWER_S:
            self._is_open = False
            yield from self._end_of_answer()
        if now_s - self._asked_s >= POLL_S:
            yield self._ask(PING, now_s)

    def _end_of_answer(self) -> Iterator[Output]:
        if any(isinstance(item, Reason) for item in self._reader.end()):
            yield Refusal(Reason.TRUNCATED)

    def _ask(self, question: int, now_s: float, index: int = 0) -> Command:
        self._reader.clear()
        self._reader.asked = question
        self._is_open, self._asked_s, self._index = True, now_s, index
        return Command(bytes((question, index)) if index else bytes((question,)))

    def _go_on(self, packet: Packet, now_s: float) -> Iterator[Output]:
        if isinstance(packet, Answer) and packet.asked == PING:
            yield self._ask(DESCRIBE, now_s)
        elif isinstance(packet, Answer) and packet.asked == DESCRIBE:
            yield self._ask(COUNT, now_s)
        elif isinstance(packet, Answer):
            self._count, self._records = packet.count or 0, []
            yield from self._next_record(1, now_s)
        else:
            if isinstance(packet, Record):
                self._records.append(CuffRecord(packet.time, packet.systolic_mmhg, packet.diastolic_mmhg, packet.pulse_bpm))
            yield from self._next_record(self._index + 1, now_s)

    def _next_record(self, index: int, now_s: float) -> Iterator[Output]:
        if index <= self._count:
            yield self._ask(READ, now_s, index)
        else:
            self._is_open = False
            yield from self._session.tell(self._records)
