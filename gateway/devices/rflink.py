"""RFLink receivers (an Arduino Mega with a 433 MHz radio): lines of text.

    20;CC;NAME;ID=II;LABEL=VALUE;...<CR><LF>       57600 8N1

    20 from the receiver, 10 to it    CC counter, hexadecimal    NAME protocol of the sender    II its id, hexadecimal

    SWITCH button    CMD ON, OFF, ALLON, ALLOFF ...    PIR ON/OFF    SMOKEALERT ON/OFF    CHIME melody of a door bell    BAT OK/LOW
    TEMP tenths of a degree, hexadecimal, bit 15 is the sign (800D = -1.3)    HUM percent, decimal

    20;01;PONG;  answers 10;PING;      20;01;CMD UNKNOWN;      20;02;OK;      20;00;Nodo RadioFrequencyLink - RFLink Gateway V1.1 - R46;

The board starts anew when DTR is raised, so it is left low. A field that cannot be read is dropped, the rest of the line is kept.
Source: RFLink Protocol Reference (in aequitas/python-rflink:docs), samples in aequitas/python-rflink:tests.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Command, Line, Measurement, Options, Output, Reason, Refusal
from gateway.devices.enrolled import Change, Register
from gateway.devices.lines import LineReader

LINE_BYTES_MAX = 512
"""The longest line of the reference has 180 characters; a raw capture (RFDEBUG) is longer and not asked for."""
PING = b"10;PING;\r\n"
ASK_EVERY_S = 60.0
_LINE = re.compile(r"(10|20);([0-9A-Fa-f]{2});(.+?);?", re.ASCII)
_TO_DEVICE = re.compile(r"1[01];(.+?);?", re.ASCII)
_VERSION = re.compile(r"RFLink Gateway V(?P<version>[\d.]+) - R(?P<revision>\d+)", re.ASCII)
REPLIES = {"PONG": "pong", "OK": "ok", "CMD UNKNOWN": "unknown_command"}


@dataclass(frozen=True, slots=True)
class Packet:
    """One line: what a device sent, or what the receiver answers (`reply`), or what is sent to it (`command_sent`)."""

    reply: str | None = None
    command_sent: str | None = None
    version: str | None = None
    revision: str | None = None
    device: str | None = None
    fields: Mapping[str, str] | None = None

    def field(self, label: str) -> str | None:
        """Value of a label; None where the line has none."""
        return (self.fields or {}).get(label)


def decode(line: str) -> Packet | Reason:
    """Decode one line without its end, or say FORMAT."""
    found = _LINE.fullmatch(line.strip())
    if found is None or found[1] != "20":
        sent = _TO_DEVICE.fullmatch(line.strip())
        return Packet(command_sent=sent[1]) if sent else Reason.FORMAT
    name, *rest = found[3].split(";")
    if name in REPLIES:
        return Packet(reply=REPLIES[name])
    if version := _VERSION.search(name):
        return Packet(reply="version", version=version["version"], revision=version["revision"])
    fields = {label: value for label, mark, value in (part.partition("=") for part in rest) if mark}
    if "ID" in fields:
        return Packet(device=f"{name}/{fields['ID']}", fields=fields)
    return _told_by_receiver(name, rest)


def _told_by_receiver(name: str, rest: Sequence[str]) -> Packet | Reason:
    """20;01;VER=1.1;REV=45;BUILD=04;  20;02;STATUS;setRF433=ON;..  20;03;RFDEBUG=ON;"""
    settings = dict(part.partition("=")[::2] for part in (name, *rest))
    if "VER" in settings:
        return Packet(reply="version", version=settings["VER"], revision=settings.get("REV"))
    is_setting = name in ("STATUS", "DEBUG") or "=" in name
    return Packet(reply="status") if is_setting else Reason.FORMAT


def _temperature(text: str | None) -> float | None:
    """Tenths of a degree Celsius, hexadecimal, bit 15 the sign."""
    if text is None or not re.fullmatch(r"[0-9A-Fa-f]{1,4}", text):
        return None
    raw = int(text, 16)
    return -(raw & 0x7FFF) / 10 if raw & 0x8000 else raw / 10


def _humidity(text: str | None) -> int | None:
    if text is None or not re.fullmatch(r"\d{1,3}", text, re.ASCII):
        return None
    return int(text) if int(text) <= 100 else None


def _kind(packet: Packet) -> str | None:
    kinds = {"PIR": "motion", "SMOKEALERT": "smoke", "CMD": "switch", "CHIME": "chime"}
    return next((kind for label, kind in kinds.items() if packet.field(label) is not None), None)


def _is_battery_low(packet: Packet) -> bool | None:
    return {"OK": False, "LOW": True}.get(packet.field("BAT") or "")


def _change(packet: Packet) -> Change | None:
    """A command that is not an OFF is a press, even one that the receiver cannot name; a bell has no other frame than its ring."""
    command = packet.field("PIR") or packet.field("SMOKEALERT") or packet.field("CMD") or packet.field("CHIME")
    if command is None:
        return None
    return Change.ENDS if command.upper() in ("OFF", "ALLOFF") else Change.BEGINS


def reader(context: Mapping[str, str]) -> LineReader[Packet]:
    """Reads a stream of lines."""
    return LineReader(decode, line_bytes_max=LINE_BYTES_MAX)


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors."""
    if packet.command_sent is not None:
        return {"direction": "to_device", "command": packet.command_sent}
    if packet.reply is not None:
        shown: dict[str, JSON] = {"reply": packet.reply, "ok": packet.reply != "unknown_command"}
        version: dict[str, JSON] = {"version": packet.version, "revision": packet.revision}
        return shown | version if packet.reply == "version" else shown
    kind = _kind(packet)
    is_state = kind in ("motion", "smoke")
    return {
        "device": packet.device,
        "kind": kind,
        "on": _change(packet) is Change.BEGINS if is_state else None,
        "switch": packet.field("SWITCH"),
        "command": packet.field("CMD"),
        "temperature_c": _temperature(packet.field("TEMP")),
        "humidity_pct": _humidity(packet.field("HUM")),
        "battery_low": _is_battery_low(packet),
    }


