"""What an insertion costs is what the whole plan then costs more; and it is found quickly."""

import time

import pytest

from backend.dispatch import planner
from backend.dispatch.planning import insertion, schedule
from backend.dispatch.planning.search import Effort
from benchmarks.routing import days


@pytest.mark.parametrize("seed", range(40))
def test_the_price_of_every_place_is_the_difference_it_makes(seed: int) -> None:
    instance = days.any_instance(seed)
    tours = planner.plan(instance, Effort(2_000, None, time.perf_counter), seed=seed).tours
    instance = type(instance)(
        instance.travel, instance.visits, instance.tours, type(instance.prices)(not_own=12.0, shift=0.2, late_sum=2.0)
    )
    served = {stop.visit for tour in tours for stop in tour.stops}
    before = schedule.cost(instance, tours)
    for index in set(range(len(instance.visits))) - served:
        for found in insertion.every(instance, tours, index):
            after = insertion.put(instance, tours, index, found.at)
            assert schedule.faults(instance, after) == []
            assert found.adds == pytest.approx(schedule.cost(instance, after) - before, abs=1e-6)
