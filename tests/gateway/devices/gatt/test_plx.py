"""Pulse oximeters over Bluetooth: values, and every bit that says that they are none."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Output, Reason, Refusal
from gateway.devices.gatt import outputs
from gateway.devices.gatt.plx import Packet, decode_continuous, decode_spot

SPO2, PULSE, PERFUSION = QuantityName.SPO2, QuantityName.HEART_RATE, QuantityName.PERFUSION_INDEX
# Stated in StanfordSpezi/SpeziBluetooth's tests.
CONTINUOUS = "1fdef3caf3caf35af5d4f3b2f220010000007ae3"
SPOT = "0facf3bef5e8070b1d170839204022000066e3"


def test_every_field_of_a_continuous_value_is_read() -> None:
    wanted = Packet("continuous", 99, 97, 97, 137, 98, 69, None, 288, 0, 8.9)
    assert decode_continuous(bytes.fromhex(CONTINUOUS)) == wanted


def test_every_field_of_a_spot_value_is_read() -> None:
    wanted = Packet("spot", 94, 147, time=datetime(2024, 11, 29, 23, 8, 57), measurement_status=16416, device_status=34)
    found = decode_spot(bytes.fromhex(SPOT))
    assert isinstance(found, Packet)
    assert found.pulse_amplitude_index_pct == 8.7
    assert (found.time, found.measurement_status, found.device_status) == (wanted.time, 16416, 34)
    assert (found.spo2_pct, found.pulse_bpm) == (94, 147)


# By plain arithmetic from the layout: 95 % and 90 /min with status bits.
@pytest.mark.parametrize(
    ("status", "sensor", "wanted"),
    [
        (1 << 7, 0, [Measurement(SPO2, 95), Measurement(PULSE, 90)]),
        (1 << 8, 1 << 5, [Measurement(SPO2, 95), Measurement(PULSE, 90)]),
        (1 << 9, 0, [Measurement(SPO2, 95, is_history=True), Measurement(PULSE, 90, is_history=True)]),
        *[(1 << bit, 0, [Refusal(Reason.NOT_THE_PERSON)]) for bit in (10, 11)],
        *[(1 << bit, 0, [Refusal(Reason.UNRELIABLE)]) for bit in (12, 13, 14, 15)],
        *[(1 << 7, 1 << bit, [Refusal(Reason.UNRELIABLE)]) for bit in (1, 3, 7, 8, 12, 14)],
        *[(1 << 7, 1 << bit, [Refusal(Reason.NO_CONTACT)]) for bit in (11, 13)],
        (1 << 7, 1 << 15, [Refusal(Reason.UNPLUGGED)]),
    ],
)
def test_no_value_that_the_device_doubts_is_measured(status: int, sensor: int, wanted: list[Output]) -> None:
    value = bytes.fromhex("0c5f005a00") + status.to_bytes(2, "little") + sensor.to_bytes(3, "little")
    assert outputs("2a5f", value) == wanted


@pytest.mark.parametrize(
    ("characteristic", "text", "wanted"),
    [
        ("2a5f", "00ff074800", [Measurement(PULSE, 72)]),
        ("2a5f", "00ff07ff07", [Refusal(Reason.SEARCHING)]),
        ("2a5f", "0000000000", [Refusal(Reason.SEARCHING)]),
        ("2a5f", "00d4f3", [Refusal(Reason.TRUNCATED)]),
        ("2a5f", "0064005a0000", [Refusal(Reason.LENGTH)]),
        ("2a5e", "1162004000e8070101000000", [Measurement(SPO2, 98), Measurement(PULSE, 64)]),
        ("2a5e", SPOT, [Refusal(Reason.UNRELIABLE)]),
        ("2a5f", "1064005a0057f0", [Measurement(SPO2, 100), Measurement(PULSE, 90), Measurement(PERFUSION, 8.7)]),
    ],
)
def test_what_is_not_measured_gives_its_reason_instead(characteristic: str, text: str, wanted: list[Output]) -> None:
    assert outputs(characteristic, bytes.fromhex(text)) == wanted


@pytest.mark.parametrize("length", range(20))
def test_no_truncation_is_taken_for_a_value(length: int) -> None:
    assert decode_continuous(bytes.fromhex(CONTINUOUS)[:length]) is Reason.TRUNCATED


@given(st.binary(max_size=40))
def test_any_bytes_give_a_packet_or_a_reason(value: bytes) -> None:
    assert isinstance(decode_continuous(value), Packet | Reason)
    assert isinstance(decode_spot(value), Packet | Reason)
