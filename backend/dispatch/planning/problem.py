"""An instance as the arrays that the search reads."""

import math

import numpy as np

from backend.dispatch.planning import search
from backend.dispatch.planning.arrays import Flags, Floats, Ints, Problem
from backend.dispatch.planning.model import Instance
from backend.dispatch.planning.schedule import may_serve

NEVER = 1e15
"""Stands for infinity: sums of it stay finite."""
LEFT_OUT = 1e10
"""The prize of a visit that must be served."""


def build(instance: Instance) -> Problem:
    """All arrays. Every task must have a tour that may serve it, and there is at least one visit and one tour."""
    visits, tours, prices = instance.visits, instance.tours, instance.prices
    n, m = len(visits), len(tours)
    travel = np.array(instance.travel, dtype=np.float64)
    place = np.array([visit.place for visit in visits], dtype=np.int64)
    opens = np.array([visit.opens for visit in visits], dtype=np.float64)
    closes = np.array([_bounded(visit.closes) for visit in visits], dtype=np.float64)
    persons = {person: number for number, person in enumerate(dict.fromkeys(tour.person for tour in tours))}
    service, demand = np.zeros(2 * n), np.zeros(2 * n)
    allowed, price = np.zeros((2 * n, m), dtype=np.uint8), np.zeros((2 * n, m))
    for index, visit in enumerate(visits):
        for side, task in enumerate(visit.tasks):
            service[2 * index + side], demand[2 * index + side] = task.lasts, task.demand
            for number, tour in enumerate(tours):
                allowed[2 * index + side, number] = may_serve(tour, task)
                others = (task.own is not None and task.own != tour.person, task.planned is not None and task.planned != tour.person)
                price[2 * index + side, number] = prices.not_own * others[0] + prices.other_person * others[1]
    is_pair = np.array([len(visit.tasks) == 2 for visit in visits], dtype=np.uint8)
    capacity = np.array([_bounded(tour.capacity) for tour in tours])
    choices, counts = _choices(allowed)
    return Problem(
        travel=travel,
        place=place,
        opens=opens,
        closes=closes,
        is_hard=np.array([visit.is_hard for visit in visits], dtype=np.uint8),
        prize=np.array([LEFT_OUT if visit.prize is None else visit.prize for visit in visits], dtype=np.float64),
        is_pair=is_pair,
        gap_min=np.array([visit.gap[0] for visit in visits], dtype=np.float64),
        gap_max=np.array([visit.gap[1] for visit in visits], dtype=np.float64),
        service=service,
        demand=demand,
        may_serve=allowed,
        price=price,
        wanted_at=np.array([visit.wanted_at or 0.0 for visit in visits], dtype=np.float64),
        shift_price=np.array([0.0 if visit.wanted_at is None else prices.shift for visit in visits]),
        leaves=np.array([tour.leaves for tour in tours], dtype=np.int64),
        returns=np.array([tour.returns for tour in tours], dtype=np.int64),
        ready=np.array([tour.ready for tour in tours], dtype=np.float64),
        back_by=np.array([_bounded(tour.back_by) for tour in tours]),
        longest=np.array([_bounded(tour.longest) for tour in tours]),
        capacity=capacity,
        person=np.array([persons[tour.person] for tour in tours], dtype=np.int64),
        load_before=np.array([instance.load_before.get(person, 0.0) for person in persons], dtype=np.float64),
        weights=np.array([prices.travel, prices.late_sum, prices.late_max, prices.fairness, _excess_weight(service, demand)]),
        near=search.nearness(travel, place, opens, closes, service),
        tours_of=choices,
        tours_count=counts,
        is_separable=not is_pair.any() and prices.late_max == 0.0 and prices.fairness == 0.0,
    )


def _bounded(value: float) -> float:
    return NEVER if math.isinf(value) else value


def _excess_weight(service: Floats, demand: Floats) -> float:
    """One stop's load above the capacity counts as much as one stop's service above the hours."""
    return float((service.mean() + 1.0) / demand.mean()) if demand.any() else 1.0


def _choices(allowed: Flags) -> tuple[Ints, Ints]:
    choices = np.zeros(allowed.shape, dtype=np.int64)
    for task, row in enumerate(allowed):
        may = np.flatnonzero(row)
        choices[task, : len(may)] = may
    return choices, allowed.sum(axis=1).astype(np.int64)
