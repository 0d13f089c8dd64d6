"""Second stage of fall detection: confirms or rejects a candidate from the raw window around its impact.

Small decision trees, one set for the trunk (waist, hip, chest) and one for the wrist, look at features of the window that do not depend on
how the device is worn. What they were trained on and what was measured on people they had never seen: docs/falls.md.

A candidate whose window does not show what came after the impact is judged by the impact alone, and one without any window is confirmed: a
lost frame must not lose a fall.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contract.events import AccelerationWindow
from gateway import fall_model
from gateway.fall_features import features
from gateway.fall_trigger import AFTER_S, BEFORE_S, TRUNK, WRIST, Trigger, Vector, candidates, halve

PEAK_G = 2.2
"""Where there is only the impact to go by. Source: Kangas-style thresholds of the project's study of recordings, waist."""
BEFORE_LEAST_S, AFTER_LEAST_S = 0.5, 2.3
"""Less than this before or after the impact, and its posture is not shown."""
RATE_HZ_LEAST = 15.0
CONFIDENCE_CONFIRMED = 0.5
CONFIDENCE_UNSEEN = 0.5
MG_PER_G = 1000.0
DEFAULT_PLACEMENT = "waist"


@dataclass(frozen=True, slots=True)
class Detector:
    """What is done for one place on the body: which trees, and which first stage its wearable has."""

    model: str
    trigger: Trigger


DETECTORS = {
    "waist": Detector("trunk", TRUNK),
    "hip": Detector("trunk", TRUNK),
    "chest": Detector("trunk", TRUNK),
    "trunk": Detector("trunk", TRUNK),
    "wrist": Detector("wrist", WRIST),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`peak_g` and `turn_deg` are None where the window does not show them. `confidence` orders candidates, it is not a probability."""

    is_fall: bool
    confidence: float
    peak_g: float | None = None
    turn_deg: float | None = None

    @property
    def is_judged(self) -> bool:
        """By what happened before and after the impact, not by the impact alone or by nothing at all."""
        return self.turn_deg is not None


def prepare(placement: str) -> None:
    """Read the trees of this place on the body now: the first fall of a home then waits no longer than the second."""
    fall_model.shipped(DETECTORS[placement].model)


def confirm(window: AccelerationWindow | None, peak_index: int, placement: str = DEFAULT_PLACEMENT) -> Verdict:
    """Judge one candidate of a device worn at `placement`.

    `peak_index` is the impact's row; a row outside the window means the largest magnitude in it.
    """
    rows = [(x / MG_PER_G, y / MG_PER_G, z / MG_PER_G) for x, y, z in zip(window.x, window.y, window.z, strict=False)] if window else []
    if window is None or not rows:
        return Verdict(True, CONFIDENCE_UNSEEN)
    if not 0 <= peak_index < len(rows):
        peak_index = max(range(len(rows)), key=lambda row: math.hypot(*rows[row]))
    return judge(rows, window.rate_hz, peak_index, placement)


def judge(rows: Sequence[Vector], rate_hz: float, peak: int, placement: str) -> Verdict:
    """The same for rows in g, (N, 3), at least one."""
    peak_g = math.hypot(*rows[peak])
    before_s, after_s = peak / rate_hz, (len(rows) - peak) / rate_hz
    if before_s < BEFORE_LEAST_S or after_s < AFTER_LEAST_S or rate_hz < RATE_HZ_LEAST:
        is_fall = peak_g > PEAK_G
        return Verdict(is_fall, CONFIDENCE_UNSEEN if is_fall else 0.0, peak_g)
    found = features(rows, rate_hz, peak)
    confidence = fall_model.shipped(DETECTORS[placement].model).confidence(found)
    return Verdict(confidence >= CONFIDENCE_CONFIRMED, confidence, peak_g, found["turn"])


def detect(samples: Iterable[Sequence[float]], rate_hz: float, placement: str = DEFAULT_PLACEMENT) -> list[float]:
    """Both stages on a recording: seconds from its first sample at which wearable and gateway would have confirmed a fall.

    `samples`: (N, 3) in g, or (N, 6) with angular rates that are not looked at, from some 20 to 200 samples a second. `placement`: waist,
    hip, chest, trunk or wrist. A detection comes with the last sample that was looked at, 2.5 s after the impact.
    """
    detector = DETECTORS[placement]
    rows, ring_rate_hz = halve([(float(row[0]), float(row[1]), float(row[2])) for row in samples], rate_hz)
    before, after = int(BEFORE_S * ring_rate_hz), int(AFTER_S * ring_rate_hz)
    found = []
    for peak in candidates(rows, ring_rate_hz, detector.trigger):
        start = max(0, peak - before)
        if judge(rows[start : peak + after], ring_rate_hz, peak - start, placement).is_fall:
            found.append((peak + after - 1) / ring_rate_hz)
    return found
