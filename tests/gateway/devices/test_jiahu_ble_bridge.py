"""Our own BLE-to-UART bridge: a sign of life, and how many frames it had no room for."""

import pytest

from gateway.bridges.framing import Frame
from gateway.devices.driver import Alive, Output, Reason, Refusal
from gateway.devices.jiahu_ble_bridge import BleBridge

STATUS = 0x21


def take(driver: BleBridge, payload: str, kind: int = STATUS) -> list[Output]:
    return list(driver.take(Frame(kind, 20, 0, bytes.fromhex(payload)), 0.0))


def test_a_status_is_a_sign_of_life_and_a_rise_of_what_it_dropped_is_counted() -> None:
    driver = BleBridge()
    said = [take(driver, payload) for payload in ("02 05 00", "02 05 00", "02 06 00", "02 06 00", "01 00 00", "01 01 00")]
    assert said == [[Alive()], [Alive()], [Refusal(Reason.UNRELIABLE)], [Alive()], [Alive()], [Refusal(Reason.UNRELIABLE)]]


@pytest.mark.parametrize("payload", ["", "02", "02 05", "02 05 00 00"])
def test_any_other_length_is_refused(payload: str) -> None:
    assert take(BleBridge(), payload) == [Refusal(Reason.LENGTH)]


def test_frames_of_other_types_are_refused() -> None:
    assert take(BleBridge(), "02 05 00", kind=0x11) == [Refusal(Reason.UNKNOWN_TYPE)]


def test_it_speaks_frames_and_takes_no_raw_bytes() -> None:
    with pytest.raises(NotImplementedError):
        BleBridge().feed(b"", 0.0)
