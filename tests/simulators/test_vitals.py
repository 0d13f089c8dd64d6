"""Simulated vital signs: repeatable, inside the bands they promise, and moved by episodes only as told."""

import pytest

from simulators.vitals import DAY_S, Episode, Strain, vitals_at

SEEDS = range(40)
TIMES = range(0, 2 * DAY_S, 1741)


def test_the_same_seed_and_time_give_the_same_signs() -> None:
    assert vitals_at(7, 12345.6, Strain()) == vitals_at(7, 12345.6, Strain())


def test_different_seeds_are_different_people() -> None:
    assert len({vitals_at(seed, 0.0, Strain()) for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("is_asleep", [False, True])
def test_at_rest_nobody_leaves_the_bands_that_news2_scores_0(is_asleep: bool) -> None:
    """RCP 2017, chart 1, values rounded before banding."""
    for seed in SEEDS:
        for t in TIMES:
            vitals = vitals_at(seed, t, Strain(is_asleep=is_asleep))
            assert 51 <= round(vitals.heart_rate) <= 90
            assert 12 <= round(vitals.respiration_rate) <= 20
            assert 96 <= round(vitals.spo2) <= 100


def test_work_quickens_heart_and_breath() -> None:
    rest, work = (vitals_at(1, 0.0, Strain(exertion=exertion)) for exertion in (0.0, 0.5))
    assert work.heart_rate - rest.heart_rate == pytest.approx(15)
    assert work.respiration_rate - rest.respiration_rate == pytest.approx(3)


def test_the_heart_is_slower_in_the_small_hours_than_in_the_afternoon() -> None:
    def mean(hour: int) -> float:
        return sum(vitals_at(seed, hour * 3600 + s, Strain()).heart_rate for seed in SEEDS for s in range(60)) / 60 / len(SEEDS)

    assert mean(16) - mean(4) == pytest.approx(6, abs=1)


def test_the_heart_follows_the_breath() -> None:
    """Within one breath, 15 a minute or so, the rate swings by 2 beats/min either way."""
    beats = [vitals_at(3, 1000 + s / 10, Strain()).heart_rate for s in range(50)]
    assert 3 <= max(beats) - min(beats) <= 6


@pytest.mark.parametrize(
    ("t", "value"),
    [(9.9, 96), (10, 96), (20, 91), (29.9, 86.05), (30, 86), (59.9, 86), (60, 86), (65, 91), (70, 96), (1000, 96)],
)
def test_an_episode_sinks_stays_and_recovers(t: float, value: float) -> None:
    episode = Episode("spo2", start_s=10, ramp_s=20, target=86, hold_s=30, recover_s=10)
    assert episode.apply(96, t) == pytest.approx(value)


def test_an_episode_without_end_stays() -> None:
    assert Episode("spo2", start_s=0, ramp_s=20, target=86).apply(96, 1e6) == 86


def test_an_episode_without_ramp_or_recovery_is_a_step() -> None:
    episode = Episode("heart_rate", start_s=5, ramp_s=0, target=140, hold_s=5)
    assert [episode.apply(70, t) for t in (4.9, 5, 9.9, 10)] == [70, 140, 140, 70]


def test_an_episode_moves_its_own_sign_only() -> None:
    normal = vitals_at(1, 100.0, Strain())
    moved = vitals_at(1, 100.0, Strain(), [Episode("spo2", start_s=0, ramp_s=0, target=86)])
    assert moved.spo2 == 86
    assert (moved.heart_rate, moved.respiration_rate, moved.skin_temperature) == (
        normal.heart_rate,
        normal.respiration_rate,
        normal.skin_temperature,
    )
