"""Seeded days of a district, as a worker plans and drives them: the goals that published instances do not have.

own      share of visits by the own doctor, and the way, against a price of nothing for another doctor
urgent   100 days with one to three urgent visits each
week     the busiest person's service and travel against the team's mean, by week
any      random problems from empty to hopeless: every plan valid, two-person visits exactly apart, how much longer than its limit
"""

import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from backend.config import PlanConfig
from backend.dispatch import planner
from backend.dispatch.day.solver import Limit
from backend.dispatch.planning import schedule, urgent
from backend.dispatch.planning.model import Instance, Plan, PlannedTour, Prices, Task, Visit
from backend.dispatch.planning.search import Effort
from benchmarks.routing import days

HABITS = PlanConfig()
DAYS, WEEKS, WORKING_DAYS, PROBLEMS = 100, 10, 5, 1000
OWN_DAYS = (1, 2, 3)
DRAFT_MOVES = 100_000
"""Of days that are only driven: a fifteenth of what a worker takes, for the time's sake."""
ANY_S, ANY_MOVES = 0.05, 20_000


def measure(seconds: float) -> dict[str, float]:
    """All four. `seconds` is not used: the work is a number of days."""
    _plan(days.district_day(1), moves=1)  # compiles
    return own() | urgent_days() | weeks() | any_problems()


def own() -> dict[str, float]:
    """The shares in percent, and the way in minutes a day, at no price and at the configured one, with the moves of a worker."""
    figures = {}
    for price in (0.0, HABITS.not_own_min):
        made = [(instance, _plan(instance, moves=Limit().moves)) for instance in (_own_day(seed, price) for seed in OWN_DAYS)]
        served = [
            instance.visits[stop.visit].tasks[0].own == tour.person
            for instance, plan in made
            for tour, planned in zip(instance.tours, plan.tours, strict=True)
            for stop in planned.stops
        ]
        figures[f"own_at_{price:g}_min_percent"] = 100 * statistics.mean(served)
        figures[f"way_at_{price:g}_min_min"] = sum(tour.travelled for _, plan in made for tour in plan.tours) / len(made)
    return figures


def _own_day(seed: int, price: float) -> Instance:
    return days.district_day(seed, prices=Prices(not_own=price))


def urgent_days(count: int = DAYS) -> dict[str, float]:
    """What urgent visits do to so many days whose starts are promised."""
    counts: Counter[str] = Counter()
    etas = []
    for seed in range(count):
        for eta, moved in _urgent_day(seed):
            etas.append(eta)
            counts.update(moved)
    return {
        "urgent_visits": len(etas),
        "urgent_begun_or_next_moved": counts["begun"],
        "urgent_changed_doctor_each": counts["doctor"] / len(etas),
        "urgent_moved_15_min_percent": 100 * counts["moved"] / counts["coming"],
        "urgent_postponed": counts["postponed"],
        "urgent_eta_median_min": statistics.median(etas),
        "urgent_eta_p90_min": statistics.quantiles(etas, n=10)[-1],
    }


def _urgent_day(seed: int) -> Iterator[tuple[float, Counter[str]]]:
    """Each urgent visit of a day, one after another into the plan as it was moved by the ones before."""
    rng = random.Random(seed)
    instance, tours = _told(days.district_day(seed))
    for now in sorted(rng.uniform(500, 960) for _ in range(rng.choice((1, 2, 3)))):
        day = urgent.running(instance, tours, now)
        task = Task(urgent.LASTS_MIN, "gp", own=f"gp-{rng.randrange(6)}")
        visit = Visit("urgent", rng.randrange(1, 49), now, now + 60, (task,), is_hard=False)
        choice = urgent.rank(day, visit, now)[0]
        after, postponed = urgent.carry_out(day, visit, choice)
        instance = replace(instance, visits=[*instance.visits, visit])
        whole = _joined(tours, day, after)
        was, now_at = _where(instance, tours), _where(instance, whole)
        coming = _where(instance, day.tours)
        both = [index for index in coming if index in now_at]
        yield (
            choice.eta,
            Counter(
                begun=sum(now_at.get(index) != at for index, at in was.items() if index not in coming),
                coming=len(coming),
                doctor=sum(now_at[index][0] != coming[index][0] for index in both),
                moved=sum(abs(now_at[index][1] - coming[index][1]) > 15 for index in both),
                postponed=len(postponed),
            ),
        )
        tours = whole


