"""A travel curve learnt from few trips, some of them wrong, is right about ways it has not seen."""

import json
import random
from pathlib import Path

import pytest

from backend.dispatch.travel import DEFAULT, Curve, crow_km
from backend.dispatch.travel_fit import TRIPS_MIN, Trip, fit

TOWNS = sorted((Path(__file__).resolve().parents[4] / "shared" / "data" / "routing" / "hhcrsp").glob("italian_*[0-9].json"))


def town(file: Path) -> list[Trip]:
    """Every pair of homes of a stored town: straight kilometres and minutes on the road."""
    data = json.loads(file.read_text("utf-8"))
    places = [(one["location"][1], one["location"][0]) for one in (*data["central_offices"], *data["patients"])]
    pairs = [(a, b) for a in range(len(places)) for b in range(len(places)) if a != b and data["distances"][a][b] > 0]
    return [Trip(crow_km(places[a], places[b]), 60.0 * data["distances"][a][b]) for a, b in pairs]


@pytest.mark.skipif(not TOWNS, reason="no ../shared/data/routing")
@pytest.mark.parametrize("file", TOWNS, ids=lambda file: file.stem)
@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_trips_tell_the_others_within_17_percent(file: Path, seed: int) -> None:
    """R9: mean error at most 17 %, nine of ten within 12 min, on unseen pairs."""
    trips = town(file)
    random.Random(seed).shuffle(trips)
    found = fit(trips[:100])
    assert found is not None
    errors = sorted(abs(found.curve.seconds(trip.km) - trip.seconds) for trip in trips[100:])
    relative = [abs(found.curve.seconds(trip.km) - trip.seconds) / trip.seconds for trip in trips[100:] if trip.km > 0]
    assert sum(relative) / len(relative) <= 0.17
    assert errors[int(0.9 * len(errors))] <= 12 * 60


def test_a_tenth_of_wrong_trips_does_not_bend_the_curve() -> None:
    rng = random.Random(3)
    true = Curve(a_s=200.0, b_s=150.0, c_s=60.0)
    trips = [Trip(km, true.seconds(km) * rng.uniform(0.9, 1.1)) for km in (rng.uniform(0.2, 8) for _ in range(200))]
    wrong = [Trip(trip.km, 4 * 3600.0) for trip in trips[:20]]
    found = fit([*trips[20:], *wrong])
    assert found is not None
    assert found.curve.seconds(3.0) == pytest.approx(true.seconds(3.0), rel=0.05)


def test_few_trips_leave_the_shipped_curve() -> None:
    assert fit([Trip(2.0, 600.0)] * (TRIPS_MIN - 1)) is None


def test_no_part_of_a_curve_is_negative() -> None:
    found = fit([Trip(float(km), 1000.0 - 50 * km) for km in range(1, 11)] * 5)
    assert found is not None
    assert min(found.curve.a_s, found.curve.b_s, found.curve.c_s) >= 0
    assert fit([Trip(2.0, DEFAULT.seconds(2.0))] * 50) is not None
