"""The home's clock: believed unless the backend's word shows that it is wrong."""

from datetime import timedelta

import pytest

from contract.message import INSTANT_MAX, INSTANT_MIN
from gateway.clock import DRIFT, TRUST_S, WORD_FOR_S, HomeClock, Word, offset_of, read_boot, read_uptime_s
from tests.gateway.home import NOW, seconds

UP_S = 5000.0
YEARS = timedelta(days=4000)


def told(*words: Word) -> HomeClock:
    clock = HomeClock()
    for word in words:
        clock.take(word)
    return clock


def word(after_s: float = 0.0, doubt_s: float = 0.1, error_s: float = 0.0) -> Word:
    return Word(NOW + seconds(after_s + error_s), UP_S + after_s - doubt_s, UP_S + after_s + doubt_s)


def test_a_clock_of_which_nothing_is_known_is_believed() -> None:
    assert HomeClock().now(NOW - YEARS, UP_S) == NOW - YEARS


@pytest.mark.parametrize("error_s", [0.0, TRUST_S - 1, 1 - TRUST_S])
def test_a_clock_that_is_about_right_is_believed(error_s: float) -> None:
    assert told(word()).now(NOW + seconds(error_s), UP_S) == NOW + seconds(error_s)


@pytest.mark.parametrize("error", [-YEARS, timedelta(hours=-3), timedelta(minutes=2), YEARS])
def test_a_clock_that_is_far_off_is_replaced_by_the_backends(error: timedelta) -> None:
    now = told(word()).now(NOW + error + seconds(40), UP_S + 40)
    assert abs(now - (NOW + seconds(40))) < seconds(0.001)


def test_the_most_exact_word_counts_until_it_is_old() -> None:
    exact, rough, later = word(), word(1, doubt_s=30, error_s=25), word(WORD_FOR_S + 1, doubt_s=30, error_s=25)
    assert abs(told(exact, rough).now(INSTANT_MIN, UP_S) - NOW) < seconds(0.001)
    assert abs(told(exact, later).now(INSTANT_MIN, UP_S) - (NOW + seconds(25))) < seconds(0.001)


def test_an_answer_heard_before_its_question_tells_nothing() -> None:
    assert told(Word(NOW, UP_S + 5, UP_S)).now(INSTANT_MIN, UP_S) == INSTANT_MIN


def test_after_weeks_without_a_word_a_clock_that_was_steered_is_believed() -> None:
    month_s = 30 * 86_400.0
    steered = NOW + seconds(month_s + DRIFT * month_s / 2)
    assert told(word()).now(steered, UP_S + month_s) == steered


def test_no_clock_says_what_cannot_be_sent() -> None:
    assert HomeClock().now(INSTANT_MIN - YEARS, UP_S) == INSTANT_MIN
    assert HomeClock().now(INSTANT_MAX + YEARS, UP_S) < INSTANT_MAX


def test_an_offset_is_the_instant_of_the_counts_zero() -> None:
    assert INSTANT_MIN + offset_of(NOW, UP_S) == NOW - seconds(UP_S)


def test_the_count_runs_on_and_the_boot_has_one_name() -> None:
    first_s = read_uptime_s()
    assert 0 < first_s <= read_uptime_s()
    assert read_boot() and len(read_boot()) <= 100
