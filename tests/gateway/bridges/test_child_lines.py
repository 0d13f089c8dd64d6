"""A program is read as a port is: its lines pass unchanged, its end is told, and it is started again. Real programs."""

import logging
import queue
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from gateway.bridges.child_lines import ChildLines
from gateway.bridges.serial_port import Chunk
from tests.gateway.home import WAIT_S, eventually


class Run(Protocol):
    """Starts a child that runs this Python text, or what `exec:` is given."""

    def __call__(self, text: str, *, beat_s: float = 30.0) -> ChildLines: ...


@pytest.fixture
def chunks() -> queue.Queue[Chunk]:
    return queue.Queue(1024)


@pytest.fixture
def deaths() -> list[BaseException]:
    return []


@pytest.fixture
def run(chunks: queue.Queue[Chunk], deaths: list[BaseException]) -> Iterator[Run]:
    children: list[ChildLines] = []

    def start(text: str, *, beat_s: float = 30.0) -> ChildLines:
        path = text if text.startswith("exec:") else f"exec:{shlex.join([sys.executable, '-u', '-c', text])}"
        children.append(ChildLines(path, chunks, deaths.append, beat_s=beat_s))
        children[-1].start()
        return children[-1]

    yield start
    for child in children:
        child.stop()
    assert deaths == []


def text_of(chunks: queue.Queue[Chunk], count: int) -> bytes:
    """The next `count` bytes, or more."""
    heard = b""
    while len(heard) < count:
        heard += chunks.get(timeout=WAIT_S).data
    return heard


def programs_of(child: ChildLines) -> list[psutil.Process]:
    """The running ones among our children; servers of other tests are children of this process too."""
    command = shlex.split(child.path.removeprefix("exec:"))
    running = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in running if one.cmdline()[1:] == command[1:]]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_started_program_is_told_before_its_lines_which_pass_unchanged(run: Run, chunks: queue.Queue[Chunk]) -> None:
    child = run("print('{\"model\": 1}'); print('two'); import time; time.sleep(60)")
    assert chunks.get(timeout=WAIT_S) == Chunk(child.path, b"")
    assert text_of(chunks, 17) == b'{"model": 1}\ntwo\n'
    assert child.is_open


def test_a_program_that_ends_is_told_as_lost_and_started_again(
    run: Run, chunks: queue.Queue[Chunk], caplog: pytest.LogCaptureFixture
) -> None:
    child = run("import os; os.write(1, b'here\\n'); os._exit(3)")
    wanted = [Chunk(child.path, b""), Chunk(child.path, b"here\n"), Chunk(child.path, b"", is_lost=True)]
    assert [chunks.get(timeout=WAIT_S) for _ in range(6)] == wanted * 2
    [line] = warnings(caplog)
    assert "has ended with code 3; it is started again" in line


def test_a_program_that_is_killed_comes_back(run: Run, chunks: queue.Queue[Chunk]) -> None:
    child = run("import time; print('up'); time.sleep(60)")
    assert text_of(chunks, 3) == b"up\n"
    [program] = programs_of(child)
    program.kill()
    assert chunks.get(timeout=WAIT_S) == Chunk(child.path, b"", is_lost=True)
    assert text_of(chunks, 3) == b"up\n"


def test_a_program_that_is_not_there_is_said_once_and_tried_on(
    run: Run, chunks: queue.Queue[Chunk], caplog: pytest.LogCaptureFixture
) -> None:
    child = run("exec:/nowhere/rtl_433 -F json")
    for _ in range(2):
        assert chunks.get(timeout=WAIT_S) == Chunk(child.path, b"", is_lost=True)
    [line] = warnings(caplog)
    assert "/nowhere/rtl_433 cannot be run" in line and "[[port]] path" in line
    assert not child.is_open


def test_a_quiet_program_shows_by_beats_that_it_runs(run: Run, chunks: queue.Queue[Chunk]) -> None:
    run("import time; time.sleep(60)", beat_s=0.1)
    assert text_of(chunks, 3) == b"\n\n\n"


HALF = """
import os, sys, time
print("half", end="", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
print(" whole")
time.sleep(60)
"""


def test_a_beat_never_cuts_a_line(run: Run, chunks: queue.Queue[Chunk], tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run(f"exec:{shlex.join([sys.executable, '-u', '-c', HALF, str(gate)])}", beat_s=0.05)
    assert text_of(chunks, 4) == b"half"
    with pytest.raises(queue.Empty):
        chunks.get(timeout=0.5)
    gate.touch()
    assert text_of(chunks, 7).startswith(b" whole\n")


def test_stop_ends_the_program_even_one_that_does_not_listen(run: Run, chunks: queue.Queue[Chunk]) -> None:
    child = run("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)")
    assert text_of(chunks, 5) == b"deaf\n"
    child.stop()
    eventually(lambda: not programs_of(child))
    assert not child.is_open


def test_a_full_queue_holds_nobody_up_at_the_end(deaths: list[BaseException]) -> None:
    small: queue.Queue[Chunk] = queue.Queue(1)
    child = ChildLines(f"exec:{shlex.join([sys.executable, '-c', 'print(1)'])}", small, deaths.append)
    child.start()
    eventually(small.full)
    child.stop()
    assert deaths == []


def test_nothing_can_be_said_to_such_a_program(run: Run) -> None:
    run("import time; time.sleep(60)").write(b"hello")
