"""PyVRP on the problems that it can state: hard windows, one person a visit. What may not be driven costs `FORBIDDEN` (with its own
default for that, which is far larger, PyVRP 0.14.1 never ends its first descent on site-dependent instances)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyvrp
from pyvrp.stop import MaxRuntime

from backend.dispatch.planning import schedule
from backend.dispatch.planning.model import Instance, Plan, Prices

FORBIDDEN = 10_000_000
UNLIMITED = 2**60


def can_state(instance: Instance) -> bool:
    """True for whole numbers, hard windows, single tasks and travel as the only price."""
    is_plain = all(visit.is_hard and len(visit.tasks) == 1 and visit.wanted_at is None for visit in instance.visits)
    return is_plain and instance.prices == Prices() and all(float(leg).is_integer() for row in instance.travel for leg in row)


def solve(instance: Instance, *, seconds: float, seed: int) -> Plan | None:
    """The best feasible plan that PyVRP finds in the time, None when it finds none."""
    result = pyvrp.solve(_data(instance), MaxRuntime(seconds), seed=seed, display=False, collect_stats=False)
    if not result.best.is_feasible():
        return None
    sequences: list[list[tuple[int, int]]] = [[] for _ in instance.tours]
    for route in result.best.routes():
        sequences[_tour_of(instance, sequences, route.vehicle_type())] = [(visit, 0) for visit in _visits(route)]
    tours = schedule.timed(instance, sequences)
    served = {visit for stops in sequences for visit, _ in stops}
    left = [index for index in range(len(instance.visits)) if index not in served]
    if schedule.faults(instance, tours) or any(instance.visits[index].prize is None for index in left):
        return None
    return Plan(tours, {}, schedule.cost(instance, tours, left))


def _visits(route: "pyvrp.Route") -> list[int]:
    return [activity.idx for activity in route.schedule() if activity.is_client()]


def _tour_of(instance: Instance, sequences: Sequence[Sequence[object]], vehicle_type: int) -> int:
    """The first tour of this type that has no stops yet."""
    return next(number for number, kind in enumerate(_types(instance)) if kind == vehicle_type and not sequences[number])


def _types(instance: Instance) -> list[int]:
    """Tours that may serve the same visits and have the same limits are vehicles of one type."""
    kinds: dict[object, int] = {}
    types = []
    for tour in instance.tours:
        may = frozenset(index for index, visit in enumerate(instance.visits) if schedule.may_serve(tour, visit.tasks[0]))
        key = (may, tour.capacity, tour.ready, tour.back_by, tour.longest, tour.leaves, tour.returns)
        types.append(kinds.setdefault(key, len(kinds)))
    return types


def _data(instance: Instance) -> "pyvrp.ProblemData":
    depots = list(dict.fromkeys(place for tour in instance.tours for place in (tour.leaves, tour.returns)))
    places = depots + [visit.place for visit in instance.visits]
    travel: np.ndarray[Any, np.dtype[Any]] = np.array(instance.travel, dtype=np.int64)[np.ix_(places, places)]
    np.fill_diagonal(travel, 0)
    types, vehicles, distances = _types(instance), [], []
    for kind in range(max(types) + 1):
        tour = instance.tours[types.index(kind)]
        barred = [len(depots) + index for index, visit in enumerate(instance.visits) if not schedule.may_serve(tour, visit.tasks[0])]
        matrix = travel.copy()
        matrix[:, barred] = FORBIDDEN
        matrix[barred, :] = FORBIDDEN
        np.fill_diagonal(matrix, 0)
        distances.append(matrix)
        vehicles.append(
            pyvrp.VehicleType(
                types.count(kind),
                [_whole(tour.capacity)],
                depots.index(tour.leaves),
                depots.index(tour.returns),
                tw_early=_whole(tour.ready),
                tw_late=_whole(tour.back_by),
                shift_duration=_whole(tour.longest),
                profile=kind,
            )
        )
    clients = [
        pyvrp.Client(
            len(depots) + index,
            [_whole(visit.tasks[0].demand)],
            service_duration=_whole(visit.tasks[0].lasts),
            tw_early=_whole(visit.opens),
            tw_late=_whole(visit.closes),
            prize=_whole(visit.prize or 0.0),
            required=visit.prize is None,
        )
        for index, visit in enumerate(instance.visits)
    ]
    return pyvrp.ProblemData(
        [pyvrp.Location(0, 0) for _ in places], clients, [pyvrp.Depot(number) for number in range(len(depots))], vehicles, distances,
        [travel] * len(distances),
    )  # fmt: skip


def _whole(value: float) -> int:
    return UNLIMITED if math.isinf(value) else round(value)
