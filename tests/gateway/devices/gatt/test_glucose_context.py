"""What a glucose meter knows beside a result. Bytes are arithmetic from the layout."""

import pytest

from gateway.decode import decode as decode_as
from gateway.devices.driver import Reason
from gateway.devices.gatt import outputs
from gateway.devices.gatt.glucose_context import Context, decode


def test_every_field_is_read() -> None:
    whole = bytes.fromhex("ff2a00" + "00" + "02" + "50d0" + "01" + "51" + "0807" + "32" + "01" + "05d0" + "43f0")
    assert decode(whole) == Context(42, "lunch", 0.08, "before_meal", "self", "none", 1800, 50, "rapid", 0.005, True, 6.7)


def test_only_what_is_told_is_shown() -> None:
    told = list(decode_as("ble_glucose", [bytes.fromhex("02010003")], {"characteristic": "2a34"}))
    assert told == [{"sequence": 1, "meal": "fasting"}]


@pytest.mark.parametrize(("text", "reason"), [("0201", Reason.TRUNCATED), ("01010001", Reason.TRUNCATED), ("00010000", Reason.LENGTH)])
def test_what_is_not_whole_is_refused(text: str, reason: Reason) -> None:
    assert decode(bytes.fromhex(text)) is reason


def test_it_is_no_reading() -> None:
    assert outputs("2a34", bytes.fromhex("02010003")) == []
