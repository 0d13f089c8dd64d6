"""Visomat double comfort cuffs (USB 1247:00F8): asked for its memory, the cuff tells every stored measurement of both users.

    02 'R00' 03      the request, to the cuff
    02 M1 nn record.. M2 nn record.. 03      the answer, ASCII between STX and ETX

    M1, M2 the user    nn number of records, two digits; after 00 there is one more digit that means nothing
    record  YYMMDDHHMM F SSS DDD PPP      local time, flag, systolic and diastolic mmHg, pulse /min: 20 digits

No checksum: the answer must be digits of exactly the length that it states, and the values plausible. The clock is often not set: of
13 records in a real answer 5 carry June 2044 and 7 the first of January 2010.
Source: README of visomat-utils (git.ao2.it) with the payload read from a device.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Line, Options, Output, Reason, Refusal
from gateway.devices.stored import CuffRecord, Session

STX, ETX = b"\x02", b"\x03"
COMMANDS: Mapping[str, bytes] = MappingProxyType({"read_all": STX + b"R00" + ETX})
RECORD_DIGITS = 20
ANSWER_BYTES_MAX = 2 * (4 + 99 * RECORD_DIGITS) + 2
"""Two digits count the records of each of two users."""
POLL_S = 60.0
"""A measurement is in the gateway at most this long after the cuff has stored it."""
_BLOCK = re.compile(r"M([12])(00)\d?|M([12])(\d\d)(\d*)")


@dataclass(frozen=True, slots=True)
class Record:
    """One stored measurement. `time` is the cuff's own clock, local, None where it says no possible time. None is "no value", never 0."""

    user: int
    time: datetime | None
    flag: int
    systolic_mmhg: int | None
    diastolic_mmhg: int | None
    pulse_bpm: int | None


@dataclass(frozen=True, slots=True)
class Packet:
    """One answer: the records in the order of the cuff. `command`: no answer, but that command on its way to the cuff."""

    records: tuple[Record, ...]
    command: str | None = None


class Reader:
    """Finds answers between STX and ETX. A capture without these marks is one answer."""

    def __init__(self) -> None:
        self._answer: bytearray | None = None
        self._bare = bytearray()
        self._is_marked = False

    def feed(self, data: bytes) -> Iterator[Packet | Reason]:
        """Answers and reasons in these bytes, cut anywhere."""
        for byte in data:
            if byte == STX[0]:
                yield from self._drop()
                self._answer, self._is_marked = bytearray(), True
            elif self._answer is None:
                self._bare.append(byte)
                del self._bare[:-ANSWER_BYTES_MAX]
            elif byte == ETX[0]:
                yield decode(bytes(self._answer))
                self._answer = None
            elif len(self._answer) == ANSWER_BYTES_MAX:
                yield Reason.LENGTH
                self._answer = None
            else:
                self._answer.append(byte)

    def end(self) -> Iterator[Packet | Reason]:
        """TRUNCATED for an answer cut off; the answer itself where the capture has no marks."""
        if self._bare.strip() and not self._is_marked:
            yield decode(bytes(self._bare.strip()))
            self._bare.clear()
        yield from self._drop()

    def _drop(self) -> Iterator[Reason]:
        """An answer cut off by the next one or by the end, and bytes that stood outside of any."""
        if self._answer is not None:
            yield Reason.TRUNCATED
        elif self._bare:
            yield Reason.SYNC
        self._answer = None
        self._bare.clear()


def reader(context: Mapping[str, str]) -> Reader:
    """A reader for a capture; the context says nothing here."""
    return Reader()


def decode(answer: bytes) -> Packet | Reason:
    """Decode an answer without its marks, or say FORMAT (not of this form), LENGTH (not the digits that its count states)."""
    text = answer.decode("ascii", errors="replace")
    if text == "R00":
        return Packet((), "read_all")
    records: list[Record] = []
    at = 0
    while at < len(text):
        block = _BLOCK.match(text, at)
        if block is None:
            return Reason.FORMAT
        user, count = int(block[1] or block[3]), int(block[2] or block[4])
        digits = (block[5] or "")[: count * RECORD_DIGITS]
        if len(digits) < count * RECORD_DIGITS:
            return Reason.LENGTH
        records += [_record(user, digits[start : start + RECORD_DIGITS]) for start in range(0, len(digits), RECORD_DIGITS)]
        at = block.end() if not count else block.start(5) + len(digits)
    return Packet(tuple(records)) if text else Reason.FORMAT


def _record(user: int, digits: str) -> Record:
    systolic, diastolic, pulse = (int(digits[at : at + 3]) or None for at in (11, 14, 17))
    return Record(user, _time(digits[:10]), int(digits[10]), systolic, diastolic, pulse)


def _time(digits: str) -> datetime | None:
    year, month, day, hour, minute = (int(digits[at : at + 2]) for at in range(0, 10, 2))
    try:
        return datetime(2000 + year, month, day, hour, minute)
    except ValueError:
        return None


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    if packet.command is not None:
        return {"direction": "to_device", "command": packet.command}
    return {
        "records": [
            {
                "user": one.user,
                "time": one.time.isoformat(timespec="minutes") if one.time else None,
                "flag": one.flag,
                "systolic_mmhg": one.systolic_mmhg,
                "diastolic_mmhg": one.diastolic_mmhg,
                "pulse_bpm": one.pulse_bpm,
            }
            for one in packet.records
        ]
    }


class BpVisomat:
    """Driver state: the answer that is coming in, when the memory was last asked for, and what it held then."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = math.inf
    line: ClassVar[Line] = Line(bauds=(9600,))  # bulk transfers over USB: any rate will do
    settings: ClassVar[frozenset[str]] = frozenset({"user"})

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._user = user_of(options)
        self._reader = Reader()
        self._session = Session()
        self._asked_s = 0.0

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def start(self, now_s: float) -> Iterable[Output]:
        """Ask for the whole memory: what is new in it was measured while the cuff was away."""
        self._reader = Reader()
        self._session.interrupt()
        self._asked_s = now_s
        return [Command(COMMANDS["read_all"])]

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        for item in self._reader.feed(data):
            if isinstance(item, Reason):
                yield Refusal(item)
            else:
                yield Alive()
                yield from self._session.tell(self._record(one) for one in item.records if self._user in (None, one.user))

    def tick(self, now_s: float) -> Iterable[Output]:
        """Ask again every POLL_S."""
        if now_s - self._asked_s >= POLL_S:
            self._asked_s = now_s
            yield Command(COMMANDS["read_all"])

    def _record(self, one: Record) -> CuffRecord:
        return CuffRecord(one.time, one.systolic_mmhg, one.diastolic_mmhg, one.pulse_bpm)


def user_of(options: Options) -> int | None:
    """The user of the cuff who is meant; None: all. Raises ValueError."""
    user = options.settings.get("user")
    if user not in (None, "1", "2"):
        raise ValueError(f"user is 1 or 2, as the cuff names its users, not {user!r}")
    return int(user) if user else None
