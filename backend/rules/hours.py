"""Hours of the day in a place on earth, as stretches of absolute time: over midnight, and where clocks are put forward or back."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from backend.rules.model import Hours, to_datetime, to_us

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def stretch(hours: Hours | None, at_us: int, home_zone: str) -> tuple[int, int] | None:
    """The stretch (begin, end) of `hours` that holds `at_us`, its end outside; None where there is none. Without hours: all of time."""
    found = next_stretch(hours, at_us, home_zone)
    return found if found[0] <= at_us else None


def next_stretch(hours: Hours | None, at_us: int, home_zone: str) -> tuple[int, int]:
    """The stretch that holds `at_us`, or else the first that begins after it."""
    if hours is None:
        return 0, 1 << 62
    zone = home_zone if hours.zone == "home" else hours.zone
    day = to_datetime(at_us).astimezone(ZoneInfo(zone)).date()
    for begins_on in (day - DAY, day, day + DAY, day + 2 * DAY):
        ends_on = begins_on if hours.from_ < hours.until else begins_on + DAY
        begin, end = _instant(begins_on, hours.from_, zone, False), _instant(ends_on, hours.until, zone, True)
        if at_us < end:
            return begin, end
    raise AssertionError("hours come every day")


@lru_cache(maxsize=4096)
def _instant(day: date, clock: time, zone_name: str, is_end: bool) -> int:
    """When the clocks of a zone show this time. Shown twice: the first for a begin, the second for an end. Skipped: the jump."""
    zone = ZoneInfo(zone_name)
    wanted = datetime.combine(day, clock)
    first, second = sorted(wanted.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) == wanted:
        return to_us(second if is_end else first)
    while first.astimezone(zone).replace(tzinfo=None) < wanted:
        first += MINUTE
    return to_us(first)
