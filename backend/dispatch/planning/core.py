"""The inner loop of the planner: simulated annealing with several neighbourhoods over one giant order of visits.

A solution is an order of all visits and a tour (or none) for each of their tasks; a visit of two people has two tasks. Its times follow
by walking the order once: every stop starts as early as its tour, its window and its partner allow. So start times of two-person visits
hold by construction, and no two tours can wait for each other in a circle. Representation and kind of search: Ceschia, Di Gaspero,
Rosati, Schaerf, International Transactions in Operational Research 2024, doi 10.1111/itor.13585. Hard windows are searched with time
warp: a late stop counts its lateness and goes on as if it had been in time (Vidal et al. 2013, Computers & Operations Research 40:475).

All that is compiled stands in this one file: what numba keeps of a function is made anew when its own file changes, not when one does
that it calls.
"""

import math

import numpy as np

from backend.dispatch.planning.arrays import EXCESS, FAIRNESS, LATE_MAX, LATE_SUM, MODULUS, TRAVEL, Ints, Problem, State
from backend.dispatch.planning.compiled import compiled


@compiled
def walk(problem: Problem, state: State, everything: bool, penalty: float, limit: float) -> float:
    """Give every stop its time. Returns the total cost with `penalty` for each unit of excess; at least `limit` once it passes `limit`.

    With a separable problem and not `everything`, only the touched tours are walked and the others keep their cost.
    """
    travel, place, tour, weights = problem.travel, problem.place, state.tour, problem.weights
    now, here, waited, slack, load = state.now, state.here, state.waited, state.slack, state.load
    cost, excess, busy, used = state.new_cost, state.new_excess, state.busy, state.used
    tours = len(now)
    total = 0.0
    for one in range(tours):
        if everything or state.is_touched[one]:
            now[one] = problem.ready[one]
            here[one] = problem.leaves[one]
            waited[one] = 0.0
            slack[one] = 1e18
            load[one] = 0.0
            cost[one] = 0.0
            excess[one] = 0.0
            busy[one] = 0.0
            used[one] = 0
        else:
            total += state.cost[one] + penalty * state.excess[one]
    latest = 0.0
    lateness = 0.0
    travelled = 0.0
    for index in range(len(state.order)):
        visit = state.order[index]
        one = tour[2 * visit]
        if one < 0:
            total += problem.prize[visit]
            continue
        if not (everything or state.is_touched[one]):
            continue
        spot = place[visit]
        opens, closes = problem.opens[visit], problem.closes[visit]
        leg = travel[here[one], spot]
        arrives = now[one] + leg
        start = max(arrives, opens)
        if problem.is_pair[visit]:
            other = tour[2 * visit + 1]
            leg_2 = travel[here[other], spot]
            arrives_2 = now[other] + leg_2
            start_2 = max(arrives_2, opens)
            if start_2 < start + problem.gap_min[visit]:
                start_2 = start + problem.gap_min[visit]
            elif start_2 > start + problem.gap_max[visit]:
                start = start_2 - problem.gap_max[visit]
            late, late_2 = max(0.0, start - closes), max(0.0, start_2 - closes)
            step = weights[TRAVEL] * leg_2 + problem.price[2 * visit + 1, other]
            over = 0.0
            if problem.is_hard[visit]:
                over = late_2
            else:
                step += weights[LATE_SUM] * late_2
                lateness += late_2
                latest = max(latest, late_2)
            waited[other] += start_2 - arrives_2
            slack[other] = min(slack[other], waited[other])
            duration_2 = problem.service[2 * visit + 1]
            now[other] = start_2 + duration_2
            here[other] = spot
            load[other] += problem.demand[2 * visit + 1]
            busy[other] += leg_2 + duration_2
            used[other] += 1
            cost[other] += step
            excess[other] += over
            travelled += leg_2
            total += step + penalty * over
            state.starts[2 * visit + 1] = start_2
            waited[one] += start - arrives
            slack[one] = min(slack[one], waited[one])
        else:
            late = max(0.0, start - closes)
            waited[one] += start - arrives
            if problem.is_hard[visit]:
                slack[one] = min(slack[one], waited[one] + max(0.0, closes - start))
            else:
                slack[one] = min(slack[one], waited[one])
        step = weights[TRAVEL] * leg + problem.price[2 * visit, one]
        over = 0.0
        if problem.shift_price[visit] > 0.0:
            step += problem.shift_price[visit] * abs(start - problem.wanted_at[visit])
        state.starts[2 * visit] = start
        if problem.is_hard[visit]:
            over = late
            if late > 0.0 and not problem.is_pair[visit]:
                start = closes
        else:
            step += weights[LATE_SUM] * late
            lateness += late
            latest = max(latest, late)
        duration = problem.service[2 * visit]
        now[one] = start + duration
        here[one] = spot
        load[one] += problem.demand[2 * visit]
        busy[one] += leg + duration
        used[one] += 1
        cost[one] += step
        excess[one] += over
        travelled += leg
        total += step + penalty * over
        if total >= limit:
            return float(total)
    for one in range(tours):
        if (everything or state.is_touched[one]) and used[one] > 0:
            leg = travel[here[one], problem.returns[one]]
            ends = now[one] + leg
            lasts = ends - problem.ready[one] - min(slack[one], waited[one])
            over = max(0.0, ends - problem.back_by[one]) + max(0.0, lasts - problem.longest[one])
            over += weights[EXCESS] * max(0.0, load[one] - problem.capacity[one])
            travelled += leg
            busy[one] += leg
            cost[one] += weights[TRAVEL] * leg
            excess[one] += over
            total += weights[TRAVEL] * leg + penalty * over
    total += weights[LATE_MAX] * latest
    if weights[FAIRNESS] > 0.0:
        total += weights[FAIRNESS] * unfairness(problem, state)
    state.sums[0] = travelled
    state.sums[1] = lateness
    state.sums[2] = latest
    return float(total)


