"""Records that a device stored while nobody listened: where in the past they belong, and that each is taken once. No I/O, no clock.

A device gives its whole memory at every read-out, so what it gave before is known by its time: all that is not newer than the newest record
of the last whole read-out. Records need not come in order. A read-out that is cut off leaves that mark where it was: a record may then come
twice, but none is lost. A record that came live is known by its time alone, since older ones may not have been read yet.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from contract.quantities import QuantityName, Statistic
from gateway.devices.driver import Reason
from gateway.summary import Summarizer, Summary

AHEAD_MAX = timedelta(minutes=5)
"""A record from the future has a clock that is wrong; so little is an ordinary clock that runs ahead."""
AGE_MAX = timedelta(days=730)
"""Cuffs keep 60 to 120 records. What claims to be older has a clock that was never set: real ones say 2010 or year 0."""
ENDED_S = 10.0
"""A read-out is over when no record came for so long: at 4800 bit/s a record takes 0.02 s, and a device pauses for less than 1 s."""
MILLISECOND = timedelta(milliseconds=1)


LIVE_MAX = 16
"""Live records remembered: a cuff is used a few times a day, and read out at least when the gateway starts."""


RECORDS_MAX = 1000
"""Names of records remembered: glucose meters store up to 1000, cuffs 100 with up to four values each."""
LIVE_AGE = timedelta(minutes=10)
"""A record as young as this by its own clock was made just now: a cuff needs a minute, and another to be heard."""
UTC_LAG_MAX = timedelta(minutes=2)
"""From the result to its arrival here, where a clock that shows UTC is to be told from an old record: narrow, as an old one may look so."""
CLOCK_OFF_MAX = timedelta(days=1)
"""A device's clock that is off by more was never set."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a device's records: all up to `until`, and those of the instants `live`, oldest first.

    `records`: names of those known by name, oldest first.
    """

    until: datetime | None = None
    live: tuple[datetime, ...] = ()
    records: tuple[str, ...] = ()

    def with_record(self, name: str) -> "Mark":
        """The mark once this record is known too."""
        return replace(self, records=(*self.records, name)[-RECORDS_MAX:])


class ReadOut:
    """State for one device: the mark, and the read-out that is going on. `thinned` says how the device's fast series are, if they are."""

    def __init__(self, mark: Mark, thinned: Summarizer | None) -> None:
        self.mark = mark
        self._newest = mark.until
        self._record_s: float | None = None
        self._summarizer = Summarizer(thinned.interval_s) if thinned is not None else None
        self._last_at: dict[QuantityName, datetime] = {}

    def add(self, quantity: QuantityName, at: datetime, value: float, *, now: datetime, now_s: float) -> list[Summary] | Reason:
        """Take a value that was measured at `at`. Returns what is to be kept of it now, or CLOCK for a time that cannot be."""
        if at > now + AHEAD_MAX or at < now - AGE_MAX:
            return Reason.CLOCK
        self._record_s = now_s
        at = at.astimezone(UTC)
        if (self.mark.until is not None and at <= self.mark.until) or at in self.mark.live:
            return []
        self._newest = at if self._newest is None else max(self._newest, at)
        if self._summarizer is not None:
            return self._summarizer.add(quantity, at, value)
        return [self._apart(Summary(quantity, Statistic.SAMPLE, at, value))]

    def note(self, at: datetime) -> None:
        """A record of this time came live: a later read-out shall not give it again."""
        at = at.astimezone(UTC)
        if at not in self.mark.live:
            self.mark = replace(self.mark, live=(*self.mark.live, at)[-LIVE_MAX:])

    def tick(self, now_s: float) -> list[Summary]:
        """The end of a read-out: what was still being summed up, and the mark moves."""
        if self._record_s is None or now_s - self._record_s < ENDED_S:
            return []
        self._record_s = None
        self.mark = replace(
            self.mark, until=self._newest, live=tuple(at for at in self.mark.live if self._newest is None or at > self._newest)
        )
        return self._flush()

    def interrupt(self) -> None:
        """The device went away: a read-out that was going on is not whole. It begins anew, so its open sums are thrown away with it."""
        if self._record_s is not None:
            self._record_s = None
            self._newest = self.mark.until
            self._flush()

    def _flush(self) -> list[Summary]:
        self._last_at.clear()
        return self._summarizer.tick(datetime.max.replace(tzinfo=UTC)) if self._summarizer is not None else []

    def _apart(self, summary: Summary) -> Summary:
        """Cuffs tell whole minutes: two records of one minute stay apart by a millisecond."""
        last = self._last_at.get(summary.quantity)
        if last is not None and timedelta(0) <= last - summary.at < timedelta(seconds=1):
            summary = replace(summary, at=last + MILLISECOND)
        self._last_at[summary.quantity] = summary.at
        return summary


def place(told_at: datetime, now: datetime, clock_off: timedelta | None) -> datetime | Reason | None:
    """Where a single result belongs that a device sends with its own time: None for now, else an instant of the past.

    `clock_off`: what the device's clock was ahead of ours when it was last asked; None where it cannot be asked. It mends the time, unless
    it is so far off that it was never set: then a time that can be is from before, and one that cannot be is refused with CLOCK. Where the
    clock cannot be asked, a time that cannot be is that of a result made just now by a clock that was never set.
    """
    if abs(now - told_at) <= LIVE_AGE:
        return None
    if clock_off is not None:
        mended = told_at - clock_off
        if abs(now - mended) <= LIVE_AGE:
            return None
        at = mended if abs(clock_off) <= CLOCK_OFF_MAX else told_at
        return at if now - AGE_MAX <= at <= now else Reason.CLOCK
    return told_at if now - AGE_MAX <= told_at <= now else None


def shows_utc(told_at: datetime, now: datetime, zone: tzinfo) -> bool:
    """Whether a result that was made just now would have this time by a clock that shows UTC in place of the home's time."""
    off = zone.utcoffset(now.astimezone(zone).replace(tzinfo=None)) or timedelta(0)
    return bool(off) and abs(now - off - told_at) <= UTC_LAG_MAX
