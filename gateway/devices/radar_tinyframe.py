"""60 GHz radars that speak TinyFrame: Seeed MR60BHA2, MR60FDA2, MR60FDC1 and Hi-Link HLK-LD6002, LD6002B, LD6002C.

    01 II II LL LL TT TT HH [DD.. CC]     115200 8N1 (LD6002: 1382400), about 10 frames a second

    II number of the frame, TT type, LL length of the data, at most 1024: big-endian       HH NOT of the XOR of the 7 bytes before it
    DD data, little-endian                                                                CC NOT of the XOR of the data; LL = 0 has none

    both models                                          model "heart": LD6002, MR60BHA2
    0F09  u16 somebody is there                          0A13  f32 x 3 phases: total, breath, heart
    0A04  i32 count, then x y z f32 m, speed, cluster    0A14  f32 breath rate /min, 0 unknown
    0A08  i32 count, then cluster, x y z f32 m, m/s      0A15  f32 heart rate /min, 0 unknown
    0A0A  u32 x 4 somebody in zone 1..4                  0A16  u32 valid, f32 distance cm
    FFFF  firmware, asked without data                   0A17  f32 x 3 position, m

    model "fall": LD6002B and C, MR60FDA2
    0E02  u8 fallen                                      0A13  u32 sleep of the low-power mode, ms: same number, other meaning
    0E01  u32 log on, to the radar                       0A14  u8 1 normal, 0 low power: same number, other meaning
    0E04  f32 height of the radar 1..5 m                 0E06  asked without data; f32 height, f32 threshold, u32 sensitivity,
    0E08  f32 threshold 0.3..1.5 m                             f32 x 4 left, right, front, back of the alarm area, m
    0E0A  u32 sensitivity 3..30 frames                   0E0C  f32 x 4 alarm area, m
    0E04 to 0E0C answer with u8 1 done, 0 failed; every command is acknowledged by a frame of its type without data

The module prints text between its frames, which is passed over. NaN and infinity are refused. The vendor's document prints wrong header
checksums for nine of its own examples (0F09 F9 for FA, 0E0A FB for FE, ...): the formula is right, every capture agrees with it. Never send
3000: the module then waits for new firmware.
Source: "HLK-LD6002 communication protocol V1.3" (Henry586/HLK-LD6002), "TinyFrame Protocol V1.2" as given in
christhomas/esp32c3-hlk-ld6002B-3d-human-presence-sensor:docs/tinyframe-protocol.md, captures in Love4yzp/seeed-mmWave-demos.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from types import MappingProxyType
from typing import ClassVar

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.cutter import Cutter
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Line, Measurement, Options, Output, Reason, Refusal
from gateway.devices.edges import Onsets

START = b"\x01"
HEAD_BYTES = 8
CHATTER = bytes(range(0x20, 0x7F)) + b"\r\n"
DATA_BYTES_MAX = 1024
DECIMALS = 6
MODELS = ("heart", "fall")
ASK_S = 2.5
"""Half the time after which the radar counts as lost: when nothing was heard for so long, it is asked for its parameters or firmware."""

FIRMWARE, FALL, PARAMETERS = 0xFFFF, 0x0E02, 0x0E06
SET_LOG, SET_HEIGHT, SET_THRESHOLD, SET_SENSITIVITY, SET_AREA = 0x0E01, 0x0E04, 0x0E08, 0x0E0A, 0x0E0C
INITIALISE = 0x2110
_AREA = ("left_m", "right_m", "front_m", "back_m")
_TARGET = struct.Struct("<fffii")
_POINT = struct.Struct("<iffff")
_PARAMETERS = struct.Struct("<ffIffff")

Fields = dict[str, JSON]
Read = Callable[[bytes], Fields | None]


@dataclass(frozen=True, slots=True)
class Packet:
    """One decoded frame: its number, its type and its fields. None is "no value", never 0. `is_command`: it goes to the radar."""

    id: int
    type: int
    fields: Mapping[str, JSON]
    is_command: bool = False


def _finite(names: tuple[str, ...], data: bytes) -> Fields | None:
    values = struct.unpack(f"<{len(names)}f", data)
    return dict(zip(names, values, strict=True)) if all(map(math.isfinite, values)) else None


def _floats(*names: str) -> Read:
    return lambda data: _finite(names, data)


def _rate(name: str) -> Read:
    """0 is "not yet known"; a rate below 0 is none."""

    def read(data: bytes) -> Fields | None:
        (rate,) = struct.unpack("<f", data)
        return {name: rate or None} if math.isfinite(rate) and rate >= 0 else None

    return read


def _number(name: str) -> Read:
    return lambda data: {name: int.from_bytes(data, "little")}


def _claim(name: str) -> Read:
    return lambda data: {name: bool(number)} if (number := int.from_bytes(data, "little")) <= 1 else None


def _distance(data: bytes) -> Fields | None:
    valid, distance = struct.unpack("<If", data)
    if valid != 1:
        return {"distance_cm": None}
    return {"distance_cm": distance} if math.isfinite(distance) and distance >= 0 else None


def _zones(data: bytes) -> Fields | None:
    zones = struct.unpack("<4I", data)
    return {"zones": [bool(zone) for zone in zones]} if max(zones) <= 1 else None


def _targets(data: bytes) -> Fields | None:
    rows = [_TARGET.unpack_from(data, at) for at in range(4, len(data), _TARGET.size)]
    if not all(math.isfinite(value) for row in rows for value in row):
        return None
    names = ("x_m", "y_m", "z_m", "speed_index", "cluster")
    return {"targets": [dict(zip(names, row, strict=True)) for row in rows]}


def _points(data: bytes) -> Fields | None:
    rows = [_POINT.unpack_from(data, at) for at in range(4, len(data), _POINT.size)]
    return {"points": len(rows)} if all(math.isfinite(value) for row in rows for value in row) else None


def _parameters(data: bytes) -> Fields | None:
    height, threshold, sensitivity, *area = _PARAMETERS.unpack(data)
    if not all(map(math.isfinite, (height, threshold, *area))):
        return None
    named: Fields = dict(zip(_AREA, area, strict=True))
    return {"height_m": height, "threshold_m": threshold, "sensitivity": sensitivity, **named}


# (type, length of the data) -> how to read it; a type has another length in each direction.
_FROM_RADAR: dict[tuple[int, int], Read] = {
    (0x0F09, 2): _claim("present"),
    (0x0A0A, 16): _zones,
    (FALL, 1): _claim("fallen"),
    (PARAMETERS, 28): _parameters,
    (0x0E0E, 4): _number("height_raw"),
    **{(kind, 1): _claim("ok") for kind in (SET_HEIGHT, SET_THRESHOLD, SET_SENSITIVITY, SET_AREA)},
}
_TO_RADAR: dict[tuple[int, int], Read] = {
    **{(kind, 0): _floats() for kind in (FIRMWARE, PARAMETERS, INITIALISE)},
    (SET_LOG, 4): _claim("enabled"),
    (SET_HEIGHT, 4): _floats("height_m"),
    (SET_THRESHOLD, 4): _floats("threshold_m"),
    (SET_SENSITIVITY, 4): _number("sensitivity"),
    (SET_AREA, 16): _floats(*_AREA),
}
_OF_MODEL: dict[str, dict[tuple[int, int], Read]] = {
    "heart": {
        (0x0A13, 12): _floats("total_phase", "breath_phase", "heart_phase"),
        (0x0A14, 4): _rate("resp_rate_bpm"),
        (0x0A15, 4): _rate("heart_rate_bpm"),
        (0x0A16, 8): _distance,
        (0x0A17, 12): _floats("x_m", "y_m", "z_m"),
    },
    "fall": {(0x0A13, 4): _number("sleep_ms"), (0x0A14, 1): _claim("is_awake")},
}
_LISTS: dict[int, tuple[int, Read]] = {0x0A04: (_TARGET.size, _targets), 0x0A08: (_POINT.size, _points)}
_TYPES_OF_ALL = frozenset(kind for table in (_FROM_RADAR, _TO_RADAR) for kind, _ in table) | frozenset(_LISTS)
_TWO_MEANINGS = frozenset.intersection(*(frozenset(kind for kind, _ in table) for table in _OF_MODEL.values()))
_OF_MODEL[""] = {key: read for table in _OF_MODEL.values() for key, read in table.items() if key[0] not in _TWO_MEANINGS}


def checksum(data: bytes | bytearray) -> int:
    """NOT of the XOR of all bytes."""
    return reduce(xor, data, 0xFF)


def frame(kind: int, data: bytes = b"", number: int = 0) -> bytes:
    """One whole frame."""
    head = START + struct.pack(">HHH", number, len(data), kind)
    return head + bytes((checksum(head),)) + (data + bytes((checksum(data),)) if data else b"")


def set_height(height_m: float) -> bytes:
    """Tell how high above the floor the radar hangs, 1 to 5 m."""
    return frame(SET_HEIGHT, struct.pack("<f", height_m))


def set_threshold(threshold_m: float) -> bytes:
    """Below which height somebody counts as fallen, 0.3 to 1.5 m."""
    return frame(SET_THRESHOLD, struct.pack("<f", threshold_m))


COMMANDS: Mapping[str, bytes] = MappingProxyType({"query_firmware": frame(FIRMWARE, number=1), "read_parameters": frame(PARAMETERS)})


class Reader:
    """Finds and decodes frames of a model, or of either while it is None."""

    def __init__(self, model: str | None = None) -> None:
        self._model = model
        self._cutter: Cutter[Packet] = Cutter((START,), self._look, chatter=CHATTER)

    def feed(self, data: bytes, now_s: float = 0.0) -> Iterator[Packet | Reason]:
        """Packets and reasons in these bytes, cut anywhere."""
        return self._cutter.feed(data, now_s)

    def clear(self) -> None:
        """Forget a frame cut off: the port was opened again."""
        self._cutter.clear()

    def end(self) -> Iterator[Packet | Reason]:
        """What is cut off at the end of the input."""
        return self._cutter.end()

    def overdue(self, now_s: float) -> Iterator[Packet | Reason]:
        """Give up a frame whose rest does not come."""
        return self._cutter.overdue(now_s)

    def _look(self, buffer: bytearray) -> tuple[int, Packet | Reason] | Reason | None:
        if len(buffer) < HEAD_BYTES:
            return None
        if checksum(buffer[:7]) != buffer[7]:
            return Reason.HEADER_CHECKSUM
        number, data_bytes, kind = struct.unpack_from(">HHH", buffer, 1)
        if data_bytes > DATA_BYTES_MAX:
            return Reason.LENGTH
        data_end = HEAD_BYTES + data_bytes
        if not data_bytes:
            return HEAD_BYTES, decode(number, kind, b"", self._model)
        if len(buffer) <= data_end:
            return None
        data = bytes(buffer[HEAD_BYTES:data_end])
        if checksum(data) != buffer[data_end]:
            return Reason.DATA_CHECKSUM
        return data_end + 1, decode(number, kind, data, self._model)


def reader(context: Mapping[str, str]) -> Reader:
    """A reader for a capture; `model` in the context is "heart" or "fall". Raises ValueError for any other."""
    model = context.get("model")
    if model not in (None, *MODELS):
        raise ValueError(f"model is heart (LD6002, MR60BHA2) or fall (LD6002B/C, MR60FDA2), not {model!r}")
    return Reader(model)


def decode(number: int, kind: int, data: bytes, model: str | None) -> Packet | Reason:
    """Decode the content of a frame whose checksums are right.

    Returns DIALECT for a type that means two things while the model is None, UNKNOWN_TYPE, LENGTH for a known type with data of another
    length, and IMPLAUSIBLE for NaN, infinity, and codes that the layout does not have.
    """
    key = kind, len(data)
    if not data and key not in _TO_RADAR:
        return Packet(number, kind, {"acknowledged": True}) if _is_known(kind, model) else Reason.UNKNOWN_TYPE
    if model is None and kind in _TWO_MEANINGS:
        return Reason.DIALECT
    read = _FROM_RADAR.get(key) or _OF_MODEL.get(model or "", {}).get(key) or _list_reader(kind, data) or _TO_RADAR.get(key)
    if read is None:
        return Reason.LENGTH if _is_known(kind, model) else Reason.UNKNOWN_TYPE
    fields = read(data)
    return Reason.IMPLAUSIBLE if fields is None else Packet(number, kind, fields, key in _TO_RADAR)


def _is_known(kind: int, model: str | None) -> bool:
    return kind in _TYPES_OF_ALL or any(kind == known for known, _ in _OF_MODEL[model or ""])


def _list_reader(kind: int, data: bytes) -> Read | None:
    """Lists say their count first; one that does not agree with the length is none. What a firmware tells of itself has any length."""
    if kind == FIRMWARE and data:
        return lambda told: {"firmware_hex": told.hex()}
    if kind not in _LISTS or len(data) < 4:
        return None
    row_bytes, read = _LISTS[kind]
    return read if len(data) == 4 + row_bytes * int.from_bytes(data[:4], "little") else None


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object; numbers of 32 bits to the six decimals that they are good for."""
    shown = {name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in packet.fields.items()}
    told: dict[str, JSON] = {"id": packet.id, "type": f"{packet.type:04x}", **shown}
    return told | {"direction": "to_device"} if packet.is_command else told


