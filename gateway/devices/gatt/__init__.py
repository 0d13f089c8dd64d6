"""The table of Bluetooth characteristics: how a value is decoded, and what it measures. A new profile is a file here and its rows.

A bridge that has connected to a device asks only this: `outputs("2a37", value)`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gateway.devices.driver import Output, Reason, Refusal
from gateway.devices.gatt import (
    blood_pressure,
    body_composition,
    glucose,
    glucose_context,
    heart_rate,
    housekeeping,
    plx,
    thermometer,
    value,
    weight,
)


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic: `decode` gives a packet, or the reason why there is none; `measurements` what the packet is worth."""

    decode: Callable[[bytes], Any]
    measurements: Callable[[Any], Iterable[Output]]


CHARACTERISTICS: Mapping[str, Characteristic] = MappingProxyType(
    {
        "2a37": Characteristic(heart_rate.decode, heart_rate.measurements),
        "2a5f": Characteristic(plx.decode_continuous, plx.measurements),
        "2a5e": Characteristic(plx.decode_spot, plx.measurements),
        "2a35": Characteristic(blood_pressure.decode, blood_pressure.measurements),
        "2a36": Characteristic(blood_pressure.decode_cuff, blood_pressure.measurements),
        "2a1c": Characteristic(thermometer.decode, thermometer.measurements),
        "2a1e": Characteristic(thermometer.decode_intermediate, thermometer.measurements),
        "2a18": Characteristic(glucose.decode, glucose.measurements),
        "2a34": Characteristic(glucose_context.decode, glucose.measurements),
        "2a52": Characteristic(glucose.decode_access, glucose.measurements),
        "2a9d": Characteristic(weight.decode, weight.measurements),
        "2a9c": Characteristic(body_composition.decode, body_composition.measurements),
        "2a19": Characteristic(housekeeping.decode_battery, housekeeping.measurements),
        "2a08": Characteristic(housekeeping.decode_date_time, housekeeping.measurements),
        "2a2b": Characteristic(housekeeping.decode_current_time, housekeeping.measurements),
        "2a38": Characteristic(housekeeping.decode_location, housekeeping.measurements),
        **{name: Characteristic(housekeeping.decode_text, housekeeping.measurements) for name in housekeeping.TEXTS},
    }
)


def outputs(characteristic: str, whole: bytes) -> list[Output]:
    """What one value of a characteristic (16-bit number, hexadecimal) is worth: measurements, or why it is refused."""
    known = CHARACTERISTICS.get(characteristic.lower())
    if known is None:
        return [Refusal(Reason.UNKNOWN_TYPE)]
    if len(whole) > value.VALUE_BYTES_MAX:
        return [Refusal(Reason.LENGTH)]
    packet = known.decode(whole)
    return [Refusal(packet)] if isinstance(packet, Reason) else list(known.measurements(packet))
