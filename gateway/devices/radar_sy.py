"""60 GHz and 24 GHz radars that speak "53 59" frames: Seeed MR60BHA1 (breath, heart), MR60FDA1 (fall), MicRadar R60A and R24D families.

    53 59 CC MM LL LL DD.. SS 54 43       115200 8N1, 3 to 10 frames a second; numbers big-endian

    CC MM  what the data mean, below      LL  length of the data, at most 64
    SS     sum of all bytes before it, modulo 256

    01 01 0F heartbeat         80 01 presence 0/1                       84 01 bed 0 out, 1 in, 2 none
    01 02 0F reset             80 02 motion 0 none, 1 still, 2 active   84 02 sleep 0 deep, 1 light, 2 awake, 3 none
    02 A1 model, ASCII         80 03 body movement 0..100               84 03 04 05 minutes awake, light, deep, u16
    02 A4 firmware, ASCII      80 04 distance, u16, cm                  84 06 score of the night 0..100
    83 01 fall 0/1             80 05 x, y, z, u16 each, cm: bit 15 is the sign, the rest the size
    83 05 long stay 0/1        85 02 heart rate /min, 0 unknown         85 05 heart wave, 5 samples, 128 is the middle
                               81 01 breath 1 normal, 2 fast, 3 slow, 4 none
                               81 02 breath rate /min, 0 unknown        81 05 breath wave, 5 samples

The firmware of 2022 ("dialect 1") gives the same numbers other meanings:
    80 02 direction 0 none, 1 approaching, 2 receding, 3 random         81 02 HEART rate    81 05 BREATH rate
    81 03 heart wave    81 06 breath wave    81 04 breath information   81 07 location anomaly    81 08 distance, cm    81 09 angle
The dialect comes from the configuration or from the firmware's name; while it is not known, frames with two meanings are refused: a breath
rate of 14 taken for a pulse is a false alarm, and so is a pulse of 70 taken for breath.

In a real capture of dialect 1 the heart rate stays 0 for 124 frames after the start, the breath rate for 171: a warm-up, not a fault.
Source: protocol headers in limengdu/Seeed-Studio-MR60BHA1-Sensor and limengdu/Seeed-Studio-MR60FDA1-Sersor, vendor tables as cited in
ZyoungInc/R60ABD1_Driver, and 472 captured frames in vladkozlov69/MR60BHA1:dump.txt, whose checksums all agree with this.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.cutter import Cutter
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Line, Measurement, Options, Output, Reason, Refusal
from gateway.devices.edges import BedWatch, Onsets

START, END = b"\x53\x59", b"\x54\x43"
HEAD_BYTES = 6
TAIL_BYTES = 3
DATA_BYTES_MAX = 64
"""No known frame has more than 32; a length beyond this is a false start."""
ASK = b"\x0f"
ASK_AGAIN_S = 30.0
"""While the firmware is not known, or when nothing was heard for HEARTBEAT_S, the radar is asked again."""
HEARTBEAT_S = 4.0

# Firmware names whose dialect is stated: Seeed's wiki page of the MR60BHA1 (from G60SM1SYv010003 on) and the R60ABD1 guide
# (G60SM1SYv010204) describe the current meanings; G24VD1SYV001006 is from bruno00o/kazimo. None is known of dialect 1: it is configured.
DIALECT_OF_FIRMWARE = MappingProxyType({"G60SM1SYV01": 2, "G24VD1SYV00": 2})


@dataclass(frozen=True, slots=True)
class Packet:
    """One decoded frame: its type and its fields. None is "no value", never 0. Type "command": a frame that goes to the radar."""

    type: str
    fields: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class _Layout:
    """`length` of the data, None for any. `read` returns None for data that this frame cannot have."""

    type: str
    length: int | None
    read: Callable[[bytes], dict[str, JSON] | None]


def _claim(name: str) -> Callable[[bytes], dict[str, JSON] | None]:
    return lambda data: {name: bool(data[0])} if data[0] <= 1 else None


def _word(name: str, *words: str) -> Callable[[bytes], dict[str, JSON] | None]:
    return lambda data: {name: words[data[0]]} if data[0] < len(words) and words[data[0]] else None


def _number(*names: str) -> Callable[[bytes], dict[str, JSON] | None]:
    return lambda data: dict.fromkeys(names, int.from_bytes(data, "big"))


def _rate(name: str) -> Callable[[bytes], dict[str, JSON] | None]:
    return lambda data: {name: data[0] or None}


def _wave(data: bytes) -> dict[str, JSON] | None:
    return {"samples": [byte - 128 for byte in data]}


def _position(data: bytes) -> dict[str, JSON] | None:
    return {f"{axis}_cm": _signed(data[at : at + 2]) for axis, at in (("x", 0), ("y", 2), ("z", 4))}


def _signed(pair: bytes) -> int:
    size = int.from_bytes(pair, "big") & 0x7FFF
    return -size if pair[0] & 0x80 else size


def _text(data: bytes) -> dict[str, JSON] | None:
    try:
        return {"text": data.decode("ascii").rstrip("\0 ")}
    except UnicodeDecodeError:
        return None


def _nothing(data: bytes) -> dict[str, JSON] | None:
    return {} if data == ASK else None


_SAME_FOR_ALL: dict[tuple[int, int], _Layout] = {
    (0x01, 0x01): _Layout("heartbeat", 1, _nothing),
    (0x01, 0x80): _Layout("heartbeat", 1, _nothing),
    (0x02, 0xA1): _Layout("model", None, _text),
    (0x02, 0xA4): _Layout("firmware", None, _text),
    (0x80, 0x01): _Layout("presence", 1, _claim("present")),
    (0x80, 0x81): _Layout("presence", 1, _claim("present")),
    (0x80, 0x03): _Layout("body_movement", 1, _number("value")),
    (0x80, 0x04): _Layout("distance", 2, _number("distance_cm")),
    (0x80, 0x05): _Layout("position", 6, _position),
    (0x83, 0x01): _Layout("fall", 1, _claim("fallen")),
    (0x83, 0x05): _Layout("long_stay", 1, _claim("staying")),
    (0x84, 0x01): _Layout("bed", 1, _word("bed", "out", "in", "none")),
    (0x84, 0x02): _Layout("sleep_stage", 1, _word("stage", "deep", "light", "awake", "none")),
    (0x84, 0x03): _Layout("awake_duration", 2, _number("minutes")),
    (0x84, 0x04): _Layout("light_duration", 2, _number("minutes")),
    (0x84, 0x05): _Layout("deep_duration", 2, _number("minutes")),
    (0x84, 0x06): _Layout("sleep_score", 1, _number("value")),
    (0x85, 0x02): _Layout("heart_rate", 1, _rate("heart_rate_bpm")),
    (0x85, 0x05): _Layout("heart_wave", 5, _wave),
}
_OF_DIALECT: dict[int, dict[tuple[int, int], _Layout]] = {
    1: {
        (0x80, 0x02): _Layout("motion_direction", 1, _word("direction", "none", "approaching", "receding", "random")),
        (0x81, 0x02): _Layout("heart_rate", 1, _rate("heart_rate_bpm")),
        (0x81, 0x03): _Layout("heart_wave", 5, _wave),
        (0x81, 0x04): _Layout("resp_state_raw", 1, _number("raw", "value")),
        (0x81, 0x05): _Layout("resp_rate", 1, _rate("resp_rate_bpm")),
        (0x81, 0x06): _Layout("resp_wave", 5, _wave),
        (0x81, 0x07): _Layout("location_anomaly", 1, _number("raw", "value")),
        (0x81, 0x08): _Layout("distance", 2, _number("distance_cm")),
        (0x81, 0x09): _Layout("angle", 2, _number("raw")),
    },
    2: {
        (0x80, 0x02): _Layout("motion", 1, _word("motion", "none", "still", "active")),
        (0x81, 0x01): _Layout("resp_state", 1, _word("state", "", "normal", "fast", "slow", "none")),
        (0x81, 0x02): _Layout("resp_rate", 1, _rate("resp_rate_bpm")),
        (0x81, 0x05): _Layout("resp_wave", 5, _wave),
    },
}
_TWO_MEANINGS = frozenset(key for layouts in _OF_DIALECT.values() for key in layouts)


def frame(ctrl: int, cmd: int, data: bytes) -> bytes:
    """One whole frame around `data`."""
    body = START + bytes((ctrl, cmd)) + len(data).to_bytes(2, "big") + data
    return body + bytes((sum(body) & 0xFF,)) + END


COMMANDS: Mapping[str, bytes] = MappingProxyType(
    {
        "query_model": frame(0x02, 0xA1, ASK),
        "query_firmware": frame(0x02, 0xA4, ASK),
        "query_presence": frame(0x80, 0x81, ASK),
        "query_heartbeat": frame(0x01, 0x01, ASK),
        "reset": frame(0x01, 0x02, ASK),
        "live_mode": frame(0x84, 0x0F, b"\x00"),
        "sleep_mode": frame(0x84, 0x0F, b"\x01"),
    }
)
# A heartbeat is asked for with the very bytes that answer; heard, they are the answer.
_COMMAND_NAMES = {data: name for name, data in COMMANDS.items() if name != "query_heartbeat"}


class Reader:
    """Finds and decodes frames. `dialect` is None until it is configured or the firmware has said its name."""

    def __init__(self, dialect: int | None = None) -> None:
        self.dialect = dialect
        self._cutter: Cutter[Packet] = Cutter((START,), self._look)

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
        data_bytes = int.from_bytes(buffer[4:6], "big")
        if data_bytes > DATA_BYTES_MAX:
            return Reason.LENGTH
        sum_at = HEAD_BYTES + data_bytes
        if len(buffer) < sum_at + TAIL_BYTES:
            return None
        if sum(buffer[:sum_at]) & 0xFF != buffer[sum_at]:
            return Reason.CHECKSUM
        if buffer[sum_at + 1 : sum_at + TAIL_BYTES] != END:
            return Reason.FORMAT
        whole = bytes(buffer[: sum_at + TAIL_BYTES])
        packet = decode(whole, self.dialect)
        if self.dialect is None and isinstance(packet, Packet) and packet.type == "firmware":
            self.dialect = dialect_of(str(packet.fields["text"]))
        return len(whole), packet


def reader(context: Mapping[str, str]) -> Reader:
    """A reader for a capture; `dialect` in the context is "1" or "2". Raises ValueError for any other."""
    dialect = context.get("dialect")
    if dialect not in (None, "1", "2"):
        raise ValueError(f"dialect is 1 (firmware of 2022) or 2 (current), not {dialect!r}")
    return Reader(int(dialect) if dialect else None)


def dialect_of(firmware: str) -> int | None:
    """The dialect that a firmware of this name is known to speak."""
    return next((dialect for name, dialect in DIALECT_OF_FIRMWARE.items() if firmware.upper().startswith(name)), None)


def decode(whole: bytes, dialect: int | None) -> Packet | Reason:
    """Decode a frame whose start, length, sum and end are right.

    Returns DIALECT for a frame with two meanings while the dialect is None, UNKNOWN_TYPE for one that no layout describes,
    LENGTH for data of another length than the layout's, IMPLAUSIBLE for a code that the layout does not have.
    """
    if (command := _COMMAND_NAMES.get(whole)) is not None:
        return Packet("command", {"direction": "to_device", "command": command})
    key, data = (whole[2], whole[3]), whole[HEAD_BYTES:-TAIL_BYTES]
    layout = _SAME_FOR_ALL.get(key) or _OF_DIALECT.get(dialect or 0, {}).get(key)
    if layout is None:
        return Reason.DIALECT if dialect is None and key in _TWO_MEANINGS else Reason.UNKNOWN_TYPE
    if len(data) != (len(data) if layout.length is None else layout.length):
        return Reason.LENGTH
    fields = layout.read(data)
    return Reason.IMPLAUSIBLE if fields is None else Packet(layout.type, fields)


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    return dict(packet.fields) if packet.type == "command" else {"type": packet.type, **packet.fields}


class RadarSy:
    """Driver state: the reader, who is there, and what was reported last, so that a fall or a way out of bed is one event."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 10.0
    line: ClassVar[Line] = Line(bauds=(115200,))
    settings: ClassVar[frozenset[str]] = frozenset({"dialect"})

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = reader(options.settings)
        self._is_present: bool | None = None
        self._onsets = Onsets()
        self._bed = BedWatch()
        self._heard_s = self._asked_s = 0.0

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def start(self, now_s: float) -> Iterable[Output]:
        """Ask who the radar is, and whether somebody is there: it tells this by itself only when it changes.

        A fall that the radar still reports is told again: better twice than never.
        """
        self._reader.clear()
        self._onsets = Onsets()
        self._is_present = None
        self._heard_s = self._asked_s = now_s
        return [Command(COMMANDS[name]) for name in ("query_model", "query_firmware", "query_presence")]

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        return self._tell(self._reader.feed(data, now_s), now_s)

    def tick(self, now_s: float) -> Iterable[Output]:
        """Give up a frame cut off; ask for a sign of life, and for the firmware while the dialect is not known."""
        yield from self._tell(self._reader.overdue(now_s), now_s)
        is_silent = now_s - self._heard_s >= HEARTBEAT_S
        if now_s - self._asked_s >= (HEARTBEAT_S if is_silent else ASK_AGAIN_S):
            self._asked_s = now_s
            if self._reader.dialect is None:
                yield Command(COMMANDS["query_firmware"])
            elif is_silent:
                yield Command(COMMANDS["query_heartbeat"])

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
            case {"fallen": bool(is_fallen)}:
                yield Alive()
                yield from self._onsets.tell(EventKind.FALL, is_fallen, now_s)
            case {"staying": bool(is_staying)}:
                yield Alive()
                yield from self._onsets.tell(EventKind.LONG_STAY, is_staying, now_s)
            case {"bed": ("in" | "out") as bed}:
                yield from self._bed.tell(bed == "in")
            case {"heart_rate_bpm": rate}:
                yield self._rate(QuantityName.HEART_RATE, rate)
            case {"resp_rate_bpm": rate}:
                yield self._rate(QuantityName.RESPIRATION_RATE, rate)
            case {"value": int(level)} if packet.type == "body_movement":
                yield Measurement(QuantityName.MOVEMENT, level)
            case {"distance_cm": int(distance)} if distance:
                yield Measurement(QuantityName.DISTANCE, distance)
            case _:
                yield Alive()

    def _rate(self, quantity: QuantityName, rate: JSON) -> Output:
        """An empty room has no pulse, whatever the radar still shows."""
        if self._is_present is False:
            return Refusal(Reason.NO_CONTACT)
        return Measurement(quantity, rate) if isinstance(rate, int) else Refusal(Reason.SEARCHING)
