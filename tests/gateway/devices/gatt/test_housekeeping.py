"""What a device says of itself: its battery is measured, its clock and its place are told."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason, Refusal
from gateway.devices.gatt import CHARACTERISTICS, outputs
from gateway.devices.gatt.housekeeping import current_time, describe, reader


def told(characteristic: str, text: str) -> list[dict[str, JSON] | Reason]:
    one = reader({"characteristic": characteristic})
    return [item if isinstance(item, Reason) else describe(item) for item in [*one.feed(bytes.fromhex(text)), *one.end()]]


# Stated in NordicSemiconductor/Android-BLE-Common-Library's and RonanB96/bluetooth-sig-python's tests; the rest by arithmetic.
@pytest.mark.parametrize(
    ("characteristic", "text", "wanted"),
    [
        ("2a19", "64", {"battery_pct": 100}),
        ("2a19", "65", Reason.FORMAT),
        ("2a19", "6400", Reason.LENGTH),
        ("2a19", "", Reason.TRUNCATED),
        ("2a08", "e20704110f3300", {"time": "2018-04-17T15:51:00"}),
        ("2a08", "00000000121a20", {"time": None}),
        ("2a08", "e20704110f33", Reason.TRUNCATED),
        ("2a2b", "e907010f0e1e2d032101", {"time": "2025-01-15T14:30:45", "weekday": 3, "fraction_256": 33, "adjust_reason": 1}),
        ("2a2b", "e907010f0e1e2d002101", {"time": "2025-01-15T14:30:45", "weekday": None, "fraction_256": 33, "adjust_reason": 1}),
        ("2a2b", "e907010f0e1e2d082101", Reason.FORMAT),
        ("2a38", "02", {"location": "wrist"}),
        ("2a38", "07", Reason.FORMAT),
    ],
)
def test_a_value_says_what_its_layout_says(characteristic: str, text: str, wanted: object) -> None:
    assert told(characteristic, text) == [wanted]


@pytest.mark.parametrize(
    ("characteristic", "text", "wanted"),
    [
        ("2a19", "0f", [Measurement(QuantityName.BATTERY, 15)]),
        ("2A19", "65", [Refusal(Reason.FORMAT)]),
        ("2a08", "e20704110f3300", []),
        ("2a38", "02", []),
        ("2a00", "02", [Refusal(Reason.UNKNOWN_TYPE)]),
    ],
)
def test_only_the_battery_is_measured(characteristic: str, text: str, wanted: list[Output]) -> None:
    assert outputs(characteristic, bytes.fromhex(text)) == wanted


def test_the_clock_that_is_set_is_the_clock_that_is_read() -> None:
    moment = datetime(2026, 3, 1, 3, 12, 9, 500_000)
    assert told("2a2b", current_time(moment).hex()) == [
        {"time": "2026-03-01T03:12:09", "weekday": 7, "fraction_256": 128, "adjust_reason": 0}
    ]


@pytest.mark.parametrize("characteristic", CHARACTERISTICS)
@given(value=st.binary(max_size=600))
def test_any_bytes_of_any_characteristic_give_outputs(characteristic: str, value: bytes) -> None:
    assert isinstance(outputs(characteristic, value), list)
