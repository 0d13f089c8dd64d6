"""Devices of the Bluetooth health profiles, as the radio (bridges/bluetooth) passes on what they say: one line for each value.

The lines are drawn in bridges/bluetooth/words.py, the values in gatt/. This driver names each value's device (`member`), tells streams
from results, and says which values are on disk, so that the radio confirms an indication only then.

A result with the device's own time is a *record*: devices send records again, at every connection if they like, to the last bit the same.
Its name is made of its bytes, so it is taken once. A result without a time that comes again within REPEAT_S to the last bit is a repeat.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from contract.events import EventKind, remark
from gateway.bridges.bluetooth import words
from gateway.bridges.bluetooth.words import State
from gateway.bridges.framing import Frame
from gateway.devices import gatt
from gateway.devices.driver import (
    NO_OPTIONS,
    Alive,
    ClockTold,
    Command,
    Heard,
    Line,
    Measurement,
    Named,
    Options,
    Output,
    Reason,
    Refusal,
    SetClock,
    Signal,
)
from gateway.devices.gatt import housekeeping
from gateway.devices.lines import LineReader

RESULTS = frozenset({"2a35", "2a5e", "2a1c", "2a18", "2a9d", "2a9c"})
"""Single results. Heart rate and continuous oximetry are streams: a value a second for as long as they are worn."""
CLOCKS = frozenset({"2a2b", "2a08"})
NAMES = {"2a29": "maker", "2a24": "model"}
REPEAT_S = 10.0
"""Scales and thermometers without a clock repeat one result until it is confirmed; nobody is weighed twice within this time."""
NAME_BYTES = 6
LAST_MAX = 256
"""Devices and characteristics whose last result is remembered."""
_HEX = re.compile("(?:[0-9a-f]{2})*")


class Bluetooth:
    """State: the line that has begun, and the last result of each device that tells no time."""

    is_framed: ClassVar[bool] = False
    is_fast: ClassVar[bool] = False
    quiet_s: ClassVar[float] = 30.0
    """The radio itself says every 10 s that it works; a dongle that is reset is back sooner."""
    line: ClassVar[Line] = Line(())
    settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options = NO_OPTIONS) -> None:
        self._reader = LineReader(_decode, line_bytes_max=words.LINE_BYTES_MAX)
        self._last: dict[tuple[str, str], tuple[str, float]] = {}
        self._names: dict[str, dict[str, str]] = {}

    def start(self, now_s: float) -> Iterable[Output]:
        """Nothing: the radio begins by itself."""
        return ()

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Never called: the radio sends no frames."""
        return ()

    def tick(self, now_s: float) -> Iterable[Output]:
        """Time alone brings nothing."""
        return ()

    def feed(self, data: bytes, now_s: float) -> Iterator[Output]:
        """What the lines that end in these bytes say. An empty one says that the radio works."""
        if data == b"\n":
            yield Alive()
            return
        for said in self._reader.feed(data):
            if isinstance(said, Reason):
                yield Refusal(said)
            elif "stranger" in said:
                yield Heard(str(said["stranger"]), str(said.get("name", "")), tuple(map(str, said.get("services", ()))))
                yield Refusal(Reason.STRANGER, detail=str(said["stranger"]))
            elif "state" in said:
                yield from _state(said)
            else:
                yield from self._value(said, now_s)

    def _value(self, said: Mapping[str, Any], now_s: float) -> Iterator[Output]:
        device, characteristic, value = str(said["device"]), str(said["characteristic"]), bytes.fromhex(said["value"])
        yield from self._judge(device, characteristic, value, now_s)
        if "n" in said:
            yield Command(words.line(stored=said["n"]))

    def _judge(self, device: str, characteristic: str, value: bytes, now_s: float) -> Iterator[Output]:
        """Whatever it is, it is a sign of life."""
        if characteristic in NAMES:
            yield self._name(device, characteristic, value)
            return
        if characteristic in CLOCKS:
            yield _clock(device, characteristic, value)
            return
        found = [_of(device, one) for one in gatt.outputs(characteristic, value)]
        if characteristic in RESULTS:
            found = self._results(device, characteristic, value, found, now_s)
        yield from found or [Alive(device)]

    def _results(self, device: str, characteristic: str, value: bytes, found: list[Output], now_s: float) -> list[Output]:
        has_time = any(isinstance(one, Measurement) and one.measured_at is not None for one in found)
        name = hashlib.blake2s(characteristic.encode() + value, digest_size=NAME_BYTES).hexdigest()
        if not has_time and self._is_repeat(device, characteristic, name, now_s):
            return []
        record = name if has_time else ""
        return [replace(one, record=record) if isinstance(one, Measurement) else one for one in found]

    def _is_repeat(self, device: str, characteristic: str, name: str, now_s: float) -> bool:
        before, before_s = self._last.pop((device, characteristic), ("", now_s))
        self._last[device, characteristic] = (name, now_s)
        if len(self._last) > LAST_MAX:
            del self._last[next(iter(self._last))]
        return before == name and now_s - before_s <= REPEAT_S

    def _name(self, device: str, characteristic: str, value: bytes) -> Output:
        text = housekeeping.decode_text(value)
        if isinstance(text, Reason):
            return Refusal(text, member=device)
        names = self._names.setdefault(device, {})
        names[NAMES[characteristic]] = text.text
        return Named(" ".join(names[part] for part in NAMES.values() if names.get(part)), member=device)


def _of(device: str, output: Output) -> Output:
    """Values of characteristics are measurements, or reasons why there are none."""
    return replace(output, member=device) if isinstance(output, Measurement | Refusal) else output


def _decode(line: str) -> dict[str, Any] | Reason:
    """One line of the radio, or FORMAT."""
    said = words.read(line) or {}
    is_value = all(isinstance(said.get(word), str) for word in ("device", "characteristic", "value"))
    is_known = "stranger" in said or ("device" in said and "state" in said) or (is_value and _HEX.fullmatch(said["value"]))
    return said if is_known else Reason.FORMAT


def _state(said: Mapping[str, Any]) -> Iterator[Output]:
    device, state = str(said["device"]), str(said["state"])
    if state == State.CLOCK:
        yield SetClock(partial(_time, device))
    elif state == State.PAIRED:
        yield Signal(EventKind.PAIRED, "", member=device)
    elif state in words.TROUBLES:
        yield Signal(EventKind.PAIRING_NEEDED, "", detail=remark(reason=state), member=device)
    elif state == State.VISITED:
        yield Alive(device)
    if "n" in said:
        yield Command(words.line(stored=said["n"]))


def _clock(device: str, characteristic: str, value: bytes) -> Output:
    decode = housekeeping.decode_current_time if characteristic == "2a2b" else housekeeping.decode_date_time
    clock = decode(value)
    if isinstance(clock, housekeeping.Clock):
        return ClockTold(clock.time, member=device)
    return Refusal(clock if isinstance(clock, Reason) else Reason.FORMAT, member=device)


def _time(device: str, now: datetime) -> bytes:
    return words.line(device=device, time=now.isoformat(timespec="milliseconds"))
