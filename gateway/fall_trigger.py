"""First stage of fall detection as the wearable does it, for recordings that no wearable has cut: an impact, and a body that turned.

    peak, the largest within 1 s either way; direction of any piece after it turned from the mean of 3.0 to 1.5 s before

Source: firmware_stubs/src/fall_detector.h, which says what the numbers cost and keep at each place on the body. Pure, floats for integers.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Vector = tuple[float, float, float]

BEFORE_S = 3.0
"""The window begins so long before the impact; its first half is the posture before."""
AFTER_S = 2.5
"""It ends so long after it, and then the impact is judged."""
RING_RATE_HZ_MAX = 50.0
"""Above, each two samples become their mean first."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What makes a candidate: a peak above `peak_g`, and in pieces of `piece_s` from `after_s` on a turn of `turn_deg` or more."""

    peak_g: float
    turn_deg: float
    after_s: float
    piece_s: float


TRUNK = Trigger(peak_g=1.7, turn_deg=20, after_s=1.0, piece_s=1.5)
WRIST = Trigger(peak_g=1.6, turn_deg=15, after_s=0.24, piece_s=0.5)


def halve(rows: Sequence[Vector], rate_hz: float) -> tuple[Sequence[Vector], float]:
    """Rows and rate as the ring holds them: means of two above RING_RATE_HZ_MAX."""
    while rate_hz > RING_RATE_HZ_MAX:
        pairs = zip(rows[::2], rows[1::2], strict=False)
        rows, rate_hz = [((a + d) / 2, (b + e) / 2, (c + f) / 2) for (a, b, c), (d, e, f) in pairs], rate_hz / 2
    return rows, rate_hz


def impacts(rows: Sequence[Vector], rate_hz: float, peak_g: float) -> Iterator[int]:
    """Rows, in g, above `peak_g` that are the largest within a second and have AFTER_S of samples; of equal ones the first."""
    squares = [x * x + y * y + z * z for x, y, z in rows]
    second, judged = int(rate_hz), int(AFTER_S * rate_hz)
    for peak in range(len(rows) - judged + 1):
        if squares[peak] <= peak_g * peak_g:
            continue
        older, newer = squares[max(0, peak - second) : peak], squares[peak + 1 : peak + 1 + second]
        if max(older, default=0.0) < squares[peak] >= max(newer, default=0.0):
            yield peak


def candidates(rows: Sequence[Vector], rate_hz: float, trigger: Trigger) -> Iterator[int]:
    """Rows of the impacts that a wearable would send. A turn that is not known is no reason not to."""
    for peak in impacts(rows, rate_hz, trigger.peak_g):
        turn_deg = turn_over(rows, peak, rate_hz, trigger)
        if turn_deg is None or turn_deg >= trigger.turn_deg:
            yield peak


def turn_over(rows: Sequence[Vector], peak: int, rate_hz: float, trigger: Trigger) -> float | None:
    """Largest turn of any piece after the impact against the posture before, degrees; None where nothing came before."""
    before = mean(rows[max(0, peak - int(BEFORE_S * rate_hz)) : max(0, peak - int(BEFORE_S / 2 * rate_hz))])
    if before is None:
        return None
    piece, end = int(trigger.piece_s * rate_hz), peak + int(AFTER_S * rate_hz)
    starts = range(peak + int(trigger.after_s * rate_hz), end - piece + 1, max(1, piece // 2))
    means = (mean(rows[start : start + piece]) for start in starts)
    return max((angle_deg(before, after) for after in means if after is not None), default=0.0)


def mean(rows: Sequence[Vector]) -> Vector | None:
    """The mean of each axis; None of nothing."""
    if not rows:
        return None
    x, y, z = (math.fsum(axis) / len(rows) for axis in zip(*rows, strict=True))
    return x, y, z


def angle_deg(a: Vector, b: Vector) -> float:
    """Angle between two directions, 0..180; 0 where one of them has no length."""
    lengths = math.hypot(*a) * math.hypot(*b)
    if lengths == 0:
        return 0.0
    cosine = (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / lengths
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
