"""How long somebody was about by day and by night, from door, motion and bed sensors: one number each a day. No I/O, no clock.

A quarter of an hour with any sign counts as active, so ten sensors tell no more than one, and homes can be compared with themselves:

    active by night   00:00-05:00, 0 to 5 h     told at 05:00
    active by day     06:00-22:00, 0 to 16 h    told at 22:00

The night is the five hours that are the least active of a usual day (L5 of actigraphy: Witting et al., Biol Psychiatry 27:563, 1990).
What is much or little is the elder's own: rules compare with the weeks before (`trend` in backend/rules).

A time of which a part was not watched (the gateway started in it, or the clock was set) is not told, and neither is one without any sign: a
dead sensor looks like a quiet person, and silence has its own alarm.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from contract.events import EventKind
from contract.quantities import QuantityName

QUARTER = timedelta(minutes=15)
HOURS_PER_QUARTER = 0.25
SIGNS = frozenset(
    {EventKind.MOTION, EventKind.DOOR_OPENED, EventKind.DOOR_CLOSED, EventKind.BED_ENTRY, EventKind.BED_EXIT, EventKind.BUTTON}
)
"""Events that somebody who is about brings."""
DEVICE_ID = "home-activity"
"""Whose readings these are: no device's, the home's."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the day, in the home's time; it does not cross midnight."""

    quantity: QuantityName
    begin: time
    end: time


STRETCHES = (
    Stretch(QuantityName.ACTIVE_NIGHT, time(0), time(5)),
    Stretch(QuantityName.ACTIVE_DAY, time(6), time(22)),
)


@dataclass(frozen=True, slots=True)
class Told:
    """Hours of activity in a stretch that ended at `at` (the home's time)."""

    quantity: QuantityName
    at: datetime
    hours: float


class DailyActivity:
    """The quarters of the stretch that is going on, in the home's time; `now` in every call is aware and in that zone."""

    def __init__(self, now: datetime) -> None:
        self._seen_until = now
        self._watched_since = now
        self._active: dict[QuantityName, set[datetime]] = {stretch.quantity: set() for stretch in STRETCHES}

    def note(self, now: datetime) -> Iterator[Told]:
        """Somebody was about at `now`. Tells what that ends."""
        yield from self.tick(now)
        for stretch in STRETCHES:
            if stretch.begin <= now.time() < stretch.end:
                self._active[stretch.quantity].add(_quarter(now))

    def tick(self, now: datetime) -> Iterator[Told]:
        """What time alone brings: the end of a stretch. A clock that went back, or leapt by an hour, begins the watch anew."""
        if not timedelta(0) <= now - self._seen_until <= timedelta(hours=1):
            self._watched_since = now
            for quarters in self._active.values():
                quarters.clear()
        for stretch in STRETCHES:
            end = datetime.combine(now.date(), stretch.end, now.tzinfo)
            if self._seen_until < end <= now:
                yield from self._tell(stretch, end)
        self._seen_until = now

    def _tell(self, stretch: Stretch, end: datetime) -> Iterator[Told]:
        quarters = self._active[stretch.quantity]
        if quarters and self._watched_since <= datetime.combine(end.date(), stretch.begin, end.tzinfo):
            yield Told(stretch.quantity, end, len(quarters) * HOURS_PER_QUARTER)
        quarters.clear()


def _quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)
