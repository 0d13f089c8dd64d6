"""Our own bed mat: who lies in it, what is missing, and getting in or out as one event each. Bytes by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import Measurement, Output, Reason, Refusal, Signal
from gateway.devices.jiahu_bed_mat import BedMat

BED_MAT = 0x10
OCCUPIED, MOVEMENT, BATTERY = QuantityName.BED_OCCUPIED, QuantityName.MOVEMENT, QuantityName.BATTERY
RESPIRATION, HEART_RATE = QuantityName.RESPIRATION_RATE, QuantityName.HEART_RATE


def frame(payload: bytes, kind: int = BED_MAT) -> Frame:
    return Frame(kind, 8, 1, payload)


def state(occupied: int, respiration: int = 14, heart_rate: int = 61, movement: int = 5, battery: int = 90) -> Frame:
    return frame(bytes((occupied, respiration, heart_rate, movement, battery)))


def take(*frames: Frame) -> list[Output]:
    mat = BedMat()
    return [output for one in frames for output in mat.take(one, 0.0)]


def values(*frames: Frame) -> dict[QuantityName, float]:
    return {one.quantity: one.value for one in take(*frames) if isinstance(one, Measurement)}


def signals(*occupied: int) -> list[EventKind]:
    return [one.kind for one in take(*map(state, occupied)) if isinstance(one, Signal)]


def test_somebody_in_bed_is_measured() -> None:
    assert values(state(1)) == {BATTERY: 90, OCCUPIED: 1, MOVEMENT: 5, RESPIRATION: 14, HEART_RATE: 61}


def test_an_empty_bed_breathes_nothing() -> None:
    assert values(state(0)) == {BATTERY: 90, OCCUPIED: 0, MOVEMENT: 5}


@pytest.mark.parametrize(
    ("mat", "missing"),
    [
        (state(1, respiration=0), RESPIRATION),
        (state(1, heart_rate=0), HEART_RATE),
        (state(1, movement=255), MOVEMENT),
        (state(1, battery=255), BATTERY),
    ],
)
def test_a_missing_value_is_no_measurement(mat: Frame, missing: QuantityName) -> None:
    assert {*values(state(1))} - {*values(mat)} == {missing}


@pytest.mark.parametrize("occupied", [2, 254, 255])
def test_an_unknown_state_says_nothing_of_the_bed(occupied: int) -> None:
    assert take(state(occupied)) == [Measurement(BATTERY, 90), Refusal(Reason.NO_CONTACT)]


@pytest.mark.parametrize(
    ("occupied", "wanted"),
    [
        ([1], []),
        ([0], []),
        ([1, 1, 1], []),
        ([0, 1], [EventKind.BED_ENTRY]),
        ([1, 0], [EventKind.BED_EXIT]),
        ([1, 0, 0, 1], [EventKind.BED_EXIT, EventKind.BED_ENTRY]),
        ([1, 255, 0], [EventKind.BED_EXIT]),
        ([1, 255, 1], []),
        ([255, 0], []),
    ],
)
def test_only_a_change_that_was_seen_is_an_event(occupied: list[int], wanted: list[EventKind]) -> None:
    assert signals(*occupied) == wanted


@given(st.binary(max_size=20).filter(lambda payload: len(payload) != 5))
def test_any_other_length_is_refused(payload: bytes) -> None:
    assert take(frame(payload)) == [Refusal(Reason.LENGTH)]


@pytest.mark.parametrize("kind", [0x01, 0x04, 0x7F])
def test_frames_of_other_types_are_refused(kind: int) -> None:
    assert take(frame(bytes(5), kind)) == [Refusal(Reason.UNKNOWN_TYPE)]


def test_a_mat_sits_behind_a_bridge_and_time_alone_tells_it_nothing() -> None:
    with pytest.raises(NotImplementedError):
        BedMat().feed(b"", 0.0)
    assert list(BedMat().tick(1e9)) == []
