"""Second stage of fall detection: confirms or rejects a candidate from the raw window around its impact. No I/O.

Two thresholds: an impact above PEAK_G, and a trunk that points elsewhere afterwards by more than TURN_DEG. Source: FALLS study of the
project (Kangas-style thresholds, waist): 97.1 % of falls confirmed, 97.3 % of other activities rejected, on people never seen.
A candidate without a whole window is confirmed: a lost frame must not lose a fall.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from contract.events import AccelerationWindow

PEAK_G = 2.2
TURN_DEG = 35.0
BEFORE_S = (3.0, 1.5)
"""The posture before: mean acceleration between 3.0 and 1.5 s before the impact."""
AFTER_S = (1.0, 2.5)
"""The posture after: mean acceleration between 1.0 and 2.5 s after the impact."""
CONFIDENCE_UNSEEN = 0.5
MG_PER_G = 1000.0

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`peak_g` and `turn_deg` are None where the window does not show them. `confidence` orders candidates, it is not a probability."""

    is_fall: bool
    confidence: float
    peak_g: float | None = None
    turn_deg: float | None = None


def confirm(window: AccelerationWindow | None, peak_index: int) -> Verdict:
    """Judge one candidate. `peak_index` is the impact's row; a row outside the window means the largest magnitude in it."""
    rows = list(zip(window.x, window.y, window.z, strict=False)) if window else []
    if window is None or not rows:
        return Verdict(True, CONFIDENCE_UNSEEN)
    if not 0 <= peak_index < len(rows):
        peak_index = max(range(len(rows)), key=lambda row: math.hypot(*rows[row]))
    peak_g = math.hypot(*rows[peak_index]) / MG_PER_G
    before = _mean(_span(rows, peak_index, window.rate_hz, -BEFORE_S[0], -BEFORE_S[1]))
    after = _mean(_span(rows, peak_index, window.rate_hz, *AFTER_S))
    if before is None or after is None:
        return Verdict(peak_g > PEAK_G, CONFIDENCE_UNSEEN, peak_g)
    turn_deg = _angle_deg(before, after)
    is_fall = peak_g > PEAK_G and turn_deg > TURN_DEG
    return Verdict(is_fall, _confidence(peak_g, turn_deg) if is_fall else 0.0, peak_g, turn_deg)


def _confidence(peak_g: float, turn_deg: float) -> float:
    """0.5 at both thresholds, rising to 1 at twice the peak and a turn of 90 degrees."""
    beyond_peak = min(1.0, (peak_g - PEAK_G) / PEAK_G)
    beyond_turn = min(1.0, (turn_deg - TURN_DEG) / (90.0 - TURN_DEG))
    return 0.5 + 0.25 * beyond_peak + 0.25 * beyond_turn


def _span(rows: Sequence[Vector], peak: int, rate_hz: float, from_s: float, to_s: float) -> Sequence[Vector]:
    return rows[max(0, peak + round(from_s * rate_hz)) : max(0, peak + round(to_s * rate_hz))]


def _mean(rows: Sequence[Vector]) -> Vector | None:
    if not rows:
        return None
    x, y, z = (math.fsum(row[axis] for row in rows) / len(rows) for axis in range(3))
    return x, y, z


def _angle_deg(a: Vector, b: Vector) -> float:
    lengths = math.hypot(*a) * math.hypot(*b)
    if lengths == 0:
        return 0.0
    cosine = sum(i * j for i, j in zip(a, b, strict=True)) / lengths
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
