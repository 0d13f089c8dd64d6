"""Contec oximeters CMS50D+ (firmware 4.6), CMS50E, CMS50EW: vendor protocol V7.0. The plug looks like USB, but is 3.3 V serial.

    TT HH DD DD ...       115200 8N1, 60 live packets a second, no checksum

    TT type, bit 7 clear; every other byte has bit 7 set, so a byte below 80 always begins a packet
    HH bit 7 set; its bit i is bit 7 of the i-th byte behind it, from 0

    01 LL PP BB RR OO II II     live, 9 bytes in all
       LL bits 0-3 signal 0..8, 4 searching too long, 5 SpO2 falling, 6 beep, 7 probe error: the finger is out
       PP bits 0-6 pleth, 7 searching    BB bits 0-3 bar, bit 4 no perfusion index    RR pulse /min, FF none
       OO SpO2 %, 7F none                II perfusion index, 0.01 %, low byte first, FFFF none
    0F (OO RR) x 3              8: stored, one pair a second      09 OO RR II II    6: stored with perfusion index
    08 UU SS NN NN NN NN        8: user, segment, bytes stored    0A UU NN          4: user, segments
    07 UU SS CC YY MM DD        8: date of the first stored       12 UU SS hh mm ss 00   8: its time of day
    04 05 02 03 11 15 (text)    9: id, user, model, vendor, ..., notice, 7 characters
    0B CC RR   4: answer to command CC: 0 done, 1 shut down, 2 user change, 3 recording, 4 not deleted, 5 unsupported, FF unknown
    0C 2: nothing to say        0D RR  3: goes away      0E NN  3: 0 has a perfusion index      10 NN  3: users

    7D 81 CC 80 80 80 80 80 80   command CC, see COMMANDS

Real firmware sends 0 and 0 while the finger is out, instead of FF and 7F: both are "no value". A live stream ends about 30 s after the last
keep-alive. What the oximeter stored is copied once, before the live stream is asked for: one point a second from its beginning on.
Source: vendor PDF "Communication protocol of pulse oximeter V7.0" in vats28/Contec-CMS50EW; headrotor/contec_data; frames captured in
MarkMLl/Contec_cms50dplus; bytes per second of storage as in tobac/cms50ew. The order of the bytes of 07 and 12 comes from memory of
SleepyHead's loader and was not seen in a capture: a date that cannot be makes the records unplaced, and they are refused.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from types import MappingProxyType
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Line, Measurement, Options, Output, Reason, Refusal

_HIGH = 0x80
# fmt: off
LENGTHS: Mapping[int, int] = MappingProxyType({
    0x01: 9, 0x02: 9, 0x03: 9, 0x04: 9, 0x05: 9, 0x07: 8, 0x08: 8, 0x09: 6, 0x0A: 4, 0x0B: 4, 0x0C: 2, 0x0D: 3, 0x0E: 3, 0x0F: 8,
    0x10: 3, 0x11: 9, 0x12: 8, 0x15: 9, 0x7D: 9,
})
COMMANDS: Mapping[str, int] = MappingProxyType({
    "start_realtime": 0xA1, "stop_realtime": 0xA2, "query_segments": 0xA3, "query_stored_length": 0xA4, "query_start_time": 0xA5,
    "query_stored": 0xA6, "stop_storage": 0xA7, "query_model": 0xA8, "query_vendor": 0xA9, "query_device_id": 0xAA, "query_user": 0xAB,
    "query_pi_support": 0xAC, "query_users": 0xAD, "delete_stored": 0xAE, "keep_alive": 0xAF,
})
# fmt: on
_NAMES = {code: name for name, code in COMMANDS.items()}
_TEXTS = {0x02: "model", 0x03: "vendor", 0x04: "device_id", 0x05: "user", 0x11: "text", 0x15: "notice"}
PULSE_NONE, SPO2_NONE, PI_NONE = (0, 0xFF), (0, 0x7F, 0xFF), (0, 0xFFFF)
POINT_BYTES, POINT_WITH_PI_BYTES = 2, 4

KEEP_ALIVE_S = 5.0
ANSWER_S = 1.0
"""No answer for so long: the oximeter was switched off, or does not know the question."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One decoded packet: its type and its fields. None is "no value", never 0. Type "command": one that goes to the oximeter."""

    type: str
    fields: Mapping[str, JSON]


