"""`python -m gateway pair` as an installer runs it, at a simulated dongle."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import main
from gateway.bridges.bluetooth.keyring import Keyring
from simulators.bluetooth import values
from simulators.bluetooth.peripheral import BONDED, Security
from tests.gateway.bluetooth_home import CUFF, CUFF_2, LOCAL, Air, BluetoothHome, Cuff, settings
from tests.gateway.home import toml

PASSKEY = 907_015


@pytest.fixture
def air(tmp_path: Path) -> Iterator[Air]:
    with Air(tmp_path / "dongle") as one:
        yield one


@pytest.fixture
def file(tmp_path: Path) -> Path:
    home = {
        "gateway_id": "gw-1",
        "broker": {"host": "127.0.0.1"},
        "outbox": {"path": str(tmp_path / "outbox.sqlite")},
        "bluetooth": {"transport": f"serial:{tmp_path / 'dongle'},115200", "step_timeout_s": 2},
        "port": [],
    }
    (tmp_path / "gateway.toml").write_text(toml(home), "utf-8")
    return tmp_path / "gateway.toml"


def pair(file: Path, *words: str) -> int:
    return main(["pair", "--config", str(file), *words])


def kept(file: Path) -> dict[str, Any]:
    devices: dict[str, Any] = json.loads((file.parent / "bluetooth.keys").read_text("utf-8"))["devices"]
    return devices


def test_devices_that_are_heard_are_listed_with_what_they_are(air: Air, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    air.add(Cuff(CUFF, name="UA-651BLE"), Cuff(CUFF_2, has_long_uuids=True))
    assert pair(file, "--wait", "1") == 0
    listed = capsys.readouterr().out
    assert f"{CUFF}  blood pressure  UA-651BLE" in listed
    assert CUFF_2 in listed


def test_a_device_is_enrolled_paired_and_then_read(air: Air, file: Path, tmp_path: Path) -> None:
    cuff = Cuff(CUFF, Security(True, passkey=PASSKEY))
    air.add(cuff)
    assert pair(file, CUFF, "--id", "cuff-1", "--passkey", str(PASSKEY)) == 0
    assert kept(file)["cuff-1"]["is_enrolled"]
    assert kept(file)["cuff-1"]["bond"]["ltk"]["authenticated"]
    cuff.stored = [values.blood_pressure(132, 84, 100, 71, LOCAL)]
    with BluetoothHome(settings(tmp_path)) as one:
        one.expect("cuff-1", "blood_pressure_systolic", 132)


def test_what_goes_wrong_is_said_with_what_to_do(air: Air, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    air.add(Cuff(CUFF, Security(True, passkey=PASSKEY)))
    assert pair(file, CUFF, "--id", "cuff-1", "--passkey", "000001") == 1
    assert "is the passkey right" in capsys.readouterr().out
    assert kept(file) == {}
    assert pair(file, CUFF, "--id", "cuff-1", "--passkey", "12") == 2
    assert "six digits" in capsys.readouterr().err
    assert pair(file, CUFF) == 2
    assert "--id" in capsys.readouterr().err
    assert pair(file, "C1:23", "--id", "x") == 2
    assert "no Bluetooth address" in capsys.readouterr().err
    assert pair(file, "C1:00:00:00:00:99", "--id", "x", "--wait", "0.3") == 1
    assert "was not heard" in capsys.readouterr().out


def test_the_controller_is_not_shared_with_a_running_gateway(air: Air, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ring = Keyring(file.parent / "bluetooth.keys")
    ring.open()
    try:
        assert pair(file, "--wait", "1") == 2
    finally:
        ring.close()
    assert "Stop it first" in capsys.readouterr().err


def test_a_dongle_that_is_not_there_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pair(file, "--wait", "1") == 2
    assert "correct [bluetooth] transport" in capsys.readouterr().err


def test_somebody_at_a_terminal_types_the_passkey(air: Air, file: Path) -> None:
    air.add(Cuff(CUFF, Security(True, passkey=PASSKEY)), Cuff(CUFF_2, BONDED))
    command = [sys.executable, "-m", "gateway", "pair", "--config", str(file), CUFF, "--id", "cuff-1"]
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    done = subprocess.run(
        [sys.executable, "-c", script, *command], input=f"{PASSKEY}\n", capture_output=True, text=True, timeout=30, check=False
    )
    assert "paired and enrolled" in done.stdout
    assert kept(file)["cuff-1"]["bond"]["ltk"]["authenticated"]
