"""Hi-Link HLK-LD2410 presence radars (LD2410, LD2410B, LD2410C): somebody moves or keeps still, and how far away.

    F4 F3 F2 F1 | LL LL | TT AA SS | MM MM EM | NN NN EN | DD DD | [engineering] | 55 00 | F8 F7 F6 F5     256000 8N1, 10 a second

    LL length from TT to 00, TT 02 basic (13 bytes) or 01 engineering      SS state 0 nobody, 1 moving, 2 still, 3 both
    MM distance of what moves, cm; EM its energy 0..100      NN, EN of what is still      DD distance of detection, cm
    [engineering] GM GS | gate energies moving, GM + 1 | gate energies still, GS + 1 | light 0..255 | 1: the output pin is on

    FD FC FB FA | LL LL | CC 00 [DD..] | 04 03 02 01      command CC
    FD FC FB FA | LL LL | CC 01 SS SS [DD..] | 04 03 02 01      its reply, SS 0 done

All numbers are little-endian and without sign. No checksum: start, length, AA, 55 00 and the end must all be right, and energies plausible.
Source: vendor's serial protocol, as traced in morian/aio-ld2410:tests/protocol; captures in esphome/esphome:tests/integration/fixtures.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.cutter import Cutter
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Line, Measurement, Options, Output, Reason, Refusal

REPORT_START, REPORT_END = b"\xf4\xf3\xf2\xf1", b"\xf8\xf7\xf6\xf5"
COMMAND_START, COMMAND_END = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
DATA_BYTES_MAX = 64
"""The longest known is the answer with all gates, 28 bytes, and a report of nine gates, 35."""
ENGINEERING, BASIC = 0x01, 0x02
STATES = ("none", "moving", "still", "both")
ENERGY_MAX = 100
GATES_MAX = 9
_END_OF = {REPORT_START: REPORT_END, COMMAND_START: COMMAND_END}
_BASIC = struct.Struct("<BBBHBHBH")
_TAIL = b"\x55\x00"

COMMAND_CODES: Mapping[str, int] = MappingProxyType(
    {
        "set_gates": 0x60,
        "read_parameters": 0x61,
        "engineering_on": 0x62,
        "engineering_off": 0x63,
        "set_sensitivity": 0x64,
        "read_firmware": 0xA0,
        "set_baud": 0xA1,
        "factory_reset": 0xA2,
        "restart": 0xA3,
        "end_config": 0xFE,
        "enable_config": 0xFF,
    }
)
_NAMES = {code: name for name, code in COMMAND_CODES.items()}


@dataclass(frozen=True, slots=True)
class Report:
    """What the radar sees. Distances in cm, energies 0..100, gate energies nearest first; the last four only in engineering mode."""

    mode: str
    state: str
    moving_cm: int
    moving_energy: int
    still_cm: int
    still_energy: int
    detection_cm: int
    moving_gate_energy: tuple[int, ...] | None = None
    still_gate_energy: tuple[int, ...] | None = None
    light: int | None = None
    out_pin: bool | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The radar's answer to a command."""

    command: str
    is_ok: bool


@dataclass(frozen=True, slots=True)
class Order:
    """A command that goes to the radar."""

    command: str


Packet = Report | Reply | Order


def order(command: str, data: bytes = b"") -> bytes:
    """A whole command frame. `command` is a key of COMMAND_CODES."""
    body = bytes((COMMAND_CODES[command], 0)) + data
    return COMMAND_START + len(body).to_bytes(2, "little") + body + COMMAND_END


COMMANDS: Mapping[str, bytes] = MappingProxyType(
    {
        "enable_config": order("enable_config", b"\x01\x00"),
        "end_config": order("end_config"),
        "engineering_on": order("engineering_on"),
        "engineering_off": order("engineering_off"),
        "read_firmware": order("read_firmware"),
        "read_parameters": order("read_parameters"),
    }
)


def reader(context: Mapping[str, str]) -> Cutter[Packet]:
    """A reader for a capture; the context says nothing here."""
    return Cutter((REPORT_START, COMMAND_START), _look)


def _look(buffer: bytearray) -> tuple[int, Packet | Reason] | Reason | None:
    if len(buffer) < 6:
        return None
    start, data_end = bytes(buffer[:4]), 6 + int.from_bytes(buffer[4:6], "little")
    if data_end > 6 + DATA_BYTES_MAX:
        return Reason.LENGTH
    if len(buffer) < data_end + 4:
        return None
    if buffer[data_end : data_end + 4] != _END_OF[start]:
        return Reason.FORMAT
    data = bytes(buffer[6:data_end])
    return data_end + 4, decode_report(data) if start == REPORT_START else decode_command(data)


