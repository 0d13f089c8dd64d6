"""A seed chooses everything, and every kind comes."""

from collections import Counter

import pytest

from simulators.faults.plan import LASTS_S, OF_A_HOME, PER_MINUTE, WORDS, Kind, make_plan

HOMES = ["home-01", "home-02", "home-03"]


def test_the_same_seed_gives_the_same_plan() -> None:
    assert make_plan(7, 45, HOMES, list(Kind)) == make_plan(7, 45, HOMES, list(Kind))


def test_another_seed_gives_another_plan() -> None:
    assert make_plan(7, 45, HOMES, list(Kind)) != make_plan(8, 45, HOMES, list(Kind))


@pytest.mark.parametrize("seconds", [1, 8, 45, 600])
def test_every_kind_comes_at_least_once_and_ends_in_time(seconds: float) -> None:
    plan = make_plan(3, seconds, HOMES, list(Kind))
    assert {one.kind for one in plan} == set(Kind)
    assert all(0 <= one.at_s + one.lasts_s <= max(seconds, 1 + LASTS_S.get(one.kind, (0, 0))[1]) for one in plan)


def test_only_what_was_asked_for_comes() -> None:
    assert {one.kind for one in make_plan(3, 60, HOMES, [Kind.KILL_WEB])} == {Kind.KILL_WEB}


def test_ten_minutes_kill_several_hundred_times() -> None:
    counted = Counter(one.kind for one in make_plan(3, 600, HOMES, list(Kind)))
    assert sum(count for kind, count in counted.items() if kind.startswith("kill_")) >= 300


def test_faults_of_a_home_name_one_and_the_others_none() -> None:
    assert all((one.target in HOMES) is (one.kind in OF_A_HOME) for one in make_plan(5, 120, HOMES, list(Kind)))


def test_every_kind_has_words_and_a_rate() -> None:
    assert set(WORDS) == set(PER_MINUTE) == set(Kind)
