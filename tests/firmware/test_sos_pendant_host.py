"""The pendant as a program on a pty, read by the gateway's driver."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Signal
from gateway.devices.jiahu_pendant import Pendant
from tests.firmware.board import BOOT, SOS
from tests.firmware.program import Line, Running, of

ADDRESS, STATUS = 9, 0x11


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path / "port")
    yield line
    line.unplug()


@pytest.fixture
def pendant(build: Path, line: Line) -> Iterator[Running]:
    options = ("--port", str(line.path), "--address", str(ADDRESS), "--boot", str(BOOT), "--clock", "samples")
    pendant = Running(build / "sos_pendant_host", *options)
    yield pendant
    pendant.kill()


def records(seconds: float, *, is_pressed: bool = False) -> bytes:
    return bytes([80, is_pressed]) * round(seconds * 100)


def test_its_battery_is_told_every_minute(pendant: Running, line: Line) -> None:
    pendant.feed(records(121))
    told = of(line.until(lambda frames: sum(frame.payload == bytes([80]) for frame in of(frames, STATUS)) == 3), STATUS)
    assert list(Pendant().take(told[-1], 0.0)) == [Measurement(QuantityName.BATTERY, 80)]


def test_a_press_comes_again_until_it_is_acknowledged(pendant: Running, line: Line) -> None:
    pendant.feed(records(0.5) + records(1.2, is_pressed=True) + records(10))
    presses = line.until_count(SOS, 5)
    assert [struct.unpack("<HHHB", press.payload)[2] for press in presses[:5]] == [0, 2000, 4000, 6000, 8000]
    [signal] = Pendant().take(presses[0], 0.0)
    assert isinstance(signal, Signal) and signal.kind is EventKind.SOS
    line.say(signal.acknowledgement)
    status, said = pendant.end()
    assert (status, "waiting=0" in said) == (0, True)


def test_a_second_hold_takes_it_back(pendant: Running, line: Line) -> None:
    pendant.feed(records(1.2, is_pressed=True) + records(1) + records(3.2, is_pressed=True) + records(1))
    frames = line.until(lambda frames: any(frame.type == SOS and frame.payload[6] == 2 for frame in frames))
    taken_back = next(frame for frame in frames if frame.type == SOS and frame.payload[6] == 2)
    [signal] = Pendant().take(taken_back, 0.0)
    assert isinstance(signal, Signal) and signal.kind is EventKind.SOS_CANCELLED
