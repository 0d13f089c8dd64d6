"""Zigbee devices: call buttons, door contacts, motion, smoke, gas and water alarms, through zigbee2mqtt in a process of its own.

zigbee2mqtt publishes the state of each device as JSON. The bridge writes each message as one line:

    {"topic": "zigbee2mqtt/0x00158d0001a2b3c4", "retained": false, "payload": {"contact": false, "battery": 91, "battery_low": false}}

    last part of the topic    friendly name of the device, or its IEEE address: the address for enrolment
    contact true closed       occupancy, smoke, gas, carbon_monoxide, water_leak, sos true: it begins       action a press, by name
    battery %   battery_low   tamper   temperature Cel   humidity %       bridge/state: zigbee2mqtt itself is online or offline
A retained message tells how a device was, not that something happens now, nor that the device still lives: it is passed over.

Below that stands the IAS Zone cluster (0x0500), whose status change notification (command 0) is decoded here too:

    09 SS 00 ZZ ZZ EE II DD DD       frame control, sequence, command; little-endian
    ZZ status   EE extended status   II zone id   DD delay, quarter seconds
    status bits: 0 alarm 1, 1 alarm 2, 2 tamper, 3 battery low, 4 supervision reports, 5 restore reports, 6 trouble, 7 AC fault, 8 test,
                 9 battery defect

Source: Zigbee Cluster Library 8, 8.2 (IAS Zone); fields that zigbee2mqtt exposes, as documented at zigbee2mqtt.io.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Enrolled, Line, Meaning, Measurement, Options, Output, Reason, Refusal, Signal
from gateway.devices.enrolled import Change, Register
from gateway.devices.lines import LineReader

LINE_BYTES_MAX = 65_536
"""The list of all devices that zigbee2mqtt publishes can be longer: it is not wanted and thrown away."""
FLAGS = (
    "alarm_1",
    "alarm_2",
    "tamper",
    "battery_low",
    "supervision_reports",
    "restore_reports",
    "trouble",
    "ac_fault",
    "test",
    "battery_defect",
)
STATUS_CHANGE = struct.Struct("<BBBHBBH")
FRAME_CONTROL, COMMAND = 0x09, 0x00
ALARMS = {
    Meaning.SOS: ("sos",),
    Meaning.MOTION: ("occupancy", "presence"),
    Meaning.SMOKE: ("smoke",),
    Meaning.GAS: ("gas", "carbon_monoxide"),
    Meaning.WATER: ("water_leak",),
}
NO_PRESSES = ("", "release", "disarm", "arm_day_zones", "arm_night_zones", "arm_all_zones", "exit_delay")


@dataclass(frozen=True, slots=True)
class Notification:
    """One zone status change notification."""

    sequence: int
    zone_status: int
    extended_status: int
    zone_id: int
    delay_quarter_s: int

    @property
    def flags(self) -> list[str]:
        """Names of the bits that are set, lowest first."""
        return [name for bit, name in enumerate(FLAGS) if self.zone_status >> bit & 1]


def decode(frame: bytes) -> Notification | Reason:
    """Decode one notification, or say TRUNCATED, LENGTH or FORMAT."""
    if len(frame) < STATUS_CHANGE.size:
        return Reason.TRUNCATED
    if len(frame) > STATUS_CHANGE.size:
        return Reason.LENGTH
    control, sequence, command, status, extended, zone, delay = STATUS_CHANGE.unpack(frame)
    is_status_change = control & 0x0F == FRAME_CONTROL and command == COMMAND
    return Notification(sequence, status, extended, zone, delay) if is_status_change else Reason.FORMAT


class NotificationReader:
    """Gathers the bytes of one notification, which comes whole, and decodes them at the end."""

    def __init__(self) -> None:
        self._frame = bytearray()

    def feed(self, data: bytes) -> Iterator[Notification | Reason]:
        """Nothing yet. More than one byte too much is not kept."""
        self._frame += data[: STATUS_CHANGE.size + 1 - len(self._frame)]
        return iter(())

    def end(self) -> Iterator[Notification | Reason]:
        """The notification, or why there is none."""
        frame = bytes(self._frame)
        self._frame.clear()
        yield decode(frame)


def reader(context: Mapping[str, str]) -> NotificationReader:
    """Reads one notification."""
    return NotificationReader()


def describe(packet: Notification) -> dict[str, JSON]:
    """The keys of the vectors."""
    return {
        "sequence": packet.sequence,
        "zone_status": packet.zone_status,
        "flags": list(packet.flags),
        "extended_status": packet.extended_status,
        "zone_id": packet.zone_id,
        "delay_quarter_s": packet.delay_quarter_s,
    }


@dataclass(frozen=True, slots=True)
class Message:
    """One message of zigbee2mqtt. `device` is empty for one of zigbee2mqtt itself, whose `is_online` it may tell."""

    device: str
    state: Mapping[str, object]
    is_retained: bool
    is_online: bool | None = None


def decode_message(line: str) -> Message | Reason | None:
    """Decode one line of the bridge: None for a message that says nothing here, FORMAT for what is no message."""
    try:
        said = json.loads(line)
        topic, payload, is_retained = said["topic"], said["payload"], said["retained"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return Reason.FORMAT
    if not isinstance(topic, str) or not isinstance(is_retained, bool):
        return Reason.FORMAT
    if topic.endswith("/bridge/state"):
        state = payload.get("state") if isinstance(payload, dict) else payload
        return Message("", {}, is_retained, is_online=state == "online")
    parts = topic.split("/")
    if "bridge" in parts or parts[-1] in ("availability", "set", "get") or not isinstance(payload, dict):
        return None
    return Message(parts[-1], payload, is_retained)


class Zigbee2Mqtt:
    """Driver state: a line that has begun, the home's devices, and whether zigbee2mqtt itself is well."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 30.0
    """The bridge writes an empty line each 10 s while the broker is there."""
    line: ClassVar[Line] = Line(())
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._register = Register(options.enrolled)
        self._lines = LineReader(decode_message, line_bytes_max=LINE_BYTES_MAX)
        self._is_online = True
        self._tampered: set[str] = set()

    def start(self, now_s: float) -> Iterable[Output]:
        """Nothing to ask: the broker gives what it has kept, and with it whether zigbee2mqtt is there."""
        self._lines = LineReader(decode_message, line_bytes_max=LINE_BYTES_MAX)
        self._is_online = True
        return []

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def tick(self, now_s: float) -> Iterable[Output]:
        """Time alone changes nothing here."""
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere. A whole line is a sign of life, unless zigbee2mqtt has said that it is gone."""
        for item in self._lines.feed(data):
            if isinstance(item, Reason):
                yield Refusal(item)
            elif item.is_online is not None:
                self._is_online = item.is_online
            else:
                yield from self._outputs(item, now_s)
        if b"\n" in data and self._is_online:
            yield Alive()

    def _outputs(self, message: Message, now_s: float) -> Iterator[Output]:
        device = self._register.find(message.device, str(_field(message.state, "device", "ieeeAddr")))
        if device is None:
            yield Refusal(Reason.STRANGER, detail=message.device)
            return
        if message.is_retained:
            return
        yield Alive(device.id)
        for change, code in _changes(device.meaning, message.state):
            yield from self._register.change(device, change, code, now_s)
        yield from self._tamper(device, message.state.get("tamper"))
        yield from self._register.battery(device, _flag(message.state.get("battery_low")))
        for name, quantity in (
            ("battery", QuantityName.BATTERY),
            ("temperature", QuantityName.ROOM_TEMPERATURE),
            ("humidity", QuantityName.HUMIDITY),
        ):
            value = message.state.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield Measurement(quantity, value, member=device.id)

    def _tamper(self, device: Enrolled, is_tampered: object) -> Iterator[Output]:
        if is_tampered is True and device.id not in self._tampered:
            self._tampered.add(device.id)
            yield Signal(EventKind.TAMPER, "", member=device.id)
        elif is_tampered is False:
            self._tampered.discard(device.id)


def _changes(meaning: Meaning, state: Mapping[str, object]) -> Iterator[tuple[Change, str]]:
    """What a state says for a device of this meaning; a press of any name counts for a call button and for a plain one."""
    action = state.get("action")
    if meaning in (Meaning.SOS, Meaning.BUTTON) and isinstance(action, str) and action not in NO_PRESSES:
        yield Change.BEGINS, action
    contact = _flag(state.get("contact"))
    if meaning is Meaning.DOOR and contact is not None:
        yield Change.ENDS if contact else Change.BEGINS, ""
    told = [flag for name in ALARMS.get(meaning, ()) if (flag := _flag(state.get(name))) is not None]
    if told:
        yield Change.BEGINS if any(told) else Change.ENDS, ""


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _field(state: Mapping[str, object], name: str, key: str) -> object:
    inner = state.get(name)
    return inner.get(key, "") if isinstance(inner, dict) else ""
