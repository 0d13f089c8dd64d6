"""The planner always answers with a valid plan and a reason for what it leaves out."""

import os
import random
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.dispatch import planner
from backend.dispatch.planning import schedule
from backend.dispatch.planning.model import Instance, Plan, Prices, Task, Tour, Unserved, Visit
from backend.dispatch.planning.search import Effort
from benchmarks.routing import days

MOVES = 4_000


def effort(moves: int = MOVES) -> Effort:
    return Effort(moves, None, time.perf_counter)


def checked(instance: Instance, plan: Plan) -> Plan:
    """A plan in which every visit is served validly, or listed."""
    assert schedule.faults(instance, plan.tours) == []
    served = {stop.visit for tour in plan.tours for stop in tour.stops}
    assert served.isdisjoint(plan.unserved)
    assert served | set(plan.unserved) == set(range(len(instance.visits)))
    return plan


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(st.integers(min_value=0, max_value=10**9))
def test_any_instance_gets_a_valid_plan_with_two_person_visits_exactly_apart(seed: int) -> None:
    """Empty, one-doctor and infeasible days among them; `faults` holds the exact gaps and that nobody is in two places."""
    instance = days.any_instance(seed)
    checked(instance, planner.plan(instance, effort(), seed=seed))


def test_the_same_seed_gives_the_same_plan() -> None:
    instance = days.district_day(3)
    first, again, other = (planner.plan(instance, effort(50_000), seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_seconds_end_a_search_that_has_moves_left() -> None:
    instance = days.district_day(3)
    planner.plan(instance, effort(), seed=1)
    began_s = time.perf_counter()
    checked(instance, planner.plan(instance, Effort(10**12, 0.5, time.perf_counter), seed=1))
    assert time.perf_counter() - began_s < 20  # the moves would take days


def test_a_day_that_cannot_be_made_whole_ends_in_the_same_time() -> None:
    """Half of what must be served has no room: the search gives up on serving all, and leaves out, within its seconds."""
    travel = days.towns(random.Random(1), 61)
    visits = [Visit(f"v{at}", at, 480, 700, (Task(40, "gp"),)) for at in range(1, 61)]
    instance = Instance(travel, visits, [replace(HOURS, id=f"t{at}", person=f"p{at}") for at in range(4)])
    planner.plan(instance, effort(10), seed=1)
    began_s = time.perf_counter()
    plan = checked(instance, planner.plan(instance, Effort(None, 1.0, time.perf_counter), seed=1))
    assert time.perf_counter() - began_s < 3.0
    assert 20 <= len(plan.unserved) < 60


HOURS = Tour("t", "p", 0, 0, 480.0, 720.0, frozenset({"gp"}))


@pytest.mark.parametrize(
    ("visit", "reason"),
    [
        (Visit("v", 1, 480, 700, (Task(20, "surgeon"),)), Unserved.NO_SKILL),
        (Visit("v", 1, 480, 700, (Task(20, "gp"), Task(20, "gp"))), Unserved.NO_SECOND_PERSON),
        (Visit("v", 1, 780, 900, (Task(20, "gp"),)), Unserved.OUTSIDE_HOURS),
        (Visit("v", 2, 480, 700, (Task(20, "gp"),)), Unserved.TOO_FAR),
        (Visit("v", 1, 480, 700, (Task(20, "gp"),), prize=5.0), Unserved.NOT_WORTH),
    ],
)
def test_the_reason_says_why_a_visit_is_left_out(visit: Visit, reason: Unserved) -> None:
    travel = [[0.0, 10.0, 300.0], [10.0, 0.0, 300.0], [300.0, 300.0, 0.0]]
    assert planner.plan(Instance(travel, [visit], [HOURS]), effort(), seed=1).unserved == {0: reason}


def test_the_more_urgent_visits_take_a_day_that_is_too_short() -> None:
    travel = [[0.0, 10.0], [10.0, 0.0]]
    visits = [Visit(f"v{at}", 1, 480, 700, (Task(60, "gp"),), prize=prize) for at, prize in enumerate((90, 400, 90, 300, 200, 90))]
    plan = planner.plan(Instance(travel, visits, [HOURS]), effort(), seed=1)
    assert plan.unserved == {0: Unserved.FULL, 2: Unserved.FULL, 5: Unserved.FULL}


def test_an_own_doctor_is_preferred_at_the_stated_price() -> None:
    """12 min a visit bring about three of four to their own doctor, for about a quarter more travel."""
    share, ways = [], []
    for price in (0.0, 12.0):
        own = total = way = 0.0
        for seed in (1, 2, 3):
            instance = days.district_day(seed, prices=Prices(not_own=price))
            plan = checked(instance, planner.plan(instance, effort(150_000), seed=1))
            way += sum(tour.travelled for tour in plan.tours)
            for tour, planned in zip(instance.tours, plan.tours, strict=True):
                own += sum(instance.visits[stop.visit].tasks[0].own == tour.person for stop in planned.stops)
                total += len(planned.stops)
        share.append(own / total)
        ways.append(way)
    assert share[1] >= 0.68, share
    assert ways[1] <= 1.35 * ways[0], ways


def test_a_plan_made_anew_moves_few_others() -> None:
    """One more visit comes: those that were planned keep their person and nearly their time."""
    instance = days.district_day(5, visits=36)
    before = planner.plan(instance, effort(100_000), seed=1)
    at = {stop.visit: (instance.tours[number].person, stop.starts) for number, tour in enumerate(before.tours) for stop in tour.stops}
    rng = random.Random(1)
    kept = [
        replace(visit, wanted_at=at[index][1], tasks=(replace(visit.tasks[0], planned=at[index][0]),)) if index in at else visit
        for index, visit in enumerate(instance.visits)
    ]
    extra = Visit("extra", rng.randrange(1, 36), 840.0, 960.0, (Task(20.0, "gp"),), prize=900.0)
    prices = replace(instance.prices, other_person=15.0, shift=0.2)
    again = replace(instance, visits=[*kept, extra], prices=prices)
    after = checked(again, planner.plan(again, effort(100_000), seed=2, begin=before))
    assert len(kept) not in after.unserved
    now = {stop.visit: (again.tours[number].person, stop.starts) for number, tour in enumerate(after.tours) for stop in tour.stops}
    changed = [index for index in at if now.get(index, (None, 0.0))[0] != at[index][0]]
    assert len(changed) <= 2, changed


def test_the_load_is_spread_when_fairness_has_a_price() -> None:
    instance = days.district_day(7, doctors=4, visits=24, prices=Prices(fairness=1.0))
    busy = schedule.loads(instance, planner.plan(instance, effort(100_000), seed=1).tours)
    assert max(busy.values()) <= 1.25 * sum(busy.values()) / len(busy)


def test_without_a_compiler_the_same_source_gives_the_same_plan() -> None:
    """NUMBA_DISABLE_JIT runs the plain Python, as where numba is not installed."""
    instance = days.any_instance(11)
    code = (
        "import time\n"
        "from backend.dispatch import planner\n"
        "from backend.dispatch.planning.search import Effort\n"
        "from benchmarks.routing import days\n"
        "print(planner.plan(days.any_instance(11), Effort(1500, None, time.perf_counter), seed=4))"
    )
    plain = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=True, timeout=60
    )
    assert plain.stdout.strip() == str(planner.plan(instance, effort(1500), seed=4))
