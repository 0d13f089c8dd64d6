"""Putting one visit into tours that are planned or running: every tour and position is tried and priced.

For dragging on the board, for urgent visits, and for saying why a visit was left out. Fairness is not part of these prices.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from backend.dispatch.planning import schedule
from backend.dispatch.planning.model import Instance, PlannedTour, Visit

Places = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Insertion:
    """Where a visit would go. `at`: (tour, position) of each task. `adds`: to the cost. `starts`: its own. `way`: added time on the way."""

    at: Places
    adds: float
    starts: float
    way: float


def cheapest(instance: Instance, tours: Sequence[PlannedTour], index: int) -> Insertion | None:
    """The cheapest place that breaks no rule, None when there is none."""
    return min(every(instance, tours, index), key=lambda one: one.adds, default=None)


def every(instance: Instance, tours: Sequence[PlannedTour], index: int) -> Iterator[Insertion]:
    """Every place that breaks no rule."""
    for at in _places(instance, tours, index):
        if (found := price(instance, tours, index, at)) is not None:
            yield found


def price(instance: Instance, tours: Sequence[PlannedTour], index: int, at: Places) -> Insertion | None:
    """What it adds to put the visit at these positions, one (tour, position) per task; None when that breaks a rule."""
    number, position = at[0]
    is_alone = len(at) == 1 and all(len(instance.visits[stop.visit].tasks) == 1 for stop in tours[number].stops)
    if is_alone and instance.tours[number].longest == math.inf:
        return _alone(instance, tours[number], index, number, position)
    return _together(instance, tours, index, at)


def put(instance: Instance, tours: Sequence[PlannedTour], index: int, at: Places) -> tuple[PlannedTour, ...]:
    """The tours with the visit in them."""
    sequences = schedule.sequences_of(tours)
    for side, (number, position) in enumerate(at):
        sequences[number].insert(position, (index, side))
    return schedule.timed(instance, sequences)


def _alone(instance: Instance, planned: PlannedTour, index: int, number: int, position: int) -> Insertion | None:
    """The quick way: only this tour changes, and only from the position on until waiting has absorbed the delay."""
    tour, visit, stops, travel, prices = instance.tours[number], instance.visits[index], planned.stops, instance.travel, instance.prices
    task = visit.tasks[0]
    if sum(instance.visits[stop.visit].tasks[stop.side].demand for stop in stops) + task.demand > tour.capacity:
        return None
    before = stops[position - 1] if position else None
    here, now = (instance.visits[before.visit].place, before.ends) if before else (tour.leaves, tour.ready)
    after = stops[position] if position < len(stops) else None
    beyond = instance.visits[after.visit].place if after else tour.returns
    if after is None and not stops:
        detour = travel[here][visit.place] + travel[visit.place][tour.returns]
    else:
        detour = travel[here][visit.place] + travel[visit.place][beyond] - travel[here][beyond]
    starts = max(now + travel[here][visit.place], visit.opens)
    adds = prices.travel * detour + _own(instance, index, number)
    if (late := _late(visit, starts)) is None:
        return None
    adds += prices.late_sum * late
    if visit.wanted_at is not None:
        adds += prices.shift * abs(starts - visit.wanted_at)
    here, now = visit.place, starts + task.lasts
    for stop in stops[position:]:
        other = instance.visits[stop.visit]
        begins = max(now + travel[here][other.place], other.opens)
        if begins <= stop.starts + schedule.TOLERANCE and begins >= stop.starts - schedule.TOLERANCE:
            return Insertion(((number, position),), adds, starts, detour)
        later, as_now = _late(other, begins), _late(other, stop.starts)
        if later is None or as_now is None:
            return None
        adds += prices.late_sum * (later - as_now)
        if other.wanted_at is not None:
            adds += prices.shift * (abs(begins - other.wanted_at) - abs(stop.starts - other.wanted_at))
        here, now = other.place, begins + other.tasks[0].lasts
    if now + travel[here][tour.returns] > tour.back_by + schedule.TOLERANCE:
        return None
    return Insertion(((number, position),), adds, starts, detour)


def _late(visit: Visit, starts: float) -> float | None:
    late = max(0.0, starts - visit.closes)
    return late if not visit.is_hard or late <= schedule.TOLERANCE else None


def _own(instance: Instance, index: int, number: int) -> float:
    task, person, prices = instance.visits[index].tasks[0], instance.tours[number].person, instance.prices
    return prices.not_own * (task.own not in (None, person)) + prices.other_person * (task.planned not in (None, person))


def _together(instance: Instance, tours: Sequence[PlannedTour], index: int, at: Places) -> Insertion | None:
    """The tours that two-person visits tie to these are timed and priced anew, together."""
    numbers = tied(tours, [number for number, _ in at])
    where = {number: position for position, number in enumerate(numbers)}
    part = replace(instance, tours=[instance.tours[number] for number in numbers], prices=replace(instance.prices, fairness=0.0))
    before = [tours[number] for number in numbers]
    try:
        timed = put(part, before, index, tuple((where[number], position) for number, position in at))
    except schedule.Circular:
        return None
    if schedule.faults(part, timed):
        return None
    starts = min(stop.starts for tour in timed for stop in tour.stops if stop.visit == index)
    way = sum(tour.travelled for tour in timed) - sum(tour.travelled for tour in before)
    return Insertion(at, schedule.cost(part, timed) - schedule.cost(part, before), starts, way)


def tied(tours: Sequence[PlannedTour], numbers: Sequence[int]) -> list[int]:
    """These tours and all others that two-person visits tie to them."""
    of_visit: dict[int, set[int]] = {}
    for number, tour in enumerate(tours):
        for stop in tour.stops:
            of_visit.setdefault(stop.visit, set()).add(number)
    tied, todo = set(numbers), list(numbers)
    while todo:
        for stop in tours[todo.pop()].stops:
            new = of_visit[stop.visit] - tied
            tied |= new
            todo += new
    return sorted(tied)


def _places(instance: Instance, tours: Sequence[PlannedTour], index: int) -> Iterator[Places]:
    sides = []
    for side, task in enumerate(instance.visits[index].tasks):
        sides.append([
            (number, position)
            for number, tour in enumerate(instance.tours)
            if schedule.may_serve(tour, task)
            for position in _positions(instance, tours[number], index, side)
        ])  # fmt: skip
    for places in product(*sides):
        if len({instance.tours[number].person for number, _ in places}) == len(places):
            yield places


def _positions(instance: Instance, tour: PlannedTour, index: int, side: int) -> Iterator[int]:
    """Positions that can be in time: the stop before has not ended after the window, the stop after does not close before it."""
    visit = instance.visits[index]
    latest = visit.closes + (visit.gap[1] if side else 0.0) if visit.is_hard else float("inf")
    for position in range(len(tour.stops) + 1):
        if position and tour.stops[position - 1].ends > latest:
            return
        after = instance.visits[tour.stops[position].visit] if position < len(tour.stops) else None
        if after is not None and after.is_hard and visit.opens + visit.tasks[side].lasts > after.closes + after.gap[1]:
            continue
        yield position