@compiled
def unfairness(problem: Problem, state: State) -> float:
    """The sum over persons of service and travel above the mean of all."""
    people = len(problem.load_before)
    state.person_busy[:] = problem.load_before
    for one in range(len(problem.person)):
        state.person_busy[problem.person[one]] += state.busy[one]
    mean = state.person_busy.sum() / people
    above = 0.0
    for one in range(people):
        above += max(0.0, state.person_busy[one] - mean)
    return float(above)


@compiled
def draw(state: State, below: int) -> int:
    """A random number from 0 to below - 1."""
    state.seed[0] = state.seed[0] * 48271 % MODULUS
    return int(state.seed[0] * below // MODULUS)


@compiled
def shift(state: State, source: int, target: int) -> None:
    """Move the visit at position `source` of the order to position `target`; those between close up."""
    order, rank = state.order, state.rank
    visit = order[source]
    if source < target:
        for index in range(source, target):
            order[index] = order[index + 1]
            rank[order[index]] = index
    else:
        for index in range(source, target, -1):
            order[index] = order[index - 1]
            rank[order[index]] = index
    order[target] = visit
    rank[visit] = target


@compiled
def touch(state: State, one: int) -> None:
    """This tour changes."""
    if one >= 0:
        state.is_touched[one] = 1


@compiled
def place_visit(problem: Problem, state: State, visit: int, side: int, one: int) -> bool:
    """Give task `side` of a visit to a tour; a pair's other task gets one too where it has none. False when that cannot be."""
    task = 2 * visit + side
    if not problem.may_serve[task, one]:
        return False
    touch(state, state.tour[task])
    touch(state, one)
    state.tour[task] = one
    if problem.is_pair[visit]:
        other = 2 * visit + 1 - side
        if state.tour[other] < 0 or state.tour[other] == one:
            count = problem.tours_count[other]
            another = problem.tours_of[other, draw(state, count)]
            if problem.person[another] == problem.person[one]:
                return False
            state.tour[other] = another
        elif problem.person[state.tour[other]] == problem.person[one]:
            return False
    return True


@compiled
def drop(problem: Problem, state: State, visit: int) -> None:
    """Leave a visit out."""
    touch(state, state.tour[2 * visit])
    state.tour[2 * visit] = -1
    if problem.is_pair[visit]:
        state.tour[2 * visit + 1] = -1


@compiled
def propose(problem: Problem, state: State, bounds: Ints) -> bool:
    """Change the solution by one random move; `bounds` becomes the first and last position of the order that it touched. False: none."""
    n = len(state.order)
    order, rank, tour = state.order, state.rank, state.tour
    visit = draw(state, n)
    side = draw(state, 2) if problem.is_pair[visit] else 0
    mine = tour[2 * visit + side]
    kind = draw(state, 100)
    at = rank[visit]
    bounds[0] = at
    bounds[1] = at
    if mine >= 0 and problem.prize[visit] < 1e9 and kind < 4:
        drop(problem, state, visit)
        return True
    if kind < 12:  # another tour, the same moment
        return place_visit(
            problem, state, visit, side, problem.tours_of[2 * visit + side, draw(state, problem.tours_count[2 * visit + side])]
        )
    mate = problem.near[visit, draw(state, problem.near.shape[1])] if kind < 90 else draw(state, n)
    if mate == visit:
        return False
    mate_side = draw(state, 2) if problem.is_pair[mate] else 0
    theirs = tour[2 * mate + mate_side]
    there = rank[mate]
    bounds[0] = min(at, there)
    bounds[1] = max(at, there)
    if theirs < 0:
        if mine < 0:
            return False
        if kind < 60:  # an unserved visit takes this one's place
            if problem.prize[visit] >= 1e9:
                return False
            drop(problem, state, visit)
            shift(state, there, at)
            return place_visit(problem, state, mate, mate_side, mine)
        theirs = mine
    if kind < 50 or mine < 0:  # beside a near visit
        shift(state, at, there)
        touch(state, mine)
        return place_visit(problem, state, visit, side, theirs)
    if kind < 60:  # beside it, but as a run of two or three stops of the tour
        return run(problem, state, visit, side, mate, theirs, bounds)
    if kind < 72:  # change places
        if tour[2 * mate + mate_side] < 0:
            return False
        order[at] = mate
        order[there] = visit
        rank[mate] = at
        rank[visit] = there
        if not place_visit(problem, state, visit, side, theirs):
            return False
        return place_visit(problem, state, mate, mate_side, mine)
    if kind < 78:  # change tours, not moments
        if mine == theirs or tour[2 * mate + mate_side] < 0:
            return False
        return place_visit(problem, state, visit, side, theirs) and place_visit(problem, state, mate, mate_side, mine)
    if kind < 94:  # the two tours change their tails
        return cross(problem, state, at, mine, theirs, bounds)
    shift(state, at, there)  # another moment, the same tour
    touch(state, mine)
    return True


@compiled
def run(problem: Problem, state: State, visit: int, side: int, mate: int, theirs: int, bounds: Ints) -> bool:
    """Move a stop and the next one or two of its tour beside another visit."""
    order, rank, tour = state.order, state.rank, state.tour
    mine = tour[2 * visit + side]
    length = 2 + draw(state, 2)
    index = rank[visit]
    moved = 0
    n = len(order)
    backwards = rank[mate] > index
    target = rank[mate]
    while index < n and moved < length:
        one = order[index]
        which = 0 if tour[2 * one] == mine else 1 if problem.is_pair[one] and tour[2 * one + 1] == mine else -1
        if which < 0:
            index += 1
            continue
        if one == mate:
            return False
        bounds[0] = min(bounds[0], index)
        bounds[1] = max(bounds[1], index)
        if backwards:
            if index > target:
                return False
            shift(state, index, target)
        else:
            target = rank[mate] + 1 + moved
            if index < target:
                return False
            bounds[1] = max(bounds[1], target)
            shift(state, index, target)
            index += 1
        if not place_visit(problem, state, one, which, theirs):
            return False
        moved += 1
        if mine == theirs:
            index += 1
            if backwards:
                return moved > 0
    return moved > 0


@compiled
def cross(problem: Problem, state: State, at: int, mine: int, theirs: int, bounds: Ints) -> bool:
    """From position `at` on, what was on one tour is on the other."""
    if mine == theirs or mine < 0 or theirs < 0 or problem.person[mine] == problem.person[theirs]:
        return False
    at += draw(state, 2)
    n = len(state.order)
    bounds[0] = min(at, n - 1)
    bounds[1] = n - 1
    touch(state, mine)
    touch(state, theirs)
    for index in range(at, n):
        visit = state.order[index]
        for side in range(1 + problem.is_pair[visit]):
            task = 2 * visit + side
            if state.tour[task] == mine:
                if not problem.may_serve[task, theirs]:
                    return False
                state.tour[task] = theirs
            elif state.tour[task] == theirs:
                if not problem.may_serve[task, mine]:
                    return False
                state.tour[task] = mine
        one, other = state.tour[2 * visit], state.tour[2 * visit + 1]
        if problem.is_pair[visit] and one >= 0 and problem.person[one] == problem.person[other]:
            return False
    return True


@compiled
def take_back(state: State, bounds: Ints) -> None:
    """Undo what a move did between the two positions."""
    for index in range(bounds[0], bounds[1] + 1):
        visit = state.kept_order[index]
        state.order[index] = visit
        state.rank[visit] = index
        state.tour[2 * visit] = state.kept_tour[2 * visit]
        state.tour[2 * visit + 1] = state.kept_tour[2 * visit + 1]


@compiled
def keep(state: State, bounds: Ints) -> None:
    """Make the changed solution the current one."""
    for index in range(bounds[0], bounds[1] + 1):
        visit = state.order[index]
        state.kept_order[index] = visit
        state.kept_tour[2 * visit] = state.tour[2 * visit]
        state.kept_tour[2 * visit + 1] = state.tour[2 * visit + 1]
    for one in range(len(state.cost)):
        if state.is_touched[one]:
            state.cost[one] = state.new_cost[one]
            state.excess[one] = state.new_excess[one]


@compiled
def anneal(problem: Problem, state: State, moves: int, temperature: float, penalty: float) -> int:
    """Try `moves` moves at one temperature. Keeps the best solution without excess. Returns how many moves were taken."""
    bounds = np.zeros(2, dtype=np.int64)
    everything = not problem.is_separable
    state.is_touched[:] = 1
    current = walk(problem, state, True, penalty, 1e18)
    bounds[1] = len(state.order) - 1
    keep(state, bounds)
    taken = 0
    for _ in range(moves):
        state.is_touched[:] = 1 if everything else 0
        if not propose(problem, state, bounds):
            take_back(state, bounds)
            continue
        chance = (draw(state, 1000000) + 1) / 1000001.0
        limit = current - temperature * math.log(chance)
        cost = walk(problem, state, everything, penalty, limit)
        if cost >= limit:
            take_back(state, bounds)
            continue
        keep(state, bounds)
        taken += 1
        current = cost
        if cost < state.best_cost[0] - 1e-9 and state.excess.sum() < 1e-9:
            state.best_cost[0] = cost
            state.best_order[:] = state.order
            state.best_tour[:] = state.tour
    return taken
