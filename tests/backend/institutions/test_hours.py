"""Opening hours, hour by hour."""

from datetime import datetime, timedelta

import pytest

from backend.institutions.hours import is_open

MONDAY = datetime(2026, 3, 2)
WEEK = "Mo-Fr 08:00-12:00,14:00-17:30; Sa 09:00-12:00"


@pytest.mark.parametrize(
    ("hours", "day", "clock", "open_"),
    [
        (WEEK, 0, "08:00", True),
        (WEEK, 0, "07:59", False),
        (WEEK, 0, "12:00", False),
        (WEEK, 4, "17:29", True),
        (WEEK, 5, "11:59", True),
        (WEEK, 5, "14:30", False),
        (WEEK, 6, "10:00", False),
        ("24/7", 6, "03:12", True),
        ("Mo-Su 18:00-02:00", 0, "01:59", True),
        ("Mo-Su 18:00-02:00", 0, "02:00", False),
        ("Fr 22:00-24:00", 4, "23:59", True),
        ("Fr 22:00-02:00", 5, "01:00", True),
        ("Fr 22:00-02:00", 4, "01:00", False),
        ("Sa-Mo 10:00-11:00", 0, "10:30", True),
        ("Sa-Mo 10:00-11:00", 1, "10:30", False),
        ("08:00-17:30; Su off", 6, "10:00", False),
        ("", 0, "10:00", None),
    ],
)
def test_open_closed_or_not_known(hours: str, day: int, clock: str, *, open_: bool | None) -> None:
    hour, minute = map(int, clock.split(":"))
    assert is_open(hours, MONDAY + timedelta(days=day, hours=hour, minutes=minute)) is open_


@pytest.mark.parametrize(
    "hours", ["always", "Mo 8:00-17:00", "Mo 08:00-25:00", "08:00-08:00", "Mo-Xx 08:00-17:00", "08:00-17:00;", "24:00-24:00"]
)
def test_what_cannot_be_read_is_refused(hours: str) -> None:
    with pytest.raises(ValueError):
        is_open(hours, MONDAY)
