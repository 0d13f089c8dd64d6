"""What the kernel had taken for a dying gateway is no loss; what is missing anywhere else is one."""

import pytest

from simulators.faults.ledger import End
from simulators.faults.tails import FLUSH_S, TAIL_S, Tails, deaths

DEATH = (100.0, 103.0)
EVER = float("inf")


@pytest.mark.parametrize(
    ("written_at", "stored", "is_excused"),
    [
        (99.99, [99.9], True),
        (99.5, [99.4], True),
        (99.5, [99.4, 99.8], False),  # a stored frame lies between the hole and the death
        (100 - TAIL_S - 0.1, [], False),
        (100.2, [99.9], True),
        (103.0 + FLUSH_S - 0.1, [99.9], True),
        (103.5, [99.9, 103.2], False),  # the successor had begun to accept
        (103.0 + FLUSH_S + 0.1, [99.9], False),
        (50.0, [], False),
    ],
)
def test_only_frames_next_to_a_death_are_excused(written_at: float, stored: list[float], is_excused: bool) -> None:
    assert Tails(stored, [DEATH]).excuse(written_at) is is_excused


def test_the_longest_tail_is_remembered() -> None:
    tails = Tails([], [DEATH])
    assert tails.excuse(99.96) and tails.excuse(99.7) and tails.excuse(101)
    assert tails.longest_s == pytest.approx(0.3)


def test_a_death_lasts_until_the_port_is_open_again() -> None:
    ports = [(90.0, True), (100.1, False), (103.0, True), (200.1, False)]
    assert deaths([End("home", 200.0, True), End("home", 100.0, True)], ports) == [(100.0, 103.0), (200.0, EVER)]


def test_one_who_was_asked_to_end_is_deaf_from_when_it_left_its_port() -> None:
    ports = [(90.0, True), (101.5, False), (103.0, True)]
    assert deaths([End("home", 100.0, True, is_gentle=True)], ports) == [(101.5, 103.0)]
