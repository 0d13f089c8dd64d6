"""The planner: visits, tours and travel times in; a valid plan out, with the reason for every visit that is in no tour. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from backend.dispatch.planning import schedule
from backend.dispatch.planning.insertion import cheapest, every
from backend.dispatch.planning.insertion import put as insert_at
from backend.dispatch.planning.model import Instance, Plan, PlannedTour, Task, Tour, Unserved, Visit

if TYPE_CHECKING:  # the search and its compiler are loaded by whoever searches, not by every process that shows a plan
    from backend.dispatch.planning.arrays import Ints
    from backend.dispatch.planning.search import Effort, Found

Begin = tuple[list[int], list[list[tuple[int, int]]]]
"""Visits in order of their starts, and the stops of each tour."""
GIVES_UP_AT = 0.75
"""Share of the effort after which what must be served may be left out where no plan serves it all."""


def plan(instance: Instance, effort: "Effort", *, seed: int, begin: Plan | None = None) -> Plan:
    """Search for a cheap valid plan until the effort is spent. `begin`: a plan of the same instance to start from.

    Always returns a plan that `schedule.faults` finds nothing in; what it cannot serve, it lists. A visit without a prize that does not
    fit is listed too. The seconds of the effort are for all of it: what comes after the search takes about as long as what comes before.
    """
    began_s = effort.clock()
    hopeless = {index: reason for index in range(len(instance.visits)) if (reason := hopeless_because(instance, index)) is not None}
    able = [index for index in range(len(instance.visits)) if index not in hopeless]
    if not able:
        return _finish(instance, [[] for _ in instance.tours], hopeless, moves=0)
    part = replace(instance, visits=[instance.visits[index] for index in able])
    found = _found(part, effort, began_s, seed, _begin(begin, able))
    sequences = [[(able[visit], side) for visit, side in stops] for stops in sequences_of(part, found)]
    return _finish(instance, sequences, hopeless, moves=found.moves)


def _found(part: Instance, effort: "Effort", began_s: float, seed: int, begin: Begin | None) -> "Found":
    """Search; where what must be served does not fit at all, search again with leaving out allowed at a price that only then is paid."""
    from backend.dispatch.planning import problem as arrays
    from backend.dispatch.planning.search import search

    problem = arrays.build(part)
    start = None if begin is None else _start(part, *begin)
    if effort.seconds is not None:
        effort = replace(effort, seconds=max(0.1 * effort.seconds, effort.seconds - 2 * (effort.clock() - began_s)))
    found = search(problem, effort, seed=seed, begin=start, gives_up_at=GIVES_UP_AT)
    if found.order is not None:
        return found
    dear = 1.0 + 100.0 * float(problem.travel.max(initial=1.0)) + 10.0 * float(problem.prize[problem.prize < arrays.LEFT_OUT].sum())
    softer = replace(part, visits=[replace(visit, prize=dear) if visit.prize is None else visit for visit in part.visits])
    rest = replace(
        effort,
        moves=None if effort.moves is None else max(1, effort.moves - found.moves),
        seconds=None if effort.seconds is None else (1 - GIVES_UP_AT) * effort.seconds,
    )
    return search(arrays.build(softer), rest, seed=seed)


def _begin(begin: Plan | None, able: Sequence[int]) -> Begin | None:
    if begin is None:
        return None
    new = {index: number for number, index in enumerate(able)}
    stops = [[(new[stop.visit], stop.side) for stop in tour.stops if stop.visit in new] for tour in begin.tours]
    timed = sorted((stop.starts, new[stop.visit]) for tour in begin.tours for stop in tour.stops if stop.visit in new)
    order = list(dict.fromkeys([visit for _, visit in timed] + list(range(len(able)))))
    return order, stops


def _start(part: Instance, order: list[int], stops: list[list[tuple[int, int]]]) -> "tuple[Ints, Ints]":
    import numpy as np

    tour = np.full(2 * len(part.visits), -1, dtype=np.int64)
    for number, sequence in enumerate(stops):
        for visit, side in sequence:
            tour[2 * visit + side] = number
    return np.array(order, dtype=np.int64), tour


def sequences_of(instance: Instance, found: "Found") -> list[list[tuple[int, int]]]:
    """The stops of every tour in order; none where nothing was found."""
    sequences: list[list[tuple[int, int]]] = [[] for _ in instance.tours]
    for visit in () if found.order is None else found.order.tolist():
        for side in range(len(instance.visits[visit].tasks)):
            if (number := int(found.tour[2 * visit + side])) >= 0:
                sequences[number].append((visit, side))
    return sequences


def _finish(instance: Instance, sequences: list[list[tuple[int, int]]], hopeless: Mapping[int, Unserved], *, moves: int) -> Plan:
    tours = schedule.timed(instance, sequences)
    found = schedule.faults(instance, tours)
    assert not found, f"the search gave an invalid plan: {found[0]}"
    served = {stop.visit for tour in tours for stop in tour.stops}
    left = [index for index in range(len(instance.visits)) if index not in served]
    reasons = {index: hopeless.get(index) or _left_because(instance, tours, index) for index in left}
    return Plan(tours, reasons, schedule.cost(instance, tours, left), moves)


def hopeless_because(instance: Instance, index: int) -> Unserved | None:
    """Why nobody could make this visit even with nothing else to do; None when somebody could."""
    visit = instance.visits[index]
    able = [[number for number, tour in enumerate(instance.tours) if schedule.may_serve(tour, task)] for task in visit.tasks]
    if not all(able):
        return Unserved.NO_SKILL
    if len(able) == 2 and not _two_persons(instance, able):
        return Unserved.NO_SECOND_PERSON
    if not all(any(_hours_meet(instance, number, index, side) for number in able[side]) for side in range(len(able))):
        return Unserved.OUTSIDE_HOURS
    return None if _alone(instance, index, able) else Unserved.TOO_FAR


def _two_persons(instance: Instance, able: list[list[int]]) -> bool:
    first, second = ({instance.tours[number].person for number in numbers} for numbers in able)
    return len(first | second) > 1


def _hours_meet(instance: Instance, number: int, index: int, side: int) -> bool:
    tour, visit = instance.tours[number], instance.visits[index]
    closes = visit.closes + (visit.gap[1] if side else 0.0) if visit.is_hard else tour.back_by
    return max(tour.ready, visit.opens) <= closes and max(tour.ready, visit.opens) + visit.tasks[side].lasts <= tour.back_by


def _alone(instance: Instance, index: int, able: list[list[int]]) -> bool:
    """Whether the visit fits into otherwise empty tours."""
    combinations = [[one] for one in able[0]] if len(able) == 1 else [[one, two] for one in able[0] for two in able[1]]
    for numbers in combinations:
        if len({instance.tours[number].person for number in numbers}) < len(numbers):
            continue
        part = replace(instance, tours=[instance.tours[number] for number in numbers])
        tours = schedule.timed(part, [[(index, side)] for side in range(len(numbers))])
        if not schedule.faults(part, tours):
            return True
    return False


def _left_because(instance: Instance, tours: Sequence[PlannedTour], index: int) -> Unserved:
    return Unserved.FULL if next(every(instance, tours, index), None) is None else Unserved.NOT_WORTH


SMALLEST = Instance([[0.0]], [Visit("v", 0, 0.0, 9.0, (Task(1.0, "any"),))], [Tour("t", "p", 0, 0, 0.0, 99.0, frozenset({"any"}))])
"""One visit and one tour: planning it compiles the search."""


def quick(instance: Instance) -> Plan:
    """A valid plan without a search: the dearest visits first, each where it adds least."""
    tours = schedule.timed(instance, [[] for _ in instance.tours])
    order = sorted(
        range(len(instance.visits)), key=lambda index: (-(instance.visits[index].prize or math.inf), instance.visits[index].closes)
    )
    for index in order:
        if (best := cheapest(instance, tours, index)) is not None:
            tours = insert_at(instance, tours, index, best.at)
    left = set(range(len(instance.visits))) - {stop.visit for tour in tours for stop in tour.stops}
    hopeless = {index: reason for index in left if (reason := hopeless_because(instance, index)) is not None}
    return _finish(instance, schedule.sequences_of(tours), hopeless, moves=0)
