"""The second stage of fall detection: drawn falls and knocks, windows that do not show enough, and recordings of people."""

import math
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import AccelerationWindow
from gateway.fall import CONFIDENCE_UNSEEN, DETECTORS, Verdict, confirm, detect
from tests.gateway.falls import AFTER, BEFORE, RATE_HZ, Row, fall_rows, fall_trial, impact_row, knock_rows, window

PLACEMENTS = ("waist", "hip", "chest", "wrist")
SEEDS = range(10)


def turned(rows: list[Row]) -> list[Row]:
    """The same worn another way round."""
    return [(z, x, y) for x, y, z in rows]


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_nearly_every_drawn_fall_is_confirmed(placement: str) -> None:
    confirmed = [confirm(window(fall_rows(seed, placement)), BEFORE, placement).is_fall for seed in SEEDS]
    assert sum(confirmed) >= len(SEEDS) - 1


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_knock_after_which_one_stands_as_before_is_none(placement: str) -> None:
    verdict = confirm(window(knock_rows()), BEFORE, placement)
    assert not verdict.is_fall
    assert verdict.confidence < CONFIDENCE_UNSEEN
    assert (verdict.peak_g, verdict.turn_deg) == (3.0, 0.0)


def test_a_candidate_without_its_window_is_a_fall() -> None:
    assert confirm(None, 0) == Verdict(True, CONFIDENCE_UNSEEN)
    assert confirm(window([]), 0) == Verdict(True, CONFIDENCE_UNSEEN)


@pytest.mark.parametrize(("peak_mg", "is_fall"), [(3000, True), (2000, False)])
@pytest.mark.parametrize(("before", "after"), [(10, AFTER), (BEFORE, 20), (0, 1)])
def test_where_the_window_does_not_show_the_posture_the_impact_decides(before: int, after: int, peak_mg: int, is_fall: bool) -> None:
    rows = [(0, 0, 1000)] * before + [(0, 0, peak_mg)] + [(1000, 0, 0)] * (after - 1)
    verdict = confirm(window(rows), before)
    assert (verdict.is_fall, verdict.turn_deg) == (is_fall, None)
    assert verdict.confidence == (CONFIDENCE_UNSEEN if is_fall else 0.0)


@pytest.mark.parametrize("peak_index", [-1, BEFORE + AFTER, 65535])
def test_an_impact_said_to_lie_outside_is_looked_for(peak_index: int) -> None:
    assert confirm(window(fall_rows()), peak_index) == confirm(window(fall_rows()), BEFORE)


def test_the_way_the_device_is_worn_does_not_matter() -> None:
    assert confirm(window(turned(fall_rows())), BEFORE).confidence == pytest.approx(
        confirm(window(fall_rows()), BEFORE).confidence, abs=1e-6
    )


