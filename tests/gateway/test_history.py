"""Records that a device stored: placed by its clock, taken once, thinned as live ones are."""

from datetime import UTC, datetime, timedelta

import pytest

from contract.quantities import QuantityName, Statistic
from gateway.devices.driver import Reason
from gateway.history import AGE_MAX, AHEAD_MAX, ENDED_S, LIVE_MAX, RECORDS_MAX, Mark, ReadOut, place
from gateway.summary import Summarizer, Summary

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
Q = QuantityName.SYSTOLIC


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def read_out(readout: ReadOut, *ages_h: float, now_s: float = 0.0) -> list[Summary]:
    """Give records of these ages; what came of them, with the end of the read-out."""
    kept: list[Summary] = []
    for age in ages_h:
        found = readout.add(Q, NOW - hours(age), 130 + age, now=NOW, now_s=now_s)
        assert not isinstance(found, Reason)
        kept += found
    return kept + readout.tick(now_s + ENDED_S)


def ages(summaries: list[Summary]) -> list[float]:
    return [(NOW - one.at) / hours(1) for one in summaries]


def test_a_record_has_the_time_of_the_device() -> None:
    [only] = read_out(ReadOut(Mark(), None), 5)
    assert only == Summary(Q, Statistic.SAMPLE, NOW - hours(5), 135)


def test_records_come_in_any_order_and_are_taken_once() -> None:
    readout = ReadOut(Mark(), None)
    assert ages(read_out(readout, 5, 9, 2)) == [5, 9, 2]
    assert ages(read_out(readout, 5, 9, 2, 1)) == [1]
    assert ages(read_out(ReadOut(readout.mark, None), 9, 5, 2, 1)) == []


def test_a_read_out_that_is_cut_off_is_taken_again_whole() -> None:
    readout = ReadOut(Mark(), None)
    readout.add(Q, NOW - hours(1), 130, now=NOW, now_s=0.0)
    readout.interrupt()
    assert readout.tick(100.0) == []
    assert readout.mark == Mark()
    assert ages(read_out(readout, 1, 3)) == [1, 3]


def test_a_record_that_came_live_is_not_history_but_older_ones_are() -> None:
    readout = ReadOut(Mark(), None)
    readout.note(NOW - hours(1))
    assert ages(read_out(readout, 1, 2)) == [2]


def test_very_many_live_records_do_not_fill_the_memory() -> None:
    readout = ReadOut(Mark(), None)
    for hour in range(100):
        readout.note(NOW + hours(hour))
        readout.note(NOW + hours(hour))
    assert readout.mark.live == tuple(NOW + hours(hour) for hour in range(100 - LIVE_MAX, 100))


NEVER_SET = [NOW + AHEAD_MAX * 1.01, NOW - AGE_MAX * 1.01, datetime(2044, 1, 1, tzinfo=UTC), datetime(2010, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("at", NEVER_SET)
def test_a_clock_that_was_never_set_places_nothing(at: datetime) -> None:
    readout = ReadOut(Mark(), None)
    assert readout.add(Q, at, 130, now=NOW, now_s=0.0) is Reason.CLOCK
    assert readout.tick(100.0) == []
    assert readout.mark == Mark()


def test_records_of_one_minute_stay_apart() -> None:
    first, second = read_out(ReadOut(Mark(), None), 5, 5)
    assert second.at - first.at == timedelta(milliseconds=1)


def test_a_stored_night_is_thinned_as_a_live_one() -> None:
    readout = ReadOut(Mark(), Summarizer(5.0))
    kept: list[Summary] = []
    for second in range(10):
        found = readout.add(QuantityName.SPO2, NOW - hours(1) + timedelta(seconds=second), 90 + second, now=NOW, now_s=0.0)
        assert not isinstance(found, Reason)
        kept += found
    assert [one.value for one in kept] == [92.0, 90, 94]
    assert [one.value for one in readout.tick(ENDED_S)] == [97.0, 95, 99]


@pytest.mark.parametrize(
    ("told_h", "off_h", "wanted_h"),
    [
        (0.1, None, None),  # just now
        (5, None, 5),
        (-0.1, None, None),
        (-30, None, None),  # a clock that cannot be asked, and cannot be right
        (24 * 800, None, None),
        (8, -8, None),  # slow by 8 h: just now
        (20, -8, 12),
        (5, -0.001, 5),
        (5, -24 * 300, 5),  # set once, then its battery was changed
        (24 * 5800, -24 * 5700, Reason.CLOCK),
        (24 * 5700, -24 * 5700, None),
        (-48, -1, Reason.CLOCK),
    ],
)
def test_a_result_belongs_where_its_clock_says(told_h: float, off_h: float | None, wanted_h: float | Reason | None) -> None:
    found = place(NOW - hours(told_h), NOW, None if off_h is None else hours(off_h))
    if isinstance(wanted_h, Reason) or wanted_h is None:
        assert found is wanted_h
    else:
        assert isinstance(found, datetime)
        assert abs(found - (NOW - hours(wanted_h))) < timedelta(minutes=1)


def test_names_of_records_are_kept_up_to_a_limit() -> None:
    mark = Mark()
    for number in range(RECORDS_MAX + 5):
        mark = mark.with_record(str(number))
    assert (len(mark.records), mark.records[0]) == (RECORDS_MAX, "5")