def _set_up(settings: Mapping[str, str]) -> Iterator[bytes]:
    """Commands for the configured height and threshold. Raises ValueError for what the radar does not take."""
    for name, low, high, command in (("height_m", 1.0, 5.0, set_height), ("threshold_m", 0.3, 1.5, set_threshold)):
        if name in settings:
            value = float(settings[name])
            if not low <= value <= high:
                raise ValueError(f"{name} is {low:g} to {high:g}, not {settings[name]}")
            yield command(value)


class RadarTinyFrame:
    """Driver state: the reader, whether somebody is there, and whether a fall lasts, so that it is one event."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = True
    quiet_s: ClassVar[float] = 5.0
    line: ClassVar[Line] = Line(bauds=(115200, 1382400))
    settings: ClassVar[frozenset[str]] = frozenset({"model", "height_m", "threshold_m"})

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = reader(options.settings)
        self._set_up = [COMMANDS["query_firmware"], *_set_up(options.settings)]
        self._is_present: bool | None = None
        self._onsets = Onsets()
        self._heard_s = self._asked_s = 0.0

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def start(self, now_s: float) -> Iterable[Output]:
        """Ask for the firmware, for any answer is a sign of life; tell how the radar hangs, where that is configured.

        A fall that is still reported is told again: better twice than never.
        """
        self._reader.clear()
        self._onsets = Onsets()
        self._is_present = None
        self._heard_s = self._asked_s = now_s
        return [Command(data) for data in self._set_up]

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        return self._tell(self._reader.feed(data, now_s), now_s)

    def tick(self, now_s: float) -> Iterable[Output]:
        """Give up a frame cut off; ask a radar that has nothing to say for a sign of life."""
        yield from self._tell(self._reader.overdue(now_s), now_s)
        if now_s - max(self._heard_s, self._asked_s) >= ASK_S:
            self._asked_s = now_s
            yield Command(COMMANDS["query_firmware"])

    def _tell(self, items: Iterable[Packet | Reason], now_s: float) -> Iterator[Output]:
        for item in items:
            if isinstance(item, Reason):
                yield Refusal(item)
            else:
                self._heard_s = now_s
                yield from self._outputs(item, now_s)

    def _outputs(self, packet: Packet, now_s: float) -> Iterator[Output]:
        match dict(packet.fields):
            case {"present": bool(is_present)}:
                self._is_present = is_present
                yield Measurement(QuantityName.PRESENCE, is_present)
            case {"zones": list(zones)}:
                yield Measurement(QuantityName.PRESENCE, any(zones))
            case {"fallen": bool(is_fallen)}:
                yield Alive()
                yield from self._onsets.tell(EventKind.FALL, is_fallen, now_s)
            case {"heart_rate_bpm": rate}:
                yield self._rate(QuantityName.HEART_RATE, rate)
            case {"resp_rate_bpm": rate}:
                yield self._rate(QuantityName.RESPIRATION_RATE, rate)
            case {"distance_cm": float(distance)}:
                yield Measurement(QuantityName.DISTANCE, distance)
            case {"ok": False}:
                yield Refusal(Reason.REFUSED)
            case _:
                yield Alive()

    def _rate(self, quantity: QuantityName, rate: JSON) -> Output:
        """An empty room has no pulse, whatever the radar still shows."""
        if self._is_present is False:
            return Refusal(Reason.NO_CONTACT)
        return Measurement(quantity, rate) if isinstance(rate, float) else Refusal(Reason.SEARCHING)
