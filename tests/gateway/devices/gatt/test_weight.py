"""Scales over Bluetooth: kilograms and pounds, and a weighing that failed."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Output, Reason, Refusal
from gateway.devices.gatt import outputs
from gateway.devices.gatt.weight import Packet, decode

WEIGHT = QuantityName.WEIGHT
WITH_TIME = "02b036e7070c190e1e2d"  # stated in RonanB96/bluetooth-sig-python's tests, as 157 lb below


def test_every_field_is_read() -> None:
    assert decode(bytes.fromhex("082c3adb00da06")) == Packet(74.46, None, False, None, None, 21.9, 1.754)
    assert decode(bytes.fromhex("0d543d07db00b202")) == Packet(71.21, 157.0, True, None, 7, 21.9, 1.7526)
    assert decode(bytes.fromhex("04b036ff")) == Packet(70.0, None, False, None, None, None, None)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("00b036", [Measurement(WEIGHT, 70.0)]),
        ("01543d", [Measurement(WEIGHT, 71.21)]),
        (WITH_TIME, [Measurement(WEIGHT, 70.0, measured_at=datetime(2023, 12, 25, 14, 30, 45))]),
        ("00ffff", [Refusal(Reason.UNRELIABLE)]),
        ("01ffff", [Refusal(Reason.UNRELIABLE)]),
        ("000000", [Refusal(Reason.UNRELIABLE)]),
        ("00b03600", [Refusal(Reason.LENGTH)]),
    ],
)
def test_a_failed_weighing_is_no_weight(text: str, wanted: list[Output]) -> None:
    assert outputs("2a9d", bytes.fromhex(text)) == wanted


@pytest.mark.parametrize("length", range(10))
def test_no_truncation_is_taken_for_a_value(length: int) -> None:
    assert decode(bytes.fromhex(WITH_TIME)[:length]) is Reason.TRUNCATED


@given(st.binary(max_size=40))
def test_any_bytes_give_a_packet_or_a_reason(value: bytes) -> None:
    assert isinstance(decode(value), Packet | Reason)