class Reader:
    """Reader state: the bytes of a packet that has begun, and whether bytes that belong to none are passing."""

    def __init__(self) -> None:
        self._part = bytearray()
        self._is_astray = False

    def feed(self, data: bytes) -> Iterator[Packet | Reason]:
        """Packets in order, TRUNCATED for a packet cut off, SYNC once for each run of bytes that belongs to none."""
        for byte in data:
            if byte < _HIGH and self._part:
                self._part.clear()
                yield Reason.TRUNCATED
            if (byte < _HIGH and byte not in LENGTHS) or (byte >= _HIGH and not self._part):
                if not self._is_astray:
                    yield Reason.SYNC
                self._is_astray = True
                continue
            self._is_astray = False
            self._part.append(byte)
            if len(self._part) > 1 and len(self._part) == LENGTHS[self._part[0]]:
                yield decode(bytes(self._part))
                self._part.clear()

    def end(self) -> Iterator[Packet | Reason]:
        """TRUNCATED for a packet that is not whole."""
        if self._part:
            yield Reason.TRUNCATED
        self._part.clear()
        self._is_astray = False


def command(name: str) -> bytes:
    """The nine bytes of a command."""
    return bytes((0x7D, 0x81, COMMANDS[name])) + bytes((_HIGH,)) * 6


def decode(packet: bytes) -> Packet | Reason:
    """Decode one packet, or say LENGTH, SYNC or UNKNOWN_TYPE."""
    if not packet or LENGTHS.get(packet[0]) != len(packet):
        return Reason.LENGTH
    if any(byte < _HIGH for byte in packet[1:]):
        return Reason.SYNC
    values = bytes(byte & 0x7F | (packet[1] >> at & 1) << 7 for at, byte in enumerate(packet[2:]))
    kind = packet[0]
    if kind in _TEXTS:
        return Packet(_TEXTS[kind], {"text": values.decode("latin-1").strip(" \0")})
    return _decode_values(kind, values)


def _decode_values(kind: int, values: bytes) -> Packet | Reason:
    match kind, *values:
        case 0x01, *_:
            return _live(values)
        case 0x0F, *_:
            return Packet("stored_spo2_pulse", {"samples": [_point(*values[at : at + 2]) for at in (0, 2, 4)]})
        case 0x09, spo2, pulse, low, high:
            return Packet("stored_spo2_pulse_pi", {**_point(spo2, pulse), "perfusion_index_pct": _perfusion(low, high)})
        case 0x08, user, segment, *_:
            return Packet("stored_length", {"user": user, "segment": segment, "bytes": int.from_bytes(values[2:6], "little")})
        case 0x07, user, segment, century, year, month, day:
            return Packet("start_date", {"user": user, "segment": segment, "date": f"{century:02}{year:02}-{month:02}-{day:02}"})
        case 0x12, user, segment, hour, minute, second, _:
            return Packet("start_time", {"user": user, "segment": segment, "time": f"{hour:02}:{minute:02}:{second:02}"})
        case 0x0A, user, count:
            return Packet("segments", {"user": user, "segments": count})
        case 0x0B, asked, reason:
            return Packet("command_feedback", {"command": asked, "reason": reason})
        case 0x0C, *_:
            return Packet("free_feedback", {})
        case 0x0D, reason:
            return Packet("disconnect", {"reason": reason})
        case 0x0E, word:
            return Packet("pi_support", {"supported": word == 0})
        case 0x10, count:
            return Packet("users", {"users": count})
        case 0x7D, code, *_:
            return _order(code)
    return Reason.UNKNOWN_TYPE


def _live(values: bytes) -> Packet:
    lamp, pleth, bar, pulse, spo2, low, high = values
    has_finger = not lamp & 0x80
    return Packet(
        "realtime",
        {
            "signal": lamp & 0x0F,
            "searching_too_long": bool(lamp & 0x10),
            "spo2_low": bool(lamp & 0x20),
            "beep": bool(lamp & 0x40),
            "probe_error": not has_finger,
            "pleth": pleth & 0x7F,
            "searching": bool(pleth & 0x80),
            "bar": bar & 0x0F,
            "pulse_bpm": pulse if has_finger and pulse not in PULSE_NONE else None,
            "spo2_pct": spo2 if has_finger and spo2 not in SPO2_NONE else None,
            "perfusion_index_pct": _perfusion(low, high) if has_finger and not bar & 0x10 else None,
        },
    )


def _point(spo2: int, pulse: int) -> dict[str, JSON]:
    return {"spo2_pct": None if spo2 in SPO2_NONE else spo2, "pulse_bpm": None if pulse in PULSE_NONE else pulse}


def _perfusion(low: int, high: int) -> float | None:
    hundredths = low | high << 8
    return None if hundredths in PI_NONE else hundredths / 100


def _order(code: int) -> Packet | Reason:
    if code not in _NAMES:
        return Reason.UNKNOWN_TYPE
    period: dict[str, JSON] = {"period_s": int(KEEP_ALIVE_S)} if _NAMES[code] == "keep_alive" else {}
    return Packet("command", {"command": _NAMES[code], "direction": "to_device", **period})


def reader(context: Mapping[str, str]) -> Reader:
    """Reads a stream; nothing of the context matters."""
    return Reader()


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    return dict(packet.fields) if packet.type == "command" else {"type": packet.type, **packet.fields}


