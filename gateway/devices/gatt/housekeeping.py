"""What a Bluetooth device says of itself: battery 0x2A19, clock 0x2A08 and 0x2A2B, where a heart rate sensor sits 0x2A38, and its names.

    2A19  PP                               percent, 0..100; 101 and above are invalid
    2A08  time 7                           value.py
    2A2B  time 7, WW FF AA                 weekday 1 Monday..7 Sunday, 0 unknown; 1/256 s; why it was set (bits)
    2A38  LL                               0 other, 1 chest, 2 wrist, 3 finger, 4 hand, 5 ear lobe, 6 foot
    2A24..2A29  UTF-8                      device information: see TEXTS; some devices end it with 00

Source: Bluetooth SIG GATT Specification Supplement.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason
from gateway.devices.gatt.value import Fields, ValueReader, clock_of, date_time, parsed, reader_of

BATTERY_MAX = 100
TEXTS = {"2a29": "manufacturer", "2a24": "model", "2a25": "serial", "2a27": "hardware", "2a26": "firmware", "2a28": "software"}
TEXT_CHARACTERS_MAX = 60
LOCATIONS = ("other", "chest", "wrist", "finger", "hand", "ear_lobe", "foot")


@dataclass(frozen=True, slots=True)
class Battery:
    """Charge, percent."""

    battery_pct: int


@dataclass(frozen=True, slots=True)
class Clock:
    """The device's local time. `weekday` 1 is Monday; `has_day` tells the long form from the short one."""

    time: datetime | None
    has_day: bool = False
    weekday: int | None = None
    fraction_256: int = 0
    adjust_reason: int = 0


@dataclass(frozen=True, slots=True)
class Location:
    """Where the sensor is meant to be worn."""

    location: str


@dataclass(frozen=True, slots=True)
class Text:
    """A name or number, without what cannot be printed."""

    text: str


Packet = Battery | Clock | Location | Text


def decode_battery(value: bytes) -> Packet | Reason:
    """Decode 0x2A19, or say TRUNCATED, LENGTH or FORMAT."""
    return parsed(value, _battery)


def decode_date_time(value: bytes) -> Packet | Reason:
    """Decode 0x2A08, or say TRUNCATED or LENGTH."""
    return parsed(value, lambda fields: Clock(date_time(fields)))


def decode_current_time(value: bytes) -> Packet | Reason:
    """Decode 0x2A2B, or say TRUNCATED, LENGTH or FORMAT."""
    return parsed(value, _current_time)


def decode_location(value: bytes) -> Packet | Reason:
    """Decode 0x2A38, or say TRUNCATED, LENGTH or FORMAT."""
    return parsed(value, _location)


def decode_text(value: bytes) -> Text | Reason:
    """Decode 0x2A24 to 0x2A29, or say FORMAT for what is no text."""
    try:
        text = value.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return Reason.FORMAT
    return Text("".join(one for one in text if one.isprintable()).strip()[:TEXT_CHARACTERS_MAX])


def current_time(now: datetime) -> bytes:
    """Value to write to 0x2A2B: sets the clock of a meter to this local time."""
    moment = struct.pack("<HBBBBB", now.year, now.month, now.day, now.hour, now.minute, now.second)
    return moment + bytes((now.isoweekday(), now.microsecond * 256 // 1_000_000, 0))


def _battery(fields: Fields) -> Packet | Reason:
    percent = fields.u8()
    if fields.left:
        return Reason.LENGTH
    return Battery(percent) if percent <= BATTERY_MAX else Reason.FORMAT


def _current_time(fields: Fields) -> Packet | Reason:
    time, weekday, fraction, reason = date_time(fields), fields.u8(), fields.u8(), fields.u8()
    return Clock(time, True, weekday or None, fraction, reason) if weekday <= 7 else Reason.FORMAT


def _location(fields: Fields) -> Packet | Reason:
    place = fields.u8()
    return Location(LOCATIONS[place]) if place < len(LOCATIONS) else Reason.FORMAT


def measurements(packet: Packet) -> Iterator[Output]:
    """The battery's charge; clock, place and names are no readings."""
    if isinstance(packet, Battery):
        yield Measurement(QuantityName.BATTERY, packet.battery_pct)


def reader(context: Mapping[str, str]) -> ValueReader[Packet]:
    """Reads one value of `characteristic` 2a19, 2a08, 2a2b, 2a38 or one of TEXTS."""
    decoders = {"2a19": decode_battery, "2a08": decode_date_time, "2a2b": decode_current_time, "2a38": decode_location}
    return reader_of(decoders | dict.fromkeys(TEXTS, decode_text), context)


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors."""
    if isinstance(packet, Battery):
        return {"battery_pct": packet.battery_pct}
    if isinstance(packet, Text):
        return {"text": packet.text}
    if isinstance(packet, Location):
        return {"location": packet.location}
    shown: dict[str, JSON] = {"time": clock_of(packet.time)}
    if packet.has_day:
        shown |= {"weekday": packet.weekday, "fraction_256": packet.fraction_256, "adjust_reason": packet.adjust_reason}
    return shown
