"""Who is asked, and when more are."""

import random

import pytest

from backend.dispatch.ladder import BY_DATE, SAME_DAY, URGENT, Candidate, Ladder, ranked, to_ask
from backend.dispatch.lifecycle import Why


def doctor(name: str, why: Why = Why.OWN_TEAM, minutes: float | None = 10, waiting: int = 0) -> Candidate:
    return Candidate(name, why, None if minutes is None else minutes * 60, waiting)


OWN = doctor("li", Why.OWN_DOCTOR, 15)
TEAM = [doctor("yang", minutes=10), doctor("bai", minutes=12), doctor("gao", minutes=20)]
BACKUP = doctor("cao", Why.FALLBACK_TEAM, 5)
STREET = [BACKUP, *TEAM, OWN]


def ids(candidates: list[Candidate]) -> list[str]:
    return [one.doctor_id for one in candidates]


@pytest.mark.parametrize(
    ("candidates", "order"),
    [
        pytest.param([OWN, TEAM[0]], ["li", "yang"], id="the signed doctor at exactly 1.5 times the shortest way"),
        pytest.param([doctor("li", Why.OWN_DOCTOR, 40), TEAM[0]], ["yang", "li"], id="the signed doctor is too far away"),
        pytest.param([doctor("li", Why.OWN_DOCTOR, 15.1), TEAM[0]], ["li", "yang"], id="but 12 minutes are paid for the own one"),
        pytest.param([doctor("li", Why.OWN_DOCTOR, 16, 1), doctor("yang", minutes=10)], ["yang", "li"], id="a home that waits costs 20"),
        pytest.param([doctor("a", minutes=None), doctor("z", minutes=29)], ["z", "a"], id="a known way before an unknown one"),
        pytest.param([doctor("b"), doctor("a")], ["a", "b"], id="equals by name, whatever the order"),
        pytest.param([], [], id="nobody"),
    ],
)
def test_the_best_is_first(candidates: list[Candidate], order: list[str]) -> None:
    assert ids(ranked(candidates)) == order


@pytest.mark.parametrize(
    ("asked", "is_anyone_asked", "rung", "expected"),
    [
        pytest.param([], False, 0, ["li"], id="first one"),
        pytest.param(["li"], True, 0, [], id="who thinks it over is left in peace"),
        pytest.param(["li"], True, 1, ["yang", "bai"], id="then two more"),
        pytest.param(["li"], False, 0, ["yang", "bai"], id="or at once after a decline"),
        pytest.param(["li", "yang", "bai"], True, 2, [], id="the board turns red and nobody else is asked"),
        pytest.param(["li", "yang", "bai"], False, 1, ["gao"], id="three declines"),
        pytest.param(["li", "yang", "bai"], True, 3, ["cao", "gao"], id="everybody at the end"),
        pytest.param(["li", "yang", "bai", "gao"], True, 2, [], id="the backup team waits while somebody thinks"),
        pytest.param(["li", "yang", "bai", "gao"], False, 1, ["cao"], id="and is asked when nobody is left"),
        pytest.param(["li", "yang", "bai", "gao", "cao"], False, 3, [], id="all were asked"),
    ],
)
def test_the_search_widens(asked: list[str], is_anyone_asked: bool, rung: int, expected: list[str]) -> None:
    assert ids(to_ask(STREET, asked=asked, is_anyone_asked=is_anyone_asked, rung=rung)) == expected


def test_without_anybody_of_the_own_team_on_duty_the_backup_team_is_asked_at_once() -> None:
    assert ids(to_ask([BACKUP], asked=[], is_anyone_asked=False, rung=0)) == ["cao"]


@pytest.mark.parametrize(
    ("age_s", "rung", "next_s"), [(0, 0, 60), (59.9, 0, 60), (60, 1, 120), (120, 2, 180), (180, 3, None), (1e6, 3, None), (-5, 0, 60)]
)
def test_an_urgent_search_widens_at_60_120_and_180_s(age_s: float, rung: int, next_s: float | None) -> None:
    assert (URGENT.rung(age_s), URGENT.next_s(age_s)) == (rung, next_s)


def test_what_can_wait_widens_later() -> None:
    assert all(slow > fast for slow, fast in zip(SAME_DAY.steps_s, URGENT.steps_s, strict=True))
    assert all(slow > fast for slow, fast in zip(BY_DATE.steps_s, SAME_DAY.steps_s, strict=True))


def test_a_ladder_that_goes_back_in_time_is_refused() -> None:
    with pytest.raises(ValueError, match="must follow each other in time"):
        Ladder(60, 60, 180)


@pytest.mark.parametrize("seed", range(20))
def test_nobody_is_asked_twice_and_at_the_last_rung_everybody_is(seed: int) -> None:
    chance = random.Random(seed)
    street = [doctor(f"d{n}", chance.choice(list(Why)[:3]), chance.choice([None, 5, 30]), chance.randrange(3)) for n in range(8)]
    asked: list[str] = []
    for rung in (0, 1, 1, 2, 3):
        chosen = ids(to_ask(street, asked=asked, is_anyone_asked=bool(asked) and chance.random() < 0.5, rung=rung))
        assert not set(chosen) & set(asked)
        asked += chosen
    assert sorted(asked) == sorted(ids(street))
