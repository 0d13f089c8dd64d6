"""`python -m gateway probe`: each simulated device on a pseudo terminal is recognised, with live values, and nothing else is."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway import config as configuration
from gateway.__main__ import main
from gateway.bridges.framing import Frame, seal
from gateway.bridges.serial_port import open_line
from gateway.devices import DRIVERS
from gateway.devices.driver import Setting
from gateway.probe import run, settings_of
from simulators.instruments import INSTRUMENTS
from simulators.instruments.bench import Bench
from simulators.instruments.oximeters import Nonin
from simulators.wire import BedMatState, FrameType, WearableVitals, bed_mat, wearable_vitals

HOUSE = Path(__file__).parents[2]
PATIENCE_S = 240
VALUES = {
    "bci_oximeter": ["血氧 SpO2: 97 %", "心率 Heart rate: 72 /min"],
    "bp_beurer_bm65": ["收缩压 Systolic: 132 mm[Hg]", "舒张压 Diastolic: 84 mm[Hg]", "心率 Heart rate: 71 /min"],
    "bp_visomat": ["收缩压 Systolic: 132 mm[Hg]", "舒张压 Diastolic: 84 mm[Hg]", "心率 Heart rate: 71 /min"],
    "contec_v5": ["血氧 SpO2: 97 %", "心率 Heart rate: 72 /min"],
    "contec_v7": ["血氧 SpO2: 97 %", "心率 Heart rate: 72 /min", "灌注指数 Perfusion index: 4.20 %"],
    "hlk_ld2410": ["有人 Presence: 1"],
    "hlk_ld2450": ["有人 Presence: 1"],
    "nonin_serial": ["血氧 SpO2: 97 %", "心率 Heart rate: 72 /min"],
    "radar_sy": ["心率 Heart rate: 68 /min", "有人 Presence: 1"],
    "radar_tinyframe": ["心率 Heart rate: 68 /min"],
}


class OwnBridge:
    """Our own bridge with a wearable and a bed mat."""

    def write(self, now_s: float) -> bytes:
        vitals = WearableVitals(heart_rate=71, spo2=None, skin_temperature=33.2, steps=None, battery=80, is_worn=True)
        mat = BedMatState(is_occupied=True, respiration_rate=14, heart_rate=61, movement=5, battery=None)
        return seal(Frame(FrameType.WEARABLE_VITALS, 7, 1, wearable_vitals(vitals))) + seal(Frame(FrameType.BED_MAT, 8, 1, bed_mat(mat)))

    def answer(self, data: bytes, now_s: float) -> bytes:
        return b""


def config_of(lines: list[str], folder: Path) -> configuration.Config:
    """The lines that are proposed for the file, with the least around them."""
    proposed = lines[lines.index("配置 for gateway.toml:") + 1 :]
    least = ['gateway_id = "gw-1"', "[broker]", 'host = "localhost"', "[outbox]", f'path = "{folder}/outbox.sqlite"']
    (folder / "gateway.toml").write_text("\n".join([*least, *proposed]), "utf-8")
    return configuration.read(folder / "gateway.toml")


@pytest.mark.system
@pytest.mark.slow
def test_each_device_is_recognised_among_all(tmp_path: Path) -> None:
    """All at once, since a probe mostly waits."""
    with Bench() as bench:
        links = {name: bench.attach(tmp_path / name, make(), baud=DRIVERS[name].line.bauds[0]).link for name, make in INSTRUMENTS.items()}
        command = [sys.executable, "-m", "gateway", "probe"]
        probes = {name: subprocess.Popen([*command, str(link)], stdout=subprocess.PIPE, cwd=HOUSE) for name, link in links.items()}
        said = {name: probe.communicate(timeout=PATIENCE_S)[0].decode().splitlines() for name, probe in probes.items()}
    for name, lines in said.items():
        assert probes[name].returncode == 0, (name, lines)
        [found] = [line for line in lines if line.startswith("找到 found: ")]
        assert found.startswith(f"找到 found: {name} ({DRIVERS[name].line.bauds[0]} ")
        missing = [value for value in VALUES.get(name, []) if not any(value in line for line in lines)]
        assert missing == [], (name, lines)
        [port] = config_of(lines, tmp_path).port
        assert (port.path, port.device[0].type) == (str(links[name]), name)


@pytest.mark.system
@pytest.mark.parametrize(("name", "baud"), [("contec_v5", 4800), ("radar_tinyframe", 1_382_400)])
def test_a_rate_that_is_not_the_usual_one_is_found_and_proposed(name: str, baud: int, tmp_path: Path) -> None:
    lines: list[str] = []
    with Bench() as bench:
        link = bench.attach(tmp_path / "port", INSTRUMENTS[name](), baud=baud).link
        assert run(str(link), [name, "bp_beurer_bm65", "radar_sy"], lines.append), lines
    assert config_of(lines, tmp_path).port[0].baud == baud


@pytest.mark.system
@pytest.mark.parametrize("number", ["7", "8"])
def test_the_format_that_is_heard_is_proposed(number: str, tmp_path: Path) -> None:
    lines: list[str] = []
    with Bench() as bench:
        link = bench.attach(tmp_path / "port", Nonin(data_format=int(number))).link
        assert run(str(link), ["nonin_serial"], lines.append)
    assert config_of(lines, tmp_path).port[0].device[0].settings == {"format": number}


@pytest.mark.system
def test_devices_of_our_own_bridge_are_shown_with_their_addresses(tmp_path: Path) -> None:
    lines: list[str] = []
    with Bench() as bench:
        link = bench.attach(tmp_path / "port", OwnBridge()).link
        assert run(str(link), [], lines.append)
    [port] = config_of(lines, tmp_path).port
    assert {(device.type, device.address) for device in port.device} == {("jiahu_wearable", 7), ("jiahu_bed_mat", 8)}


@pytest.mark.system
def test_a_silent_port_is_said_with_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Bench() as bench:
        line = bench.attach(tmp_path / "port", OwnBridge())
        bench.mute(line)
        assert main(["probe", str(line.link), "--type", "bci_oximeter", "--type", "radar_sy"]) == 1
    assert "没有认出设备" in capsys.readouterr().out


def test_a_port_that_is_in_use_is_said_with_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Bench() as bench:
        link = bench.attach(tmp_path / "port", OwnBridge()).link
        with open_line(str(link), Setting(115_200, "N", 1, True, True)):
            assert main(["probe", str(link)]) == 2
    assert "请先停止网关" in capsys.readouterr().err


def test_an_unknown_type_is_said_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "/dev/null", "--type", "fridge"]) == 2
    assert "unknown type 'fridge'" in capsys.readouterr().err


def test_every_setting_is_tried_once_and_the_usual_ones_first() -> None:
    settings = settings_of(DRIVERS)
    assert len(settings) == len(set(settings))
    serial = [driver for driver in DRIVERS.values() if driver.line.bauds]
    assert {setting for driver in serial for setting in driver.line.settings()} == {*settings}
    usual = {driver.line.settings()[0] for driver in serial}
    assert {*settings[: len(usual)]} == usual
