"""An elder's day and what a worn sensor feels of it."""

import numpy as np
import pytest

from simulators.home import (
    RATE_HZ,
    Doing,
    Elder,
    Placement,
    Posture,
    Samples,
    Vector,
    acceleration,
    day_plan,
    resting_direction,
    state_at,
    synthetic_fall,
)
from simulators.vitals import DAY_S, Episode

SEEDS = range(50)
HOUR_S = 3600


def sizes(samples: Samples) -> Vector:
    return np.asarray(np.linalg.norm(samples.astype(float), axis=1))


def test_the_same_seed_and_day_give_the_same_plan() -> None:
    assert day_plan(3, 5) == day_plan(3, 5)
    assert day_plan(3, 5) != day_plan(3, 6)
    assert day_plan(3, 5) != day_plan(4, 5)


def test_every_plan_is_in_order_and_inside_its_day() -> None:
    for seed in SEEDS:
        times = [change.at_s for change in day_plan(seed, 0)]
        assert times == sorted(times)
        assert times[0] == 0
        assert times[-1] < DAY_S


@pytest.mark.parametrize(
    ("hour", "doing"),
    [(1, Doing.ASLEEP), (5, Doing.ASLEEP), (9, Doing.OUT), (12.3, Doing.EATING), (17.8, Doing.EATING), (23, Doing.ASLEEP)],
)
def test_everybody_keeps_the_hours_of_the_day(hour: float, doing: Doing) -> None:
    assert {state_at(seed, hour * HOUR_S).doing for seed in SEEDS} == {doing}


def test_a_sleeper_lies_in_bed_and_a_walker_is_out_of_it() -> None:
    sleeper, walker = state_at(1, HOUR_S), state_at(1, 9 * HOUR_S)
    assert (sleeper.posture, sleeper.is_in_bed, sleeper.is_home) == (Posture.LYING, True, True)
    assert (walker.posture, walker.is_in_bed, walker.is_home) == (Posture.STANDING, False, False)


def test_exertion_follows_activity_within_minutes() -> None:
    elder = Elder(1)
    elder.take_up(Doing.WALKING, HOUR_S)
    at_once, later = elder.state_at(HOUR_S), elder.state_at(HOUR_S + 300)
    assert (at_once.activity, at_once.exertion) == (0.45, 0.0)
    assert later.exertion == pytest.approx(0.45, abs=0.01)


def test_without_doing_an_elder_goes_back_to_the_plan() -> None:
    elder = Elder(1)
    elder.take_up(Doing.WALKING, HOUR_S)
    elder.take_up(None, HOUR_S + 60)
    assert elder.state_at(HOUR_S + 60) == state_at(1, HOUR_S + 60)


def test_a_new_episode_ends_the_old_one_of_the_same_sign() -> None:
    elder = Elder(1)
    elder.suffer(Episode("spo2", start_s=0, ramp_s=0, target=80))
    elder.suffer(Episode("spo2", start_s=0, ramp_s=0, target=90))
    elder.suffer(Episode("heart_rate", start_s=0, ramp_s=0, target=120))
    vitals = elder.vitals_at(10)
    assert (vitals.spo2, vitals.heart_rate) == (90, 120)


@pytest.mark.parametrize(("hour", "direction"), [(1, (0, 0, 1000)), (10.5, (0, -966, 259)), (9, (0, -1000, 0))])
def test_gravity_tells_the_posture(hour: float, direction: tuple[int, int, int]) -> None:
    samples = acceleration(1, 0, 500, state_at(1, hour * HOUR_S))
    assert samples.shape == (500, 3)
    assert samples.mean(axis=0) == pytest.approx(direction, abs=10)


def test_walking_swings_once_a_step_and_lying_does_not() -> None:
    walking = sizes(acceleration(1, 0, 500, state_at(1, 9 * HOUR_S)))
    lying = sizes(acceleration(1, 0, 500, state_at(1, HOUR_S)))
    spectrum = np.abs(np.fft.rfft(walking - walking.mean()))
    assert np.fft.rfftfreq(500, 1 / RATE_HZ)[spectrum.argmax()] == pytest.approx(1.8, abs=0.1)
    assert walking.std() > 100 > 10 > lying.std()


def test_everyday_movement_stays_below_the_trigger_for_falls() -> None:
    for hour in (1, 6.9, 9, 10.5):
        assert sizes(acceleration(2, 0, 3000, state_at(2, hour * HOUR_S))).max() < 1800


@pytest.mark.parametrize("placement", list(Placement))
def test_a_synthetic_fall_is_light_then_hard_then_still_and_turned(placement: Placement) -> None:
    for seed in SEEDS:
        fall = synthetic_fall(seed, placement)
        size = sizes(fall)
        impact = int(size.argmax())
        before, after = np.array([0, -1000, 0]), resting_direction(fall)
        turn = np.degrees(np.arccos(before @ after / 1e6))
        assert size[:impact].min() < 600
        assert size[impact] > 2500
        assert 0.9 <= impact / RATE_HZ <= 1.3
        assert 75 <= turn <= 105
        assert fall[-2 * RATE_HZ :].std(axis=0).max() < 20


def test_a_synthetic_fall_is_the_same_for_the_same_seed() -> None:
    assert np.array_equal(synthetic_fall(9), synthetic_fall(9))
    assert not np.array_equal(synthetic_fall(9), synthetic_fall(10))


def test_after_a_fall_the_elder_lies_as_the_fall_ended() -> None:
    elder, fall = Elder(4), synthetic_fall(4)
    elder.drop(fall, 0.0)
    felt = np.concatenate([elder.feel(tick / 10, 5) for tick in range(len(fall) // 5 + 20)])
    assert np.array_equal(felt[: len(fall)], fall)
    assert resting_direction(felt) == pytest.approx(resting_direction(fall), abs=10)
    assert elder.state_at(100).doing is Doing.ON_FLOOR


def test_an_elder_who_is_helped_up_stands_again() -> None:
    elder = Elder(4)
    elder.drop(synthetic_fall(4), 0.0)
    elder.take_up(Doing.HOUSEWORK, 60.0)
    assert elder.state_at(61.0).posture is Posture.STANDING
    assert elder.feel(61.0, 50).mean(axis=0) == pytest.approx((0, -1000, 0), abs=20)
