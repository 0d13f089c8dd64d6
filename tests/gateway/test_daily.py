"""How long somebody was about by day and by night. Times are the home's."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contract.quantities import QuantityName
from gateway.daily import DailyActivity, Told

HOME = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 3, 1, tzinfo=HOME)
DAY, NIGHT = QuantityName.ACTIVE_DAY, QuantityName.ACTIVE_NIGHT


def lived(signs: list[float], *, since_h: float = -1, until_h: float = 24, step_h: float = 0.25) -> list[Told]:
    """What is told of signs at these hours of the day, watched from one hour to another."""
    watch, told = DailyActivity(MIDNIGHT + timedelta(hours=since_h)), list[Told]()
    steps = [since_h + step_h * step for step in range(round((until_h - since_h) / step_h) + 1)]
    for at_h, is_sign in sorted([(at_h, False) for at_h in steps] + [(at_h, True) for at_h in signs]):
        now = MIDNIGHT + timedelta(hours=at_h)
        told += watch.note(now) if is_sign else watch.tick(now)
    return told


def test_quarters_with_any_sign_are_told_at_the_end_of_night_and_day() -> None:
    told = lived([0.1, 0.2, 1.0, 4.99, 5.5, 6.0, 9.0, 21.99, 22.5])
    assert told == [Told(NIGHT, MIDNIGHT.replace(hour=5), 0.75), Told(DAY, MIDNIGHT.replace(hour=22), 0.75)]


def test_ten_signs_in_a_quarter_say_no_more_than_one() -> None:
    assert [one.hours for one in lived([7 + minute / 60 for minute in range(15)])] == [0.25]


def test_without_any_sign_nothing_is_told_for_a_dead_sensor_looks_like_a_quiet_person() -> None:
    assert lived([]) == []


@pytest.mark.parametrize(("since_h", "told"), [(0.0, [NIGHT, DAY]), (0.01, [DAY]), (6.01, [])])
def test_what_was_not_watched_from_its_begin_is_not_told(since_h: float, told: list[QuantityName]) -> None:
    assert [one.quantity for one in lived([1, 7], since_h=since_h) if one.quantity in told] == told
    assert len(lived([hour for hour in (1, 7, 8) if hour > since_h], since_h=since_h)) == len(told)


def test_a_clock_that_leaps_begins_the_watch_anew() -> None:
    watch = DailyActivity(MIDNIGHT - timedelta(hours=1))
    list(watch.note(MIDNIGHT + timedelta(minutes=1)))
    assert list(watch.tick(MIDNIGHT + timedelta(hours=5))) == []
    assert list(watch.tick(MIDNIGHT)) == []


def test_the_next_day_begins_at_nothing() -> None:
    hours = [one.hours for one in lived([1, 2, 7, 25, 31], until_h=48)]
    assert hours == [0.5, 0.25, 0.25, 0.25]
