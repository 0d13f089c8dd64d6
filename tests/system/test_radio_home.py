"""A home full of radio devices through the whole gateway: receivers on ptys, rtl_433 as a child, zigbee2mqtt on a broker of its own.

Real processes, real ports, two real brokers; only what is heard on the air is simulated.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.events import Event
from contract.readings import SeriesBatch
from contract.status import GatewayStatus
from gateway.config import BROKER_PASSWORD
from simulators.instruments.bench import Bench
from simulators.instruments.receivers import EnoceanReceiver, RflinkReceiver, RfxtrxReceiver
from simulators.instruments.rtl433 import DEATH, press
from simulators.servers import Broker, installed_brokers
from tests.gateway.backend import Backend, clear_status
from tests.gateway.home import WAIT_S, eventually
from tests.gateway.home_broker import PROGRAM, HomeBroker

pytestmark = [
    pytest.mark.system,
    pytest.mark.parametrize("broker", installed_brokers()[:1], indirect=True),
    pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed"),
]

HOUSE = Path(__file__).parents[2]
CONFIG = """
gateway_id = "gw-1"
[broker]
host = "{host}"
port = {port}
protocol = "{protocol}"
[outbox]
path = "{folder}/outbox.sqlite"
[send]
batch_interval_s = 0.1
status_interval_s = 0.5

[[port]]
path = "{folder}/enocean"
[[port.device]]
id = "enocean"
type = "enocean_esp3"
enrolled = [
    {{ id = "pendant-1", address = "00298979", meaning = "sos", eep = "F6-02-02" }},
    {{ id = "front-door", address = "01825dab", meaning = "door" }},
    {{ id = "bedroom", address = "0181b744", meaning = "climate", eep = "A5-02-05" }},
]

[[port]]
path = "{folder}/rflink"
[[port.device]]
id = "rflink"
type = "rflink"
enrolled = [{{ id = "pendant-2", address = "EV1527/00042e", meaning = "sos" }}]

[[port]]
path = "{folder}/rfxtrx"
[[port.device]]
id = "rfxtrx"
type = "rfxtrx"
enrolled = [{{ id = "pendant-3", address = "d3dc54", meaning = "sos" }}]

[[port]]
path = 'exec:{rtl433}'
[[port.device]]
id = "radio"
type = "rtl433_json"
enrolled = [{{ id = "pendant-4", address = "Smoke-GS558/27111", meaning = "sos" }}]

[[port]]
path = "mqtt://127.0.0.1:{home_port}/zigbee2mqtt/#"
[[port.device]]
id = "zigbee"
type = "zigbee2mqtt"
enrolled = [
    {{ id = "pendant-5", address = "0x00158d0001a2b3c4", meaning = "sos" }},
    {{ id = "kitchen", address = "kitchen", meaning = "smoke" }},
]
"""


class RadioHome:
    """The receivers, what is on the air, the gateway, and the backend that hears it."""

    def __init__(self, folder: Path, broker: Broker, home_broker: HomeBroker, bench: Bench, backend: Backend) -> None:
        self.air = folder / "air"
        self.air.touch()
        self.zigbee, self.bench, self.backend = home_broker, bench, backend
        self.enocean, self.rflink, self.rfxtrx = EnoceanReceiver(), RflinkReceiver(), RfxtrxReceiver()
        for name, receiver in (("enocean", self.enocean), ("rflink", self.rflink), ("rfxtrx", self.rfxtrx)):
            bench.attach(folder / name, receiver)
        values = {"host": broker.host, "port": broker.port, "protocol": broker.protocol, "folder": folder, "home_port": home_broker.port}
        program = shlex.join([sys.executable, "-m", "simulators.instruments.rtl433", str(self.air)])
        (folder / "gateway.toml").write_text(CONFIG.format(rtl433=program, **values), "utf-8")
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", "--config", str(folder / "gateway.toml")],
            cwd=HOUSE,
            env=os.environ | {BROKER_PASSWORD: broker.accounts["gw-1"]},
            stderr=self._log,
        )

    def stop(self) -> int:
        """End the gateway. Returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(WAIT_S)
        self._log.close()
        return code

    def publish(self, device: str, state: dict[str, object], *, is_retained: bool = False) -> None:
        """What zigbee2mqtt says of a device."""
        self.zigbee.publish(f"zigbee2mqtt/{device}", json.dumps(state), is_retained=is_retained)

    def press_in_the_air(self) -> None:
        """The pendant that rtl_433 hears."""
        with self.air.open("a", encoding="utf-8") as air:
            air.write(press("Smoke-GS558", 27111, "8d3cf6"))

    def events(self) -> list[tuple[str, str]]:
        """Device and kind of each event that the backend has heard, in order and once."""
        heard = [one.message for one in self.backend.heard if isinstance(one.message, Event)]
        return [(device, str(kind)) for _, device, kind in dict.fromkeys((one.event_id, one.device, one.kind) for one in heard)]

    def rejects(self, device: str) -> dict[str, int]:
        """What the gateway counts as refused, by the latest status."""
        states = [one.message for one in self.backend.heard if isinstance(one.message, GatewayStatus)]
        return next((dict(one.rejects) for one in states[-1].devices if one.id == device), {}) if states else {}

    def temperatures(self) -> list[tuple[str, float]]:
        """Room temperatures that the backend has heard."""
        batches = [one.message for one in self.backend.heard if isinstance(one.message, SeriesBatch)]
        return [(series.device, value) for batch in batches for series in batch.series for value in series.values]


