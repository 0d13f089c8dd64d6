"""The search around `core`: a first solution, then rounds of cooling until the moves or the seconds are used up."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.dispatch.planning import core
from backend.dispatch.planning.arrays import TRAVEL, Floats, Ints, Problem, make_state

CHUNK = 10_000
"""Moves between two looks at the clock."""
NEAR = 24
ROUND_MOVES, ROUND_S, ROUNDS_MAX = 4_000_000, 7.0, 6
"""A round of cooling is at least so long before there is more than one."""
REQUIRED = 1e9
"""A prize from which on a visit is never left out while the search goes on."""
HOT, WARM, COLD = 3.0, 0.3, 0.02
"""First temperature, first one from a known solution, and last one, in units of the mean cost of a leg to a near visit."""


@dataclass(frozen=True, slots=True)
class Effort:
    """When to stop: after so many moves, or so many seconds of `clock`. With moves alone the result depends on nothing but the seed."""

    moves: int | None
    seconds: float | None
    clock: Callable[[], float]
    on_progress: Callable[[float], None] = lambda share: None


@dataclass(frozen=True, slots=True)
class Found:
    """The best solution without excess; `order` is None when there was none. `tour`: per task, -1 is not served."""

    order: Ints | None
    tour: Ints
    moves: int


def search(problem: Problem, effort: Effort, *, seed: int, begin: tuple[Ints, Ints] | None = None, gives_up_at: float = 1.0) -> Found:
    """Search until the effort is spent, or `gives_up_at` of it without a solution. `begin`: order and tours of a known solution."""
    order, tour = begin if begin is not None else first(problem)
    state = make_state(problem, order, tour, seed)
    unit = leg_cost(problem)
    penalty = floor = excess_price(problem, unit)
    moves, share = 0, 0.0
    started = effort.clock()
    chunk_moves = CHUNK if effort.moves is None else max(500, min(CHUNK, effort.moves // 50))
    rounds = _rounds(effort) if begin is None else 1
    hot = HOT if begin is None else WARM
    while share < (1.0 if state.best_cost[0] < 1e17 else gives_up_at):
        temperature = unit * hot * (COLD / hot) ** (share * rounds % 1.0)
        chunk = chunk_moves if effort.moves is None else min(chunk_moves, effort.moves - moves)
        core.anneal(problem, state, chunk, temperature, penalty)
        penalty = max(floor, penalty * (1.02 if state.excess.sum() > 1e-9 else 0.99))
        moves += chunk
        share = 0.0 if effort.moves is None else moves / effort.moves
        if effort.seconds is not None:
            share = max(share, (effort.clock() - started) / effort.seconds)
        effort.on_progress(min(1.0, share))
    return Found(state.best_order if state.best_cost[0] < 1e17 else None, state.best_tour, moves)


def _rounds(effort: Effort) -> int:
    """How often to heat and cool: one search is a matter of luck, several short ones and the best of them less so."""
    by_moves = 1 if effort.moves is None else effort.moves // ROUND_MOVES
    by_time = 1 if effort.moves is not None or effort.seconds is None else int(effort.seconds / ROUND_S)
    return max(1, min(ROUNDS_MAX, max(by_moves, by_time)))


def excess_price(problem: Problem, unit: float) -> float:
    """What one unit of excess costs at least: no visit is worth as much excess as it lasts, and a tour's legs are not either."""
    prizes = problem.prize[problem.prize < REQUIRED]
    lasting = float(problem.service.max()) or 1.0
    by_prize = float(prizes.max()) / lasting if len(prizes) else 0.0
    by_travel = 0.2 * float(problem.weights[TRAVEL]) if problem.is_separable else 10.0 * unit
    return max(by_prize, by_travel)


def leg_cost(problem: Problem) -> float:
    """What a leg to one of the five nearest visits costs, on average; 1 when there is only one place."""
    n = len(problem.place)
    if n < 2:
        return 1.0
    among = problem.travel[np.ix_(problem.place, problem.place)] + np.diag(np.full(n, np.inf))
    nearest = np.sort(among, axis=1)[:, : min(5, n - 1)]
    return float(problem.weights[TRAVEL] * nearest.mean()) or 1.0


def first(problem: Problem) -> tuple[Ints, Ints]:
    """Visits in order of their windows, each to the tour that is there first; optional ones are left out."""
    n = len(problem.place)
    order = np.lexsort((problem.opens, problem.closes + problem.opens)).astype(np.int64)
    tour = np.full(2 * n, -1, dtype=np.int64)
    now, here = problem.ready.copy(), problem.leaves.copy()
    for visit in order:
        if problem.prize[visit] < REQUIRED:
            continue
        taken: list[int] = []
        for side in range(1 + int(problem.is_pair[visit])):
            choices = problem.tours_of[2 * visit + side, : problem.tours_count[2 * visit + side]]
            choices = choices[~np.isin(problem.person[choices], problem.person[taken])]
            if len(choices):
                arrives = now[choices] + problem.travel[here[choices], problem.place[visit]]
                taken.append(int(choices[np.argmin(np.maximum(arrives, problem.opens[visit]) + 1e-3 * arrives)]))
        if len(taken) <= int(problem.is_pair[visit]):
            continue  # the search will find the two
        for side, one in enumerate(taken):
            tour[2 * visit + side] = one
            arrives_at = now[one] + problem.travel[here[one], problem.place[visit]]
            now[one] = max(arrives_at, problem.opens[visit]) + problem.service[2 * visit + side]
            here[one] = problem.place[visit]
    return order, tour


def nearness(travel: Floats, place: Ints, opens: Floats, closes: Floats, service: Floats) -> Ints:
    """For every visit the nearest others, in travel, waiting and lateness together (the proximity of Vidal et al. 2013). n x k."""
    n = len(place)
    legs = travel[np.ix_(place, place)]
    lasts = service[0::2]
    after = (opens + lasts)[:, None] + legs
    waits = np.maximum(0.0, opens[None, :] - (closes + lasts)[:, None] - legs)
    lates = np.maximum(0.0, after - closes[None, :])
    apart = legs + 0.2 * waits + lates
    apart = np.minimum(apart, apart.T)
    np.fill_diagonal(apart, np.inf)
    count = max(1, min(NEAR, n - 1))
    return np.ascontiguousarray(np.argsort(apart, axis=1, kind="stable")[:, :count], dtype=np.int64)
