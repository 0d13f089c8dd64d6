"""Nonin oximeters 3150 and 9560 in data format 13: one record for each result, also for those kept in memory; and all Nonin commands.

    00 02 00 0D LL LL + data + KK 03       9600 8N1; LL length of the data, at least 14; KK sum of the data, modulo 256

       data 20 YY MM DD hh mm ss 00 (BCD)  XX (bit 1 good signal, 0 no measurement)  YY (bit 4 from memory, 0 low battery)
            HH (bit 0: bit 8 of the heart rate)  HH  RR  OO SpO2

    to the device: 02 70 02 02 ZZ 03 select format ZZ, kept over power-off, within 5 s of connecting; answer 06 done, 15 refused
                   02 72 06 YY MM DD hh mm ss 03 set time    02 72 00 03 ask the time, answer 02 F2 06 YY MM DD hh mm ss 03

Missing: heart rate 511, SpO2 127; 0 is none either. A result of now has the home's time; one from memory has the oximeter's.
Source: "9560 Bluetooth Specification" 6470-000-01 in mattjlewis/NoninPulseOx.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.cutter import Cutter
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Line, Measurement, Options, Output, Reason, Refusal, SetClock

RATE_NONE, SPO2_NONE = (0, 511), (0, 127)
CENTURY = 2000
RECORD_HEAD = b"\x00\x02\x00\x0d"
RECORD_DATA_MIN, RECORD_DATA_MAX = 14, 64
ACK, NAK = b"\x06", b"\x15"


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, record or command as its fields. None is "no value", never 0."""

    fields: Mapping[str, JSON]


def record_cutter() -> Cutter[Packet]:
    return Cutter((RECORD_HEAD[:2], b"\x02\x70", b"\x02\x72", b"\x02\xf2"), _look)


def _look(buffer: bytearray) -> tuple[int, Packet | Reason] | Reason | None:
    return _look_at_record(buffer) if buffer[0] == 0x00 else _look_at_command(buffer)


def _look_at_record(buffer: bytearray) -> tuple[int, Packet | Reason] | Reason | None:
    if not RECORD_HEAD.startswith(buffer[: len(RECORD_HEAD)]):
        return Reason.SYNC
    if len(buffer) < 6:
        return None
    length = int.from_bytes(buffer[4:6], "big")
    if not RECORD_DATA_MIN <= length <= RECORD_DATA_MAX:
        return Reason.LENGTH
    if len(buffer) < length + 8:
        return None
    data = bytes(buffer[6 : 6 + length])
    if sum(data) & 0xFF != buffer[6 + length]:
        return Reason.CHECKSUM
    if buffer[7 + length] != 0x03:
        return Reason.FORMAT
    return length + 8, Packet(_record(data))


def _record(data: bytes) -> dict[str, JSON]:
    time = _bcd_time(data[:7])
    is_empty = bool(data[8] & 0x01)
    return {
        "time": time.isoformat() if time else None,
        "pulse_bpm": None if is_empty else _nine_bits(data[10], data[11]),
        "spo2_pct": None if is_empty else spo2_of(data[13]),
        "high_quality": bool(data[8] & 0x02),
        "no_measurement": is_empty,
        "from_memory": bool(data[9] & 0x10),
        "low_battery": bool(data[9] & 0x01),
    }


def _nine_bits(high: int, low: int) -> int | None:
    rate = (high & 0x01) << 8 | low
    return None if rate in RATE_NONE else rate


def _bcd_time(data: bytes) -> datetime | None:
    """Century, year, month, day, hour, minute, second; None where it is no time at all."""
    try:
        return datetime.strptime(data.hex(), "%Y%m%d%H%M%S")
    except ValueError:
        return None


