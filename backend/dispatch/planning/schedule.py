"""Times, costs and faults of given tours, written apart from the search: what the search says is checked by this before anybody sees it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.dispatch.planning.model import Instance, Plan, PlannedTour, Stop, Task, Tour, Visit

TOLERANCE = 1e-6
Sequences = Sequence[Sequence[tuple[int, int]]]
"""For each tour its stops in order, as (visit, side)."""


class Circular(ValueError):
    """Two tours wait for each other: each has a visit of two people before the one that the other has first."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a plan breaks, by how much, and where."""

    rule: str
    tour: int | None
    visit: int | None
    by: float


@dataclass(frozen=True, slots=True)
class Term:
    """One part of what a plan costs. `visit` is None for what belongs to a whole tour or plan."""

    name: str
    cost: float
    visit: int | None = None
    tour: int | None = None


def timed(instance: Instance, sequences: Sequences) -> tuple[PlannedTour, ...]:
    """Start every stop as early as its tour, its window and its partner allow. Raises Circular.

    A tour leaves so that it does not wait at its first stop; one whose length is limited leaves as late as it can without ending later.
    """
    ready = [tour.ready for tour in instance.tours]
    starts = _starts(instance, sequences, ready)
    limited = [number for number, tour in enumerate(instance.tours) if tour.longest < math.inf and sequences[number]]
    if limited:
        for number in limited:
            ready[number] += _delay(instance, number, sequences[number], starts)
        starts = _starts(instance, sequences, ready)
    return tuple(_tour(instance, number, stops, starts) for number, stops in enumerate(sequences))


def _delay(instance: Instance, number: int, stops: Sequence[tuple[int, int]], starts: dict[tuple[int, int], float]) -> float:
    """How much later the tour can leave without ending later: it eats its waiting, and no window closes meanwhile."""
    here, now, waited, slack = instance.tours[number].leaves, instance.tours[number].ready, 0.0, math.inf
    for index, side in stops:
        visit, start = instance.visits[index], starts[index, side]
        waited += start - now - instance.travel[here][visit.place]
        may_start_later = visit.is_hard and len(visit.tasks) == 1
        slack = min(slack, waited + (max(0.0, visit.closes - start) if may_start_later else 0.0))
        now, here = start + visit.tasks[side].lasts, visit.place
    return min(slack, waited)


def _starts(instance: Instance, sequences: Sequences, ready: Sequence[float]) -> dict[tuple[int, int], float]:
    """Walk the tours side by side; one that meets a visit of two waits until its partner is there too."""
    at = [0] * len(sequences)
    now = list(ready)
    here = [tour.leaves for tour in instance.tours]
    starts: dict[tuple[int, int], float] = {}
    waiting: dict[int, dict[int, tuple[int, float]]] = {}
    todo = list(range(len(sequences)))
    while todo:
        number = todo.pop()
        if at[number] >= len(sequences[number]):
            continue
        index, side = sequences[number][at[number]]
        visit = instance.visits[index]
        arrives = max(now[number] + instance.travel[here[number]][visit.place], visit.opens)
        sides = waiting.setdefault(index, {})
        sides[side] = (number, arrives)
        if len(sides) < len(visit.tasks):
            continue
        for one, (tour, start) in enumerate(_paired(visit, [sides[one] for one in sorted(sides)])):
            starts[index, one] = start
            now[tour], here[tour] = start + visit.tasks[one].lasts, visit.place
            at[tour] += 1
            todo.append(tour)
    if any(done < len(stops) for done, stops in zip(at, sequences, strict=True)):
        raise Circular("two tours wait for each other, or a visit of two people has only one")
    return starts


def _paired(visit: Visit, sides: list[tuple[int, float]]) -> list[tuple[int, float]]:
    if len(sides) == 1:
        return sides
    (tour, start), (tour_2, start_2) = sides
    low, high = visit.gap
    if start_2 < start + low:
        start_2 = start + low
    elif start_2 > start + high:
        start = start_2 - high
    return [(tour, start), (tour_2, start_2)]


def _tour(instance: Instance, number: int, stops: Sequence[tuple[int, int]], starts: dict[tuple[int, int], float]) -> PlannedTour:
    tour = instance.tours[number]
    if not stops:
        return PlannedTour((), tour.ready, tour.ready, 0.0)
    here, travelled, planned = tour.leaves, 0.0, []
    for index, side in stops:
        visit = instance.visits[index]
        leg, start = instance.travel[here][visit.place], starts[index, side]
        here, travelled = visit.place, travelled + leg
        planned.append(Stop(index, side, leg, start, start + visit.tasks[side].lasts))
    leg = instance.travel[here][tour.returns]
    return PlannedTour(tuple(planned), planned[0].starts - planned[0].leg, planned[-1].ends + leg, travelled + leg)


def sequences_of(plan: Plan | Sequence[PlannedTour]) -> list[list[tuple[int, int]]]:
    """The order of the stops without the times."""
    tours = plan.tours if isinstance(plan, Plan) else plan
    return [[(stop.visit, stop.side) for stop in tour.stops] for tour in tours]


def terms(instance: Instance, tours: Sequence[PlannedTour], unserved: Sequence[int] = ()) -> list[Term]:
    """Everything that the tours cost, part by part; the sum is the plan's cost. Where nothing is to pay there is no term."""
    return [term for term in _terms(instance, tours, unserved) if term.cost != 0.0]


