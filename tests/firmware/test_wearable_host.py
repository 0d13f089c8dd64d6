"""The firmware as a program: records in, frames out on a pty, acknowledgements back."""

import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from gateway.bridges.framing import Frame
from tests.firmware import motion
from tests.firmware.board import ADDRESS, BOOT, CANDIDATE, CHUNK, SOS, VITALS
from tests.firmware.library import rounded, unpack
from tests.firmware.program import DEADLINE_S, Line, Running, of

WORN, PRESSED = 2, 1


def records(samples: Iterable[tuple[int, int, int]], *, buttons: int = WORN) -> bytes:
    return b"".join(struct.pack("<hhhBBhBB", *axes, 72, 97, 3345, 90, buttons) for axes in samples)


def until_vitals(line: Line, count: int) -> list[Frame]:
    line.until_count(VITALS, count)
    return line.frames


def until_window(line: Line) -> list[Frame]:
    return line.until(lambda frames: {frame.payload[4] for frame in of(frames, CHUNK)} == set(range(14)))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path / "port")
    yield line
    line.unplug()


@pytest.fixture
def start(wearable_host: Path, line: Line) -> Iterator[Callable[[str], Running]]:
    """Starts the program on the line, with the clock that is asked for."""
    started: list[Running] = []

    def start(clock: str) -> Running:
        options = ("--port", str(line.path), "--address", str(ADDRESS), "--boot", str(BOOT), "--clock", clock)
        started.append(Running(wearable_host, *options))
        return started[-1]

    yield start
    for wearable in started:
        wearable.kill()


@pytest.fixture
def wearable(start: Callable[[str], Running]) -> Running:
    return start("samples")


def test_vitals_reach_the_gateway(wearable: Running, line: Line) -> None:
    wearable.feed(records(motion.still(motion.STANDING, 5)))
    first = of(until_vitals(line, 5), VITALS)[0]
    assert (first.address, struct.unpack("<BBhHBB", first.payload)) == (ADDRESS, (72, 97, 3345, 0xFFFF, 90, 1))


def test_a_fall_reaches_the_gateway_with_its_window(wearable: Running, line: Line) -> None:
    samples = motion.fall(after_s=3)
    wearable.feed(records(samples))
    frames = until_window(line)
    chunks = {frame.payload[4]: frame.payload[6:] for frame in of(frames, CHUNK)}
    packed = struct.iter_unpack("<I", b"".join(chunks[index] for index in range(14)))
    impact = samples.index((0, 0, 3000))
    assert [unpack(one) for (one,) in packed] == rounded(samples[impact - 150 : impact + 125])


def test_an_acknowledged_fall_is_not_repeated(wearable: Running, line: Line) -> None:
    wearable.feed(records(motion.fall(after_s=3)))
    until_window(line)
    line.acknowledge(0, CANDIDATE)
    before = len(of(line.frames, CANDIDATE))
    vitals = len(of(line.frames, VITALS))
    wearable.feed(records(motion.still(motion.LYING, 30)))
    frames = until_vitals(line, vitals + 29)
    assert len(of(frames, CANDIDATE)) == before


def test_a_fall_that_nobody_acknowledges_is_repeated(wearable: Running, line: Line) -> None:
    wearable.feed(records(motion.fall(after_s=10)))
    frames = line.until(lambda frames: len(of(frames, CANDIDATE)) >= 3)
    assert [struct.unpack_from("<H", frame.payload, 4)[0] for frame in of(frames, CANDIDATE)][:2] == [2480, 4760]


def test_a_held_button_is_an_sos(wearable: Running, line: Line) -> None:
    wearable.feed(records(motion.still(motion.STANDING, 1.2), buttons=WORN | PRESSED))
    frames = line.until(lambda frames: bool(of(frames, SOS)))
    assert struct.unpack("<HHHB", of(frames, SOS)[0].payload) == (BOOT, 0, 0, 1)


def test_at_the_end_of_the_input_it_waits_for_the_acknowledgement(wearable: Running, line: Line) -> None:
    wearable.feed(records(motion.still(motion.STANDING, 1.2), buttons=WORN | PRESSED))
    line.until(lambda frames: bool(of(frames, SOS)))
    line.acknowledge(0, SOS)
    status, said = wearable.end()
    assert status == 0
    assert "waiting=0" in said


def test_at_the_end_of_the_input_it_does_not_wait_for_ever(wearable: Running, line: Line) -> None:
    wearable.feed(records(motion.still(motion.STANDING, 1.2), buttons=WORN | PRESSED))
    status, said = wearable.end()
    assert status == 0
    assert "waiting=1" in said


def test_input_that_ends_inside_a_record_is_an_error(wearable: Running) -> None:
    wearable.feed(records([motion.STANDING])[:-1])
    assert wearable.end()[0] == 1


def test_a_port_that_vanishes_is_opened_again(wearable: Running, line: Line) -> None:
    wearable.feed(records(motion.still(motion.STANDING, 2)))
    until_vitals(line, 2)
    line.unplug()
    wearable.feed(records(motion.still(motion.STANDING, 5)))
    line.plug()
    until_vitals(line, 6)
    assert wearable.process.poll() is None


def test_the_real_clock_follows_the_machine_and_not_the_samples(start: Callable[[str], Running], line: Line) -> None:
    wearable = start("real")
    wearable.feed(records(motion.still(motion.STANDING, 60)))
    until_vitals(line, 1)
    assert wearable.end()[0] == 0
    assert len(of(line.frames, VITALS)) < 30


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--port", "/dev/null"],
        ["--address", "5"],
        ["--port", "x", "--address", "0"],
        ["--port", "x", "--address", "65536"],
        ["--port", "x", "--address", "-1"],
        ["--port", "x", "--address", "5x"],
        ["--port", "x", "--address", "5", "--rate", "24"],
        ["--port", "x", "--address", "5", "--rate", "101"],
        ["--port", "x", "--address", "5", "--rate", "51"],
        ["--port", "x", "--address", "5", "--placement", "ankle"],
        ["--port", "x", "--address", "5", "--boot", "65536"],
        ["--port", "x", "--address", "5", "--clock", "moon"],
        ["--port", "x", "--address", "5", "--colour", "red"],
        ["--port", "x", "--address"],
    ],
)
def test_a_bad_option_is_refused_with_one_line(wearable_host: Path, options: list[str]) -> None:
    refused = subprocess.run([wearable_host, *options], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith("wearable_host: ")
    assert refused.stderr.count("\n") == 1