def decode_report(data: bytes) -> Report | Reason:
    """Decode what stands between length and end of a report, or say LENGTH, FORMAT (a mark is missing), IMPLAUSIBLE."""
    if len(data) < _BASIC.size + len(_TAIL):
        return Reason.LENGTH
    kind, mark, state, *numbers = _BASIC.unpack_from(data)
    if mark != 0xAA or not data.endswith(_TAIL) or kind not in (BASIC, ENGINEERING):
        return Reason.FORMAT
    moving_cm, moving_energy, still_cm, still_energy, detection_cm = numbers
    if state >= len(STATES) or max(moving_energy, still_energy) > ENERGY_MAX:
        return Reason.IMPLAUSIBLE
    gates = _gates(data[_BASIC.size : -len(_TAIL)]) if kind == ENGINEERING else None
    if (gates is None) is (kind == ENGINEERING) or (kind == BASIC and len(data) != _BASIC.size + len(_TAIL)):
        return Reason.LENGTH
    moving, still, light, out_pin = gates or (None, None, None, None)
    if max((moving or ()) + (still or ()), default=0) > ENERGY_MAX:
        return Reason.IMPLAUSIBLE
    return Report(
        mode="basic" if kind == BASIC else "engineering",
        state=STATES[state],
        moving_cm=moving_cm,
        moving_energy=moving_energy,
        still_cm=still_cm,
        still_energy=still_energy,
        detection_cm=detection_cm,
        moving_gate_energy=moving,
        still_gate_energy=still,
        light=light,
        out_pin=out_pin,
    )


def _gates(data: bytes) -> tuple[tuple[int, ...], tuple[int, ...], int, bool] | None:
    """The part of engineering mode; None when its length does not agree with its numbers of gates."""
    if len(data) < 2:
        return None
    moving, still = data[0] + 1, data[1] + 1
    if max(moving, still) > GATES_MAX or len(data) != 2 + moving + still + 2:
        return None
    return tuple(data[2 : 2 + moving]), tuple(data[2 + moving : -2]), data[-2], data[-1] == 1


def decode_command(data: bytes) -> Reply | Order | Reason:
    """Decode what stands between length and end of a command or its reply, or say LENGTH, UNKNOWN_TYPE, FORMAT."""
    if len(data) < 2:
        return Reason.LENGTH
    if data[0] not in _NAMES:
        return Reason.UNKNOWN_TYPE
    name = _NAMES[data[0]]
    if data[1] == 0:
        return Order(name)
    if data[1] != 1:
        return Reason.FORMAT
    return Reply(name, data[2:4] == b"\x00\x00") if len(data) >= 4 else Reason.LENGTH


def describe(packet: Packet) -> dict[str, JSON]:
    """The packet as a JSON object."""
    if isinstance(packet, Order):
        return {"direction": "to_device", "command": packet.command}
    if isinstance(packet, Reply):
        return {"reply_to": packet.command, "ok": packet.is_ok}
    told: dict[str, JSON] = {
        "mode": packet.mode,
        "state": packet.state,
        "moving_cm": packet.moving_cm,
        "moving_energy": packet.moving_energy,
        "still_cm": packet.still_cm,
        "still_energy": packet.still_energy,
        "detection_cm": packet.detection_cm,
    }
    if packet.moving_gate_energy is not None and packet.still_gate_energy is not None:
        told |= {"moving_gate_energy": list(packet.moving_gate_energy), "still_gate_energy": list(packet.still_gate_energy)}
        told |= {"light": packet.light, "out_pin": packet.out_pin}
    return told


class HlkLd2410:
    """Driver state: the reader alone. The radar reports by itself and needs no command."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = True
    quiet_s: ClassVar[float] = 2.0
    line: ClassVar[Line] = Line(bauds=(256000,))
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = reader(options.settings)

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def start(self, now_s: float) -> Iterable[Output]:
        """Nothing to send."""
        self._reader.clear()
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        return _tell(self._reader.feed(data, now_s))

    def tick(self, now_s: float) -> Iterable[Output]:
        """Give up a frame cut off."""
        return _tell(self._reader.overdue(now_s))


def _tell(items: Iterable[Packet | Reason]) -> Iterator[Output]:
    for item in items:
        if isinstance(item, Reason):
            yield Refusal(item)
        elif not isinstance(item, Report):
            yield Alive()
        else:
            yield Measurement(QuantityName.PRESENCE, item.state != "none")
            if item.state != "none" and item.detection_cm:
                yield Measurement(QuantityName.DISTANCE, item.detection_cm)
