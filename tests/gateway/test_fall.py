"""The second stage of fall detection: an impact and a body that turned, told from movements made of formulas and from recorded ones."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import AccelerationWindow
from gateway.fall import CONFIDENCE_UNSEEN, Verdict, confirm

RATE_HZ = 50
STANDING, LYING = (0, 0, 1000), (1000, 0, 0)
BEFORE, AFTER = round(3.0 * RATE_HZ), round(2.5 * RATE_HZ)

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "falls" / "sisfall_waist_100hz.npz"
SAMPLE_SIZE, SEED = 200, 20260301
SHARE_MIN = 0.95
# The first stage, as the firmware does it: firmware_stubs/src/fall_detector.h.
FIRST_PEAK_G, FIRST_TURN_DEG = 1.8, 20.0

Row = tuple[int, int, int]


def window(rows: list[Row], rate_hz: float = RATE_HZ) -> AccelerationWindow:
    return AccelerationWindow(rate_hz=rate_hz, x=[row[0] for row in rows], y=[row[1] for row in rows], z=[row[2] for row in rows])


def pose(turn_deg: float) -> Row:
    """1 g, turned by so much from standing."""
    return round(1000 * math.sin(math.radians(turn_deg))), 0, round(1000 * math.cos(math.radians(turn_deg)))


def impact(peak_mg: int, turn_deg: float, *, before: int = BEFORE, after: int = AFTER) -> list[Row]:
    return [STANDING] * before + [(0, 0, peak_mg)] + [pose(turn_deg)] * (after - 1)


@pytest.mark.parametrize(
    ("peak_mg", "turn_deg", "is_fall"),
    [
        (3000, 90, True),
        (2300, 40, True),
        (8000, 36, True),
        (3000, 180, True),
        (3000, 30, False),
        (3000, 0, False),
        (2100, 90, False),
        (2200, 90, False),
        (1000, 0, False),
    ],
)
def test_a_fall_is_an_impact_after_which_the_body_points_elsewhere(peak_mg: int, turn_deg: float, is_fall: bool) -> None:
    verdict = confirm(window(impact(peak_mg, turn_deg)), BEFORE)
    assert verdict.is_fall is is_fall
    assert verdict.peak_g == pytest.approx(peak_mg / 1000)
    assert verdict.turn_deg == pytest.approx(turn_deg, abs=0.1)


@pytest.mark.parametrize(("peak_mg", "turn_deg", "confidence"), [(2201, 35.1, 0.5), (3300, 62.5, 0.75), (4400, 90, 1.0), (9000, 120, 1.0)])
def test_confidence_grows_from_both_thresholds_on(peak_mg: int, turn_deg: float, confidence: float) -> None:
    assert confirm(window(impact(peak_mg, turn_deg)), BEFORE).confidence == pytest.approx(confidence, abs=0.01)


def test_a_candidate_without_its_window_is_a_fall() -> None:
    assert confirm(None, 0) == Verdict(True, CONFIDENCE_UNSEEN)
    assert confirm(window([]), 0) == Verdict(True, CONFIDENCE_UNSEEN)


@pytest.mark.parametrize(("peak_mg", "is_fall"), [(3000, True), (2000, False)])
@pytest.mark.parametrize(("before", "after"), [(20, AFTER), (BEFORE, 20), (0, 1)])
def test_where_the_window_does_not_show_the_turn_the_impact_decides(before: int, after: int, peak_mg: int, is_fall: bool) -> None:
    verdict = confirm(window(impact(peak_mg, 0, before=before, after=after)), before)
    assert (verdict.is_fall, verdict.confidence, verdict.turn_deg) == (is_fall, CONFIDENCE_UNSEEN, None)


@pytest.mark.parametrize("peak_index", [-1, BEFORE + AFTER, 65535])
def test_an_impact_said_to_lie_outside_is_looked_for(peak_index: int) -> None:
    assert confirm(window(impact(3000, 90)), peak_index) == confirm(window(impact(3000, 90)), BEFORE)


@pytest.mark.parametrize("rate_hz", [25, 50, 100])
def test_the_rate_of_the_samples_does_not_matter(rate_hz: int) -> None:
    rows = impact(3000, 60, before=3 * rate_hz, after=round(2.5 * rate_hz))
    assert confirm(window(rows, rate_hz), 3 * rate_hz).turn_deg == pytest.approx(60, abs=0.1)


def test_the_way_the_device_is_worn_does_not_matter() -> None:
    turned = [(z, x, -y) for x, y, z in impact(3000, 60)]
    assert confirm(window(turned), BEFORE).turn_deg == pytest.approx(60, abs=0.1)


def test_a_body_in_free_air_for_ever_is_no_fall() -> None:
    verdict = confirm(window([(0, 0, 0)] * (BEFORE + AFTER)), BEFORE)
    assert (verdict.is_fall, verdict.turn_deg) == (False, 0.0)


@given(
    st.lists(st.tuples(*(st.integers(-32768, 32767) for _ in range(3))), max_size=300),
    st.integers(-10, 70_000),
    st.floats(0.01, 1000),
)
def test_any_window_gets_a_verdict(rows: list[Row], peak_index: int, rate_hz: float) -> None:
    verdict = confirm(window(rows, rate_hz), peak_index)
    assert 0 <= verdict.confidence <= 1
    assert verdict.turn_deg is None or 0 <= verdict.turn_deg <= 180


def first_stage_window(mg: Any, rate_hz: float) -> tuple[list[Row], int] | None:
    """Window of a trial as the firmware cuts it: 3.0 s before to 2.5 s after the largest |a| at 50 Hz; None where it sends none."""
    numpy = pytest.importorskip("numpy")
    times = numpy.arange(0, (len(mg) - 1) / rate_hz, 1 / RATE_HZ)
    even = numpy.rint(numpy.stack([numpy.interp(times, numpy.arange(len(mg)) / rate_hz, mg[:, axis]) for axis in range(3)], 1)).astype(int)
    peak = int(numpy.argmax(numpy.linalg.norm(even, axis=1)))
    start = max(0, peak - BEFORE)
    rows = [tuple(row) for row in even[start : peak + AFTER].tolist()]
    seen = confirm(window(rows), peak - start)
    is_sent = seen.peak_g is not None and seen.peak_g > FIRST_PEAK_G and (seen.turn_deg is None or seen.turn_deg > FIRST_TURN_DEG)
    return (rows, peak - start) if is_sent else None


def verdicts(group: Any, trials: Any) -> list[bool]:
    """Is each trial a fall after both stages?"""
    rate_hz, lsb_per_g = float(group["fs"]), float(group["acc_lsb_per_g"])
    found = []
    for trial in trials:
        mg = group["data"][group["offsets"][trial] : group["offsets"][trial + 1], :3] * (1000 / lsb_per_g)
        sent = first_stage_window(mg, rate_hz)
        found.append(sent is not None and confirm(window(sent[0]), sent[1]).is_fall)
    return found


def test_recorded_falls_are_confirmed_and_other_activities_are_not() -> None:
    if not RECORDINGS.exists():
        pytest.skip(f"the recordings are not here: {RECORDINGS}")
    numpy = pytest.importorskip("numpy")
    group = dict(numpy.load(RECORDINGS))
    source = numpy.random.default_rng(SEED)
    falls, others = (source.choice(numpy.flatnonzero(group["is_fall"] == kind), SAMPLE_SIZE, replace=False) for kind in (1, 0))
    confirmed, alarmed = sum(verdicts(group, falls)), sum(verdicts(group, others))
    print(f"seed {SEED}: {confirmed} of {SAMPLE_SIZE} falls confirmed, {SAMPLE_SIZE - alarmed} of {SAMPLE_SIZE} other activities rejected")
    assert confirmed >= SHARE_MIN * SAMPLE_SIZE
    assert SAMPLE_SIZE - alarmed >= SHARE_MIN * SAMPLE_SIZE
