"""The ladders: when which step comes, and that an open case always stands before one."""

from itertools import product

import pytest

from backend.cases import escalation
from backend.cases.escalation import Step, Timer
from backend.cases.lifecycle import State
from backend.rules.model import RANK
from tests.backend.street import NOW, seconds

OPEN = [state for state in State if state is not State.CLOSED]


def test_a_call_that_nobody_takes_goes_to_a_second_after_60_s_and_to_the_investigators_after_180_s() -> None:
    first = escalation.begin(State.NEW, "high", NOW)
    assert first == Timer(Step.SECOND, NOW + seconds(60))
    second = escalation.after(State.NEW, "high", first.step, now=first.at)
    assert second == Timer(Step.INVESTIGATE, NOW + seconds(180))
    assert escalation.rung_of(State.NEW, "high", second.step).is_flag
    assert escalation.after(State.NEW, "high", second.step, now=second.at) == Timer(Step.INVESTIGATE, NOW + seconds(360)), "again and again"


def test_technical_trouble_wakes_nobody_for_a_day() -> None:
    assert escalation.begin(State.NEW, "technical", NOW) == Timer(Step.STALE, NOW + seconds(86_400))


@pytest.mark.parametrize(("state", "priority"), list(product(OPEN, RANK)))
def test_every_open_case_has_a_next_step_and_so_has_every_step(state: State, priority: str) -> None:
    for step in Step:
        assert escalation.after(state, priority, step, now=NOW).at > NOW
