"""Heart rate belts and armbands: characteristic 0x2A37, notified about once a second.

    FF RR [RR] [EE EE] [TT TT]...      little-endian

    FF flags: bit 0 rate is 16 bits, bit 1 contact found, bit 2 contact is told, bit 3 EE present, bit 4 TT present
    RR rate, beats/min; 0 none    EE energy, kJ    TT beat interval, 1/1024 s, oldest first

A belt off the body goes on sending numbers: without contact none is believed.
Source: Bluetooth SIG GATT Specification Supplement, Heart Rate Measurement.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason, Refusal
from gateway.devices.gatt.value import Fields, ValueReader, parsed, reader_of

WIDE_RATE, CONTACT_FOUND, CONTACT_TOLD, HAS_ENERGY, HAS_INTERVALS = 0x01, 0x02, 0x04, 0x08, 0x10
INTERVALS_PER_S = 1024


@dataclass(frozen=True, slots=True)
class Packet:
    """One notification. `contact` None: the sensor does not tell. `rr_1024` in 1/1024 s."""

    heart_rate_bpm: int | None
    contact: bool | None
    energy_kj: int | None
    rr_1024: tuple[int, ...]


def decode(value: bytes) -> Packet | Reason:
    """Decode one notification, or say TRUNCATED or LENGTH."""
    return parsed(value, _packet)


def _packet(fields: Fields) -> Packet:
    flags = fields.u8()
    rate = fields.u16() if flags & WIDE_RATE else fields.u8()
    energy = fields.u16() if flags & HAS_ENERGY else None
    return Packet(
        heart_rate_bpm=rate or None,
        contact=bool(flags & CONTACT_FOUND) if flags & CONTACT_TOLD else None,
        energy_kj=energy,
        rr_1024=tuple(_intervals(fields)) if flags & HAS_INTERVALS else (),
    )


def _intervals(fields: Fields) -> Iterator[int]:
    """At least one, as the flag says, and whole ones only."""
    yield fields.u16()
    while fields.left:
        yield fields.u16()


def measurements(packet: Packet) -> Iterator[Output]:
    """Rate and beat intervals in seconds, or NO_CONTACT."""
    if packet.contact is False or packet.heart_rate_bpm is None:
        yield Refusal(Reason.NO_CONTACT)
        return
    yield Measurement(QuantityName.HEART_RATE, packet.heart_rate_bpm)
    for ticks in packet.rr_1024:
        yield Measurement(QuantityName.BEAT_INTERVAL, ticks / INTERVALS_PER_S)


def reader(context: Mapping[str, str]) -> ValueReader[Packet]:
    """Reads one value."""
    return reader_of({"2a37": decode}, context)


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors."""
    return {
        "heart_rate_bpm": packet.heart_rate_bpm,
        "contact": packet.contact,
        "energy_kj": packet.energy_kj,
        "rr_1024": list(packet.rr_1024),
    }
