"""NEWS2, the National Early Warning Score 2: points of each sign, total, risk. Pure arithmetic on the chart.

Source: Royal College of Physicians, National Early Warning Score (NEWS) 2, London 2017, charts 1 and 4 (reproduced with acknowledgement).
Not for people under 16 or in pregnancy; SpO2 scale 2 only for confirmed hypercapnic failure with a target of 88-92 %.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor
from typing import Literal

Sign = Literal["respiration", "spo2", "oxygen", "systolic", "pulse", "consciousness", "temperature"]
SIGNS: tuple[Sign, ...] = ("respiration", "spo2", "oxygen", "systolic", "pulse", "consciousness", "temperature")
MEASURED: tuple[Sign, ...] = ("respiration", "spo2", "systolic", "pulse", "temperature")
Risk = Literal["low", "low-medium", "medium", "high"]

Bands = tuple[tuple[float, ...], tuple[int, ...]]
# Bands from low to high: the highest value of each but the last, and the points of each.
RESPIRATION: Bands = ((8, 11, 20, 24), (3, 1, 0, 2, 3))
SPO2_SCALE_1: Bands = ((91, 93, 95), (3, 2, 1, 0))
SPO2_SCALE_2: Bands = ((83, 85, 87, 92, 94, 96), (3, 2, 1, 0, 1, 2, 3))
SYSTOLIC: Bands = ((90, 100, 110, 219), (3, 2, 1, 0, 3))
PULSE: Bands = ((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3))
TEMPERATURE: Bands = ((35.0, 36.0, 38.0, 39.0), (3, 1, 0, 1, 2))
CHART: dict[Sign, Bands] = {"respiration": RESPIRATION, "systolic": SYSTOLIC, "pulse": PULSE}
ALERT = "A"
NOT_ALERT = frozenset("CVPU")
"""New confusion, responds to voice, to pain, unresponsive."""
OXYGEN_POINTS = 2
NOT_ALERT_POINTS = 3


@dataclass(frozen=True, slots=True)
class Score:
    """`points` by sign, only of those that are known. `missing`: signs without which the total is not a NEWS2."""

    points: Mapping[Sign, int]

    @property
    def total(self) -> int:
        """Sum of the known points, 0 to 20."""
        return sum(self.points.values())

    @property
    def missing(self) -> tuple[Sign, ...]:
        """Signs that are unknown."""
        return tuple(sign for sign in SIGNS if sign not in self.points)

    @property
    def risk(self) -> Risk:
        """Chart 4: high from 7, medium from 5, low-medium where any single sign scores 3, else low."""
        if self.total >= 7:
            return "high"
        if self.total >= 5:
            return "medium"
        return "low-medium" if 3 in self.points.values() else "low"


def score(signs: Mapping[Sign, float], *, on_oxygen: bool | None, consciousness: str | None, scale: int = 1) -> Score:
    """Score what is known; `signs` holds the MEASURED ones that are. `scale` is that of SpO2, 1 or 2.

    With scale 2 and oxygen unknown, 93 % and more count as on air. Raises ValueError for a consciousness outside A, C, V, P, U.
    """
    points: dict[Sign, int] = {}
    for sign in SIGNS:
        if sign in signs:
            points[sign] = points_of(sign, signs[sign], scale=scale, on_oxygen=bool(on_oxygen))
        elif sign == "oxygen" and on_oxygen is not None:
            points[sign] = OXYGEN_POINTS if on_oxygen else 0
        elif sign == "consciousness" and consciousness is not None:
            points[sign] = _of_consciousness(consciousness)
    return Score(points)


def points_of(sign: Sign, value: float, *, scale: int = 1, on_oxygen: bool = False) -> int:
    """Points of one measured sign. Temperature is banded at 0.1 Cel, all others at whole numbers: rounded first, halves up."""
    if sign == "temperature":
        return _band(TEMPERATURE, _round(value, 10))
    whole = _round(value, 1)
    if sign == "spo2":
        if scale == 1:
            return _band(SPO2_SCALE_1, whole)
        return 0 if whole >= 93 and not on_oxygen else _band(SPO2_SCALE_2, whole)
    return _band(CHART[sign], whole)


def _of_consciousness(word: str) -> int:
    letter = word.strip().upper()
    if letter == ALERT:
        return 0
    if letter in NOT_ALERT:
        return NOT_ALERT_POINTS
    raise ValueError(f"consciousness is one of A, C, V, P, U, not {word!r}")


def _round(value: float, per_unit: int) -> float:
    """To the nearest 1 / per_unit, halves up; a billionth is added for what floats cannot hold, such as 35.05."""
    return floor(value * per_unit + 0.5 + 1e-9) / per_unit


def _band(bands: Bands, value: float) -> int:
    return bands[1][bisect_left(bands[0], value)]