class Rflink:
    """Driver state: a line that has begun, the home's devices, and when the receiver was last asked."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 2 * ASK_EVERY_S + 10
    line: ClassVar[Line] = Line((57_600,), dtr=False)
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._register = Register(options.enrolled)
        self._reader = reader({})
        self._asked_s = 0.0

    def start(self, now_s: float) -> Iterable[Output]:
        """Ask whether it is there; a board that is just starting answers by its greeting instead."""
        self._reader = reader({})
        self._asked_s = now_s
        return [Command(PING)]

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        for item in self._reader.feed(data):
            yield from self._outputs(item, now_s)

    def tick(self, now_s: float) -> Iterable[Output]:
        """Ask each minute whether the receiver still lives."""
        if now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s = now_s
            yield Command(PING)

    def _outputs(self, item: Packet | Reason, now_s: float) -> Iterator[Output]:
        if isinstance(item, Reason):
            yield Refusal(item)
            return
        yield Alive()
        if item.device is None:
            return
        button = item.field("SWITCH") or ""
        device = self._register.find(f"{item.device}/{button}", item.device)
        if device is None:
            yield Refusal(Reason.STRANGER, detail=f"{item.device}/{button}" if button else item.device)
            return
        yield Alive(device.id)
        change = _change(item)
        if change is not None:
            yield from self._register.change(device, change, button, now_s)
        yield from self._register.battery(device, _is_battery_low(item))
        values = (
            (QuantityName.ROOM_TEMPERATURE, _temperature(item.field("TEMP"))),
            (QuantityName.HUMIDITY, _humidity(item.field("HUM"))),
        )
        for quantity, value in values:
            if value is not None:
                yield Measurement(quantity, value, member=device.id)