@pytest.mark.parametrize("step", [1, 2])
def test_half_the_samples_give_the_same_verdict(step: int) -> None:
    verdicts = [confirm(window(fall_rows(seed)[::step], RATE_HZ / step), BEFORE // step) for seed in SEEDS]
    assert sum(one.is_fall for one in verdicts) >= len(SEEDS) - 1


def test_a_sensor_of_four_g_gives_the_same_verdict() -> None:
    clipped = [[(max(-4000, min(4000, x)), max(-4000, min(4000, y)), max(-4000, min(4000, z))) for x, y, z in fall_rows(s)] for s in SEEDS]
    assert sum(confirm(window(rows), BEFORE).is_fall for rows in clipped) >= len(SEEDS) - 1


def test_a_body_in_free_air_for_ever_is_no_fall() -> None:
    verdict = confirm(window([(0, 0, 0)] * (BEFORE + AFTER)), BEFORE)
    assert (verdict.is_fall, verdict.turn_deg) == (False, 0.0)


@given(
    st.lists(st.tuples(*(st.integers(-32768, 32767) for _ in range(3))), max_size=300),
    st.integers(-10, 70_000),
    st.floats(0.01, 1000),
    st.sampled_from(PLACEMENTS),
)
def test_any_window_gets_a_verdict(rows: list[Row], peak_index: int, rate_hz: float, placement: str) -> None:
    verdict = confirm(window(rows, rate_hz), peak_index, placement)
    assert 0 <= verdict.confidence <= 1
    assert verdict.turn_deg is None or 0 <= verdict.turn_deg <= 180


def test_an_unequal_column_is_cut_to_the_shortest() -> None:
    assert confirm(AccelerationWindow(rate_hz=50, x=[0] * 275, y=[0] * 100, z=[1000] * 275), 0).turn_deg is None


# -- whole recordings, as the scorer gives them ------------------------------------------------------------------------------------------


def g_of(rows: list[Row]) -> Any:
    return numpy.array(rows) / 1000


@pytest.mark.parametrize("placement", [*DETECTORS])
def test_a_fall_is_detected_two_and_a_half_seconds_after_its_impact(placement: str) -> None:
    rows = fall_trial(7, placement if placement != "trunk" else "waist")
    times = detect(g_of(rows), RATE_HZ, placement=placement)
    assert times[0] - impact_row(rows) / RATE_HZ == pytest.approx(2.48, abs=0.03)


def test_six_axes_are_as_good_as_three() -> None:
    three = g_of(fall_trial())
    assert detect(numpy.concatenate([three, numpy.full_like(three, 90.0)], 1), RATE_HZ) == detect(three, RATE_HZ)


def test_a_detection_stands_on_what_came_before_it() -> None:
    samples = g_of(fall_trial())
    [time_s] = detect(samples, RATE_HZ)
    end = math.ceil(time_s * RATE_HZ) + 1
    assert detect(samples[:end], RATE_HZ) == [time_s]
    assert detect(samples[: end - 1], RATE_HZ) == []


@pytest.mark.parametrize("rate_hz", [25, 100])
def test_other_rates_find_it_too(rate_hz: int) -> None:
    samples = g_of(fall_trial())
    times = numpy.arange(0, (len(samples) - 1) / RATE_HZ, 1 / rate_hz)
    other = numpy.stack([numpy.interp(times, numpy.arange(len(samples)) / RATE_HZ, samples[:, axis]) for axis in range(3)], 1)
    [found] = detect(other, rate_hz)
    [usual] = detect(samples, RATE_HZ)
    assert found == pytest.approx(usual, abs=0.1)


@pytest.mark.parametrize("count", [0, 1, 100])
def test_too_short_a_recording_shows_nothing(count: int) -> None:
    assert detect(g_of([(0, 0, 3000)] * count).reshape(-1, 3), RATE_HZ) == []


# -- recordings of people; that they were learned from does not matter here: docs/falls.md says what was measured on people unseen --------

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "falls" / "sisfall_waist_100hz.npz"
SAMPLE_SIZE, SEED, SHARE_MIN = 60, 20260301, 0.95


def test_recorded_falls_are_confirmed_and_other_activities_are_not() -> None:
    if not RECORDINGS.exists():
        pytest.skip(f"the recordings are not here: {RECORDINGS}")
    group = dict(numpy.load(RECORDINGS))
    source = numpy.random.default_rng(SEED)
    falls, others = (source.choice(numpy.flatnonzero(group["is_fall"] == kind), SAMPLE_SIZE, replace=False) for kind in (1, 0))

    def is_found(trial: Any) -> bool:
        g = group["data"][group["offsets"][trial] : group["offsets"][trial + 1], :3] / float(group["acc_lsb_per_g"])
        return bool(detect(g, float(group["fs"]), placement="waist"))

    assert sum(map(is_found, falls)) >= SHARE_MIN * SAMPLE_SIZE
    assert sum(map(is_found, others)) <= (1 - SHARE_MIN) * SAMPLE_SIZE
