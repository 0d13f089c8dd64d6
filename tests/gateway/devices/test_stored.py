"""A cuff tells its whole memory at every request: each record is taken once, and only what comes while it is watched is new."""

from datetime import datetime

from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Output, Reason, Refusal
from gateway.devices.stored import REMEMBERED_MAX, CuffRecord, Session

FIRST = CuffRecord(datetime(2026, 3, 14, 7, 5), 142, 88, 77)
SECOND = CuffRecord(datetime(2026, 3, 14, 19, 0), 138, 86, 70)
TIMELESS = CuffRecord(None, 120, 80, 60)


def systolic(outputs: list[Output]) -> list[tuple[float, bool]]:
    return [
        (output.value, output.is_history)
        for output in outputs
        if isinstance(output, Measurement) and output.quantity is QuantityName.SYSTOLIC
    ]


def test_the_first_answer_is_history_with_the_cuffs_own_time() -> None:
    at = FIRST.time
    assert list(Session().tell([FIRST])) == [
        Measurement(QuantityName.SYSTOLIC, 142, at, is_history=True),
        Measurement(QuantityName.DIASTOLIC, 88, at, is_history=True),
        Measurement(QuantityName.HEART_RATE, 77, at, is_history=True),
    ]


def test_a_record_is_told_once_and_one_that_is_added_is_new() -> None:
    session = Session()
    assert systolic(list(session.tell([FIRST]))) == [(142, True)]
    assert systolic(list(session.tell([FIRST]))) == []
    assert systolic(list(session.tell([SECOND, FIRST]))) == [(138, False)]


def test_what_was_added_while_the_cuff_was_away_is_history() -> None:
    session = Session()
    list(session.tell([FIRST]))
    session.interrupt()
    assert systolic(list(session.tell([FIRST, SECOND]))) == [(138, True)]
    assert systolic(list(session.tell([FIRST, SECOND, SECOND]))) == [(138, False)]


def test_an_answer_that_was_not_whole_makes_no_old_record_new() -> None:
    session = Session()
    list(session.tell([FIRST, SECOND]))
    assert systolic(list(session.tell([]))) == []
    assert systolic(list(session.tell([FIRST, SECOND]))) == []


def test_more_than_a_minute_can_hold_are_no_new_measurements() -> None:
    session = Session()
    assert list(session.tell([])) == []
    day = [CuffRecord(datetime(2026, 3, 14, hour), 120 + hour, 80, 60) for hour in range(3)]
    assert systolic(list(session.tell(day))) == [(120, True), (121, True), (122, True)]


def test_what_is_remembered_has_an_end() -> None:
    session = Session()
    for minute in range(REMEMBERED_MAX + 10):
        list(session.tell([CuffRecord(None, 100 + minute % 100, 50 + minute // 100, 60)]))
    assert systolic(list(session.tell([CuffRecord(None, 100 + (REMEMBERED_MAX + 9) % 100, 50 + (REMEMBERED_MAX + 9) // 100, 60)]))) == []


def test_an_old_record_without_a_time_has_no_place_and_a_new_one_was_measured_now() -> None:
    session = Session()
    assert list(session.tell([TIMELESS])) == [Refusal(Reason.CLOCK)]
    assert systolic(list(session.tell([TIMELESS, TIMELESS]))) == [(120, False)]


def test_a_record_without_values_gives_none() -> None:
    assert list(Session().tell([CuffRecord(FIRST.time, None, None, None)])) == [Refusal(Reason.SEARCHING)]
    assert list(Session().tell([CuffRecord(FIRST.time, None, 88, None)])) == [
        Measurement(QuantityName.DIASTOLIC, 88, FIRST.time, is_history=True)
    ]
