"""A home with Bluetooth devices alone: peripherals, a dongle behind a pseudo terminal, the gateway's daemon, a real broker."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from contract.commands import Dismiss, Enrol
from contract.topics import Leaf
from gateway.config import BROKER_PASSWORD
from simulators.bluetooth import values
from simulators.bluetooth.air import Air
from simulators.bluetooth.devices import Belt, Cuff, GlucoseMeter, Scale
from simulators.bluetooth.peripheral import BONDED, Security
from simulators.servers import Broker, installed_brokers
from tests.gateway.backend import Backend, clear_status
from tests.gateway.home import eventually, toml

pytestmark = [pytest.mark.system, pytest.mark.parametrize("broker", installed_brokers()[:1], indirect=True)]

HOUSE = Path(__file__).parents[2]
NOW = datetime.now(ZoneInfo("Asia/Shanghai")).replace(tzinfo=None, microsecond=0)
SYSTOLIC = "blood_pressure_systolic"


class Home:
    """The air, the devices in it, and the gateway."""

    def __init__(self, folder: Path, broker: Broker, air: Air) -> None:
        self.folder, self.air = folder, air
        self.cuff = Cuff("C1:00:00:00:00:01", BONDED)
        self.cuff.is_stubborn = True
        self.cuff.stored = [values.blood_pressure(140 + days, 90, None, 70, NOW - timedelta(days=days)) for days in range(10, 0, -1)]
        self.belt = Belt("C1:00:00:00:00:02")
        self.meter = GlucoseMeter("C1:00:00:00:00:03", Security(True, passkey=4217))
        self.meter.records = {1: values.glucose(1, NOW - timedelta(days=1), 7.5), 2: values.glucose(2, NOW, 3.1)}
        home = {
            "gateway_id": "gw-1",
            "broker": {"host": broker.host, "port": broker.port, "protocol": broker.protocol, "reconnect_max_s": 1},
            "outbox": {"path": str(folder / "outbox.sqlite")},
            "send": {"batch_interval_s": 0.1, "status_interval_s": 0.5},
            "bluetooth": {"transport": f"serial:{air.link},115200", "retry_s": 0.2, "retry_max_s": 0.5, "step_timeout_s": 3},
            "port": [],
        }
        devices = [
            f'{{ id = "cuff", address = "{self.cuff.address}" }}',
            f'{{ id = "belt", address = "{self.belt.address}", quiet_s = 2 }}',
        ]
        meter = f'{{ id = "meter", address = "{self.meter.address}", passkey = "004217" }}'
        (folder / "gateway.toml").write_text(f"{toml(home)}\ndevice = [{', '.join([*devices, meter])}]\n", "utf-8")
        self._password = broker.accounts["gw-1"]
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run", "--config", str(self.folder / "gateway.toml")],
                cwd=HOUSE,
                env=os.environ | {BROKER_PASSWORD: self._password},
                stderr=log,
            )

    def end(self, number: int = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return self._process.wait(20)


@pytest.fixture
def backend(broker: Broker) -> Iterator[Backend]:
    with Backend(broker) as one:
        yield one
    clear_status(broker)


@pytest.fixture
def home(tmp_path: Path, broker: Broker, backend: Backend) -> Iterator[Home]:
    with Air(tmp_path / "dongle") as air:
        one = Home(tmp_path, broker, air)
        yield one
        assert one.end() == 0


def told(backend: Backend, device: str, quantity: str, *, is_history: bool | None = None) -> list[float]:
    """Values as the backend has them: a batch that is sent twice counts once."""
    series = {
        (batch.first, at): one
        for batch in backend.batches
        for at, one in enumerate(batch.series)
        if (one.device, one.quantity) == (device, quantity) and is_history in (None, one.is_history)
    }
    return [value for one in series.values() for value in one.values]


def events(backend: Backend) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one.device, str(one.kind)) for one in backend.events))


def test_from_the_skin_to_the_broker(home: Home, backend: Backend) -> None:
    home.air.add(home.cuff, home.belt, home.meter)
    eventually(lambda: 72 in told(backend, "belt", "heart_rate"), what="the belt")
    eventually(lambda: len(told(backend, "cuff", SYSTOLIC, is_history=True)) == 10, what="the cuff's memory")
    eventually(lambda: told(backend, "meter", "glucose", is_history=True) == [7.5], what="the meter's memory")
    eventually(lambda: told(backend, "meter", "glucose", is_history=False) == [3.1], what="the new result")
    home.air.start(home.cuff.measure(values.blood_pressure(171, 99, None, 80, NOW)))
    eventually(lambda: told(backend, "cuff", SYSTOLIC, is_history=False) == [171], what="the measurement")
    eventually((home.folder / "outbox.sqlite.records").exists, what="the marks on disk")

    home.air.lose(home.belt)
    eventually(lambda: ("belt", "device_lost") in events(backend), what="the gap")
    home.end(signal.SIGKILL)
    home.air.do(home.cuff.hang_up())
    connections = home.cuff.connections
    home.start()
    home.air.do(home.belt.advertise())
    eventually(lambda: home.cuff.connections > connections + 0 and 0x2A35 in home.cuff.subscribed, what="the cuff again")
    seen = len(told(backend, "belt", "heart_rate"))
    eventually(lambda: len(told(backend, "belt", "heart_rate")) > seen, what="the belt again")
    assert sorted(told(backend, "cuff", SYSTOLIC)) == [*range(141, 151), 171]

    home.air.do(home.cuff.forget_bonds())
    home.air.do(home.cuff.hang_up())
    eventually(lambda: ("cuff", "pairing_needed") in events(backend), what="the lost bond")
    status = {device.id: device for device in backend.statuses[-1].devices}
    assert status["cuff"].model == "ACME Cuff 7"
    assert set(status) == {"bluetooth", "cuff", "belt", "meter"}
    until = datetime.now(UTC) + timedelta(minutes=1)
    backend.say(Enrol(id=1, device="cuff", address=home.cuff.address, until=until), Leaf.COMMAND)
    eventually(lambda: len({one.event_id for one in backend.events if (one.device, one.kind) == ("cuff", "paired")}) == 2, what="the bond")


def test_a_device_is_enrolled_from_the_console(home: Home, backend: Backend) -> None:
    scale = Scale("C1:00:00:00:00:09", BONDED)
    home.air.add(scale)
    eventually(lambda: backend.statuses and backend.statuses[-1].nearby, what="the scale to be heard")
    (heard,) = backend.statuses[-1].nearby
    assert (heard.address, heard.name, heard.services) == (scale.address, "Scale", ["scale", "body composition"])
    until = datetime.now(UTC) + timedelta(minutes=1)
    backend.say(Enrol(id=1, device="scale", address=heard.address, until=until), Leaf.COMMAND)
    eventually(lambda: 0x2A9D in scale.subscribed, what="the scale to be read")
    home.air.start(scale.measure(values.weight(61.5)))
    eventually(lambda: told(backend, "scale", "weight") == [61.5], what="the weight")
    assert backend.statuses[-1].nearby == []
    assert home.end() == 0
    home.start()
    home.air.start(scale.measure(values.weight(62.5)))
    eventually(lambda: told(backend, "scale", "weight") == [61.5, 62.5], what="the weight after a restart")
    backend.say(Dismiss(id=2, device="scale", until=until), Leaf.COMMAND)
    eventually(lambda: "scale" not in {device.id for device in backend.statuses[-1].devices}, what="the scale to be forgotten")
