"""A frame's number can be read from its values, and nothing in them alarms."""

import struct

import pytest

from simulators.faults import codes


@pytest.mark.parametrize("device", codes.CODES)
@pytest.mark.parametrize("number", [0, 1, 40, 41, 3498, 3499, 20_000])
@pytest.mark.parametrize("is_sick", [False, True])
def test_values_rounded_to_32_bits_still_name_the_number(device: str, number: int, is_sick: bool) -> None:
    is_sick = is_sick and device == codes.WEARABLE
    values = codes.values(device, number, is_sick=is_sick)
    stored = {quantity: struct.unpack("<f", struct.pack("<f", value))[0] for quantity, value in values.items()}
    assert tuple(digit.rest(stored[digit.quantity]) for digit in codes.CODES[device]) == codes.rests(device, number)


@pytest.mark.parametrize("device", codes.CODES)
def test_frames_of_a_run_have_names_of_their_own(device: str) -> None:
    assert len({codes.rests(device, number) for number in range(28_987)}) == 28_987


def test_the_well_stay_where_the_rules_are_calm() -> None:
    for number in range(0, 30_000, 7):
        worn, lain = codes.values(codes.WEARABLE, number), codes.values(codes.BED_MAT, number)
        assert 60 <= worn["heart_rate"] <= 100 and worn["spo2"] >= 95 and 12 < lain["respiration_rate"] < 21
        assert codes.values(codes.WEARABLE, number, is_sick=True)["spo2"] < 88
