"""The travel curve of an area, learnt from our own departures and arrivals. Pure.

Least relative absolute deviations by reweighted least squares: a doctor who forgot to press "arrived" must not bend the curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

from backend.dispatch.travel import DEFAULT, Curve

TRIPS_MIN = 30
"""Fewer say less than the shipped curve."""
ROUNDS = 25
NEAR = 0.03
"""A relative error below this weighs as if it were this large, so that weights stay finite."""
PRIOR_TRIPS = 3.0
"""The shipped curve weighs as much as so many trips; without it the curve is free where nobody has driven."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One way driven: kilometres as the crow flies, and how long it took."""

    km: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A curve and its mean absolute error on the trips it was fitted on, in percent of the time taken."""

    curve: Curve
    error_percent: float


def fit(trips: Sequence[Trip], prior: Curve = DEFAULT) -> Fit | None:
    """The best curve t = a + b * sqrt(km) + c * km with no negative part; None for fewer than TRIPS_MIN usable trips."""
    usable = [trip for trip in trips if trip.seconds >= 30 and 0 < trip.km < 200]
    if len(usable) < TRIPS_MIN:
        return None
    rows = [((1.0, sqrt(trip.km), trip.km), trip.seconds) for trip in usable]
    shares = [PRIOR_TRIPS / 3 / prior.seconds(km) ** 2 for km in (1.0, 4.0, 9.0)]
    held = [((1.0, sqrt(km), km), prior.seconds(km), share) for km, share in zip((1.0, 4.0, 9.0), shares, strict=True)]
    best = min((_reweighted(rows, held, terms) for size in (1, 2, 3) for terms in combinations(range(3), size)), key=lambda one: one[1])
    curve = Curve(*best[0])
    return Fit(curve, 100 * best[1])


Row = tuple[tuple[float, float, float], float]


def _reweighted(
    rows: Sequence[Row], held: Sequence[tuple[tuple[float, float, float], float, float]], terms: Sequence[int]
) -> tuple[tuple[float, float, float], float]:
    """Coefficients with only these terms, and the mean relative error; infinite where one is negative."""
    weights = [1 / seconds**2 for _, seconds in rows]
    found = [0.0, 0.0, 0.0]
    for _ in range(ROUNDS):
        solved = _solve(rows, weights, held, terms)
        if solved is None:
            return (0.0, 0.0, 0.0), float("inf")
        found = solved
        weights = [1 / (seconds**2 * max(NEAR, _error(found, part, seconds))) for part, seconds in rows]
    if min(found) < 0:
        return (0.0, 0.0, 0.0), float("inf")
    return (found[0], found[1], found[2]), sum(_error(found, part, seconds) for part, seconds in rows) / len(rows)


def _error(found: Sequence[float], part: Sequence[float], seconds: float) -> float:
    return abs(sum(one * other for one, other in zip(found, part, strict=True)) - seconds) / seconds


def _solve(
    rows: Sequence[Row], weights: Sequence[float], held: Sequence[tuple[tuple[float, float, float], float, float]], terms: Sequence[int]
) -> list[float] | None:
    """Weighted normal equations by Gaussian elimination with pivots; None when they have no single solution."""
    everything = [(part, seconds, weight) for (part, seconds), weight in zip(rows, weights, strict=True)] + list(held)
    size = len(terms)
    matrix = [
        [sum(weight * part[i] * part[j] for part, _, weight in everything) for j in terms]
        + [sum(weight * part[i] * seconds for part, seconds, weight in everything)]
        for i in terms
    ]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) < 1e-15:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                matrix[row] = [one - factor * other for one, other in zip(matrix[row], matrix[column], strict=True)]
    found = [0.0, 0.0, 0.0]
    for row, term in enumerate(terms):
        found[term] = matrix[row][size] / matrix[row][row]
    return found
