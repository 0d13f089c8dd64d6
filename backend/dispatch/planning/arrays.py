"""What the search reads and changes, as arrays of numbers, which the compiler can take."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.uint8]

TRAVEL, LATE_SUM, LATE_MAX, FAIRNESS, EXCESS = range(5)
"""Positions in `Problem.weights`."""
MODULUS = 2147483647
"""Of Lehmer's generator, with the multiplier 48271 of Park, Miller and Stockmeyer 1993, Communications of the ACM 36(7):108."""


class Problem(NamedTuple):
    """What the search reads, as arrays: n visits, 2n tasks (2i and 2i+1 of visit i), m tours, p places. Times in one unit, any."""

    travel: Floats  # p x p
    place: Ints  # n
    opens: Floats  # n
    closes: Floats  # n
    is_hard: Flags  # n: a start after `closes` is not allowed; else it costs
    prize: Floats  # n: the cost of leaving it out
    is_pair: Flags  # n
    gap_min: Floats  # n: start of task 2i+1 minus start of task 2i
    gap_max: Floats  # n
    service: Floats  # 2n
    demand: Floats  # 2n
    may_serve: Flags  # 2n x m
    price: Floats  # 2n x m: cost of this task on this tour
    wanted_at: Floats  # n: start of an earlier plan
    shift_price: Floats  # n: cost per unit of time away from it; 0 without an earlier plan
    leaves: Ints  # m: place
    returns: Ints  # m: place
    ready: Floats  # m
    back_by: Floats  # m
    longest: Floats  # m: from departure, which waits for the first stop, to return
    capacity: Floats  # m
    person: Ints  # m
    load_before: Floats  # per person: service and travel already done in the fairness period
    weights: Floats  # 5, see TRAVEL and the following
    near: Ints  # n x k: the visits nearest in place and time
    tours_of: Ints  # 2n x m: the tours that may serve, first ones valid
    tours_count: Ints  # 2n
    is_separable: bool  # no pairs, no largest lateness, no fairness: the cost of a tour depends on that tour alone


class State(NamedTuple):
    """What the search changes. Rows of two-dimensional arrays are tours."""

    order: Ints  # n: the visits
    rank: Ints  # n: where in the order
    tour: Ints  # 2n: -1 is not served
    kept_order: Ints
    kept_tour: Ints
    best_order: Ints
    best_tour: Ints
    starts: Floats  # 2n
    now: Floats  # m: when the tour is free
    here: Ints  # m: where
    waited: Floats  # m
    slack: Floats  # m
    load: Floats  # m: demand
    cost: Floats  # m: cost of a tour alone, current solution
    excess: Floats  # m: what breaks its limits, current solution
    new_cost: Floats  # m
    new_excess: Floats  # m
    busy: Floats  # m: service and travel
    person_busy: Floats  # per person
    is_touched: Flags  # m
    used: Ints  # m: stops
    sums: Floats  # 3, of the last walk: travel, lateness, largest lateness
    best_cost: Floats  # 1
    seed: Ints  # 1


def make_state(problem: Problem, order: Ints, tour: Ints, seed: int) -> State:
    """A state that begins with this solution. `seed`: any whole number."""
    n, m = len(problem.place), len(problem.ready)
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)

    return State(
        order=order.copy(),
        rank=rank,
        tour=tour.copy(),
        kept_order=order.copy(),
        kept_tour=tour.copy(),
        best_order=order.copy(),
        best_tour=tour.copy(),
        starts=np.zeros(2 * n),
        now=np.zeros(m),
        here=np.zeros(m, dtype=np.int64),
        waited=np.zeros(m),
        slack=np.zeros(m),
        load=np.zeros(m),
        cost=np.zeros(m),
        excess=np.zeros(m),
        new_cost=np.zeros(m),
        new_excess=np.zeros(m),
        busy=np.zeros(m),
        person_busy=np.zeros(len(problem.load_before)),
        is_touched=np.zeros(m, dtype=np.uint8),
        used=np.zeros(m, dtype=np.int64),
        sums=np.zeros(3),
        best_cost=np.full(1, 1e18),
        seed=np.array([seed % (MODULUS - 1) + 1], dtype=np.int64),
    )
