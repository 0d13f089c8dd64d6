"""The whole gateway as systemd and Prometheus see it: a real notification socket, a real port, and a daemon stopped in its tracks."""

import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from simulators.servers import Broker, free_port, installed_brokers
from tests.gateway.backend import Backend, clear_status
from tests.gateway.home import WAIT_S, eventually
from tests.gateway.test_daemon import House, press, vitals

pytestmark = [pytest.mark.system, pytest.mark.parametrize("broker", installed_brokers()[:1], indirect=True)]

WATCHDOG_S = 0.4


class Watched(House):
    """A home whose gateway is a service: it has a socket to systemd and a port for Prometheus."""

    def __init__(self, folder: Path, broker: Broker, ear: socket.socket) -> None:
        super().__init__(folder, broker)
        self.port = free_port()
        self._ear = ear

    def begin(self, **changes: Any) -> "Watched":
        self.start(metrics={"port": self.port}, **changes)
        return self

    def words(self) -> list[str]:
        """What systemd was told since it was asked last."""
        found: list[str] = []
        while True:
            try:
                found.append(self._ear.recv(100).decode())
            except BlockingIOError:
                return found

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=WAIT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except urllib.error.URLError:
            return 0, ""  # it does not listen yet

    def figures(self) -> dict[tuple[str, ...], float]:
        """(name without prefix, label values) -> value."""
        status, page = self.ask("/metrics")
        if status in (0, 503):  # not started yet
            return {}
        assert status == 200, page
        families = text_string_to_metric_families(page)
        return {(one.name.removeprefix("jiahu_gateway_"), *one.labels.values()): one.value for family in families for one in family.samples}

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does; returns once it stands still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        eventually(lambda: psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED if self._process else False)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def house(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", str(round(WATCHDOG_S * 1e6)))
        home = Watched(tmp_path, broker, ear)
        home.line.plug()
        yield home
        if home.is_alive:
            home.end(signal.SIGKILL)
        home.line.unplug()
        clear_status(broker)


def test_systemd_hears_the_start_the_life_and_the_end(house: Watched, broker: Broker) -> None:
    said: list[str] = []
    house.begin()
    house.until(lambda: said.count("WATCHDOG=1") >= 10, every=lambda: said.extend(house.words()))
    assert said[0] == "READY=1"
    house.end(signal.SIGTERM)
    assert house.words()[-1] == "STOPPING=1"


def test_a_daemon_that_stands_still_says_nothing_to_systemd(house: Watched, broker: Broker) -> None:
    house.begin()
    house.until(lambda: "WATCHDOG=1" in house.words())
    house.freeze()
    house.words()
    over_s = time.monotonic() + 5 * WATCHDOG_S
    eventually(lambda: time.monotonic() > over_s)
    said = house.words()
    house.thaw()
    assert said == []
    house.until(lambda: "WATCHDOG=1" in house.words())


def test_what_waits_for_an_absent_backend_is_seen(house: Watched, broker: Broker) -> None:
    house.begin()
    for _ in range(10):
        house.line.write(vitals())
    house.line.write(press(1) + b"\x05\x01\x02\x03\x04\x00")
    house.until(lambda: house.figures().get(("outbox_waiting_entries",)) == 21)
    found = house.figures()
    assert found["connected",] == 1 and found["in_flight_messages",] > 0
    assert found["device_frames_total", "wearable-1", "jiahu_wearable"] == 11
    assert sum(value for key, value in found.items() if key[0] == "device_rejects_total") == 1
    assert found["port_open", str(house.line.link)] == 1
    assert 0 < found["step_seconds_max",] < WAIT_S
    with Backend(broker):
        house.until(lambda: house.figures()["outbox_waiting_entries",] == 0 == house.figures()["outbox_oldest_seconds",])


def test_a_gateway_that_works_is_healthy_and_ready(house: Watched, broker: Broker) -> None:
    house.begin()
    house.until(lambda: house.ask("/readyz")[0] == house.ask("/healthz")[0] == 200)
    house.until(lambda: '"connected": true' in house.ask("/readyz")[1])


def test_a_port_that_is_taken_does_not_keep_a_home_from_being_heard(house: Watched, broker: Broker) -> None:
    with Backend(broker) as backend, socket.create_server(("127.0.0.1", house.port)):
        house.begin().line.write(vitals(81))
        house.until(lambda: backend.batches)
        assert house.said("cannot serve metrics") == 1
