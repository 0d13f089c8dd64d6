"""What dies is started again at once, and each death is known."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.child_process import wait_until
from simulators.faults.minder import Minder
from simulators.keeper import Program

WAIT_S = 20.0
Ends = list[tuple[float, bool, bool]]


@pytest.fixture
def ends() -> Ends:
    return []


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Sleeps until it is killed."""
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return Program(["sleeper"], tmp_path / "log", {"PYTHONPATH": str(tmp_path)})


@pytest.fixture
def minder(program: Program, ends: Ends) -> Iterator[Minder]:
    running = Minder("sleeper", program, on_end=lambda *end: ends.append(end))
    running.start()
    wait_until(lambda: running.is_running, deadline_s=WAIT_S, what="first start")
    yield running
    running.stop()


def test_what_was_killed_runs_again(minder: Minder, program: Program, ends: Ends) -> None:
    first = program.pid
    began = time.time()
    assert minder.kill()
    wait_until(lambda: minder.is_running and program.pid != first, deadline_s=WAIT_S, what="second start")
    [(at, was_asked, is_gentle)] = ends
    assert began <= at <= time.time() and was_asked and not is_gentle
    assert minder.unasked_ends == 0


def test_what_ends_by_itself_is_noticed(minder: Minder, program: Program, ends: Ends) -> None:
    program.kill()
    wait_until(lambda: minder.starts == 2, deadline_s=WAIT_S, what="second start")
    assert [was_asked for _, was_asked, _ in ends] == [False] and minder.unasked_ends == 1


def test_held_down_nothing_starts(minder: Minder, program: Program) -> None:
    with minder.held_down():
        assert not minder.is_running and not minder.kill()
    wait_until(lambda: minder.starts == 2, deadline_s=WAIT_S, what="second start")
    assert program.pid and minder.is_running


def test_one_that_was_asked_to_end_ends_gently(minder: Minder, ends: Ends) -> None:
    assert minder.shut()
    assert ends[0][1:] == (True, True)
