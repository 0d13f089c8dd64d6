"""Scales: 0x2A9D, indicated when the needle rests.

    FF WW WW [time 7] [UU] [BB BB HH HH]

    FF flags: bit 0 imperial, 1 time, 2 UU, 3 BB HH
    WW weight, x 0.005 kg or x 0.01 lb; FFFF failed     UU user, FF unknown
    BB body mass index x 0.1     HH height, x 0.001 m or x 0.1 in

Source: Bluetooth SIG GATT Specification Supplement, Weight Measurement; 1 lb = 0.45359237 kg, 1 in = 0.0254 m.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason, Refusal
from gateway.devices.gatt.value import Fields, ValueReader, clock_of, date_time, parsed, reader_of

IMPERIAL, HAS_TIME, HAS_USER, HAS_SIZE = 0x01, 0x02, 0x04, 0x08
FAILED = 0xFFFF
USER_UNKNOWN = 0xFF
KG_PER_LB = 0.45359237
M_PER_INCH = 0.0254
KG_DECIMALS = 2
"""0.01 lb is 4.5 g: what is finer would be invented."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One result. `weight_lb` only where the scale said it so."""

    weight_kg: float | None
    weight_lb: float | None
    is_imperial: bool
    time: datetime | None
    user: int | None
    bmi: float | None
    height_m: float | None


def decode(value: bytes) -> Packet | Reason:
    """Decode one indication, or say TRUNCATED or LENGTH."""
    return parsed(value, _packet)


def _packet(fields: Fields) -> Packet:
    flags = fields.u8()
    is_imperial = bool(flags & IMPERIAL)
    raw = fields.u16()
    has_weight = raw not in (0, FAILED)
    weight_kg = round(raw / 100 * KG_PER_LB, KG_DECIMALS) if is_imperial else raw / 200
    time = date_time(fields) if flags & HAS_TIME else None
    user = fields.u8() if flags & HAS_USER else None
    bmi, height = (fields.u16(), fields.u16()) if flags & HAS_SIZE else (0, 0)
    return Packet(
        weight_kg=weight_kg if has_weight else None,
        weight_lb=raw / 100 if has_weight and is_imperial else None,
        is_imperial=is_imperial,
        time=time,
        user=None if user == USER_UNKNOWN else user,
        bmi=bmi / 10 or None,
        height_m=(round(height / 10 * M_PER_INCH, 4) if is_imperial else height / 1000) or None,
    )


def measurements(packet: Packet) -> Iterator[Output]:
    """The weight in kg, or UNRELIABLE for a failed weighing."""
    if packet.weight_kg is None:
        yield Refusal(Reason.UNRELIABLE)
    else:
        yield Measurement(QuantityName.WEIGHT, packet.weight_kg, measured_at=packet.time)


def reader(context: Mapping[str, str]) -> ValueReader[Packet]:
    """Reads one value."""
    return reader_of({"2a9d": decode}, context)


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors."""
    pounds: dict[str, JSON] = {"weight_lb": packet.weight_lb} if packet.is_imperial else {}
    return {
        "weight_kg": packet.weight_kg,
        **pounds,
        "time": clock_of(packet.time),
        "user": packet.user,
        "bmi": packet.bmi,
        "height_m": packet.height_m,
    }