def _terms(instance: Instance, tours: Sequence[PlannedTour], unserved: Sequence[int]) -> Iterator[Term]:
    prices = instance.prices
    latest = 0.0
    for number, planned in enumerate(tours):
        for stop in planned.stops:
            visit = instance.visits[stop.visit]
            late = 0.0 if visit.is_hard else max(0.0, stop.starts - visit.closes)
            latest = max(latest, late)
            yield Term("travel", prices.travel * stop.leg, stop.visit, number)
            yield Term("late", prices.late_sum * late, stop.visit, number)
            yield from _who(instance, stop, number)
            if stop.side == 0 and visit.wanted_at is not None:
                yield Term("shifted", prices.shift * abs(stop.starts - visit.wanted_at), stop.visit, number)
        if planned.stops:
            yield Term("return", prices.travel * (planned.travelled - sum(stop.leg for stop in planned.stops)), None, number)
    yield Term("latest", prices.late_max * latest)
    for index in unserved:
        yield Term("left_out", instance.visits[index].prize or 0.0, index)
    if prices.fairness:
        busy = loads(instance, tours)
        mean = sum(busy.values()) / max(1, len(busy))
        yield Term("fairness", prices.fairness * sum(max(0.0, load - mean) for load in busy.values()))


def _who(instance: Instance, stop: Stop, number: int) -> Iterator[Term]:
    task, person = instance.visits[stop.visit].tasks[stop.side], instance.tours[number].person
    if task.own is not None and task.own != person:
        yield Term("not_own", instance.prices.not_own, stop.visit, number)
    if task.planned is not None and task.planned != person:
        yield Term("other_person", instance.prices.other_person, stop.visit, number)


def loads(instance: Instance, tours: Sequence[PlannedTour]) -> dict[str, float]:
    """Service and travel of every person, with what was done before."""
    busy = {tour.person: instance.load_before.get(tour.person, 0.0) for tour in instance.tours}
    for tour, planned in zip(instance.tours, tours, strict=True):
        busy[tour.person] += planned.travelled + sum(stop.ends - stop.starts for stop in planned.stops)
    return busy


def cost(instance: Instance, tours: Sequence[PlannedTour], unserved: Sequence[int] = ()) -> float:
    """The sum of the terms."""
    return sum(term.cost for term in _terms(instance, tours, unserved))


def may_serve(tour: Tour, task: Task) -> bool:
    """Whether the tour has the skill and is not excluded."""
    return task.skill in tour.skills and (task.only is None or tour.id in task.only)


def faults(instance: Instance, tours: Sequence[PlannedTour]) -> list[Fault]:
    """Every rule that these tours break; empty for a valid plan. That each visit is served or listed is the caller's to compare."""
    return [fault for fault in _faults(instance, tours) if fault.by > TOLERANCE]


def _faults(instance: Instance, tours: Sequence[PlannedTour]) -> Iterator[Fault]:
    seen: dict[int, dict[int, tuple[str, float]]] = {}
    for number, (tour, planned) in enumerate(zip(instance.tours, tours, strict=True)):
        here, now = tour.leaves, planned.leaves
        for stop in planned.stops:
            visit = instance.visits[stop.visit]
            task = visit.tasks[stop.side]
            sides = seen.setdefault(stop.visit, {})
            yield Fault("twice", number, stop.visit, float(stop.side in sides))
            sides[stop.side] = (tour.person, stop.starts)
            yield Fault("skill", number, stop.visit, float(not may_serve(tour, task)))
            yield Fault("too_soon", number, stop.visit, now + instance.travel[here][visit.place] - stop.starts)
            yield Fault("before_window", number, stop.visit, visit.opens - stop.starts)
            yield Fault("after_window", number, stop.visit, stop.starts - visit.closes if visit.is_hard else 0.0)
            yield Fault("too_short", number, stop.visit, task.lasts - (stop.ends - stop.starts))
            here, now = visit.place, stop.ends
        yield from _whole_tour(instance, number, planned, now + instance.travel[here][tour.returns] if planned.stops else planned.back)
    for index, sides in seen.items():
        yield from _pair(instance.visits[index], index, sides)


def _whole_tour(instance: Instance, number: int, planned: PlannedTour, back: float) -> Iterator[Fault]:
    tour = instance.tours[number]
    if not planned.stops:
        return
    load = sum(instance.visits[stop.visit].tasks[stop.side].demand for stop in planned.stops)
    yield Fault("leaves_early", number, None, tour.ready - planned.leaves)
    yield Fault("back_late", number, None, back - tour.back_by)
    yield Fault("too_long", number, None, back - planned.leaves - tour.longest)
    yield Fault("overloaded", number, None, load - tour.capacity)


def _pair(visit: Visit, index: int, sides: dict[int, tuple[str, float]]) -> Iterator[Fault]:
    yield Fault("incomplete", None, index, float(len(visit.tasks) - len(sides)))
    if len(sides) == 2:
        (person, start), (person_2, start_2) = sides[0], sides[1]
        yield Fault("same_person", None, index, float(person == person_2))
        yield Fault("gap", None, index, max(visit.gap[0] - (start_2 - start), start_2 - start - visit.gap[1]))
