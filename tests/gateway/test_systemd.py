"""The words to systemd, read from a real socket of its kind."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.systemd import Systemd


@pytest.fixture(params=["file", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd has it, and its name in NOTIFY_SOCKET."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@jiahu-test-{os.getpid()}-{tmp_path.name}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        listening.setblocking(False)
        yield listening, name


def heard(listening: socket.socket) -> list[str]:
    words: list[str] = []
    while True:
        try:
            words.append(listening.recv(1024).decode())
        except BlockingIOError:
            return words


def test_the_daemon_says_when_it_begins_lives_and_ends(ear: tuple[socket.socket, str]) -> None:
    listening, name = ear
    systemd = Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000"})
    systemd.ready()
    systemd.alive(100.0)
    systemd.stopping()
    assert heard(listening) == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_the_watchdog_hears_four_times_as_often_as_it_must(ear: tuple[socket.socket, str]) -> None:
    listening, name = ear
    systemd = Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())})
    for tenths in range(200):
        systemd.alive(tenths / 10)
    assert heard(listening) == ["WATCHDOG=1"] * 4


@pytest.mark.parametrize(
    "watchdog", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}]
)
def test_without_a_watchdog_for_this_process_nothing_is_said_to_it(ear: tuple[socket.socket, str], watchdog: dict[str, str]) -> None:
    listening, name = ear
    Systemd({"NOTIFY_SOCKET": name} | watchdog).alive(100.0)
    assert heard(listening) == []


def test_without_systemd_nothing_is_said_and_nothing_fails(caplog: pytest.LogCaptureFixture) -> None:
    systemd = Systemd({})
    systemd.ready()
    systemd.alive(100.0)
    assert caplog.records == []


def test_a_systemd_that_does_not_hear_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    with caplog.at_level(logging.WARNING):
        systemd.ready()
        systemd.stopping()
    assert len(caplog.records) == 1


def test_a_systemd_whose_queue_is_full_holds_up_nobody(ear: tuple[socket.socket, str]) -> None:
    _, name = ear
    systemd = Systemd({"NOTIFY_SOCKET": name})
    for _ in range(2_000):
        systemd.ready()
