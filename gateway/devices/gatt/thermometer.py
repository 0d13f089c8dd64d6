"""Thermometers: result 0x2A1C (indicated), and values on the way to it 0x2A1E (notified), which are no result.

    FF TT TT TT TT [time 7] [SS]

    FF flags: bit 0 Fahrenheit, 1 time, 2 SS      TT temperature, FLOAT (ieee11073.py)
    SS where: 1 armpit, 2 body, 3 ear, 4 finger, 5 gastrointestinal, 6 mouth, 7 rectum, 8 toe, 9 tympanum

Source: Bluetooth SIG GATT Specification Supplement, Temperature Measurement and Temperature Type.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason, Refusal
from gateway.devices.gatt.ieee11073 import read_float
from gateway.devices.gatt.value import Fields, ValueReader, clock_of, date_time, parsed, reader_of

FAHRENHEIT, HAS_TIME, HAS_SITE = 0x01, 0x02, 0x04
CELSIUS_DECIMALS = 2
"""No thermometer that shows Fahrenheit knows more."""
SITES = dict(enumerate(("armpit", "body", "ear", "finger", "gastrointestinal", "mouth", "rectum", "toe", "tympanum"), start=1))


@dataclass(frozen=True, slots=True)
class Packet:
    """One value. `temperature_f` only where the device said it so; `site` None where it is not told."""

    temperature_c: float | None
    temperature_f: float | None
    is_fahrenheit: bool
    time: datetime | None
    site: str | None
    is_result: bool = True


def decode(value: bytes) -> Packet | Reason:
    """Decode 0x2A1C, or say TRUNCATED or LENGTH."""
    return parsed(value, lambda fields: _packet(fields, is_result=True))


def decode_intermediate(value: bytes) -> Packet | Reason:
    """Decode 0x2A1E, or say TRUNCATED or LENGTH."""
    return parsed(value, lambda fields: _packet(fields, is_result=False))


def _packet(fields: Fields, *, is_result: bool) -> Packet:
    flags = fields.u8()
    temperature = read_float(fields).value
    is_fahrenheit = bool(flags & FAHRENHEIT)
    return Packet(
        temperature_c=_celsius(temperature) if is_fahrenheit else temperature,
        temperature_f=temperature if is_fahrenheit else None,
        is_fahrenheit=is_fahrenheit,
        time=date_time(fields) if flags & HAS_TIME else None,
        site=SITES.get(fields.u8()) if flags & HAS_SITE else None,
        is_result=is_result,
    )


def _celsius(fahrenheit: float | None) -> float | None:
    return None if fahrenheit is None else round((fahrenheit - 32) / 1.8, CELSIUS_DECIMALS)


def measurements(packet: Packet) -> Iterator[Output]:
    """The temperature in degrees Celsius; a failed measurement is UNRELIABLE, a value on the way to the result gives nothing."""
    if not packet.is_result:
        return
    if packet.temperature_c is None:
        yield Refusal(Reason.UNRELIABLE)
    else:
        yield Measurement(QuantityName.BODY_TEMPERATURE, packet.temperature_c, measured_at=packet.time)


def reader(context: Mapping[str, str]) -> ValueReader[Packet]:
    """Reads one value of `characteristic` 2a1c (the usual one) or 2a1e."""
    return reader_of({"2a1c": decode, "2a1e": decode_intermediate}, context)


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors."""
    fahrenheit: dict[str, JSON] = {"temperature_f": packet.temperature_f} if packet.is_fahrenheit else {}
    return {"temperature_c": packet.temperature_c, **fahrenheit, "time": clock_of(packet.time), "site": packet.site}