@pytest.fixture
def home(tmp_path: Path, broker: Broker) -> Iterator[RadioHome]:
    zigbee = HomeBroker(tmp_path)
    zigbee.start()
    zigbee.publish("zigbee2mqtt/0x00158d0001a2b3c4", '{"action": "emergency"}', is_retained=True)
    with Bench() as bench, Backend(broker) as backend:
        one = RadioHome(tmp_path, broker, zigbee, bench, backend)
        eventually(lambda: (tmp_path / "log").read_text("utf-8").count("is open") >= 3, what="three ports to open")
        eventually(lambda: "listening to mqtt://" in (tmp_path / "log").read_text("utf-8"), what="the topic")
        yield one
        assert one.stop() == 0
    zigbee.stop()
    clear_status(broker)


def test_each_press_of_each_pendant_arrives_once(home: RadioHome) -> None:
    with home.bench.hold:
        home.enocean.press("00298979")
        home.rflink.press("EV1527", "00042e")
    home.press_in_the_air()
    home.publish("0x00158d0001a2b3c4", {"action": "emergency"})
    wanted = {(f"pendant-{number}", "sos") for number in (1, 2, 4, 5)}
    eventually(lambda: wanted <= set(home.events()), what=f"{wanted}")
    eventually(lambda: home.rfxtrx.is_asked, what="the start of the RFXtrx")
    with home.bench.hold:
        home.rfxtrx.security("d3dc54", 6)
    eventually(lambda: ("pendant-3", "sos") in home.events(), what="the fifth pendant")
    assert sorted(home.events()) == [(f"pendant-{number}", "sos") for number in range(1, 6)]


def test_doors_smoke_and_rooms_arrive_and_strangers_are_only_counted(home: RadioHome) -> None:
    with home.bench.hold:
        home.enocean.move_door("01825dab", is_open=True)
        home.enocean.press("0badcafe")
        home.enocean.tell_temperature("0181b744", 19.5)
    home.publish("kitchen", {"smoke": True, "battery": 80})
    eventually(lambda: {("front-door", "door_opened"), ("kitchen", "smoke")} <= set(home.events()), what="door and smoke")
    eventually(lambda: any(device == "bedroom" and 19 < value < 20 for device, value in home.temperatures()), what="the room's temperature")
    eventually(lambda: home.rejects("enocean").get("stranger") == 6, what="the stranger")
    assert not [device for device, kind in home.events() if kind == "sos"]


def test_a_program_that_dies_is_started_again_and_hears_the_next_press(home: RadioHome) -> None:
    with home.air.open("a", encoding="utf-8") as air:
        air.write(DEATH)
    time_s = time.monotonic()
    home.press_in_the_air()
    eventually(lambda: ("pendant-4", "sos") in home.events(), what="the press after the death")
    assert time.monotonic() - time_s < WAIT_S
    assert ("radio", "device_lost") not in home.events()
