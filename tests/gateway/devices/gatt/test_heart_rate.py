"""Heart rate: rates of 8 and 16 bits, beat intervals, and a belt off the body that is never believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Output, Reason, Refusal
from gateway.devices.gatt import outputs
from gateway.devices.gatt.heart_rate import Packet, decode

RATE, INTERVAL = QuantityName.HEART_RATE, QuantityName.BEAT_INTERVAL


# Stated in NordicSemiconductor/Android-BLE-Common-Library's tests, but for the last: arithmetic from the layout.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0055", Packet(85, None, None, ())),
        ("04ff", Packet(255, False, None, ())),
        ("1e5532002100", Packet(85, True, 50, (33,))),
        ("1f0101320101000201ffff", Packet(257, True, 306, (1, 258, 65535))),
        ("0000", Packet(None, None, None, ())),
    ],
)
def test_a_notification_says_what_its_layout_says(text: str, wanted: Packet) -> None:
    assert decode(bytes.fromhex(text)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("16480004", [Measurement(RATE, 72), Measurement(INTERVAL, 1.0)]),
        ("0055", [Measurement(RATE, 85)]),
        ("04ff", [Refusal(Reason.NO_CONTACT)]),
        ("0600", [Refusal(Reason.NO_CONTACT)]),
        ("170101", [Refusal(Reason.TRUNCATED)]),
    ],
)
def test_only_a_rate_of_the_body_is_measured(text: str, wanted: list[Output]) -> None:
    assert outputs("2a37", bytes.fromhex(text)) == wanted


@pytest.mark.parametrize("length", range(10))
def test_no_truncation_is_taken_for_a_value(length: int) -> None:
    whole = bytes.fromhex("1f010132010100020100")
    expected = Reason.TRUNCATED if length < 7 or length % 2 == 0 else None
    found = decode(whole[:length])
    assert found is expected or (expected is None and isinstance(found, Packet))


def test_bytes_behind_the_value_are_refused() -> None:
    assert decode(bytes.fromhex("005500")) is Reason.LENGTH


@given(st.binary(max_size=40))
def test_any_bytes_give_a_packet_or_a_reason(value: bytes) -> None:
    assert isinstance(decode(value), Packet | Reason)
