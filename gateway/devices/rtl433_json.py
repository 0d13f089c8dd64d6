"""Pendants, door contacts and room sensors at 433/868 MHz as rtl_433 decodes them: one JSON object in each line.

    {"model": "X10-Security", "id": "3133", "code": "85", "event": "DS10A DOOR/WINDOW CLOSED", "battery_ok": 0}

    model, id     whose frame it is; together the address for enrolment, "X10-Security/3133"
    event         text: PANIC, DOOR/WINDOW OPEN or CLOSED, MOTION TRIPPED or READY
    opened, closed, reed_open, contact_open, state      a door, in the words of other models
    cmd, button   number of a button      code      what a sender without a meaning of its own sends
    battery_ok    0 low, 1 well; older releases have none       temperature_C, humidity      of room sensors

The model is often wrong (a universal remote comes out as a smoke alarm), ids are fixed and nothing is authenticated: what counts is the
meaning given at enrolment. A model that nobody enrolled is no error. An empty line says only that rtl_433 still runs.
Source: JSON fields of merbanan/rtl_433, lines of merbanan/rtl_433_tests.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, NO_OPTIONS, Alive, Line, Measurement, Options, Output, Reason, Refusal
from gateway.devices.enrolled import REPEAT_S, Change, Register
from gateway.devices.lines import LineReader

LINE_BYTES_MAX = 8192
"""The statistics that rtl_433 can report are its longest lines, about 3 kB."""
KNOWN_MAX = 256
"""Devices whose last frame is remembered to tell repeats; the air of a street has a few dozen."""
_DOOR_FLAGS = {"opened": True, "reed_open": True, "contact_open": True, "closed": False}


@dataclass(frozen=True, slots=True)
class Packet:
    """One line. `kind` is panic, button, door, motion or code, None for a line without a press or change."""

    device: str
    kind: str | None
    open: bool | None
    code: str | int | None
    is_moving: bool | None
    battery_low: bool | None
    temperature_c: float | None
    humidity_pct: float | None
    time: datetime | None

    @property
    def change(self) -> Change | None:
        """What the line begins or ends."""
        if self.kind is None:
            return None
        is_over = self.open is False or self.is_moving is False
        return Change.ENDS if is_over else Change.BEGINS


def decode(line: str) -> Packet | Reason | None:
    """Decode one line: None where it is of no device, FORMAT where it is no JSON object."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return Reason.FORMAT
    if not isinstance(said, dict):
        return Reason.FORMAT
    device = f"{said.get('model')}/{said.get('id')}" if "model" in said and "id" in said else ""
    return _packet(device, said) if device else None


def _packet(device: str, said: Mapping[str, object]) -> Packet:
    kind, is_open, is_moving = _kind(said)
    return Packet(
        device=device,
        kind=kind,
        open=is_open,
        code=_code(said) if kind in ("button", "code") else None,
        is_moving=is_moving,
        battery_low=not said["battery_ok"] if isinstance(said.get("battery_ok"), int | float) else None,
        temperature_c=_number(said.get("temperature_C")),
        humidity_pct=_number(said.get("humidity")),
        time=_time(said.get("time")),
    )


def _kind(said: Mapping[str, object]) -> tuple[str | None, bool | None, bool | None]:
    """Kind, whether a door is open, whether somebody moves."""
    event = said["event"].upper() if isinstance(said.get("event"), str) else ""  # type: ignore[attr-defined]
    if "PANIC" in event:
        return "panic", None, None
    if "DOOR" in event or "WINDOW" in event:
        return "door", "OPEN" in event, None
    if "MOTION" in event:
        return "motion", None, "READY" not in event
    for name, is_open in _DOOR_FLAGS.items():
        if isinstance(said.get(name), bool | int):
            return "door", bool(said[name]) is is_open, None
    if said.get("state") in ("open", "closed"):
        return "door", said["state"] == "open", None
    if isinstance(said.get("motion"), bool | int):
        return "motion", None, bool(said["motion"])
    if _is_code(said.get("cmd")) or _is_code(said.get("button")):
        return "button", None, None
    return "code" if _is_code(said.get("code")) else None, None, None


