"""How far a published day is: which stops stay as they are, and when each doctor is free again. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.dispatch import travel
from backend.dispatch.day.assemble import Frozen
from backend.dispatch.lifecycle import VisitState
from backend.dispatch.planning.urgent import LASTS_MIN
from backend.dispatch.travel import Place


@dataclass(frozen=True, slots=True)
class Driven:
    """A stop of the published plan with what has become of it. `state`: of its visit, None before it begins; `since`: when that began."""

    due_id: int
    side: int
    starts_at: datetime
    ends_at: datetime
    leg: timedelta
    place: Place | None
    state: VisitState | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Urgent:
    """An urgent visit that a doctor has taken in this half. `begins_at`: of the way there, or of the visit where `is_there`."""

    doctor_id: str
    half: str
    begins_at: datetime
    is_there: bool
    place: Place | None


Tours = Mapping[tuple[str, str], Sequence[Driven]]
"""Stops in order by (doctor, half)."""


def frozen(tours: Tours, now: datetime, *, urgent: Sequence[Urgent] = ()) -> Iterator[Frozen]:
    """For each tour (doctor, half) that has begun: the stops up to the last begun one and the next, which a new plan leaves alone.

    A stop has begun when the doctor has said so, or when its time has come: buttons are forgotten. A visit of two is frozen for both.
    Who has taken an urgent visit (`urgent`, in order) makes the stops before it and then goes there.
    """
    taken: dict[tuple[str, str], list[Urgent]] = {}
    for one in urgent:
        taken.setdefault((one.doctor_id, one.half), []).append(one)
    whole = dict.fromkeys(taken, ()) | dict(tours)
    for key, count in _counts(whole, now, taken).items():
        kept = whole[key][:count]
        if kept or key in taken:
            free, place = free_at(kept, now), kept[-1].place if kept else None
            for one in taken.get(key, ()):
                free, place = _after(one, free, place)
            yield Frozen(*key, tuple(stop.due_id for stop in kept), free, place)


def _after(one: Urgent, free: datetime, place: Place | None) -> tuple[datetime, Place | None]:
    """When an urgent visit ends of a doctor who is free before it at this time and place, and where that is."""
    lasts = timedelta(minutes=LASTS_MIN)
    if one.is_there:
        return max(free, one.begins_at + lasts), one.place or place
    way_s = travel.DEFAULT.seconds(travel.crow_km(place, one.place)) if place and one.place else 0.0
    return max(free, one.begins_at) + timedelta(seconds=way_s) + lasts, one.place or place


def _counts(tours: Tours, now: datetime, taken: Mapping[tuple[str, str], Sequence[Urgent]]) -> dict[tuple[str, str], int]:
    counts = {}
    for key, stops in tours.items():
        begun = [at for at, stop in enumerate(stops) if stop.state is not None or stop.starts_at <= now]
        before = [at for at, stop in enumerate(stops) for one in taken.get(key, ()) if stop.starts_at < one.begins_at]
        counts[key] = max(min(len(stops), begun[-1] + 2) if begun else 0, max(before, default=-1) + 1)
    while True:  # where a partner's stop is kept, so is everything before it
        fixed = {stop.due_id for key, stops in tours.items() for stop in stops[: counts[key]]}
        again = {
            key: max([counts[key], *(at + 1 for at, stop in enumerate(stops) if stop.due_id in fixed)]) for key, stops in tours.items()
        }
        if again == counts:
            return counts
        counts = again


def free_at(stops: Sequence[Driven], now: datetime) -> datetime:
    """When the last of these stops ends, by what the doctor has said so far and by the plan for the rest; never before now."""
    free = now
    said = max((at for at, stop in enumerate(stops) if stop.state is not None), default=-1)
    for at, stop in enumerate(stops):
        lasts = stop.ends_at - stop.starts_at
        if stop.state is VisitState.DONE or (stop.state is None and (at < said or stop.ends_at <= now)):
            continue
        if stop.state is VisitState.AT_HOME and stop.since is not None:
            free = max(free, stop.since + lasts)
        elif stop.state is VisitState.ON_THE_WAY and stop.since is not None:
            free = max(free, stop.since + stop.leg) + lasts
        elif stop.starts_at <= now:
            free = max(free, stop.ends_at)
        else:
            free = max(stop.starts_at, free + stop.leg) + lasts
    return free
