"""What the second stage looks at in a window: numbers that do not depend on how the device is worn. Pure, no numpy, some 2 ms.

The window is brought to 50 samples a second, 3 s before to 2.5 s after the impact at 0 s. Where it is shorter, the nearest stand in.

    m0..m10 x0..x10 s0..s10 j0..j10   mean, largest and spread of |a| (g) and mean jerk (g/s) in the eleven SPANS_S
    peak peak3                        the impact, g; mean of |a| around it
    turn turn_ends turn_late turn_before turn_after      angles between mean directions, degrees
    before-1.5.. after-1.5..          angle of the direction at AT_S to the posture before and to the one after
    path path_max path_before path_after                 how far the direction wandered in steps of 0.2 s
    up_max up_min up0..up4            part of a along the posture before (upright for who stood); lie_...: along the posture after
    across_max lie_across_max         and the part across it
    speed0..speed5                    integral of the part along the posture before, less gravity, m/s
    jerk_max jerk_max_after jerk_max_before
    stir stir_max still still_max     deviation from the mean posture before, and after
    other0..other3                    largest |a| at other times, as a share of the peak
"""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

from gateway.fall_trigger import AFTER_S, BEFORE_S, Vector, angle_deg

RATE_HZ = 50
GRAVITY = 9.81
SPANS_S = (
    (-3, -2),
    (-2, -1.25),
    (-1.25, -0.75),
    (-0.75, -0.4),
    (-0.4, -0.1),
    (-0.1, 0.1),
    (0.1, 0.4),
    (0.4, 0.75),
    (0.75, 1.25),
    (1.25, 1.9),
    (1.9, 2.5),
)
AT_S = (-1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
ALONG_S = ((-1.5, -0.75), (-0.75, -0.3), (-0.3, 0), (0, 0.3), (0.3, 1))
SPEED_S = ((-1.5, 0), (-1, 0), (-0.6, 0), (-0.3, 0), (0, 0.3), (0, 0.8))
OTHER_S = ((-3, -1), (-1, -0.15), (0.15, 1), (1, 2.5))
POSTURE_BEFORE_S, POSTURE_AFTER_S = (-3.0, -1.5), (1.0, 2.5)
NEAREST = 5
"""Samples that stand in for a span the window does not reach: 0.1 s."""

Span = tuple[float, float]
Features = dict[str, float]


def features(rows: Sequence[Vector], rate_hz: float, peak: int) -> Features:
    """The features of the impact at row `peak` of `rows`, in g at `rate_hz` samples a second."""
    motion = Motion(*resample(rows, rate_hz, peak))
    before, after = motion.direction(POSTURE_BEFORE_S), motion.direction(POSTURE_AFTER_S)
    return (
        _shape(motion)
        | _turns(motion, before, after)
        | _along(motion, before, after)
        | _speed(motion, before)
        | _rest(motion, before, after)
    )


def resample(rows: Sequence[Vector], rate_hz: float, peak: int) -> tuple[list[Vector], int]:
    """Rows at RATE_HZ within the window, the impact on one of them, and its index. Above RATE_HZ means, below it straight lines between."""
    step = rate_hz / RATE_HZ
    first = -min(int(BEFORE_S * RATE_HZ), int(peak / step))
    last = min(int(AFTER_S * RATE_HZ) - 1, int((len(rows) - 1 - peak) / step))
    take = _between if step <= 1 else _around
    return [take(rows, peak + index * step, step) for index in range(first, last + 1)], -first


def _between(rows: Sequence[Vector], at: float, _step: float) -> Vector:
    low = int(at)
    share = at - low
    if share == 0 or low + 1 >= len(rows):
        return rows[low]
    (a, b, c), (d, e, f) = rows[low], rows[low + 1]
    return a + (d - a) * share, b + (e - b) * share, c + (f - c) * share


def _around(rows: Sequence[Vector], at: float, step: float) -> Vector:
    part = rows[max(0, math.ceil(at - step / 2)) : math.floor(at + step / 2) + 1]
    x, y, z = (sum(axis) / len(part) for axis in zip(*part, strict=True))
    return x, y, z


class Motion:
    """A window at RATE_HZ with running sums, so that the mean of any span costs two look-ups. Spans are seconds from the impact."""

    def __init__(self, rows: list[Vector], peak: int) -> None:
        self.rows = rows
        self.peak = peak
        self.length = [math.sqrt(x * x + y * y + z * z) for x, y, z in rows]
        self.jerk = [0.0, *(RATE_HZ * math.dist(old, new) for old, new in pairwise(rows))]
        self.lengths = sums(self.length)
        self.squares = sums([length * length for length in self.length])
        self.jerks = sums(self.jerk)
        self.axes = [sums(list(axis)) for axis in zip(*rows, strict=True)]

    def span(self, span_s: Span) -> tuple[int, int]:
        """First row and the one after the last; never empty."""
        count = len(self.rows)
        start = min(max(self.peak + round(span_s[0] * RATE_HZ), 0), count)
        end = min(max(self.peak + round(span_s[1] * RATE_HZ), 0), count)
        if start < end:
            return start, end
        return (0, min(NEAREST, count)) if start == 0 else (max(0, count - NEAREST), count)

    def mean(self, running: list[float], span_s: Span) -> float:
        """Mean of what `running` sums up."""
        start, end = self.span(span_s)
        return (running[end] - running[start]) / (end - start)

    def direction(self, span_s: Span) -> Vector:
        """Mean acceleration, g."""
        x, y, z = (self.mean(axis, span_s) for axis in self.axes)
        return x, y, z

    def part(self, values: list[float], span_s: Span) -> list[float]:
        """The values within a span."""
        start, end = self.span(span_s)
        return values[start:end]

    def along(self, posture: Vector) -> list[float]:
        """Part of each sample along a posture, g; zero where that has no length."""
        a, b, c = posture
        size = math.sqrt(a * a + b * b + c * c) or math.inf
        return [(x * a + y * b + z * c) / size for x, y, z in self.rows]

    def deviation(self, posture: Vector, span_s: Span) -> list[float]:
        """Distance of each sample from a posture, g."""
        start, end = self.span(span_s)
        return [math.dist(row, posture) for row in self.rows[start:end]]


def sums(values: list[float]) -> list[float]:
    """Running sums, the first 0."""
    return list(accumulate(values, initial=0.0))


def _shape(motion: Motion) -> Features:
    found = {"peak": motion.length[motion.peak], "peak3": motion.mean(motion.lengths, (-0.03, 0.05))}
    for number, span_s in enumerate(SPANS_S):
        middle = motion.mean(motion.lengths, span_s)
        found[f"m{number}"] = middle
        found[f"s{number}"] = math.sqrt(max(0.0, motion.mean(motion.squares, span_s) - middle * middle))
        found[f"j{number}"] = motion.mean(motion.jerks, span_s)
        found[f"x{number}"] = max(motion.part(motion.length, span_s))
    for number, span_s in enumerate(OTHER_S):
        found[f"other{number}"] = max(motion.part(motion.length, span_s)) / max(found["peak"], 0.1)
    return found | {
        "jerk_max": max(motion.part(motion.jerk, (-0.5, 0.5))),
        "jerk_max_after": max(motion.part(motion.jerk, (0.5, 2.5))),
        "jerk_max_before": max(motion.part(motion.jerk, (-3, -1))),
    }


def _turns(motion: Motion, before: Vector, after: Vector) -> Features:
    look = motion.direction
    found = {
        "turn": angle_deg(before, after),
        "turn_ends": angle_deg(look((-3, -2.25)), look((1.75, 2.5))),
        "turn_late": angle_deg(look((-1.5, -0.75)), after),
        "turn_before": angle_deg(look((-3, -2.25)), look((-1.5, -0.75))),
        "turn_after": angle_deg(look((0.6, 1.2)), look((1.8, 2.5))),
    }
    for at_s in AT_S:
        here = look((at_s - 0.15, at_s + 0.17))
        found[f"before{at_s}"], found[f"after{at_s}"] = angle_deg(before, here), angle_deg(after, here)
    places = [look((tenths / 10 - 0.2, tenths / 10 + 0.2)) for tenths in range(-20, 21, 2)]
    steps = [angle_deg(old, new) for old, new in pairwise(places)]
    return found | {"path": sum(steps), "path_max": max(steps), "path_before": sum(steps[:7]), "path_after": sum(steps[12:])}


def _along(motion: Motion, before: Vector, after: Vector) -> Features:
    found = {}
    for name, prefix, posture in (("up", "", before), ("lie", "lie_", after)):
        along = motion.along(posture)
        across = [math.sqrt(max(0.0, length * length - part * part)) for length, part in zip(motion.length, along, strict=True)]
        near = motion.part(along, (-0.5, 0.5))
        found[f"{name}_max"], found[f"{name}_min"] = max(near), min(near)
        found[f"{prefix}across_max"] = max(motion.part(across, (-0.5, 0.5)))
        running = sums(along)
        for number, span_s in enumerate(ALONG_S):
            found[f"{name}{number}"] = motion.mean(running, span_s)
    return found


def _speed(motion: Motion, before: Vector) -> Features:
    running = sums(motion.along(before))
    found = {}
    for number, span_s in enumerate(SPEED_S):
        start, end = motion.span(span_s)
        found[f"speed{number}"] = GRAVITY * (running[end] - running[start] - (end - start)) / RATE_HZ
    return found


def _rest(motion: Motion, before: Vector, after: Vector) -> Features:
    stir, still = motion.deviation(before, POSTURE_BEFORE_S), motion.deviation(after, POSTURE_AFTER_S)
    return {"stir": sum(stir) / len(stir), "stir_max": max(stir), "still": sum(still) / len(still), "still_max": max(still)}
