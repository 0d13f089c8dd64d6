"""Seeded random planning problems, from empty ones to hopeless ones, and seeded days of a district."""

import math
import random

from backend.dispatch.planning.model import Instance, Prices, Task, Tour, Visit

SKILLS = ("gp", "nurse", "public_health")


def towns(rng: random.Random, count: int, *, sigma_km: float = 2.0, km_per_h: float = 18.0, detour: float = 1.35) -> list[list[float]]:
    """Travel times in minutes between `count` places around a centre, which is place 0. The speed and the detour are our own choice."""
    points = [(0.0, 0.0)] + [(rng.gauss(0, sigma_km), rng.gauss(0, sigma_km)) for _ in range(count - 1)]
    return [[math.dist(one, other) * detour / km_per_h * 60 for other in points] for one in points]


def any_instance(seed: int) -> Instance:
    """Anything may be in it: no visit, no tour, one doctor, missing skills, windows that nobody can meet, homes hours away."""
    rng = random.Random(seed)
    visit_count, people = rng.choice((0, 1, 2, 5, 12, 25)), rng.choice((0, 1, 1, 2, 4))
    travel = towns(rng, visit_count + 1, sigma_km=rng.choice((0.0, 2.0, 2.0, 60.0)))
    tours = []
    for person in range(people):
        for half, (ready, back_by) in enumerate(((480.0, 720.0), (810.0, 1020.0))):
            if rng.random() < 0.85:
                skills = frozenset(rng.sample(SKILLS, rng.choice((1, 1, 2))))
                longest = rng.choice((math.inf, math.inf, 200.0))
                tours.append(Tour(f"t{person}-{half}", f"p{person}", 0, 0, ready, back_by, skills, longest))
    visits = [_any_visit(rng, number, people) for number in range(1, visit_count + 1)]
    prices = Prices(travel=1.0, late_sum=2.0, fairness=rng.choice((0.0, 0.3)), not_own=12.0, other_person=15.0, shift=0.2)
    return Instance(travel, visits, tours, prices)


def _any_visit(rng: random.Random, number: int, people: int) -> Visit:
    opens = rng.uniform(420, 1000)
    closes = opens + rng.choice((0.0, 30.0, 60.0, 240.0))
    own = rng.choice((None, f"p{rng.randrange(max(1, people))}"))
    tasks = [Task(rng.choice((10.0, 20.0, 45.0)), rng.choice((*SKILLS, "gp", "surgeon") if rng.random() < 0.1 else SKILLS), own=own)]
    gap = (0.0, 0.0)
    if rng.random() < 0.25:
        tasks.append(Task(rng.choice((10.0, 20.0)), rng.choice(SKILLS)))
        gap = rng.choice(((0.0, 0.0), (15.0, 40.0), (5.0, 5.0)))
    prize = rng.choice((None, 5.0, 60.0, 300.0, 300.0))
    wanted_at = rng.choice((None, None, opens + 10.0))
    return Visit(f"v{number}", number, opens, closes, tuple(tasks), gap, rng.random() < 0.7, prize, wanted_at)


def district_day(seed: int, *, doctors: int = 6, visits: int = 48, prices: Prices | None = None) -> Instance:
    """A day of GPs with two half-days each, whose elders live anywhere in a town. Visits are optional by priority."""
    rng = random.Random(seed)
    travel = towns(rng, visits + 1)
    tours = [
        Tour(f"{person}-{half}", f"gp-{person}", 0, 0, ready, back_by, frozenset({"gp"}))
        for person in range(doctors)
        for half, (ready, back_by) in enumerate(((480.0, 720.0), (810.0, 1020.0)))
    ]
    made = []
    for number in range(1, visits + 1):
        opens, closes = rng.choice(((480.0, 700.0), (810.0, 1000.0), (480.0, 1000.0), (540.0, 660.0)))
        task = Task(rng.choice((15.0, 20.0, 30.0)), "gp", own=f"gp-{rng.randrange(doctors)}")
        made.append(Visit(f"v{number}", number, opens, closes, (task,), prize=rng.choice((120.0, 240.0, 480.0))))
    return Instance(travel, made, tours, prices or Prices(not_own=12.0))
