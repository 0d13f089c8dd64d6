"""Thermometers over Bluetooth: Celsius and Fahrenheit, where it was measured, and a failed measurement."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Output, Reason, Refusal
from gateway.devices.gatt import outputs
from gateway.devices.gatt.thermometer import Packet, decode

TEMPERATURE = QuantityName.BODY_TEMPERATURE
WITH_ALL = "06b00e00fedc070c050b321b04"  # stated in NordicSemiconductor/Android-BLE-Common-Library's tests


def test_every_field_is_read() -> None:
    assert decode(bytes.fromhex(WITH_ALL)) == Packet(37.6, None, False, datetime(2012, 12, 5, 11, 50, 27), "finger")


# 98.6 is stated in a public TypeScript suite; the others by arithmetic from the layout.
@pytest.mark.parametrize(
    ("characteristic", "text", "wanted"),
    [
        ("2a1c", "01da0300ff", [Measurement(TEMPERATURE, 37.0)]),
        ("2a1c", "046e0100ff03", [Measurement(TEMPERATURE, 36.6)]),
        ("2a1c", "046e0100ff0c", [Measurement(TEMPERATURE, 36.6)]),
        ("2a1c", "00ffff7f00", [Refusal(Reason.UNRELIABLE)]),
        ("2a1c", "00ffff7f", [Refusal(Reason.TRUNCATED)]),
        ("2a1c", "006e0100ff03", [Refusal(Reason.LENGTH)]),
        ("2a1e", "046e0100ff03", []),
    ],
)
def test_only_a_result_is_measured(characteristic: str, text: str, wanted: list[Output]) -> None:
    assert outputs(characteristic, bytes.fromhex(text)) == wanted


@pytest.mark.parametrize("length", range(13))
def test_no_truncation_is_taken_for_a_value(length: int) -> None:
    assert decode(bytes.fromhex(WITH_ALL)[:length]) is Reason.TRUNCATED


@given(st.binary(max_size=40))
def test_any_bytes_give_a_packet_or_a_reason(value: bytes) -> None:
    assert isinstance(decode(value), Packet | Reason)