def _is_code(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _code(said: Mapping[str, object]) -> str | int | None:
    found = next((said[name] for name in ("cmd", "button", "code") if _is_code(said.get(name))), None)
    return found if isinstance(found, str | int) else None


def _number(value: object) -> float | None:
    """NaN and infinities, which JSON of Python would take, are no value."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e6 < value < 1e6:
        return None
    return float(value)


def _time(value: object) -> datetime | None:
    """Written by `-M time:iso`; without a zone."""
    try:
        return datetime.fromisoformat(value).replace(tzinfo=None) if isinstance(value, str) else None
    except ValueError:
        return None


class PressReader:
    """Presses and changes in a stream of lines: of frames that repeat one press, the first.

    A repeat says the same as the last frame of that device; where both have a time, within REPEAT_S of it.
    """

    def __init__(self) -> None:
        self._lines = LineReader(decode, line_bytes_max=LINE_BYTES_MAX)
        self._last: dict[str, Packet] = {}

    def feed(self, data: bytes) -> Iterator[Packet | Reason]:
        """Decode bytes, cut anywhere."""
        yield from self._new(self._lines.feed(data))

    def end(self) -> Iterator[Packet | Reason]:
        """The last line, which need not have an end."""
        yield from self._new(self._lines.end())

    def _new(self, items: Iterable[Packet | Reason]) -> Iterator[Packet | Reason]:
        for item in items:
            if isinstance(item, Reason):
                yield item
            elif item.kind is not None:
                before = self._last.pop(item.device, None)
                self._last[item.device] = item
                if len(self._last) > KNOWN_MAX:
                    del self._last[next(iter(self._last))]
                if before is None or not _is_repeat(item, before):
                    yield item


def _is_repeat(packet: Packet, before: Packet) -> bool:
    is_same = (packet.kind, packet.open, packet.code, packet.is_moving) == (before.kind, before.open, before.code, before.is_moving)
    if packet.time is None or before.time is None:
        return is_same
    return is_same and abs((packet.time - before.time).total_seconds()) <= REPEAT_S


def reader(context: Mapping[str, str]) -> PressReader:
    """Reads a stream of lines."""
    return PressReader()


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors."""
    shown: dict[str, JSON] = {"device": packet.device, "kind": packet.kind}
    told: dict[str, JSON] = {"open": packet.open, "motion": packet.is_moving, "code": packet.code}
    shown |= {name: value for name, value in told.items() if value is not None}
    return shown | {"battery_low": packet.battery_low}


class Rtl433:
    """Driver state: a line that has begun, and the home's devices. Repeats are told apart by the time of receipt."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 30.0
    """The bridge writes an empty line each 10 s while the program runs."""
    line: ClassVar[Line] = Line(())
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._register = Register(options.enrolled)
        self._lines = _all_lines()

    def start(self, now_s: float) -> Iterable[Output]:
        """Nothing to ask; a line cut off by the end of the program will not be completed."""
        self._lines = _all_lines()
        return []

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: this device owns its port."""
        raise NotImplementedError

    def tick(self, now_s: float) -> Iterable[Output]:
        """Time alone changes nothing here."""
        return []

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere. Any whole line is a sign of life, an empty one too."""
        if b"\n" in data:
            yield Alive()
        for item in self._lines.feed(data):
            if isinstance(item, Reason):
                yield Refusal(item)
            else:
                yield from self._outputs(item, now_s)

    def _outputs(self, packet: Packet, now_s: float) -> Iterator[Output]:
        device = self._register.find(f"{packet.device}/{packet.code}", packet.device)
        if device is None:
            yield Refusal(Reason.STRANGER, detail=packet.device)
            return
        yield Alive(device.id)
        if packet.change is not None:
            yield from self._register.change(device, packet.change, str(packet.code), now_s)
        yield from self._register.battery(device, packet.battery_low)
        for quantity, value in (
            (QuantityName.ROOM_TEMPERATURE, packet.temperature_c),
            (QuantityName.HUMIDITY, packet.humidity_pct),
        ):
            if value is not None:
                yield Measurement(quantity, value, member=device.id)


def _all_lines() -> LineReader[Packet]:
    return LineReader(decode, line_bytes_max=LINE_BYTES_MAX)
