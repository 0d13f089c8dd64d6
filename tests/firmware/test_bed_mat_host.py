"""The bed mat as a program on a pty: loads in, what the gateway's driver makes of its frames out. Loads are made from formulas."""

import math
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import Measurement, Output, Signal
from gateway.devices.jiahu_bed_mat import BedMat
from tests.firmware.program import Line, Running

ADDRESS, BED_MAT = 8, 0x10
EMPTY, BODY = 400, 1400
RATE_HZ = 10
UNKNOWN, NONE = 255, 0


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path / "port")
    yield line
    line.unplug()


@pytest.fixture
def mat(build: Path, line: Line) -> Iterator[Running]:
    mat = Running(build / "bed_mat_host", "--port", str(line.path), "--address", str(ADDRESS), "--clock", "samples")
    yield mat
    mat.kill()


def records(loads: list[float]) -> bytes:
    return b"".join(struct.pack("<HB", round(load), 90) for load in loads)


def empty(seconds: float) -> list[float]:
    return [float(EMPTY)] * round(seconds * RATE_HZ)


def asleep(seconds: float, breaths_per_min: float, *, depth: float = 10, seed: int = 1) -> list[float]:
    """Lying still: the chest moves the load by `depth` counts, with a count of noise and a slow drift."""
    noise = random.Random(seed)
    ticks = range(round(seconds * RATE_HZ))
    return [
        EMPTY + BODY + depth * math.sin(2 * math.pi * breaths_per_min / 60 * tick / RATE_HZ) + noise.gauss(0, 1) + tick * 0.01
        for tick in ticks
    ]


def states(line: Line, mat: Running, loads: list[float]) -> list[tuple[int, ...]]:
    """Occupied, breaths, heart, movement and battery of every frame, through the end of the input."""
    mat.feed(records(loads))
    line.until_count(BED_MAT, len(loads) // RATE_HZ)
    return [tuple(frame.payload) for frame in line.frames]


@pytest.mark.parametrize("breaths_per_min", [7, 10, 14, 18, 24, 30, 36])
def test_breaths_are_counted_once_somebody_lay_still_for_half_a_minute(line: Line, mat: Running, breaths_per_min: int) -> None:
    said = states(line, mat, asleep(45, breaths_per_min))
    assert [breaths for _, breaths, *_ in said[:30]] == [NONE] * 30
    assert all(abs(breaths - breaths_per_min) <= 1 for _, breaths, *_ in said[34:])


@pytest.mark.parametrize("depth", [0.0, 0.5])
def test_a_chest_that_does_not_move_has_no_rate(line: Line, mat: Running, depth: float) -> None:
    said = states(line, mat, asleep(45, 14, depth=depth))
    assert {breaths for _, breaths, *_ in said} == {NONE}
    assert said[-1][0] == 1


def test_turning_over_is_movement_and_no_exit_and_stops_the_counting(line: Line, mat: Running) -> None:
    turning = [EMPTY + BODY + swing for swing in (0, 400, -900, -1300, -1300, 300, 0, -200)] * 2
    said = states(line, mat, asleep(45, 14) + turning + asleep(10, 14))
    assert {occupied for occupied, *_ in said[3:]} == {1}
    assert max(movement for *_, movement, _ in said[46:48]) > 50
    assert said[44][1] != NONE
    assert {breaths for _, breaths, *_ in said[47:]} == {NONE}


def test_getting_out_is_an_event_at_the_gateway_within_4_s(line: Line, mat: Running) -> None:
    said = states(line, mat, asleep(20, 14) + empty(5))
    driver, events = BedMat(), list[tuple[int, Output]]()
    for second, payload in enumerate(said):
        outputs = driver.take(Frame(BED_MAT, ADDRESS, 0, bytes(payload)), float(second))
        events += [(second, output) for output in outputs if isinstance(output, Signal)]
    assert [(event.kind, second - 20 <= 4) for second, event in events if isinstance(event, Signal)] == [(EventKind.BED_EXIT, True)]


def test_a_torn_cable_is_unknown_and_never_an_exit(line: Line, mat: Running) -> None:
    said = states(line, mat, asleep(20, 14) + [0.0] * 50)
    assert [occupied for occupied, *_ in said[-3:]] == [UNKNOWN] * 3
    assert 0 not in {occupied for occupied, *_ in said}


def test_what_the_gateway_makes_of_a_quiet_night(line: Line, mat: Running) -> None:
    said = states(line, mat, asleep(45, 14))
    outputs = list(BedMat().take(Frame(BED_MAT, ADDRESS, 0, bytes(said[-1])), 0.0))
    quantities = {one.quantity for one in outputs if isinstance(one, Measurement)}
    assert quantities == {QuantityName.BATTERY, QuantityName.BED_OCCUPIED, QuantityName.MOVEMENT, QuantityName.RESPIRATION_RATE}


@pytest.mark.parametrize("options", [["--empty", "4000", "--occupied", "300"], ["--occupied", "0"], ["--empty", "4001"]])
def test_a_bed_heavier_than_the_sensor_is_refused(build: Path, options: list[str]) -> None:
    mat = Running(build / "bed_mat_host", "--port", "/dev/null", "--address", "8", *options)
    assert mat.end()[0] == 2
