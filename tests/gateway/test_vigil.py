"""What the vigil makes of the loop's steps, minute by minute; time is a number that tests move."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contract.status import GatewayStatus
from gateway.metrics import State
from gateway.systemd import Systemd
from gateway.vigil import PROOF_AGE_MAX_S, PROOF_S, STILL_MAX_S, Parts, Vigil
from tests.gateway.home import NOW


class House:
    """What the vigil looks at, with a systemd that expects a word each 20 s."""

    def __init__(self, folder: Path, ear: socket.socket) -> None:
        self.now_s = 1000.0
        self.writes = 0
        self.proofs = 0
        self.are_ports_read = True
        self.longest_s = -1.0
        self._ear = ear
        parts = Parts(lambda: self.writes, self._prove, lambda: self.are_ports_read, self._look)
        self.vigil = Vigil(parts, Systemd({"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "20000000"}), lambda: self.now_s)

    def _prove(self) -> None:
        self.proofs += 1
        self.writes += 1

    def _look(self, step_s_max: float) -> State:
        self.longest_s = step_s_max
        return State(NOW, GatewayStatus(online=True, at=NOW), is_connected=True, in_flight=0, step_s_max=step_s_max, ports={})

    def live(self, count_s: int, step_s: float = 1.0) -> None:
        """Step for so long."""
        for _ in range(round(count_s / step_s)):
            self.now_s += step_s
            self.vigil.step()

    def heard(self) -> list[str]:
        """What systemd was told since it was asked last."""
        words: list[str] = []
        while True:
            try:
                words.append(self._ear.recv(100).decode())
            except BlockingIOError:
                return words


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        made = House(tmp_path, ear)
        made.vigil.begin()
        yield made


def wrong(said: tuple[bool, str]) -> set[str]:
    """Names of what is wrong; the word for programs must agree with it."""
    is_well, body = said
    found = json.loads(body)
    assert found["ok"] is is_well is (not found["wrong"])
    return {*found["wrong"]}


def test_a_loop_that_steps_is_alive_and_ready_and_systemd_hears_it(house: House) -> None:
    house.live(21)
    assert house.heard() == ["READY=1"] + ["WATCHDOG=1"] * 5
    assert wrong(house.vigil.alive()) == wrong(house.vigil.ready()) == set()


def test_a_loop_that_stands_still_is_not_alive_and_systemd_hears_nothing(house: House) -> None:
    house.live(10)
    house.heard()
    house.now_s += STILL_MAX_S + 0.1
    assert wrong(house.vigil.alive()) == wrong(house.vigil.ready()) == {"main_loop"}
    assert house.heard() == []


def test_a_loop_that_steps_again_is_alive_again(house: House) -> None:
    house.now_s += 100
    house.live(1)
    assert wrong(house.vigil.alive()) == set()


def test_a_port_without_its_thread_keeps_the_word_from_systemd(house: House) -> None:
    house.live(10)
    house.heard()
    house.are_ports_read = False
    house.live(30)
    assert house.heard() == []
    assert wrong(house.vigil.alive()) == {"ports"}


def test_before_the_start_nothing_is_alive(tmp_path: Path) -> None:
    parts = Parts(lambda: 0, lambda: None, lambda: True, lambda _: pytest.fail("nobody asked"))
    assert wrong(Vigil(parts, Systemd({}), lambda: 5.0).alive()) == {"main_loop"}


def test_a_quiet_outbox_is_tried_once_a_minute(house: House) -> None:
    house.live(round(5 * PROOF_S) + 10)
    assert house.proofs in (4, 5)


def test_an_outbox_that_is_written_needs_no_trial(house: House) -> None:
    for _ in range(30):
        house.writes += 1
        house.live(10)
    assert house.proofs == 0


def test_an_outbox_that_was_not_written_for_too_long_is_not_ready(house: House) -> None:
    house.live(1)
    house.now_s += PROOF_AGE_MAX_S + 1
    assert wrong(house.vigil.ready()) == {"main_loop", "outbox"}


def test_the_longest_step_is_told_for_a_minute_and_then_forgotten(house: House) -> None:
    house.vigil.is_watched = True
    house.live(5, step_s=0.25)
    house.now_s += 3.0
    house.vigil.step()
    house.live(20, step_s=0.25)
    assert house.longest_s == 3.0
    house.live(60, step_s=0.25)
    assert house.longest_s == 0.25


def test_nobody_looks_while_nobody_may_ask(house: House) -> None:
    house.live(10)
    assert house.longest_s == -1.0
    assert house.vigil.metrics() is None


def test_the_end_is_told(house: House) -> None:
    house.heard()
    house.vigil.end()
    assert house.heard() == ["STOPPING=1"]
