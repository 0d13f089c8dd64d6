"""Vital signs of a simulated elder as pure functions of (seed, time, what the elder does), and episodes that pull one of them away.

The resting values are drawn inside the bands that NEWS2 scores 0 (RCP 2017, chart 1: pulse 51-90, respiration 12-20, SpO2 >= 96), so that
nobody in a simulated street alarms by accident. All amplitudes are settings of this simulation, chosen to keep a resting elder in
those bands; they are not medical figures. Time is in seconds since the virtual midnight of day 0.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Literal

DAY_S = 86_400
COLDEST_HOUR_S = 4 * 3600

Sign = Literal["heart_rate", "respiration_rate", "spo2", "skin_temperature"]


@dataclass(frozen=True, slots=True)
class Vitals:
    """Signs at one instant: beats/min, breaths/min, percent, degrees Celsius on the skin under the sensor."""

    heart_rate: float
    respiration_rate: float
    spo2: float
    skin_temperature: float


@dataclass(frozen=True, slots=True)
class Strain:
    """What moves the signs: `exertion` 0 at rest .. 1 hard work, already smoothed over a minute or so, and sleep."""

    exertion: float = 0.0
    is_asleep: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """One sign leaves its normal course: from `start_s` it moves to `target` in `ramp_s`, stays `hold_s`, and is back after `recover_s`."""

    sign: Sign
    start_s: float
    ramp_s: float
    target: float
    hold_s: float = math.inf
    recover_s: float = 0.0

    def apply(self, normal: float, t: float) -> float:
        """Value at `t` where the sign would be `normal` without the episode."""
        return normal + self._weight(t - self.start_s) * (self.target - normal)

    def _weight(self, elapsed_s: float) -> float:
        if elapsed_s < 0:
            return 0.0
        if elapsed_s < self.ramp_s:
            return elapsed_s / self.ramp_s
        recovering_s = elapsed_s - self.ramp_s - self.hold_s
        if recovering_s < 0:
            return 1.0
        return 1.0 - recovering_s / self.recover_s if recovering_s < self.recover_s else 0.0


def vitals_at(seed: int, t: float, strain: Strain, episodes: Iterable[Episode] = ()) -> Vitals:
    """Signs of elder `seed` at `t`. The same arguments always give the same values. Later episodes act on the result of earlier ones."""
    vitals = _normal(seed, t, strain)
    for episode in episodes:
        vitals = replace(vitals, **{episode.sign: episode.apply(getattr(vitals, episode.sign), t)})
    return vitals


def _normal(seed: int, t: float, strain: Strain) -> Vitals:
    rest = _resting(seed)
    # -1 in the small hours, +1 in the late afternoon.
    daily = -math.cos(2 * math.pi * (t - COLDEST_HOUR_S) / DAY_S)
    breath = math.sin(2 * math.pi * t * rest.respiration_rate / 60)
    sleep = 1.0 if strain.is_asleep else 0.0
    effort = strain.exertion
    return Vitals(
        heart_rate=rest.heart_rate + 30 * effort + 3 * daily - 3 * sleep + 2 * breath + 3 * _drift(seed, "heart", t, 180),
        respiration_rate=rest.respiration_rate + 6 * effort - sleep + 0.8 * _drift(seed, "breath", t, 60),
        spo2=rest.spo2 - 0.4 * sleep + 0.5 * _drift(seed, "spo2", t, 120),
        skin_temperature=rest.skin_temperature - 0.3 * daily + 0.5 * sleep + 0.2 * _drift(seed, "skin", t, 900),
    )


@lru_cache(maxsize=10_000)
def _resting(seed: int) -> Vitals:
    draw = Random(f"{seed}/resting").uniform
    return Vitals(heart_rate=draw(66, 74), respiration_rate=draw(14, 17), spo2=draw(97, 98), skin_temperature=draw(32.5, 34.0))


def _drift(seed: int, name: str, t: float, period_s: float) -> float:
    """Smooth noise in -1..1: random heights every `period_s`, joined by half cosines."""
    index, part = divmod(t / period_s, 1.0)
    before, after = (_height(seed, name, int(index) + step) for step in (0, 1))
    return before + (after - before) * (1 - math.cos(math.pi * part)) / 2


@lru_cache(maxsize=10_000)
def _height(seed: int, name: str, index: int) -> float:
    return Random(f"{seed}/{name}/{index}").uniform(-1, 1)
