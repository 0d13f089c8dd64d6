"""The first stage on synthetic movements."""

import ctypes
import math

import pytest

from tests.firmware import library as c
from tests.firmware import motion

LARGEST_MG = math.isqrt(3 * 32736**2)  # the middle of the last step
BEFORE, AFTER = 150, 125  # samples of a whole window at 50 Hz, before the impact and from it on


def test_a_fall_is_a_candidate_2_5_s_after_the_impact(library: ctypes.CDLL) -> None:
    (candidate,) = c.detect(library, motion.fall())
    impact = 10 * 50 + 15 + 1
    assert candidate.decided_index == impact + AFTER - 1
    assert candidate.peak_mg == pytest.approx(3000, abs=4)
    assert 89 <= candidate.turn_degrees <= 91


def test_the_window_is_3_s_before_to_2_5_s_after_the_impact(library: ctypes.CDLL) -> None:
    samples = motion.fall()
    (candidate,) = c.detect(library, samples)
    impact = samples.index((0, 0, 3000))
    assert candidate.window == c.rounded(samples[impact - BEFORE : impact + AFTER])
    assert candidate.peak_index == BEFORE


@pytest.mark.parametrize("rate_hz", [25, 33, 50])
def test_every_rate_finds_the_fall_and_keeps_its_window(library: ctypes.CDLL, rate_hz: int) -> None:
    samples = motion.fall(rate_hz=rate_hz)
    (candidate,) = c.detect(library, samples, rate_hz=rate_hz)
    impact = samples.index((0, 0, 3000))
    assert candidate.window == c.rounded(samples[impact - 3 * rate_hz : impact + 5 * rate_hz // 2])


@pytest.mark.parametrize("rate_hz", [52, 64, 100])
def test_above_50_hz_each_two_samples_become_their_mean(library: ctypes.CDLL, rate_hz: int) -> None:
    samples = motion.fall(rate_hz=rate_hz)
    impact = samples.index((0, 0, 3000)) // 2
    pairs = zip(samples[::2], samples[1::2], strict=False)
    halved = [(math.trunc((a[0] + b[0]) / 2), math.trunc((a[1] + b[1]) / 2), math.trunc((a[2] + b[2]) / 2)) for a, b in pairs]
    (candidate,) = c.detect(library, samples, rate_hz=rate_hz)
    half_hz = rate_hz // 2
    assert candidate.window == c.rounded(halved[impact - 3 * half_hz : impact + 5 * half_hz // 2])


@pytest.mark.parametrize("placement", [c.WAIST, c.CHEST, c.HIP, c.WRIST])
def test_every_place_on_the_body_has_its_own_numbers(library: ctypes.CDLL, placement: int) -> None:
    peaks = {c.WRIST: 1600}
    hard, soft = (motion.fall(peak_mg=peaks.get(placement, 1700) + more) for more in (4, -4))
    assert len(c.detect(library, hard, placement=placement)) == 1
    assert c.detect(library, soft, placement=placement) == []


def test_at_the_wrist_half_a_second_that_points_elsewhere_will_do(library: ctypes.CDLL) -> None:
    samples = motion.still(motion.STANDING, 5) + motion.bump(2500) + motion.still(motion.LYING, 0.9) + motion.still(motion.STANDING, 5)
    assert len(c.detect(library, samples, placement=c.WRIST)) == 1
    assert c.detect(library, samples, placement=c.WAIST) == []


@pytest.mark.parametrize("placement", [-1, 4, 255])
def test_an_unknown_place_is_refused(library: ctypes.CDLL, placement: int) -> None:
    ring = (ctypes.c_uint32 * 275)()
    assert library.bridge_fall_init(c.FallDetector(), ring, len(ring), 50, placement) == c.ERROR_PLACEMENT


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(motion.sitting_down(), id="sitting down hard"),
        pytest.param(motion.walking(60), id="walking"),
        pytest.param(motion.still(motion.STANDING, 3) + motion.walking(60, swing_mg=1400, steps_per_s=2.6), id="jogging"),
        pytest.param(motion.still(motion.LYING, 60), id="lying from the start"),
        pytest.param(motion.still(motion.STANDING, 10) + motion.still(motion.LYING, 10), id="lying down gently"),
        pytest.param(motion.fall(peak_mg=1696), id="a peak just below 1.7 g"),
        pytest.param(motion.fall(after_s=2.4), id="not yet 2.5 s after the impact"),
    ],
)
def test_what_is_not_a_fall_is_no_candidate(library: ctypes.CDLL, samples: motion.Samples) -> None:
    assert c.detect(library, samples) == []


@pytest.mark.parametrize(("degrees", "is_kept"), [(0, False), (15, False), (19, False), (21, True), (45, True), (120, True), (180, True)])
def test_a_peak_counts_when_the_body_turned_20_degrees(library: ctypes.CDLL, degrees: int, is_kept: bool) -> None:
    samples = motion.still(motion.STANDING, 5) + motion.bump(2500) + motion.still(motion.tilted(degrees), 5)
    assert bool(c.detect(library, samples)) == is_kept


def test_the_turn_is_the_angle_of_the_means_rounded_down(library: ctypes.CDLL) -> None:
    for degrees in range(21, 180):
        pose = motion.tilted(degrees + 0.5)
        samples = [motion.STANDING] * 250 + motion.bump(2500) + [pose] * 250
        (candidate,) = c.detect(library, samples)
        assert candidate.turn_degrees == math.floor(math.degrees(math.atan2(pose[0], pose[2])))


def test_the_largest_of_several_peaks_within_a_second_is_the_impact(library: ctypes.CDLL) -> None:
    bounces = motion.bump(2500) + motion.still(motion.LYING, 0.4) + motion.bump(3500) + motion.still(motion.LYING, 0.4) + motion.bump(2000)
    samples = motion.still(motion.STANDING, 5) + bounces + motion.still(motion.LYING, 5)
    assert [candidate.peak_mg for candidate in c.detect(library, samples)] == [pytest.approx(3500, abs=4)]


def test_of_equal_peaks_the_first_is_the_impact(library: ctypes.CDLL) -> None:
    clipped = [(0, 0, 4000)] * 5
    samples = motion.still(motion.STANDING, 5) + clipped + motion.still(motion.LYING, 5)
    (candidate,) = c.detect(library, samples)
    assert candidate.window[candidate.peak_index - 1][2] < 4000
    assert candidate.window[candidate.peak_index : candidate.peak_index + 5] == c.rounded(clipped)


def test_a_second_fall_while_the_first_is_fresh_is_found_too(library: ctypes.CDLL) -> None:
    stumble = motion.still(motion.STANDING, 5) + motion.bump(2200) + motion.still(motion.tilted(40), 1.5)
    found = c.detect(library, stumble + motion.bump(4000) + motion.still(motion.LYING, 5))
    assert [candidate.peak_mg for candidate in found] == [pytest.approx(2200, abs=4), pytest.approx(4000, abs=4)]


@pytest.mark.parametrize("before_s", [0, 0.5, 1.0, 1.6, 2.0, 2.9])
def test_a_fall_in_the_first_seconds_is_kept_with_what_there_is(library: ctypes.CDLL, before_s: float) -> None:
    samples = motion.fall(before_s=before_s)
    (candidate,) = c.detect(library, samples)
    impact = samples.index((0, 0, 3000))
    assert candidate.peak_index == min(impact, BEFORE)
    assert candidate.window == c.rounded(samples[max(0, impact - BEFORE) : impact + AFTER])


def test_with_nothing_before_the_impact_the_turn_is_unknown_and_the_candidate_is_kept(library: ctypes.CDLL) -> None:
    (candidate,) = c.detect(library, motion.bump(2500) + motion.still(motion.STANDING, 5))
    assert candidate.turn_degrees == c.TURN_UNKNOWN


def test_the_extremes_of_16_bits_do_not_overflow(library: ctypes.CDLL) -> None:
    low, high = (-32768, -32768, -32768), (32767, 32767, 32767)
    found = c.detect(library, [low] * 1000 + [high] * 1000)
    assert [(candidate.peak_mg, candidate.turn_degrees) for candidate in found] == [(LARGEST_MG, c.TURN_UNKNOWN)]
    samples = [(20000, 20000, 20000)] * 200 + [high] + [(-20000, -20000, -20000)] * 200
    assert [candidate.turn_degrees for candidate in c.detect(library, samples)] == [c.TURN_UNKNOWN, 180]


@pytest.mark.parametrize("rate_hz", [0, 24, 51, 99, 101, 102, 255])
def test_a_rate_outside_its_range_is_refused(library: ctypes.CDLL, rate_hz: int) -> None:
    ring = (ctypes.c_uint32 * 2000)()
    assert library.bridge_fall_init(c.FallDetector(), ring, len(ring), rate_hz, c.WAIST) == c.ERROR_RATE


def test_a_ring_shorter_than_a_window_is_refused(library: ctypes.CDLL) -> None:
    ring = (ctypes.c_uint32 * 274)()
    assert library.bridge_fall_init(c.FallDetector(), ring, len(ring), 50, c.WAIST) == c.ERROR_SPACE
