"""An urgent visit comes into a running day: who is there first, at what price for the others. Pure.

The order is by arrival, then by the own doctor and by what the others pay, not by distance: measured against solving the day again, this
moves almost nobody and is at the home sooner (docs/planning.md).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from backend.dispatch.planning import insertion, schedule
from backend.dispatch.planning.model import Instance, PlannedTour, Visit

LASTS_MIN = 25.0
"""What an urgent visit takes: our own choice."""
SOON_MIN = 45.0
"""Our own choice: when nobody can be there by then without breaking a promise, others are displaced."""
DISPLACED_MIN = 20.0
"""Our own choice: minutes that a displaced visit counts."""


@dataclass(frozen=True, slots=True)
class Running:
    """What is left of a day: tours leave from their next stop when it ends. `kept[i]`: stops of tour i that have begun or are next."""

    instance: Instance
    tours: tuple[PlannedTour, ...]
    kept: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to serve it. `eta`: minutes until it starts. `terms`: their sum is the score. `pushed`: visits that lose their place."""

    tour: int
    position: int
    eta: float
    score: float
    terms: dict[str, float]
    pushed: tuple[int, ...] = ()


def running(instance: Instance, tours: Sequence[PlannedTour], now: float, *, under_way: Collection[int] = ()) -> Running:
    """Freeze what has begun by `now` and the next stop of every tour; a visit of two is frozen on both sides.

    Nobody comes earlier than an earlier plan has said. A tour that has not begun can leave at once, at lunch too: the person is on duty.
    Tours in `under_way` are rests already: what they have begun is not among their stops, and they are ready when it ends.
    """
    counts = _frozen(tours, now, under_way)
    left, cut = [], []
    for number, (tour, count) in enumerate(zip(instance.tours, counts, strict=True)):
        last = tours[number].stops[count - 1] if count else None
        if number in under_way:
            left.append(replace(tour, ready=max(tour.ready, now)))
        elif last is None:
            left.append(replace(tour, ready=max(now, _free(instance, tours, number)) if tour.back_by > now else tour.ready))
        else:
            left.append(replace(tour, leaves=instance.visits[last.visit].place, ready=max(last.ends, now)))
        cut.append([(stop.visit, stop.side) for stop in tours[number].stops[count:]])
    visits = [_not_earlier(visit) for visit in instance.visits]
    rest = replace(instance, tours=left, visits=visits)
    return Running(rest, schedule.timed(rest, cut), tuple(counts))


def _not_earlier(visit: Visit) -> Visit:
    return visit if visit.wanted_at is None else replace(visit, opens=max(visit.opens, min(visit.wanted_at, visit.closes)))


def _free(instance: Instance, tours: Sequence[PlannedTour], number: int) -> float:
    """When the person is back from the tours before this one."""
    mine = instance.tours[number]
    return max(
        (tours[at].back for at, one in enumerate(instance.tours) if one.person == mine.person and one.ready < mine.ready), default=0.0
    )


def _frozen(tours: Sequence[PlannedTour], now: float, under_way: Collection[int]) -> list[int]:
    counts = [0 if number in under_way else _begun(tour, now) for number, tour in enumerate(tours)]
    while True:  # where a partner's stop is kept, so is everything before it
        frozen = {stop.visit for tour, count in zip(tours, counts, strict=True) for stop in tour.stops[:count]}
        again = [
            max([count, *(at + 1 for at, stop in enumerate(tour.stops) if stop.visit in frozen)])
            for tour, count in zip(tours, counts, strict=True)
        ]
        if again == counts:
            return counts
        counts = again


def _begun(tour: PlannedTour, now: float) -> int:
    """How many stops have begun, and the next one once the tour has left."""
    if not tour.stops or tour.leaves > now:
        return 0
    return min(len(tour.stops), sum(stop.starts <= now for stop in tour.stops) + 1)


