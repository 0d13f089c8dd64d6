"""Our own SOS pendant. Bytes by hand, from the drawing in firmware_stubs/include/bridge_frame.h."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame, FrameReader
from gateway.devices.driver import Alive, Measurement, Output, Reason, Refusal, Signal
from gateway.devices.jiahu_pendant import Pendant

SOS, STATUS = 0x04, 0x11


def take(kind: int, payload: bytes) -> list[Output]:
    return list(Pendant().take(Frame(kind, 9, 0, payload), 0.0))


@pytest.mark.parametrize(("kind", "meaning"), [(1, EventKind.SOS), (2, EventKind.SOS_CANCELLED)])
def test_a_press_is_a_signal_that_is_acknowledged(kind: int, meaning: EventKind) -> None:
    [signal] = take(SOS, struct.pack("<HHHB", 0xBEEF, 3, 1500, kind))
    assert isinstance(signal, Signal)
    assert (signal.kind, signal.key, signal.age_s) == (meaning, "beef-3", 1.5)
    [answer] = FrameReader().feed(signal.acknowledgement)
    assert answer == Frame(0x7F, 9, 3, struct.pack("<HHB", 0xBEEF, 3, SOS))


@pytest.mark.parametrize(
    ("battery", "said"), [(0, Measurement(QuantityName.BATTERY, 0)), (80, Measurement(QuantityName.BATTERY, 80)), (255, Alive())]
)
def test_a_status_is_a_battery_or_a_sign_of_life(battery: int, said: Output) -> None:
    assert take(STATUS, bytes([battery])) == [said]


@pytest.mark.parametrize(("kind", "length"), [(SOS, 7), (STATUS, 1)])
def test_any_other_length_is_refused(kind: int, length: int) -> None:
    for wrong in {*range(12)} - {length}:
        assert take(kind, bytes(wrong)) == [Refusal(Reason.LENGTH)]


def test_an_unknown_kind_of_press_and_an_unknown_frame_are_refused() -> None:
    assert take(SOS, struct.pack("<HHHB", 1, 1, 0, 3)) == [Refusal(Reason.FORMAT)]
    assert take(0x01, bytes(8)) == [Refusal(Reason.UNKNOWN_TYPE)]


@given(st.integers(0, 255), st.binary(max_size=246))
def test_no_frame_can_stop_it(kind: int, payload: bytes) -> None:
    take(kind, payload)


def test_it_sits_behind_a_bridge_and_takes_no_raw_bytes() -> None:
    with pytest.raises(NotImplementedError):
        Pendant().feed(b"", 0.0)
