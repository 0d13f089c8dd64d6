"""Pulse oximeters: continuous 0x2A5F (notified once a second) and spot check 0x2A5E (indicated once per measurement).

    2A5F  FF OO OO PP PP [OF OF PF PF] [OS OS PS PS] [MM MM] [DD DD DD] [AA AA]
          FF flags: bit 0 fast pair, 1 slow pair, 2 MM, 3 DD, 4 AA
    2A5E  FF OO OO PP PP [time 7] [MM MM] [DD DD DD] [AA AA]
          FF flags: bit 0 time, 1 MM, 2 DD, 3 AA, 4 the clock was never set

    O SpO2 %, P pulse /min, A pulse amplitude index %: SFLOAT (ieee11073.py)
    MM measurement status: 5 ongoing, 6 early estimate, 7 validated, 8 fully qualified, 9 from storage, 10 demonstration, 11 test,
       12 calibrating, 13 unavailable, 14 questionable, 15 invalid
    DD sensor status: 1 malfunction, 2 processing irregular, 3 inadequate, 4 poor, 5 low perfusion, 6 erratic, 7 no pulse,
       8 questionable pulse, 9 analysing, 10 interference, 11 not on the person, 12 unknown sensor, 13 displaced,
       14 sensor malfunction, 15 disconnected

Bits 10 to 15 of the measurement status, and all that says that the sensor is not well on the person, block the values: they reach no
rule. Poor signal and low perfusion alone do not: they are usual in old, cold fingers, and a true low value must not be lost with them.
Source: Bluetooth SIG Pulse Oximeter Service 1.0.1, tables 3.4 and 3.5.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason, Refusal
from gateway.devices.gatt.ieee11073 import read_sfloat
from gateway.devices.gatt.value import Fields, ValueReader, clock_of, date_time, parsed, reader_of

FROM_STORAGE = 1 << 9
NOT_A_PERSON = 1 << 10 | 1 << 11
UNRELIABLE = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15
SENSOR_BROKEN = 1 << 1 | 1 << 12 | 1 << 14
SENSOR_OFF = 1 << 11 | 1 << 13
SENSOR_UNPLUGGED = 1 << 15
SENSOR_BLIND = 1 << 3 | 1 << 7 | 1 << 8
CLOCK_NOT_SET = 0x10


@dataclass(frozen=True, slots=True)
class Packet:
    """One value; None is "no value". Percent, beats/min."""

    kind: str
    spo2_pct: float | None
    pulse_bpm: float | None
    spo2_fast_pct: float | None = None
    pulse_fast_bpm: float | None = None
    spo2_slow_pct: float | None = None
    pulse_slow_bpm: float | None = None
    time: datetime | None = None
    measurement_status: int | None = None
    device_status: int | None = None
    pulse_amplitude_index_pct: float | None = None


def decode_continuous(value: bytes) -> Packet | Reason:
    """Decode 0x2A5F, or say TRUNCATED or LENGTH."""
    return parsed(value, _continuous)


def decode_spot(value: bytes) -> Packet | Reason:
    """Decode 0x2A5E, or say TRUNCATED or LENGTH."""
    return parsed(value, _spot)


def _continuous(fields: Fields) -> Packet:
    flags = fields.u8()
    spo2, pulse = _pair(fields)
    fast = _pair(fields) if flags & 0x01 else (None, None)
    slow = _pair(fields) if flags & 0x02 else (None, None)
    return Packet(
        "continuous",
        spo2,
        pulse,
        *fast,
        *slow,
        measurement_status=fields.u16() if flags & 0x04 else None,
        device_status=fields.u24() if flags & 0x08 else None,
        pulse_amplitude_index_pct=read_sfloat(fields).value if flags & 0x10 else None,
    )


def _spot(fields: Fields) -> Packet:
    flags = fields.u8()
    spo2, pulse = _pair(fields)
    time = date_time(fields) if flags & 0x01 else None
    return Packet(
        "spot",
        spo2,
        pulse,
        time=None if flags & CLOCK_NOT_SET else time,
        measurement_status=fields.u16() if flags & 0x02 else None,
        device_status=fields.u24() if flags & 0x04 else None,
        pulse_amplitude_index_pct=read_sfloat(fields).value if flags & 0x08 else None,
    )


def _pair(fields: Fields) -> tuple[float | None, float | None]:
    """SpO2 and pulse; 0 is none, whatever number format says it."""
    spo2, pulse = read_sfloat(fields).value, read_sfloat(fields).value
    return spo2 or None, pulse or None


def measurements(packet: Packet) -> Iterator[Output]:
    """SpO2, pulse and perfusion, or why they are not to be believed."""
    reason = _doubt(packet)
    if reason is not None:
        yield Refusal(reason)
        return
    is_history = bool((packet.measurement_status or 0) & FROM_STORAGE)
    values = (
        (QuantityName.SPO2, packet.spo2_pct),
        (QuantityName.HEART_RATE, packet.pulse_bpm),
        (QuantityName.PERFUSION_INDEX, packet.pulse_amplitude_index_pct),
    )
    for quantity, value in values:
        if value is not None:
            yield Measurement(quantity, value, measured_at=packet.time, is_history=is_history)


def _doubt(packet: Packet) -> Reason | None:
    status, sensor = packet.measurement_status or 0, packet.device_status or 0
    if status & NOT_A_PERSON:
        return Reason.NOT_THE_PERSON
    if sensor & SENSOR_UNPLUGGED:
        return Reason.UNPLUGGED
    if sensor & SENSOR_OFF:
        return Reason.NO_CONTACT
    if status & UNRELIABLE or sensor & (SENSOR_BROKEN | SENSOR_BLIND):
        return Reason.UNRELIABLE
    return Reason.SEARCHING if packet.spo2_pct is packet.pulse_bpm is None else None


def reader(context: Mapping[str, str]) -> ValueReader[Packet]:
    """Reads one value of `characteristic` 2a5f or 2a5e."""
    return reader_of({"2a5f": decode_continuous, "2a5e": decode_spot}, context)


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors."""
    return {
        "kind": packet.kind,
        "spo2_pct": packet.spo2_pct,
        "pulse_bpm": packet.pulse_bpm,
        "spo2_fast_pct": packet.spo2_fast_pct,
        "pulse_fast_bpm": packet.pulse_fast_bpm,
        "spo2_slow_pct": packet.spo2_slow_pct,
        "pulse_slow_bpm": packet.pulse_slow_bpm,
        "time": clock_of(packet.time),
        "measurement_status": packet.measurement_status,
        "device_status": packet.device_status,
        "pulse_amplitude_index_pct": packet.pulse_amplitude_index_pct,
    }
