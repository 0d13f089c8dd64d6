"""The simulated Bluetooth home of the command line: what it prints is a section that the gateway takes, and its dongle answers."""

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

from gateway.bridges.bluetooth.pairing import search
from gateway.config import BluetoothConfig

HOUSE = Path(__file__).parents[2]


def test_six_devices_are_heard_at_the_dongle(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulators", "bluetooth", str(tmp_path / "dongle")]
    with subprocess.Popen(command, cwd=HOUSE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1] != "]\n":
            lines.append(program.stdout.readline())
            assert lines[-1]
        section = tomllib.loads("".join(lines))["bluetooth"]
        config = BluetoothConfig.model_validate(section)
        heard: list[str] = []
        search(config, tmp_path / "keys", 1, heard.append)
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0
    assert sorted(line.split()[0] for line in heard) == sorted(one.address for one in config.device)