def _look_at_command(buffer: bytearray) -> tuple[int, Packet | Reason] | Reason | None:
    if len(buffer) < 3:
        return None
    length = buffer[2]
    if length not in (0, 2, 6):
        return Reason.LENGTH
    if len(buffer) < length + 4:
        return None
    if buffer[length + 3] != 0x03:
        return Reason.FORMAT
    packet = _command(buffer[1], bytes(buffer[3 : 3 + length]))
    return packet if isinstance(packet, Reason) else (length + 4, packet)


def _command(code: int, data: bytes) -> Packet | Reason:
    match code, len(data):
        case 0x70, 2 if data[0] == 0x02:
            return Packet({"direction": "to_device", "format": data[1], "ack": ACK.hex(), "nak": NAK.hex()})
        case 0x72, 0:
            return Packet({"direction": "to_device", "command": "query_time"})
        case 0x72, 6:
            return Packet({"direction": "to_device", "time": _plain_time(data)})
        case 0xF2, 6:
            return Packet({"time": _plain_time(data)})
    return Reason.UNKNOWN_TYPE


def _plain_time(data: bytes) -> str | None:
    year, month, day, hour, minute, second = data
    try:
        return datetime(CENTURY + year, month, day, hour, minute, second).isoformat()
    except ValueError:
        return None


def select_format(number: int) -> bytes:
    """The command that selects a data format: 2, 7, 8 or 13."""
    return bytes((0x02, 0x70, 0x02, 0x02, number, 0x03))


def set_time(now: datetime) -> bytes:
    """The command that sets the clock, to the second, in the 21st century."""
    parts = (now.year - CENTURY, now.month, now.day, now.hour, now.minute, now.second)
    return bytes((0x02, 0x72, 0x06, *parts, 0x03))


def rate_of(high: int, low: int) -> int | None:
    """Heart rate /min of its two bytes, 9 bits."""
    rate = (high & 0x03) << 7 | low & 0x7F
    return None if rate in RATE_NONE else rate


def spo2_of(byte: int) -> int | None:
    """SpO2 % of its byte."""
    return None if byte & 0x7F in SPO2_NONE else byte & 0x7F


def outputs(fields: Mapping[str, JSON]) -> Iterator[Output]:
    """The plain values. Without a finger or a pulse to follow there are none, whatever the display still shows."""
    if fields.get("sensor_disconnected"):
        yield Refusal(Reason.UNPLUGGED)
    elif fields.get("sensor_alarm") or fields.get("no_measurement"):
        yield Refusal(Reason.NO_CONTACT)
    elif fields.get("out_of_track") or fields["pulse_bpm"] is fields["spo2_pct"] is None:
        yield Refusal(Reason.SEARCHING)
    else:
        time = fields.get("time")
        measured_at = datetime.fromisoformat(time) if isinstance(time, str) else None
        for quantity, name in ((QuantityName.SPO2, "spo2_pct"), (QuantityName.HEART_RATE, "pulse_bpm")):
            value = fields[name]
            if isinstance(value, int):
                yield Measurement(quantity, value, measured_at, is_history=bool(fields.get("from_memory")))


class NoninSpot:
    """An oximeter that sends one result when it has one, and those it kept meanwhile (format 13). Driver state: the reader's."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = math.inf
    line: ClassVar[Line] = Line(bauds=(9600,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._cutter = record_cutter()

    def start(self, now_s: float) -> Iterable[Output]:
        """Select the format, and set the clock that its records will bear."""
        self._cutter = record_cutter()
        return [Command(select_format(13)), SetClock(set_time)]

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def tick(self, now_s: float) -> Iterable[Output]:
        """Give up a record whose rest does not come."""
        return self._tell(self._cutter.overdue(now_s))

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        return self._tell(self._cutter.feed(data, now_s))

    def _tell(self, items: Iterable[Packet | Reason]) -> Iterator[Output]:
        for item in items:
            if isinstance(item, Reason):
                yield Refusal(item)
            elif "pulse_bpm" in item.fields:
                yield from outputs(item.fields)
            else:
                yield Alive()
