"""An elder's day in virtual time, and the acceleration a worn sensor feels on the way: gravity, steps, rest, and falls.

Acceleration is in mg (0.001 g), 50 samples a second, columns x, y, z. The sensor's y axis points down along the body (on the wrist: along
the hanging forearm to the hand), z forward: a person who stands still reads (0, -1000, 0), one who lies on the back (0, 0, 1000).
Amplitudes are settings of this simulation, made to resemble recordings by eye; they are no medical figures.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray

from simulators.vitals import DAY_S, Episode, Strain, Vitals, vitals_at

RATE_HZ = 50
EXERTION_S = 60.0
STEP_HZ = 1.8
STILL_AFTER_FALL_S = 6.0

Samples = NDArray[np.int16]
Vector = NDArray[np.float64]


class Doing(StrEnum):
    """What an elder does."""

    ASLEEP = "asleep"
    RESTING = "resting"
    EATING = "eating"
    HOUSEWORK = "housework"
    WALKING = "walking"
    OUT = "out"
    ON_FLOOR = "on_floor"


class Posture(StrEnum):
    """How the body is."""

    LYING = "lying"
    SITTING = "sitting"
    STANDING = "standing"


class Placement(StrEnum):
    """Where the wearable sits."""

    WAIST = "waist"
    CHEST = "chest"
    HIP = "hip"
    WRIST = "wrist"


@dataclass(frozen=True, slots=True)
class State:
    """An elder at one instant. `activity` is 0 asleep .. 1 hard work, `exertion` the same smoothed over EXERTION_S."""

    doing: Doing
    posture: Posture
    activity: float
    exertion: float
    is_in_bed: bool
    is_home: bool


@dataclass(frozen=True, slots=True)
class Change:
    """From `at_s` of its day on, the elder does `doing`."""

    at_s: float
    doing: Doing


@dataclass(frozen=True, slots=True)
class _FallShape:
    peak_mg: tuple[float, float]
    swing_mg: float
    rocking_deg: float


_POSTURE = {Doing.ASLEEP: Posture.LYING, Doing.ON_FLOOR: Posture.LYING, Doing.RESTING: Posture.SITTING, Doing.EATING: Posture.SITTING}
_ACTIVITY = {
    Doing.ASLEEP: 0.0,
    Doing.ON_FLOOR: 0.1,
    Doing.RESTING: 0.05,
    Doing.EATING: 0.1,
    Doing.HOUSEWORK: 0.3,
    Doing.WALKING: 0.45,
    Doing.OUT: 0.5,
}
_REST_MG = {Posture.LYING: (0.0, 0.0, 1000.0), Posture.SITTING: (0.0, -966.0, 259.0), Posture.STANDING: (0.0, -1000.0, 0.0)}
_NOISE_MG = {Posture.LYING: 4.0, Posture.SITTING: 8.0, Posture.STANDING: 20.0}
_FALL_SHAPES = {
    Placement.WAIST: _FallShape((3500, 6000), 75, 25),
    Placement.CHEST: _FallShape((3000, 5000), 75, 25),
    Placement.HIP: _FallShape((3500, 6000), 75, 25),
    Placement.WRIST: _FallShape((4000, 7000), 200, 60),
}

# Minute of the day, spread in minutes either way, and what begins. Neighbours are farther apart than their spreads.
_DAY: tuple[tuple[int, int, Doing], ...] = (
    (6 * 60 + 15, 25, Doing.HOUSEWORK),
    (7 * 60, 15, Doing.EATING),
    (7 * 60 + 30, 10, Doing.HOUSEWORK),
    (8 * 60 + 30, 20, Doing.OUT),
    (9 * 60 + 45, 15, Doing.RESTING),
    (11 * 60 + 15, 10, Doing.HOUSEWORK),
    (12 * 60, 10, Doing.EATING),
    (12 * 60 + 40, 10, Doing.ASLEEP),
    (13 * 60 + 50, 15, Doing.RESTING),
    (15 * 60 + 30, 15, Doing.WALKING),
    (16 * 60, 10, Doing.RESTING),
    (17 * 60 + 30, 15, Doing.EATING),
    (18 * 60 + 15, 10, Doing.RESTING),
    (21 * 60, 30, Doing.ASLEEP),
)
_TOILET_S = (100 * 60, 220 * 60)
_TOILET_LASTS_S = 360.0


@lru_cache(maxsize=1000)
def day_plan(seed: int, day: int) -> tuple[Change, ...]:
    """Changes of one day in order, the first at 0: asleep, one walk to the toilet at night, meals, a walk out, a nap, bed at nine."""
    random = Random(f"{seed}/day/{day}")
    toilet_s = random.uniform(*_TOILET_S)
    night = (Change(0, Doing.ASLEEP), Change(toilet_s, Doing.WALKING), Change(toilet_s + _TOILET_LASTS_S, Doing.ASLEEP))
    return night + tuple(Change(60 * (minute + random.uniform(-spread, spread)), doing) for minute, spread, doing in _DAY)


def state_at(seed: int, t: float) -> State:
    """State of elder `seed` at `t` seconds after the virtual midnight of day 0, by plan."""
    day, second = divmod(t, DAY_S)
    plan = day_plan(seed, int(day))
    index = bisect_right(plan, second, key=lambda change: change.at_s) - 1
    # Before the first change of a day the elder slept, as after the last one.
    previous = plan[max(index - 1, 0)].doing
    return _state(plan[index].doing, previous, second - plan[index].at_s)


def _state(doing: Doing, previous: Doing, since_s: float) -> State:
    activity = _ACTIVITY[doing]
    fading = math.exp(-since_s / EXERTION_S)
    return State(
        doing=doing,
        posture=_POSTURE.get(doing, Posture.STANDING),
        activity=activity,
        exertion=activity + (_ACTIVITY[previous] - activity) * fading,
        is_in_bed=doing is Doing.ASLEEP,
        is_home=doing is not Doing.OUT,
    )


class Elder:
    """One person: the day by plan until something is asked or happens. `seed` and the calls made give the same values again."""

    def __init__(self, seed: int, *, placement: Placement = Placement.WAIST) -> None:
        self.seed = seed
        self.placement = placement
        self._asked: tuple[float, Doing, Doing] | None = None
        self._episodes: list[Episode] = []
        self._playing: Samples = np.empty((0, 3), np.int16)
        self._rest: Vector | None = None

    def take_up(self, doing: Doing | None, t: float) -> None:
        """From `t` on do this instead of the plan; None goes back to the plan."""
        self._rest = None
        self._playing = self._playing[:0]
        self._asked = None if doing is None else (t, doing, self.state_at(t).doing)

    def suffer(self, episode: Episode) -> None:
        """Let an episode act. It ends the earlier ones of the same sign."""
        self._episodes = [old for old in self._episodes if old.sign != episode.sign] + [episode]

    def drop(self, samples: Samples, t: float) -> None:
        """Feel `samples` (N, 3) mg from now on, then lie on the floor as they end until `take_up`."""
        self.take_up(Doing.ON_FLOOR, t)
        self._playing = samples
        self._rest = resting_direction(samples)

    def state_at(self, t: float) -> State:
        """State at `t`, which must not run backwards over a `take_up`."""
        if self._asked is None:
            return state_at(self.seed, t)
        since_t, doing, previous = self._asked
        return _state(doing, previous, t - since_t)

    def vitals_at(self, t: float) -> Vitals:
        """Signs at `t` with all episodes."""
        state = self.state_at(t)
        return vitals_at(self.seed, t, Strain(state.exertion, state.is_in_bed), self._episodes)

    def feel(self, t: float, count: int) -> Samples:
        """The next `count` samples (count, 3) mg, the first at `t`."""
        played, self._playing = self._playing[:count], self._playing[count:]
        if len(played) == count:
            return played
        quiet = acceleration(self.seed, round(t * RATE_HZ), count, self.state_at(t), rest=self._rest)
        return np.concatenate([played, quiet[len(played) :]])


def acceleration(seed: int, first: int, count: int, state: State, *, rest: Vector | None = None) -> Samples:
    """Samples `first`..`first + count - 1` since midnight, (count, 3) mg, of an elder in one state.

    `rest` is the direction of gravity in mg where the posture does not tell it. Walking: the trunk rises and falls once a step and sways
    once in two; anything else is gravity with the small movements of the posture.
    """
    random = np.random.default_rng([seed, first])
    gravity = np.array(_REST_MG[state.posture]) if rest is None else rest
    signal = gravity + random.normal(0, _NOISE_MG[state.posture], (count, 3))
    if state.doing in (Doing.WALKING, Doing.OUT):
        phase = 2 * np.pi * STEP_HZ * np.arange(first, first + count) / RATE_HZ
        signal[:, 1] -= 200 * np.sin(phase) + 60 * np.sin(2 * phase)
        signal[:, 0] += 80 * np.sin(phase / 2)
    return to_samples(signal)


def synthetic_fall(seed: int, placement: Placement = Placement.WAIST) -> Samples:
    """A fall from standing, (N, 3) mg at 50 Hz, from the loss of balance to lying still.

    It imitates the phases seen in recorded falls: the body begins to lean 0.9 to 1.2 s before it hits, and is partly weightless in the last
    half second; an impact of more than 2.5 g that lasts some 0.1 s and strikes from another side than it will lie on, then two weaker
    ones; then STILL_AFTER_FALL_S on the floor, turned by 80 to 100 degrees, rocking and stirring for the first second. The wrist swings
    more and hits harder than the trunk. It is a drawing of a fall, not a measure of how well falls are found: only recordings say that.
    """
    shape = _FALL_SHAPES[placement]
    random = np.random.default_rng([seed, list(Placement).index(placement)])
    falling = int(random.integers(round(0.9 * RATE_HZ), round(1.2 * RATE_HZ) + 1))
    still = round(STILL_AFTER_FALL_S * RATE_HZ)
    heading, final = random.uniform(0, 2 * np.pi), math.radians(random.uniform(80, 100))
    since_s = np.arange(still) / RATE_HZ
    rocking = math.radians(shape.rocking_deg) * np.exp(-since_s / 0.35) * np.sin(2 * np.pi * 1.6 * since_s)
    angles = np.concatenate([final * np.linspace(0, 1, falling) ** 2.5, final + rocking])
    headings = heading + np.concatenate([np.linspace(-0.6, 0, falling), rocking])
    direction = np.column_stack([np.sin(angles) * np.cos(headings), -np.cos(angles), np.sin(angles) * np.sin(headings)])
    light = np.interp(np.arange(falling), [0, falling - 0.5 * RATE_HZ, falling], [1000, 950, random.uniform(150, 350)])
    signal = direction * np.concatenate([light, np.full(still, 1000.0)])[:, None]
    signal[falling:] += _blows(random, direction[falling], random.uniform(*shape.peak_mg), still)
    stirring = _NOISE_MG[Posture.LYING] + 2 * shape.swing_mg * np.exp(-since_s / (0.3 * shape.rocking_deg / 25))
    restless = np.concatenate([np.linspace(0.3, 1, falling) * shape.swing_mg, stirring])
    return to_samples(signal + random.normal(0, 1, signal.shape) * restless[:, None])


def _blows(random: np.random.Generator, lying: Vector, peak_mg: float, count: int) -> Vector:
    """The impact and two weaker ones after it, (count, 3) mg: half-sines of 0.1 s from the floor, each from another side."""
    blows = np.zeros((count, 3))
    for at_s, share in ((0.0, 1.0), (random.uniform(0.14, 0.2), 0.45), (random.uniform(0.3, 0.45), 0.3)):
        side = 0.6 * lying + random.normal(0, 0.55, 3)
        start, length = round(at_s * RATE_HZ), round(0.1 * RATE_HZ)
        pulse = np.sin(np.pi * (np.arange(length) + 0.5) / length)
        blows[start : start + length] += share * peak_mg * pulse[:, None] * side / np.linalg.norm(side)
    return blows


def resting_direction(samples: Samples) -> Vector:
    """Mean of the last second as a vector of 1000 mg: how the sensor lies after the samples."""
    mean: Vector = samples[-RATE_HZ:].mean(axis=0)
    return 1000 * mean / np.linalg.norm(mean)


def to_samples(signal: Vector) -> Samples:
    """Whole mg, clipped to 16 bits."""
    return np.clip(np.rint(signal), -32768, 32767).astype(np.int16)