def _joined(tours: tuple[PlannedTour, ...], day: urgent.Running, after: tuple[PlannedTour, ...]) -> tuple[PlannedTour, ...]:
    """The whole day again: the kept stops, then what comes after them."""
    parts = zip(tours, day.kept, after, strict=True)
    return tuple(
        replace(rest, stops=old.stops[:kept] + rest.stops, leaves=old.leaves if kept else rest.leaves) for old, kept, rest in parts
    )


def _told(instance: Instance) -> tuple[Instance, tuple[PlannedTour, ...]]:
    """A planned day whose starts are promised."""
    tours = _plan(instance, moves=DRAFT_MOVES).tours
    at = _where(instance, tours)
    visits = [
        replace(
            visit, opens=at[index][1] - HABITS.promise_min, closes=at[index][1] + HABITS.promise_min, wanted_at=at[index][1],
            tasks=(replace(visit.tasks[0], planned=at[index][0]),),
        )
        if index in at
        else visit
        for index, visit in enumerate(instance.visits)
    ]  # fmt: skip
    prices = Prices(not_own=HABITS.not_own_min, other_person=HABITS.other_person_min, shift=HABITS.shift_min_per_min)
    return replace(instance, visits=visits, prices=prices), tours


def _where(instance: Instance, tours: tuple[PlannedTour, ...]) -> dict[int, tuple[str, float]]:
    return {stop.visit: (instance.tours[number].person, stop.starts) for number, tour in enumerate(tours) for stop in tour.stops}


def weeks() -> dict[str, float]:
    """Max of service and travel over the team's mean, after five days planned one after another with the prices of a worker."""
    shares = []
    prices = Prices(not_own=HABITS.not_own_min, fairness=HABITS.fairness_min_per_min)
    for week in range(WEEKS):
        load: dict[str, float] = {}
        for day in range(WORKING_DAYS):
            instance = replace(days.district_day(1000 + 10 * week + day, prices=prices), load_before=load)
            load = schedule.loads(instance, _plan(instance, moves=DRAFT_MOVES).tours)
        shares.append(max(load.values()) / statistics.mean(load.values()))
    return {"week_max_over_mean_worst": max(shares), "week_max_over_mean_median": statistics.median(shares)}


def any_problems() -> dict[str, float]:
    """Every problem is planned within a limit of moves, and each tenth within a short time instead."""
    faults, late_s, pairs = 0, [0.0], 0
    for seed in range(PROBLEMS):
        instance = days.any_instance(seed)
        is_timed = seed % 10 == 0
        began_s = time.perf_counter()
        plan = planner.plan(instance, Effort(None if is_timed else ANY_MOVES, ANY_S if is_timed else None, time.perf_counter), seed=seed)
        if is_timed:
            late_s.append(time.perf_counter() - began_s - ANY_S)
        faults += len(schedule.faults(instance, plan.tours)) + _unsaid(instance, plan)
        pairs += sum(len(instance.visits[stop.visit].tasks) == 2 for tour in plan.tours for stop in tour.stops) // 2
    return {"any_problems": PROBLEMS, "any_faults": faults, "any_two_person_visits": pairs, "any_over_the_limit_max_s": max(late_s)}


def _unsaid(instance: Instance, plan: Plan) -> int:
    """Visits that are neither in a tour nor listed with a reason."""
    served = {stop.visit for tour in plan.tours for stop in tour.stops}
    return len(set(range(len(instance.visits))) - served - set(plan.unserved))


def _plan(instance: Instance, *, moves: int) -> Plan:
    return planner.plan(instance, Effort(moves, None, time.perf_counter), seed=1)
