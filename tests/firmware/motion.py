"""Synthetic movements of a body-worn accelerometer, in mg at a given rate. Made from formulas; no recording is in them."""

import math
import random

Samples = list[tuple[int, int, int]]

STANDING = (0, 0, 1000)
LYING = (1000, 0, 0)
RATE_HZ = 50


def still(pose: tuple[int, int, int], seconds: float, *, rate_hz: int = RATE_HZ, seed: int = 1) -> Samples:
    """A pose held, with 10 mg of noise."""
    noise = random.Random(seed)
    return [(axes[0], axes[1], axes[2]) for axes in ([round(noise.gauss(g, 10)) for g in pose] for _ in range(round(seconds * rate_hz)))]


def tilted(degrees: float) -> tuple[int, int, int]:
    """1 g in a pose turned by so much from standing."""
    return (round(1000 * math.sin(math.radians(degrees))), 0, round(1000 * math.cos(math.radians(degrees))))


def bump(peak_mg: int, *, rate_hz: int = RATE_HZ) -> Samples:
    """A push of 60 ms upwards, largest in its middle sample."""
    count = max(3, round(0.06 * rate_hz))
    return [(0, 0, peak_mg if index == count // 2 else 1200) for index in range(count)]


def fall(*, before_s: float = 10, after_s: float = 5, peak_mg: int = 3000, rate_hz: int = RATE_HZ) -> Samples:
    """Standing, 0.3 s of weightlessness, the impact, lying."""
    dropping = still((0, 0, 200), 0.3, rate_hz=rate_hz)
    return still(STANDING, before_s, rate_hz=rate_hz) + dropping + bump(peak_mg, rate_hz=rate_hz) + still(LYING, after_s, rate_hz=rate_hz)


def sitting_down() -> Samples:
    """Down hard onto a chair: a bump of 2.5 g, the trunk leans back by 10 degrees."""
    return still(STANDING, 10) + bump(2500) + still(tilted(10), 5)


def walking(seconds: float, *, swing_mg: int = 300, steps_per_s: float = 1.8) -> Samples:
    """Upright, gravity and a bounce of `swing_mg` at every step."""
    ticks = range(round(seconds * RATE_HZ))
    return [(0, 0, round(1000 + swing_mg * math.sin(2 * math.pi * steps_per_s * tick / RATE_HZ))) for tick in ticks]
