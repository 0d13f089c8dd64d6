"""The comparison finds what is lost, doubled, altered or misdated, and excuses only what nobody promised."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from simulators.faults import codes
from simulators.faults.compare import compare_events, compare_readings
from simulators.faults.evidence import Evidence, StoredAlert, StoredEvent, StoredReading
from simulators.faults.ledger import ClockStep, Damage, End, EventSent, FrameSent, FullDisk, Ledger

HOME = "home-01"
START = 1_800_000_000.0
COUNT = 40
HOUR = 3600.0


def frame(number: int) -> FrameSent:
    return FrameSent(HOME, codes.WEARABLE, number, START + number / 10, is_heard=True)


def rows(frames: Iterable[FrameSent], *, offset_s: float = 0.0) -> list[StoredReading]:
    """As a gateway and a backend that lose nothing store them."""
    return [
        StoredReading(one.home, one.device, quantity, one.written_at + 0.01 + offset_s, one.written_at + 1, value)
        for one in frames
        for quantity, value in codes.values(one.device, one.number, is_sick=one.is_sick).items()
    ]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(frames=[frame(number) for number in range(COUNT)])


def evidence(readings: list[StoredReading]) -> Evidence:
    return Evidence(readings, [], [])


def test_all_that_was_sent_is_found(ledger: Ledger) -> None:
    found = compare_readings(ledger, evidence(rows(ledger.frames)))
    assert (found.written, found.sent, found.stored) == (3 * COUNT, 3 * COUNT, 3 * COUNT)
    assert found.lost == found.duplicated == found.unknown == found.misdated == 0


def test_a_hole_is_a_loss_even_while_gateways_die_elsewhere(ledger: Ledger) -> None:
    ledger.ends.append(End(HOME, START + 3.95, True))
    found = compare_readings(ledger, evidence(rows(one for one in ledger.frames if one.number != 10)))
    assert (found.lost, found.tail, found.stored) == (3, 0, 3 * COUNT - 3)
    assert any("frame 10 " in example for example in found.examples)


def test_a_single_missing_value_is_a_loss(ledger: Ledger) -> None:
    stored = rows(ledger.frames)
    del stored[16]
    found = compare_readings(ledger, evidence(stored))
    assert (found.lost, found.duplicated, found.unknown) == (1, 0, 0)


def test_a_doubled_row_is_noticed(ledger: Ledger) -> None:
    stored = rows(ledger.frames)
    found = compare_readings(ledger, evidence([*stored, stored[7]]))
    assert (found.lost, found.duplicated) == (0, 1)


def test_a_whole_frame_stored_again_at_another_time_is_doubled(ledger: Ledger) -> None:
    again = [replace(one, measured_at=one.measured_at + 0.5) for one in rows(ledger.frames[5:6])]
    found = compare_readings(ledger, evidence(rows(ledger.frames) + again))
    assert (found.lost, found.duplicated) == (0, 3)


def test_two_frames_in_the_same_millisecond_are_told_apart(ledger: Ledger) -> None:
    stored = [replace(one, measured_at=START + 1) for one in rows(ledger.frames[8:12])]
    found = compare_readings(Ledger(frames=ledger.frames[8:12]), evidence(stored))
    assert (found.lost, found.duplicated, found.unknown) == (0, 0, 0)


def test_the_last_frames_before_a_death_are_its_tail(ledger: Ledger) -> None:
    ledger.ends.append(End(HOME, START + 2.0, True))
    ledger.ports[HOME] = [(START, True), (START + 2.01, False), (START + 2.5, True)]
    missing = {18, 19, 20, 21}
    for one in ledger.frames[21:25]:
        one.is_heard = False
    found = compare_readings(ledger, evidence(rows(one for one in ledger.frames if one.is_heard and one.number not in missing)))
    assert (found.lost, found.tail, found.unheard) == (0, 9, 12)
    assert found.tail_ms_max == 200
    assert found.sent == found.stored == found.written - found.tail - found.unheard


def test_what_a_full_disk_shed_is_excused_up_to_what_the_gateway_said(ledger: Ledger) -> None:
    alarm = EventSent(HOME, codes.WEARABLE, "sos", 1, 1, START)
    ledger.full_disks.append(FullDisk(HOME, START, START + 2, shed=5, alarm=alarm))
    found = compare_readings(ledger, evidence(rows(ledger.frames[2:])))
    assert (found.shed, found.lost) == (5, 1)


def test_only_what_stood_in_a_damaged_file_is_set_aside(ledger: Ledger) -> None:
    waiting = tuple(replace(one, home="") for one in rows(ledger.frames[4:6]))
    ledger.damages.append(Damage(HOME, START + 1, waiting, set_aside=1))
    found = compare_readings(ledger, evidence(rows(one for one in ledger.frames if one.number not in (4, 5, 6))))
    assert (found.set_aside, found.lost) == (6, 3)


def test_an_altered_value_and_a_foreign_row_are_noticed(ledger: Ledger) -> None:
    stored = rows(ledger.frames)
    foreign = StoredReading(HOME, codes.WEARABLE, "glucose", START, START, 5.0)
    stored[1] = replace(stored[1], value=stored[1].value - codes.SICK_SPO2_LESS)
    found = compare_readings(ledger, evidence([*stored, foreign]))
    assert found.unknown == 2


@pytest.mark.parametrize(("offset_s", "misdated"), [(0.0, 0), (HOUR, 0), (2 * HOUR, 3 * COUNT), (10.0, 3 * COUNT)])
def test_times_are_those_of_the_homes_clock_or_the_true_ones(ledger: Ledger, offset_s: float, misdated: int) -> None:
    ledger.clocks[HOME] = [ClockStep(START - 10, error_s=HOUR)]
    assert compare_readings(ledger, evidence(rows(ledger.frames, offset_s=offset_s))).misdated == misdated


def test_hours_that_passed_later_do_not_excuse_a_time(ledger: Ledger) -> None:
    ledger.clocks[HOME] = [ClockStep(START - 10, leap_s=-HOUR), ClockStep(START + 20, leap_s=0.0)]
    assert compare_readings(ledger, evidence(rows(ledger.frames, offset_s=-HOUR))).misdated == 0
    assert compare_readings(ledger, evidence(rows(ledger.frames))).misdated == 3 * COUNT


PRESS = EventSent(HOME, codes.WEARABLE, "sos", 0xAB, 3, START, acked_at=START + 0.1)
ROW = StoredEvent(HOME, codes.WEARABLE, "sos", "wearable-1:00ab-3-20270115", START + 0.01, START + 1, 1, None)
ALERT = StoredAlert(1, "sos", HOME, "high", "new", 1, START, START, False, 1, 1)


@pytest.mark.parametrize(
    ("stored", "alert", "lost", "duplicated", "unknown"),
    [
        ([ROW], ALERT, 0, 0, 0),
        ([], replace(ALERT, count=0, steps=0), 1, 0, 0),
        ([replace(ROW, alert_id=None)], replace(ALERT, count=0, steps=0), 1, 0, 0),
        ([ROW, replace(ROW, event_id="wearable-1:00ab-3-20270116")], replace(ALERT, count=2, steps=2), 0, 1, 0),
        ([ROW], replace(ALERT, count=2), 0, 1, 0),
        ([ROW], replace(ALERT, steps=3), 0, 2, 0),
        ([ROW, replace(ROW, event_id="wearable-1:00ab-4-20270115")], replace(ALERT, count=2, steps=2), 0, 0, 1),
    ],
    ids=["once", "never", "without alert", "two rows", "counted twice", "three steps", "nobody pressed"],
)
def test_a_press_is_one_row_one_alert_and_counted_once(
    stored: list[StoredEvent], alert: StoredAlert, lost: int, duplicated: int, unknown: int
) -> None:
    found = compare_events(Ledger(events=[PRESS]), Evidence([], stored, [alert]))
    assert (found.sent, found.lost, found.duplicated, found.unknown) == (1, lost, duplicated, unknown)
    assert found.alerts == int((lost, len(stored)) == (0, 1) or unknown == 1)


def test_an_event_with_a_time_of_its_own_making_is_misdated() -> None:
    found = compare_events(Ledger(events=[PRESS]), Evidence([], [replace(ROW, at=START + 60)], [ALERT]))
    assert found.misdated == 1
