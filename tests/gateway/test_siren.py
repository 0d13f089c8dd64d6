"""The siren rings once, for a limited time, also when the gateway that started it is gone."""

import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gateway.siren import Siren
from tests.gateway.home import eventually


@pytest.fixture
def command(tmp_path: Path) -> Iterator[list[str]]:
    """Notes that it rings, and rings until it is ended."""
    rings = tmp_path / "rings"
    yield ["sh", "-c", f"echo $$ >> {rings}; exec sleep 60"]
    for pid in pids(tmp_path):
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def pids(folder: Path) -> list[int]:
    rings = folder / "rings"
    return [int(line) for line in rings.read_text().split()] if rings.exists() else []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def guards(folder: Path) -> list[int]:
    """Processes of sirens with their file in this folder."""
    found = psutil.process_iter(["cmdline", "status"])
    file = str(folder / "siren")
    return [one.pid for one in found if file in (one.info["cmdline"] or []) and one.info["status"] != psutil.STATUS_ZOMBIE]


def ring(command: list[str], folder: Path, name: str = "one", for_s: float = 30) -> Siren:
    siren = Siren(command, folder / "siren")
    siren.ring(name, for_s)
    eventually(lambda: siren.is_done(name) and pids(folder))
    return siren


def test_it_rings_until_it_is_ended(command: list[str], tmp_path: Path) -> None:
    siren = ring(command, tmp_path)
    (pid,) = pids(tmp_path)
    assert is_alive(pid)
    siren.end()
    eventually(lambda: not is_alive(pid))
    assert siren.is_done("one") and not siren.is_done("two")


def test_it_ends_by_itself_when_its_time_is_over(command: list[str], tmp_path: Path) -> None:
    siren = ring(command, tmp_path, for_s=0.5)
    (pid,) = pids(tmp_path)
    eventually(lambda: not is_alive(pid))
    eventually(lambda: json.loads((tmp_path / "siren").read_text())["is_over"])
    siren.reap()
    assert siren.is_done("one")


def test_everything_that_the_command_has_started_ends_with_it(tmp_path: Path) -> None:
    siren = ring(["sh", "-c", f"sh -c 'echo $$ >> {tmp_path}/rings; sleep 60' & wait"], tmp_path)
    siren.end()
    eventually(lambda: not any(map(is_alive, pids(tmp_path))))


def test_a_second_ring_takes_the_place_of_the_first(command: list[str], tmp_path: Path) -> None:
    siren = ring(command, tmp_path)
    siren.ring("two", 30)
    eventually(lambda: len(pids(tmp_path)) == 2)
    first, second = pids(tmp_path)
    eventually(lambda: not is_alive(first))
    assert is_alive(second) and siren.is_done("two")
    siren.end()
    eventually(lambda: not is_alive(second))


def test_the_next_gateway_finds_it_ringing_and_ends_it(command: list[str], tmp_path: Path) -> None:
    ring(command, tmp_path)
    (pid,) = pids(tmp_path)
    next_one = Siren(command, tmp_path / "siren")
    assert next_one.is_done("one")
    next_one.end()
    eventually(lambda: not is_alive(pid))
    assert next_one.is_done("one")


def test_a_gateway_that_ends_cuts_off_what_one_before_it_has_started(command: list[str], tmp_path: Path) -> None:
    ring(command, tmp_path)
    (pid,) = pids(tmp_path)
    next_one = Siren(command, tmp_path / "siren")
    next_one.cut_off()
    assert not is_alive(pid) and not next_one.is_done("one")


def test_a_ring_that_still_waits_for_another_to_end_can_be_ended_too(command: list[str], tmp_path: Path) -> None:
    with (tmp_path / "siren").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as a siren does that takes its time to end
        siren = Siren(command, tmp_path / "siren")
        siren.ring("two", 30)
        eventually(lambda: guards(tmp_path))
        siren.end()
        eventually(lambda: not guards(tmp_path))
    assert pids(tmp_path) == []


def test_one_that_was_cut_off_is_not_done(command: list[str], tmp_path: Path) -> None:
    siren = ring(command, tmp_path)
    (pid,) = pids(tmp_path)
    siren.cut_off()
    eventually(lambda: not is_alive(pid))
    eventually(lambda: not Siren(command, tmp_path / "siren").is_done("one"))


def test_a_command_that_ends_by_itself_has_rung(tmp_path: Path) -> None:
    siren = Siren([sys.executable, "-c", "print()"], tmp_path / "siren")
    siren.ring("one", 30)
    eventually(lambda: siren.is_done("one") and json.loads((tmp_path / "siren").read_text())["is_over"])


@pytest.mark.parametrize(("command", "means"), [([], "none"), (["no-such-siren"], "failed"), (["sh"], "on")])
def test_it_says_whether_it_can_ring(command: list[str], means: str, tmp_path: Path) -> None:
    assert Siren(command, tmp_path / "siren").means() == means


@pytest.mark.parametrize("command", [[], ["no-such-siren"]])
def test_a_home_without_a_siren_that_works_goes_on(command: list[str], tmp_path: Path) -> None:
    siren = Siren(command, tmp_path / "siren")
    siren.ring("one", 30)
    siren.end()
    siren.cut_off()
    siren.reap()
    assert not siren.is_done("one")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 1}', '{"name": "one", "pid": 1, "is_over": true, "more": 1}'])
def test_a_file_that_cannot_be_read_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "siren").write_text(text)
    siren = Siren(["sh"], tmp_path / "siren")
    assert not siren.is_done("one")
    siren.end()
