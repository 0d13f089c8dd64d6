"""The stand-in for rtl_433 prints what its file gains, and its driver understands it."""

import subprocess
import sys
from pathlib import Path

from contract.events import EventKind
from gateway.devices.driver import Alive, Enrolled, Meaning, Options, Signal
from gateway.devices.rtl433_json import Rtl433
from simulators.instruments.rtl433 import DEATH, DIED, door, main, press

HOME = Options(enrolled=(Enrolled("pendant", "Smoke-GS558/27111", Meaning.SOS), Enrolled("door", "X10-Security/3133", Meaning.DOOR)))


def test_what_the_file_gains_is_printed_until_it_dies(tmp_path: Path) -> None:
    air = tmp_path / "air"
    air.write_text(DEATH + press("Smoke-GS558", 27111, "8d3cf6"), "utf-8")
    with subprocess.Popen([sys.executable, "-m", "simulators.instruments.rtl433", str(air)], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        first = program.stdout.readline()
        with air.open("a", encoding="utf-8") as more:
            more.write(door("3133", is_open=True) + DEATH)
        said = first + program.stdout.read()
    assert program.returncode == DIED
    found = [output for output in Rtl433(HOME).feed(said, 0.0) if not isinstance(output, Alive)]
    assert found == [Signal(EventKind.SOS, "", member="pendant"), Signal(EventKind.DOOR_OPENED, "", member="door")]


def test_without_a_stick_it_ends_at_once(tmp_path: Path) -> None:
    assert main([str(tmp_path / "nowhere")]) == DIED
