"""Eight serial devices as they are sold, at one gateway: pseudo terminals on one side, a real broker on the other."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.config import BROKER_PASSWORD
from simulators.instruments.bench import Bench
from simulators.instruments.cuffs import CuffReading, Visomat
from simulators.instruments.hlk import Ld2410
from simulators.instruments.instrument import Instrument
from simulators.instruments.oximeters import Bci, Contec5, Contec7, Nonin
from simulators.instruments.radar_sy import RadarSy
from simulators.instruments.radar_tinyframe import RadarTinyFrame
from simulators.serial_bridge import SerialBridge
from simulators.servers import Broker, installed_brokers
from tests.gateway.backend import Backend, clear_status
from tests.gateway.home import eventually, toml

pytestmark = [pytest.mark.system, pytest.mark.parametrize("broker", installed_brokers()[:1], indirect=True)]

HOUSE = Path(__file__).parents[2]
YESTERDAY = datetime.now(ZoneInfo("Asia/Shanghai")).replace(tzinfo=None, second=0, microsecond=0) - timedelta(days=1)
NEVER_SET = datetime(2044, 1, 1, 0, 0)
KEEP_ALIVE = 0xAF


class SerialHome:
    """The devices, their lines, and the gateway that reads them."""

    def __init__(self, folder: Path, broker: Broker, bench: Bench) -> None:
        self.folder = folder
        self.contec7 = Contec7(stored_at=YESTERDAY, stored=[(91, 88)] * 6)
        self.visomat = Visomat([CuffReading(YESTERDAY, 151, 93, 77), CuffReading(NEVER_SET, 120, 80, 60)])
        self.fall_radar = RadarTinyFrame(model="fall")
        devices: dict[str, Instrument] = {
            "contec_v7": self.contec7,
            "contec_v5": Contec5(pulse=81),
            "bci_oximeter": Bci(pulse=83),
            "nonin_serial": Nonin(pulse=85),
            "radar_sy": RadarSy(),
            "radar_tinyframe": self.fall_radar,
            "hlk_ld2410": Ld2410(),
            "bp_visomat": self.visomat,
        }
        self.lines = {name: bench.attach(folder / name, device) for name, device in devices.items()}
        settings = {"radar_tinyframe": {"settings.model": "fall"}}
        self._file = folder / "gateway.toml"
        ports = [
            {"path": str(line.link), "device": [{"id": name, "type": name, "summary_s": 0.3} | settings.get(name, {})]}
            for name, line in self.lines.items()
        ]
        least = {
            "gateway_id": "gw-1",
            "broker": {"host": broker.host, "port": broker.port, "protocol": broker.protocol, "reconnect_max_s": 1},
            "outbox": {"path": str(folder / "outbox.sqlite")},
            "send": {"batch_interval_s": 0.1, "status_interval_s": 0.5},
            "port": ports,
        }
        self._file.write_text(toml(least).replace('"settings.model"', "settings.model"), "utf-8")
        self._password = broker.accounts["gw-1"]
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run", "--config", str(self._file)],
                cwd=HOUSE,
                env=os.environ | {BROKER_PASSWORD: self._password},
                stderr=log,
            )

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as one:
        yield one


@pytest.fixture
def backend(broker: Broker) -> Iterator[Backend]:
    with Backend(broker) as one:
        yield one
    clear_status(broker)


@pytest.fixture
def home(tmp_path: Path, broker: Broker, bench: Bench, backend: Backend) -> Iterator[SerialHome]:
    one = SerialHome(tmp_path, broker, bench)
    yield one
    assert one.stop() == 0


def readings(backend: Backend, device: str) -> set[tuple[str, float]]:
    """Quantity and value of all that came from a device: means, and single values."""
    return {
        (str(series.quantity), value)
        for batch in backend.batches
        for series in batch.series
        for value in series.values
        if series.device == device and series.statistic in ("mean", "sample")
    }


def events(backend: Backend) -> list[tuple[str, str]]:
    return [(device, kind) for _, device, kind in dict.fromkeys((one.event_id, one.device, str(one.kind)) for one in backend.events)]


def sequences(backend: Backend, device: str) -> set[int]:
    """Of all readings of a device; one that is sent twice counts once."""
    return {one.first + at for one in backend.batches for series in one.series for at in series.sequences if series.device == device}


def expect_more(backend: Backend, device: str) -> None:
    seen = len(sequences(backend, device))
    eventually(lambda: len(sequences(backend, device)) > seen + 20, what=f"more of {device}")


def starts(backend: Backend, device: str, quantity: str) -> set[datetime]:
    every = [series for batch in backend.batches for series in batch.series]
    return {series.start_at for series in every if (series.device, series.quantity) == (device, quantity)}


def marks(backend: Backend, device: str, quantity: str) -> set[bool]:
    every = [series for batch in backend.batches for series in batch.series]
    return {series.is_history for series in every if (series.device, series.quantity) == (device, quantity)}


def expect(backend: Backend, device: str, *values: tuple[str, float]) -> None:
    eventually(lambda: set(values) <= readings(backend, device), what=f"{values} of {device}")


def test_every_device_is_read_at_once(home: SerialHome, backend: Backend) -> None:
    expect(backend, "contec_v7", ("spo2", 97), ("heart_rate", 72), ("perfusion_index", 4.2))
    expect(backend, "contec_v5", ("spo2", 97), ("heart_rate", 81))
    expect(backend, "bci_oximeter", ("spo2", 97), ("heart_rate", 83))
    expect(backend, "nonin_serial", ("spo2", 97), ("heart_rate", 85))
    expect(backend, "radar_sy", ("heart_rate", 68), ("respiration_rate", 15))
    expect(backend, "radar_tinyframe", ("presence", 1))
    expect(backend, "hlk_ld2410", ("presence", 1))
    assert events(backend) == []


def test_what_was_stored_comes_in_as_history_with_its_own_time_and_once(home: SerialHome, backend: Backend, bench: Bench) -> None:
    expect(backend, "bp_visomat", ("blood_pressure_systolic", 151), ("blood_pressure_diastolic", 93))
    expect(backend, "contec_v7", ("spo2", 91), ("heart_rate", 88), ("spo2", 97))
    measured_at = YESTERDAY.replace(tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)
    assert starts(backend, "bp_visomat", "blood_pressure_systolic") == {measured_at}
    assert measured_at in starts(backend, "contec_v7", "spo2")
    assert ("blood_pressure_systolic", 120) not in readings(backend, "bp_visomat")
    assert marks(backend, "bp_visomat", "blood_pressure_systolic") == {True}
    assert marks(backend, "contec_v7", "spo2") == {True, False}, "the night, and now"
    eventually(lambda: any(one.rejects.get("clock") for one in backend.statuses[-1].devices if one.id == "bp_visomat"), what="the clock")
    eventually((home.folder / "outbox.sqlite.records").exists, what="the mark on disk")
    home.stop()
    before, seen = sequences(backend, "bp_visomat"), len(backend.batches)
    home.start()
    eventually(lambda: any(series.device == "bci_oximeter" for one in backend.batches[seen:] for series in one.series), what="the restart")
    with bench.hold:  # its thread may be at the line
        home.lines["bp_visomat"].unplug()
        home.lines["bp_visomat"].plug()
    eventually(lambda: home.lines["bp_visomat"].is_heard(), what="the cuff's port")
    expect_more(backend, "bci_oximeter")
    assert sequences(backend, "bp_visomat") == before


def test_a_silent_device_is_lost_after_its_quiet_time_and_found_when_it_speaks_again(
    home: SerialHome, backend: Backend, bench: Bench
) -> None:
    expect(backend, "bci_oximeter", ("heart_rate", 83))
    bench.mute(home.lines["bci_oximeter"])
    eventually(lambda: ("bci_oximeter", "device_lost") in events(backend), what="the loss")
    bench.mute(home.lines["bci_oximeter"], is_mute=False)
    eventually(lambda: ("bci_oximeter", "device_found") in events(backend), what="the return")
    assert events(backend) == [("bci_oximeter", "device_lost"), ("bci_oximeter", "device_found")]


def test_a_port_that_was_pulled_out_comes_back_by_itself(home: SerialHome, backend: Backend, bench: Bench) -> None:
    expect(backend, "contec_v7", ("heart_rate", 72))
    pull(home.lines["contec_v7"], bench)
    eventually(lambda: ("contec_v7", "device_lost") in events(backend), what="the loss")
    with bench.hold:
        home.contec7.pulse = 99
        home.lines["contec_v7"].plug()
    expect(backend, "contec_v7", ("heart_rate", 99))
    assert events(backend)[-1] == ("contec_v7", "device_found")


def pull(line: SerialBridge, bench: Bench) -> None:
    with bench.hold:
        line.unplug()


def test_a_device_that_needs_it_is_kept_alive(home: SerialHome) -> None:
    eventually(lambda: KEEP_ALIVE in home.contec7.commands, what="the keep-alive")


def test_a_fall_that_is_reported_again_and_again_is_one_event(home: SerialHome, backend: Backend, bench: Bench) -> None:
    expect(backend, "radar_tinyframe", ("presence", 1))
    with bench.hold:
        home.fall_radar.is_fallen = True
    eventually(lambda: ("radar_tinyframe", "fall") in events(backend), what="the fall")
    seen = len(backend.batches)
    eventually(lambda: len(backend.batches) > seen + 10, what="a second more")
    assert events(backend) == [("radar_tinyframe", "fall")]
