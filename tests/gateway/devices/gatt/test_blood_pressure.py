"""Cuffs over Bluetooth: mmHg and kPa, the cuff's time, and results that the cuff itself doubts."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Output, Reason, Refusal
from gateway.devices.gatt import outputs
from gateway.devices.gatt.blood_pressure import Packet, decode, decode_cuff, describe

SYSTOLIC, DIASTOLIC, MEAN = QuantityName.SYSTOLIC, QuantityName.DIASTOLIC, QuantityName.MEAN_PRESSURE
# Stated in NordicSemiconductor/Android-BLE-Common-Library's tests.
ALL_FIELDS = "1e8a00580078000000041114293b3c00012700"


def test_every_field_is_read_and_a_year_of_zero_is_no_time() -> None:
    found = decode(bytes.fromhex(ALL_FIELDS))
    assert isinstance(found, Packet)
    assert describe(found) == {
        "systolic_mmhg": 138.0,
        "diastolic_mmhg": 88.0,
        "mean_mmhg": 120.0,
        "time": None,
        "pulse_bpm": 60.0,
        "user": 1,
        "status": 39,
    }


# The first is stated in a public TypeScript suite; the others by arithmetic from the layout.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("01a0f06bf07cf0", [Measurement(SYSTOLIC, 120.0), Measurement(DIASTOLIC, 80.3), Measurement(MEAN, 93.0)]),
        (
            "02a8006200ff07ea07030e07053b",
            [
                Measurement(SYSTOLIC, 168, measured_at=datetime(2026, 3, 14, 7, 5, 59)),
                Measurement(DIASTOLIC, 98, measured_at=datetime(2026, 3, 14, 7, 5, 59)),
            ],
        ),
        ("0084005400ff07", [Measurement(SYSTOLIC, 132), Measurement(DIASTOLIC, 84)]),
        ("14b4006e00ff0758000400", [Measurement(SYSTOLIC, 180), Measurement(DIASTOLIC, 110), Measurement(QuantityName.HEART_RATE, 88)]),
        ("14b4006e00ff0758000500", [Refusal(Reason.UNRELIABLE)]),
        ("14b4006e00ff0758000200", [Refusal(Reason.UNRELIABLE)]),
        ("14b4006e00ff0758002000", [Refusal(Reason.UNRELIABLE)]),
        ("00ff07ff07ff07", [Refusal(Reason.UNRELIABLE)]),
        ("00b400000000", [Refusal(Reason.TRUNCATED)]),
        ("00b4006e00780000", [Refusal(Reason.LENGTH)]),
    ],
)
def test_only_a_result_that_stands_is_measured(text: str, wanted: list[Output]) -> None:
    assert outputs("2a35", bytes.fromhex(text)) == wanted


def test_the_pressure_in_the_cuff_is_shown_and_never_measured() -> None:
    found = decode_cuff(bytes.fromhex("00d7f000000000"))
    assert isinstance(found, Packet)
    assert describe(found)["cuff_mmhg"] == 21.5
    assert outputs("2a36", bytes.fromhex("00d7f000000000")) == []


@pytest.mark.parametrize("length", range(19))
def test_no_truncation_is_taken_for_a_value(length: int) -> None:
    assert decode(bytes.fromhex(ALL_FIELDS)[:length]) is Reason.TRUNCATED


@given(st.binary(max_size=40))
def test_any_bytes_give_a_packet_or_a_reason(value: bytes) -> None:
    assert isinstance(decode(value), Packet | Reason)
