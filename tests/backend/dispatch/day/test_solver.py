"""The search in its child process: ends in time, tells how far it is, and gives what the same search gives here."""

import time

from backend.dispatch import planner
from backend.dispatch.day.solver import Limit, solve
from backend.dispatch.planning import schedule
from backend.dispatch.planning.search import Effort
from benchmarks.routing import days


def test_a_child_gives_the_same_plan_and_says_how_far_it_is() -> None:
    instance = days.district_day(2, visits=20)
    shares: list[float] = []
    plan = solve(instance, Limit(moves=100_000, seconds=60.0), seed=5, on_progress=shares.append)
    assert plan == planner.plan(instance, Effort(100_000, None, time.perf_counter), seed=5)
    assert shares == sorted(shares)
    assert shares


def test_a_search_ends_in_time_however_many_moves_are_left() -> None:
    instance = days.district_day(2)
    told: list[float] = []
    plan = solve(instance, Limit(moves=10**12, seconds=0.5), seed=1, on_progress=lambda share: told.append(time.monotonic()))
    assert time.monotonic() - told[0] < 20  # the moves would take days
    assert schedule.faults(instance, plan.tours) == []


def test_the_plan_without_a_search_is_valid_too() -> None:
    for seed in range(30):
        instance = days.any_instance(seed)
        plan = planner.quick(instance)
        assert schedule.faults(instance, plan.tours) == []
        assert {stop.visit for tour in plan.tours for stop in tour.stops} | set(plan.unserved) == set(range(len(instance.visits)))
