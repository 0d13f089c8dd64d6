"""Payloads of the Bluetooth health profiles, put together from the layouts of the specification (GATT Specification Supplement)."""

import struct
from collections.abc import Sequence
from datetime import datetime


def sfloat(value: float | None, decimals: int = 0) -> bytes:
    """IEEE 11073-20601 SFLOAT with so many decimals; None is NaN."""
    if value is None:
        return b"\xff\x07"
    mantissa = round(value * 10**decimals)
    return struct.pack("<H", ((-decimals & 0xF) << 12) | (mantissa & 0xFFF))


def float32(value: float | None, decimals: int = 0) -> bytes:
    """IEEE 11073-20601 FLOAT with so many decimals; None is NaN."""
    if value is None:
        return b"\xff\xff\x7f\x00"
    mantissa = round(value * 10**decimals) & 0xFFFFFF
    return struct.pack("<I", ((-decimals & 0xFF) << 24) | mantissa)


def date_time(moment: datetime) -> bytes:
    """Seven bytes, local time."""
    return struct.pack("<HBBBBB", moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)


def heart_rate(bpm: int, intervals_s: Sequence[float] = (), *, contact: bool | None = None) -> bytes:
    """0x2A37, the rate in one byte."""
    flags = (0x10 if intervals_s else 0) | (0 if contact is None else 0x04 | (0x02 if contact else 0))
    return bytes((flags, bpm)) + b"".join(struct.pack("<H", round(one * 1024)) for one in intervals_s)


def plx_continuous(spo2: float | None, pulse: float | None, status: int | None = None) -> bytes:
    """0x2A5F."""
    flags = 0 if status is None else 0x04
    return bytes((flags,)) + sfloat(spo2) + sfloat(pulse) + (b"" if status is None else struct.pack("<H", status))


def plx_spot(spo2: float, pulse: float, at: datetime | None = None, status: int | None = None) -> bytes:
    """0x2A5E."""
    flags = (0x01 if at else 0) | (0x02 if status is not None else 0)
    tail = (date_time(at) if at else b"") + (b"" if status is None else struct.pack("<H", status))
    return bytes((flags,)) + sfloat(spo2) + sfloat(pulse) + tail


def blood_pressure(
    systolic: float, diastolic: float, mean: float | None, pulse: float | None, at: datetime | None = None, *, kpa: bool = False
) -> bytes:
    """0x2A35; pressures in mmHg, or in kPa with one decimal."""
    flags = (0x01 if kpa else 0) | (0x02 if at else 0) | (0x04 if pulse is not None else 0)
    pressures = b"".join(sfloat(one, 1 if kpa else 0) for one in (systolic, diastolic, mean))
    return bytes((flags,)) + pressures + (date_time(at) if at else b"") + (b"" if pulse is None else sfloat(pulse))


def temperature(celsius: float, at: datetime | None = None, site: int | None = None) -> bytes:
    """0x2A1C, with two decimals."""
    flags = (0x02 if at else 0) | (0x04 if site is not None else 0)
    return bytes((flags,)) + float32(celsius, 2) + (date_time(at) if at else b"") + (b"" if site is None else bytes((site,)))


def glucose(sequence: int, at: datetime, mmol_l: float, *, sample_type: int = 1, context: bool = False) -> bytes:
    """0x2A18, mol/L with four decimals, from a finger."""
    flags = 0x02 | 0x04 | (0x10 if context else 0)
    return bytes((flags,)) + struct.pack("<H", sequence) + date_time(at) + sfloat(mmol_l / 1000, 4) + bytes((sample_type | 1 << 4,))


def glucose_context(sequence: int, meal: int) -> bytes:
    """0x2A34 with the meal alone."""
    return bytes((0x02,)) + struct.pack("<H", sequence) + bytes((meal,))


def weight(kg: float, at: datetime | None = None) -> bytes:
    """0x2A9D."""
    return bytes((0x02 if at else 0,)) + struct.pack("<H", round(kg * 200)) + (date_time(at) if at else b"")


def body_composition(fat_pct: float, kg: float, at: datetime) -> bytes:
    """0x2A9C with time and weight."""
    return struct.pack("<HH", 0x0002 | 0x0400, round(fat_pct * 10)) + date_time(at) + struct.pack("<H", round(kg * 200))
