"""The numbers of IEEE 11073-20601 that health profiles send: SFLOAT (16 bits) and FLOAT (32 bits). Little-endian on the air.

    SFLOAT  EEEE MMMM MMMM MMMM            exponent 4 bits, mantissa 12 bits, both signed; value = mantissa x 10^exponent
    FLOAT   EEEEEEEE MMMM..MMMM            exponent 8 bits, mantissa 24 bits, both signed

    no value, only with exponent 0:  NaN 07FF 007FFFFF     NRes 0800 00800000     reserved 0801 00800001
                                     +INF 07FE 007FFFFE    -INF 0802 00800002

The exponent also says how many decimals the device vouches for: 2.0 (F014) and 2.00 (E0C8) are different numbers to it.
Source: IEEE 11073-20601; values as in the HL7 Personal Health Device guide, MderFLOATsandSFLOATs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.devices.driver import JSON
from gateway.devices.gatt.value import Fields, ValueReader, parsed


@dataclass(frozen=True, slots=True)
class Number:
    """mantissa x 10^exponent, or, where `special` names it, no value at all."""

    mantissa: int
    exponent: int
    special: str | None = None

    @property
    def value(self) -> float | None:
        """None for every special value."""
        return self.shifted(0)

    def shifted(self, places: int) -> float | None:
        """The value x 10^places, rounded once only: 5.5E-3 mol/L is exactly 5.5 mmol/L."""
        if self.special is not None:
            return None
        exponent = self.exponent + places
        return self.mantissa * 10.0**exponent if exponent >= 0 else self.mantissa / 10.0**-exponent

    @property
    def decimals(self) -> int:
        """Digits after the point that the device vouches for."""
        return max(0, -self.exponent)


def sfloat(bits: int) -> Number:
    """Number in 16 bits."""
    return _number(bits, mantissa_bits=12, exponent_bits=4)


def float32(bits: int) -> Number:
    """Number in 32 bits."""
    return _number(bits, mantissa_bits=24, exponent_bits=8)


def read_sfloat(fields: Fields) -> Number:
    """The next two bytes."""
    return sfloat(fields.u16())


def read_float(fields: Fields) -> Number:
    """The next four bytes."""
    return float32(fields.u32())


def _number(bits: int, *, mantissa_bits: int, exponent_bits: int) -> Number:
    top = 1 << (mantissa_bits - 1)
    raw = bits & ((1 << mantissa_bits) - 1)
    exponent = _signed(bits >> mantissa_bits, exponent_bits)
    specials = {top - 1: "NaN", top: "NRes", top - 2: "+INF", top + 2: "-INF", top + 1: "reserved"}
    special = specials.get(raw) if exponent == 0 else None
    return Number(_signed(raw, mantissa_bits), exponent, special)


def _signed(bits: int, width: int) -> int:
    return bits - (1 << width) if bits >> (width - 1) else bits


def reader(context: Mapping[str, str]) -> ValueReader[Number]:
    """Reads one number; `kind` is sfloat (the usual one) or float."""
    read = read_float if context.get("kind", "sfloat") == "float" else read_sfloat
    return ValueReader(lambda value: parsed(value, read))


def describe(number: Number) -> dict[str, JSON]:
    """The keys of the vectors, and the decimals."""
    special: dict[str, JSON] = {} if number.special is None else {"special": number.special}
    return {"value": number.value, "decimals": number.decimals, **special}
