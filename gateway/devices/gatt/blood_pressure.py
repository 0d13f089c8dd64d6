"""Blood pressure cuffs: result 0x2A35 (indicated when it is done), and the pressure in the cuff meanwhile 0x2A36 (notified).

    FF SS SS DD DD MM MM [time 7] [PP PP] [UU] [QQ QQ]

    FF flags: bit 0 kPa instead of mmHg, 1 time, 2 PP, 3 UU, 4 QQ
    SS systolic, DD diastolic, MM mean, PP pulse /min: SFLOAT (ieee11073.py); 2A36 uses SS for the cuff, and DD, MM are void
    UU user, FF unknown    QQ status: 0 the person moved, 1 cuff loose, 2 irregular pulse, 3-4 pulse above (1) or below (2) the cuff's
    range, 5 wrong position

Movement, a loose cuff and a wrong position are the cuff's own doubt: such a result is kept out, as measuring again would do better. An
irregular pulse is a finding, no doubt.
The pressure in the cuff is no blood pressure and becomes no reading.
Source: Bluetooth SIG GATT Specification Supplement, Blood Pressure Measurement; 1 kPa = 7.50062 mmHg.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason, Refusal
from gateway.devices.gatt.ieee11073 import read_sfloat
from gateway.devices.gatt.value import Fields, ValueReader, clock_of, date_time, parsed, reader_of

MMHG_PER_KPA = 7.50062
MMHG_DECIMALS = 1
KPA, HAS_TIME, HAS_PULSE, HAS_USER, HAS_STATUS = 0x01, 0x02, 0x04, 0x08, 0x10
MOVED, CUFF_LOOSE, WRONG_POSITION = 0x01, 0x02, 0x20
USER_UNKNOWN = 0xFF


@dataclass(frozen=True, slots=True)
class Packet:
    """One value in `unit` (mmhg or kpa). `cuff` is the intermediate pressure of 0x2A36, which has none of the three others."""

    unit: str
    cuff: float | None
    systolic: float | None
    diastolic: float | None
    mean: float | None
    is_result: bool
    time: datetime | None
    pulse_bpm: float | None
    user: int | None
    status: int | None


def decode(value: bytes) -> Packet | Reason:
    """Decode 0x2A35, or say TRUNCATED or LENGTH."""
    return parsed(value, lambda fields: _packet(fields, is_result=True))


def decode_cuff(value: bytes) -> Packet | Reason:
    """Decode 0x2A36, or say TRUNCATED or LENGTH."""
    return parsed(value, lambda fields: _packet(fields, is_result=False))


def _packet(fields: Fields, *, is_result: bool) -> Packet:
    flags = fields.u8()
    first, second, third = (read_sfloat(fields).value or None for _ in range(3))
    time = date_time(fields) if flags & HAS_TIME else None
    pulse = read_sfloat(fields).value if flags & HAS_PULSE else None
    user = fields.u8() if flags & HAS_USER else None
    return Packet(
        unit="kpa" if flags & KPA else "mmhg",
        cuff=None if is_result else first,
        systolic=first if is_result else None,
        diastolic=second if is_result else None,
        mean=third if is_result else None,
        is_result=is_result,
        time=time,
        pulse_bpm=pulse or None,
        user=None if user == USER_UNKNOWN else user,
        status=fields.u16() if flags & HAS_STATUS else None,
    )


def measurements(packet: Packet) -> Iterator[Output]:
    """Pressures in mmHg and the pulse, with the cuff's own time, or UNRELIABLE. The pressure in the cuff gives nothing."""
    if not packet.is_result:
        return
    if (packet.status or 0) & (MOVED | CUFF_LOOSE | WRONG_POSITION) or packet.systolic is None or packet.diastolic is None:
        yield Refusal(Reason.UNRELIABLE)
        return
    pressures = (
        (QuantityName.SYSTOLIC, packet.systolic),
        (QuantityName.DIASTOLIC, packet.diastolic),
        (QuantityName.MEAN_PRESSURE, packet.mean),
    )
    for quantity, pressure in pressures:
        if pressure is not None:
            yield Measurement(quantity, _mmhg(pressure, packet.unit), measured_at=packet.time)
    if packet.pulse_bpm is not None:
        yield Measurement(QuantityName.HEART_RATE, packet.pulse_bpm, measured_at=packet.time)


def _mmhg(pressure: float, unit: str) -> float:
    return round(pressure * MMHG_PER_KPA, MMHG_DECIMALS) if unit == "kpa" else pressure


def reader(context: Mapping[str, str]) -> ValueReader[Packet]:
    """Reads one value of `characteristic` 2a35 or 2a36."""
    return reader_of({"2a35": decode, "2a36": decode_cuff}, context)


def describe(packet: Packet) -> dict[str, JSON]:
    """The keys of the vectors: pressures in the unit of the device."""
    names = ("systolic", "diastolic", "mean") if packet.is_result else ("cuff",)
    pressures: dict[str, JSON] = {f"{name}_{packet.unit}": getattr(packet, name) for name in names}
    return {
        **pressures,
        "time": clock_of(packet.time),
        "pulse_bpm": packet.pulse_bpm,
        "user": packet.user,
        "status": packet.status,
    }
