"""Opening hours as people write them on OpenStreetMap, the part that institutions need. Pure.

    24/7                                always
    08:00-17:30                         every day
    Mo-Fr 08:00-12:00,14:00-17:30       two spans on five days
    Mo-Fr 08:00-17:30; Sa 09:00-12:00   another on Saturdays; other days closed
    Mo-Su 18:00-02:00                   past midnight
    08:00-17:30; Su off                 a later rule replaces an earlier one for its days

Nothing at all is not known, which is not closed.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
MINUTES = 24 * 60
_DAY = "|".join(DAYS)
_RULE = re.compile(rf"(?:(?P<days>(?:{_DAY})(?:[-,](?:{_DAY}))*)\s+)?(?P<spans>off|\d\d:\d\d-\d\d:\d\d(?:\s*,\s*\d\d:\d\d-\d\d:\d\d)*)")
_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")

Week = Mapping[int, list[tuple[int, int]]]
"""Day (0 is Monday) to its spans, minutes since its midnight; an end above 1440 is on the next day."""


@lru_cache(maxsize=4096)
def read(hours: str) -> Week | None:
    """The week; None for the empty text. Raises ValueError that quotes what cannot be read. Kept by its text: many have the same hours."""
    text = hours.strip()
    if not text:
        return None
    if text == "24/7":
        return {day: [(0, MINUTES)] for day in range(7)}
    week: dict[int, list[tuple[int, int]]] = {}
    for rule in text.split(";"):
        found = _RULE.fullmatch(rule.strip())
        if found is None:
            raise ValueError(f"cannot read the hours {rule.strip()!r}: write such as Mo-Fr 08:00-17:30; Sa 09:00-12:00, or 24/7")
        spans = [_span(*map(int, numbers)) for numbers in _SPAN.findall(found["spans"])]
        week |= {day: spans for day in _days(found["days"])}
    return week


def is_open(hours: str, at: datetime) -> bool | None:
    """True or false at a local time; None when the hours are not known."""
    week = read(hours)
    if week is None:
        return None
    minute = at.hour * 60 + at.minute
    today, yesterday = week.get(at.weekday(), []), week.get((at.weekday() - 1) % 7, [])
    return any(start <= minute < end for start, end in today) or any(minute + MINUTES < end for _, end in yesterday)


def _days(text: str | None) -> list[int]:
    if text is None:
        return list(range(7))
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found += [day % 7 for day in range(start, end + (7 if end < start else 0) + 1)]
    return found


def _span(hour: int, minute: int, end_hour: int, end_minute: int) -> tuple[int, int]:
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if minute > 59 or end_minute > 59 or start >= MINUTES or end > MINUTES or start == end:
        raise ValueError(f"{hour:02}:{minute:02}-{end_hour:02}:{end_minute:02} is no span of a day")
    return start, end if end > start else end + MINUTES
