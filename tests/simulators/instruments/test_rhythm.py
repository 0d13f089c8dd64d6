"""An instrument speaks so many times a second, whenever it is asked to."""

import pytest

from simulators.instruments.rhythm import Rhythm


@pytest.mark.parametrize("step_s", [0.01, 0.05, 0.3])
def test_ten_times_a_second_however_often_it_is_asked(step_s: float) -> None:
    rhythm = Rhythm(10)
    assert sum(rhythm.due(step * step_s) for step in range(int(60 / step_s))) == pytest.approx(600, abs=4)


def test_a_long_pause_is_not_made_up_for() -> None:
    rhythm = Rhythm(10)
    assert [rhythm.due(0.0), rhythm.due(0.05), rhythm.due(0.1), rhythm.due(1000.0), rhythm.due(1000.05)] == [1, 0, 1, 1, 0]
