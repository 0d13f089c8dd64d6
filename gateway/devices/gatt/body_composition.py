"""Scales that measure the body's composition: 0x2A9C, indicated beside or in place of the weight 0x2A9D.

    FF FF GG GG [time 7] [UU] [BB BB] [MP MP] [MM MM] [FF FF] [SL SL] [WA WA] [II II] [WW WW] [HH HH]

    FF flags, 16 bits: bit 0 imperial, 1 time, 2 UU, 3 BB, 4 MP, 5 MM, 6 FF, 7 SL, 8 WA, 9 II, 10 WW, 11 HH, 12 more packets follow
    GG body fat, x 0.1 %; FFFF failed       UU user, FF unknown       BB basal metabolism, kJ       MP muscle, x 0.1 %
    MM muscle, FF fat-free, SL soft lean, WA water, WW weight: x 0.005 kg or x 0.01 lb       II impedance, x 0.1 ohm
    HH height, x 0.001 m or x 0.1 in

Of all this only the weight is a reading; the rest is an estimate of each maker's own and is shown by `python -m gateway decode`.
Source: Bluetooth SIG GATT Specification Supplement, Body Composition Measurement; 1 lb = 0.45359237 kg, 1 in = 0.0254 m.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason, Refusal
from gateway.devices.gatt.value import Fields, ValueReader, clock_of, date_time, parsed, reader_of
from gateway.devices.gatt.weight import FAILED, KG_DECIMALS, KG_PER_LB, M_PER_INCH, USER_UNKNOWN

IMPERIAL, HAS_TIME, HAS_USER, HAS_BASAL, HAS_MUSCLE_SHARE = 0x0001, 0x0002, 0x0004, 0x0008, 0x0010
MASSES = {"muscle_kg": 0x0020, "fat_free_kg": 0x0040, "soft_lean_kg": 0x0080, "water_kg": 0x0100}
HAS_IMPEDANCE, HAS_WEIGHT, HAS_HEIGHT = 0x0200, 0x0400, 0x0800


@dataclass(frozen=True, slots=True)
class Packet:
    """One result; None is "no value". `masses_kg` by the names of MASSES."""

    fat_pct: float | None
    time: datetime | None
    user: int | None
    basal_metabolism_kj: int | None
    muscle_pct: float | None
    masses_kg: Mapping[str, float]
    impedance_ohm: float | None
    weight_kg: float | None
    height_m: float | None


def decode(value: bytes) -> Packet | Reason:
    """Decode one indication, or say TRUNCATED or LENGTH."""
    return parsed(value, _packet)


def _packet(fields: Fields) -> Packet:
    flags = fields.u16()
    is_imperial = bool(flags & IMPERIAL)
    fat = fields.u16()
    time = date_time(fields) if flags & HAS_TIME else None
    user = fields.u8() if flags & HAS_USER else None
    basal = fields.u16() if flags & HAS_BASAL else None
    muscle = fields.u16() if flags & HAS_MUSCLE_SHARE else None
    masses = {name: _mass(fields.u16(), is_imperial) for name, bit in MASSES.items() if flags & bit}
    impedance = fields.u16() if flags & HAS_IMPEDANCE else 0
    weight = fields.u16() if flags & HAS_WEIGHT else 0
    height = fields.u16() if flags & HAS_HEIGHT else 0
    return Packet(
        fat_pct=None if fat == FAILED else fat / 10,
        time=time,
        user=None if user == USER_UNKNOWN else user,
        basal_metabolism_kj=basal,
        muscle_pct=None if muscle is None else muscle / 10,
        masses_kg=masses,
        impedance_ohm=impedance / 10 or None,
        weight_kg=None if weight in (0, FAILED) else _mass(weight, is_imperial),
        height_m=(round(height / 10 * M_PER_INCH, 4) if is_imperial else height / 1000) or None,
    )


def _mass(raw: int, is_imperial: bool) -> float:
    return round(raw / 100 * KG_PER_LB, KG_DECIMALS) if is_imperial else raw / 200


def measurements(packet: Packet) -> Iterator[Output]:
    """The weight in kg, where it is told; UNRELIABLE for a failed measurement."""
    if packet.fat_pct is None:
        yield Refusal(Reason.UNRELIABLE)
    elif packet.weight_kg is not None:
        yield Measurement(QuantityName.WEIGHT, packet.weight_kg, measured_at=packet.time)


def reader(context: Mapping[str, str]) -> ValueReader[Packet]:
    """Reads one value."""
    return reader_of({"2a9c": decode}, context)


def describe(packet: Packet) -> dict[str, JSON]:
    """Every field in its unit."""
    return {
        "fat_pct": packet.fat_pct,
        "time": clock_of(packet.time),
        "user": packet.user,
        "basal_metabolism_kj": packet.basal_metabolism_kj,
        "muscle_pct": packet.muscle_pct,
        **packet.masses_kg,
        "impedance_ohm": packet.impedance_ohm,
        "weight_kg": packet.weight_kg,
        "height_m": packet.height_m,
    }