def rank(day: Running, visit: Visit, now: float) -> list[Choice]:
    """Every tour's best way to serve an urgent visit of one person, best first; empty when nobody can at all.

    Others keep their promises; only when nobody comes within SOON_MIN may a tour go there at once and give others away.
    """
    instance, index = _with(day, visit)
    best: dict[int, Choice] = {}
    for found in insertion.every(instance, day.tours, index):
        choice = _inserted(instance, index, found, now)
        if choice.tour not in best or choice.score < best[choice.tour].score:
            best[choice.tour] = choice
    choices = list(best.values())
    soonest = min((one.eta for one in choices), default=float("inf"))
    if soonest > SOON_MIN:
        choices += [one for one in _displacing(instance, day.tours, index, now) if one.eta < soonest]
    return sorted(choices, key=lambda one: (one.eta > SOON_MIN, one.score, one.tour, one.position))


def of_person(day: Running, visit: Visit, person: str, now: float) -> Choice | None:
    """How this person takes it: in time without breaking a promise, else at once, giving others away; None when not at all today."""
    instance, index = _with(day, visit)
    mine = [one for one in rank(day, visit, now) if instance.tours[one.tour].person == person]
    if mine and mine[0].eta <= SOON_MIN:
        return mine[0]
    at_once = [one for one in _displacing(instance, day.tours, index, now) if instance.tours[one.tour].person == person]
    return min([*mine, *at_once], key=lambda one: one.eta, default=None)


def carry_out(day: Running, visit: Visit, choice: Choice) -> tuple[tuple[PlannedTour, ...], tuple[int, ...]]:
    """The tours with the urgent visit, numbered after all others; and the visits pushed out that have no other place today."""
    instance, index = _with(day, visit)
    sequences = schedule.sequences_of(day.tours)
    sequences[choice.tour].insert(choice.position, (index, 0))
    sequences[choice.tour] = [stop for stop in sequences[choice.tour] if stop[0] not in choice.pushed]
    tours, postponed = schedule.timed(instance, sequences), []
    for one in choice.pushed:
        if (found := insertion.cheapest(instance, tours, one)) is None:
            postponed.append(one)
        else:
            tours = insertion.put(instance, tours, one, found.at)
    return tours, tuple(postponed)


def _with(day: Running, visit: Visit) -> tuple[Instance, int]:
    return replace(day.instance, visits=[*day.instance.visits, visit]), len(day.instance.visits)


def _inserted(instance: Instance, index: int, found: insertion.Insertion, now: float) -> Choice:
    number, position = found.at[0]
    eta = found.starts - now
    own = instance.visits[index].tasks[0].own
    not_own = instance.prices.not_own if own is not None and own != instance.tours[number].person else 0.0
    late = instance.prices.late_sum * max(0.0, found.starts - instance.visits[index].closes)
    terms = {"eta": eta, "not_own": not_own, "others": found.adds - instance.prices.travel * found.way - not_own - late}
    return Choice(number, position, eta, sum(terms.values()), terms)


def _displacing(instance: Instance, tours: Sequence[PlannedTour], index: int, now: float) -> Iterator[Choice]:
    """Each tour goes there first, and gives away what then does not fit, the least urgent first."""
    for number, tour in enumerate(instance.tours):
        stops = schedule.sequences_of([tours[number]])[0]
        is_alone = all(len(instance.visits[visit].tasks) == 1 for visit, _ in stops)
        if not is_alone or not schedule.may_serve(tour, instance.visits[index].tasks[0]):
            continue
        part = replace(instance, tours=[tour])
        stops.insert(0, (index, 0))
        pushed: list[int] = []
        while schedule.faults(part, timed := schedule.timed(part, [stops])) and len(stops) > 1:
            away = min(stops[1:], key=lambda stop: instance.visits[stop[0]].prize or float("inf"))
            stops.remove(away)
            pushed.append(away[0])
        if not schedule.faults(part, timed):
            eta = timed[0].stops[0].starts - now
            terms = {"eta": eta, "displaced": DISPLACED_MIN * len(pushed)}
            yield Choice(number, 0, eta, sum(terms.values()), terms, tuple(pushed))
