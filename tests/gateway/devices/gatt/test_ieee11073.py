"""SFLOAT and FLOAT: exact values, and special values that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.devices.driver import Reason
from gateway.devices.gatt.ieee11073 import Number, describe, float32, reader, sfloat


# Values as stated in HL7/PHD, MderFLOATsandSFLOATs; 008A by arithmetic: a public library reads it as 1.38e-06.
@pytest.mark.parametrize(
    ("bits", "value", "decimals"),
    [
        (0x0002, 2.0, 0),
        (0xF014, 2.0, 1),
        (0xE0C8, 2.0, 2),
        (0x1002, 20.0, 0),
        (0x04D2, 1234.0, 0),
        (0x0B2E, -1234.0, 0),
        (0x008A, 138.0, 0),
        (0xF16E, 36.6, 1),
        (0x0FFF, -1.0, 0),
        (0x7FFD, -3e7, 0),
        (0x87FD, 2045e-8, 8),
    ],
)
def test_an_sfloat_is_read_exactly_and_keeps_its_decimals(bits: int, value: float, decimals: int) -> None:
    assert (sfloat(bits).value, sfloat(bits).decimals) == (value, decimals)


@pytest.mark.parametrize(
    ("bits", "value"),
    [(0x00000002, 2.0), (0xFF000014, 2.0), (0x01000002, 20.0), (0x00FFFB2E, -1234.0), (0xFF00016E, 36.6), (0x7F000001, 1e127)],
)
def test_a_float_is_read_exactly(bits: int, value: float) -> None:
    assert float32(bits).value == value


@pytest.mark.parametrize(
    ("short", "long", "name"),
    [
        (0x07FF, 0x007FFFFF, "NaN"),
        (0x0800, 0x00800000, "NRes"),
        (0x07FE, 0x007FFFFE, "+INF"),
        (0x0802, 0x00800002, "-INF"),
        (0x0801, 0x00800001, "reserved"),
    ],
)
def test_a_special_value_is_no_value(short: int, long: int, name: str) -> None:
    assert describe(sfloat(short)) == {"value": None, "decimals": 0, "special": name}
    assert describe(float32(long)) == {"value": None, "decimals": 0, "special": name}


def test_special_values_are_special_only_with_exponent_zero() -> None:
    assert sfloat(0x17FF).value == 20470.0


@pytest.mark.parametrize(
    ("number", "places", "value"), [(Number(55, -4), 3, 5.5), (Number(95, -5), 5, 95.0), (Number(1, 0, "NaN"), 3, None)]
)
def test_a_change_of_unit_rounds_nothing(number: Number, places: int, value: float | None) -> None:
    assert number.shifted(places) == value


@pytest.mark.parametrize(
    ("text", "kind", "reason"), [("02", "sfloat", Reason.TRUNCATED), ("020000", "sfloat", Reason.LENGTH), ("", "float", Reason.TRUNCATED)]
)
def test_only_whole_numbers_are_read(text: str, kind: str, reason: Reason) -> None:
    one = reader({"kind": kind})
    assert [*one.feed(bytes.fromhex(text)), *one.end()] == [reason]


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_any_bits_are_a_number_or_none(short: int, long: int) -> None:
    for number in (sfloat(short), float32(long)):
        assert (number.value is None) is (number.special is not None)
