"""A Bluetooth health device behind our own bridge. Values by hand; what they mean is tested beside gatt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import Measurement, Output, Reason, Refusal
from gateway.devices.jiahu_ble_device import BleDevice

NOTIFICATION = 0x20


def take(payload: str, kind: int = NOTIFICATION) -> list[Output]:
    return list(BleDevice().take(Frame(kind, 21, 0, bytes.fromhex(payload)), 0.0))


def test_a_notification_is_worth_what_its_characteristic_says() -> None:
    assert take("37 2a 06 48") == [Measurement(QuantityName.HEART_RATE, 72)]
    assert take("19 2a 50") == [Measurement(QuantityName.BATTERY, 80)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [("", Reason.LENGTH), ("37", Reason.LENGTH), ("00 00 01", Reason.UNKNOWN_TYPE), ("37 2a 04 48", Reason.NO_CONTACT)],
)
def test_what_says_nothing_is_refused(payload: str, reason: Reason) -> None:
    assert take(payload) == [Refusal(reason)]


def test_a_value_that_is_cut_off_is_refused() -> None:
    assert all(isinstance(one, Refusal) for one in take("37 2a 06"))


def test_frames_of_other_types_are_refused() -> None:
    assert take("37 2a 06 48", kind=0x01) == [Refusal(Reason.UNKNOWN_TYPE)]


@given(st.binary(max_size=246))
def test_no_value_can_stop_it(payload: bytes) -> None:
    take(payload.hex())


def test_it_sits_behind_a_bridge_and_takes_no_raw_bytes() -> None:
    with pytest.raises(NotImplementedError):
        BleDevice().feed(b"", 0.0)
