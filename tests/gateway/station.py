"""A publisher with its outbox before a real broker, for the tests of sending."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contract.commands import Command
from contract.status import GatewayStatus
from gateway.clock import Word
from gateway.config import BROKER_PASSWORD
from gateway.outbox import Outbox
from gateway.publisher import Publisher, Refusal
from simulators.servers import Broker
from tests.gateway.backend import Heard, clear_status
from tests.gateway.home import NOW, config, eventually

START_S = 1000.0

MakeStation = Callable[..., "Station"]


def silent(heard: Heard) -> None:
    return None


class Station:
    """A publisher with its outbox, and the clock that a test turns."""

    def __init__(self, folder: Path, broker: dict[str, Any], send: dict[str, Any]) -> None:
        self.settings = config(folder, broker=broker, send={"batch_interval_s": 5} | send)
        self.outbox = Outbox(self.settings.outbox.path, self.settings.outbox.rows_max)
        self.outbox.open()
        self.publisher = Publisher(self.settings, self.outbox, self._status, now=NOW)
        self.now_s = START_S
        self.commands: list[Command] = []
        self.refusals: list[Refusal] = []
        self.words: list[Word] = []

    def start(self) -> "Station":
        self.publisher.start()
        self.until(lambda: self.publisher.is_connected)
        return self

    def pump(self) -> None:
        heard = self.publisher.pump(now=NOW, now_s=self.now_s)
        self.commands += heard.commands
        self.refusals += heard.refusals
        self.words += heard.words

    def until(self, condition: Callable[[], object]) -> None:
        """Pump until `condition` holds; the clock stands still."""

        def pumped() -> object:
            self.pump()
            return condition()

        eventually(pumped)

    def after(self, passed_s: float) -> "Station":
        self.now_s += passed_s
        return self

    def acknowledged(self) -> "Station":
        """Wait for the broker's word on all that was sent: what it has not taken yet is not sent again, however late."""
        self.until(lambda: all(sent.delivery.is_published() for sent in self.publisher._in_flight.values()))
        return self

    def close(self) -> None:
        self.publisher.stop(NOW)
        self.outbox.close()

    def _status(self, now: datetime) -> GatewayStatus:
        return GatewayStatus(online=True, at=now, waiting=self.outbox.waiting)


@pytest.fixture
def make_station(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeStation]:
    """Makes the station of gw-1, not started yet; it is closed after the test."""
    made: list[Station] = []

    def make(*, password: str | None = None, port: int | None = None, **send: Any) -> Station:
        monkeypatch.setenv(BROKER_PASSWORD, password or broker.accounts["gw-1"])
        where = {"host": broker.host, "port": port or broker.port, "protocol": broker.protocol, "reconnect_max_s": 1}
        made.append(Station(tmp_path, where, send))
        return made[-1]

    yield make
    for station in made:
        station.close()
    clear_status(broker)


@pytest.fixture
def station(make_station: MakeStation) -> Station:
    return make_station()
