"""A state that is repeated is one event, and its end is no all-clear."""

import pytest

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Signal
from gateway.devices.edges import BedWatch, Onsets

FALL = EventKind.FALL


@pytest.mark.parametrize(
    ("reports", "events_at"),
    [
        ([(0, True)], [0]),
        ([(0, False)], []),
        ([(0, True), (1, True), (60, True)], [0]),
        ([(0, False), (5, True), (6, True), (7, False)], [5]),
        ([(0, True), (5, False), (6, True), (6.5, False), (8, True)], [0]),
        ([(0, True), (5, False), (7, True)], [0, 7]),
    ],
)
def test_one_fall_is_one_event(reports: list[tuple[float, bool]], events_at: list[float]) -> None:
    onsets = Onsets()
    told = [(at, signal) for at, is_on in reports for signal in onsets.tell(FALL, is_on, at)]
    assert told == [(at, Signal(FALL, "")) for at in events_at]


def test_states_do_not_hide_each_other() -> None:
    onsets = Onsets()
    assert [*onsets.tell(FALL, True, 0), *onsets.tell(EventKind.LONG_STAY, True, 0)] == [Signal(FALL, ""), Signal(EventKind.LONG_STAY, "")]


def test_the_first_report_of_a_bed_is_no_event_and_each_change_is_one() -> None:
    bed = BedWatch()
    outputs = [output for is_in in (True, True, False, True) for output in bed.tell(is_in)]
    assert [output.kind for output in outputs if isinstance(output, Signal)] == [EventKind.BED_EXIT, EventKind.BED_ENTRY]
    assert [output.value for output in outputs if isinstance(output, Measurement)] == [1, 1, 0, 1]
    assert {output.quantity for output in outputs if isinstance(output, Measurement)} == {QuantityName.BED_OCCUPIED}