class _Step(Enum):
    """What the oximeter was asked for last."""

    SEGMENTS = auto()
    WHERE = auto()
    COPY = auto()
    LIVE = auto()


class ContecV7:
    """Driver state: the conversation, and which stored session was copied last."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = True
    quiet_s: ClassVar[float] = 1.0
    line: ClassVar[Line] = Line(bauds=(115200,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = Reader()
        self._step = _Step.LIVE
        self._heard_s = self._asked_s = self._kept_s = 0.0
        self._date = self._time = ""
        self._session: tuple[datetime, int] | None = None
        self._copied = 0

    def start(self, now_s: float) -> Iterable[Output]:
        """Stop whatever runs, and ask for what is stored; the live stream follows."""
        self._reader = Reader()
        self._kept_s = now_s
        return self._ask(_Step.SEGMENTS, now_s, "stop_storage", "stop_realtime", "query_segments")

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        for item in self._reader.feed(data):
            if isinstance(item, Reason):
                yield Refusal(item)
            else:
                self._heard_s = now_s
                yield from self._outputs(item, now_s)

    def tick(self, now_s: float) -> Iterable[Output]:
        """Keep the stream alive; where no answer comes, go on to the live stream, and ask for that again and again."""
        if now_s - self._kept_s >= KEEP_ALIVE_S:
            self._kept_s = now_s
            yield Command(command("keep_alive"))
        if now_s - max(self._heard_s, self._asked_s) >= ANSWER_S:
            yield from self._go_live(now_s)

    def _ask(self, step: _Step, now_s: float, *names: str) -> list[Output]:
        self._step = step
        self._asked_s = now_s
        return [Command(command(name)) for name in names]

    def _go_live(self, now_s: float) -> list[Output]:
        return self._ask(_Step.LIVE, now_s, "stop_realtime", "query_pi_support", "start_realtime")

    def _outputs(self, packet: Packet, now_s: float) -> Iterator[Output]:
        match packet.type, dict(packet.fields):
            case "realtime", fields:
                yield from _measure(fields)
                return
            case "stored_spo2_pulse", {"samples": list(samples)} if self._step is _Step.COPY:
                yield from self._copy([point for point in samples if isinstance(point, dict)], POINT_BYTES, now_s)
            case "stored_spo2_pulse_pi", fields if self._step is _Step.COPY:
                yield from self._copy([fields], POINT_WITH_PI_BYTES, now_s)
            case "segments", {"segments": int(count)} if self._step is _Step.SEGMENTS:
                self._date = self._time = ""
                names = ("query_start_time", "query_stored_length")
                yield from self._ask(_Step.WHERE, now_s, *names) if count else self._go_live(now_s)
            case "start_date", {"date": str(date)}:
                self._date = date
            case "start_time", {"time": str(time)}:
                self._time = time
            case "stored_length", {"bytes": int(count)} if self._step is _Step.WHERE:
                yield from self._begin_copy(count, now_s)
        yield Alive()

    def _begin_copy(self, count: int, now_s: float) -> Iterator[Output]:
        session = _session(self._date, self._time, count)
        if session is None:
            yield Refusal(Reason.CLOCK)
        if session is None or session == self._session or not count:
            yield from self._go_live(now_s)
            return
        self._session = session
        self._copied = 0
        yield from self._ask(_Step.COPY, now_s, "query_stored")

    def _copy(self, points: list[dict[str, JSON]], point_bytes: int, now_s: float) -> Iterator[Output]:
        """Points in the order of their seconds. One without a value has its second too."""
        assert self._session is not None
        begin, byte_count = self._session
        for point in points:
            if self._copied * point_bytes < byte_count:
                at = begin + timedelta(seconds=self._copied)
                self._copied += 1
                for quantity, value in _values(point):
                    yield Measurement(quantity, value, measured_at=at, is_history=True)
        if self._copied * point_bytes >= byte_count:
            yield from self._go_live(now_s)


def _session(date: str, time: str, byte_count: int) -> tuple[datetime, int] | None:
    try:
        return datetime.fromisoformat(f"{date}T{time}"), byte_count
    except ValueError:
        return None


def _measure(fields: dict[str, JSON]) -> Iterator[Output]:
    if fields["probe_error"]:
        yield Refusal(Reason.NO_CONTACT)
    elif fields["searching"] or fields["searching_too_long"] or fields["spo2_pct"] is fields["pulse_bpm"] is None:
        yield Refusal(Reason.SEARCHING)
    else:
        for quantity, value in _values(fields):
            yield Measurement(quantity, value)


def _values(fields: Mapping[str, JSON]) -> Iterator[tuple[QuantityName, float]]:
    for quantity, name in (
        (QuantityName.SPO2, "spo2_pct"),
        (QuantityName.HEART_RATE, "pulse_bpm"),
        (QuantityName.PERFUSION_INDEX, "perfusion_index_pct"),
    ):
        value = fields.get(name)
        if isinstance(value, int | float):
            yield quantity, value
