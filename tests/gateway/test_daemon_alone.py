"""A whole gateway that nobody answers: a wearable, a siren, a modem on a pty and a real broker, with a kill in between."""

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.events import EventKind, read_remark
from simulators.gsm_modem import Manners, SimulatedModem
from simulators.servers import Broker, installed_brokers
from simulators.wire import SosKind
from tests.gateway.backend import Backend, clear_status
from tests.gateway.home import eventually
from tests.gateway.test_daemon import House, press, silent, today

pytestmark = [pytest.mark.system, pytest.mark.parametrize("broker", installed_brokers()[:1], indirect=True)]

ONE, TWO = "+8613800138000", "+8613900139000"


class Alone(House):
    """A home with a siren and a modem."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        super().__init__(folder, broker)
        self.modem = SimulatedModem(folder / "modem")

    def begin(self, **changes: Any) -> "Alone":
        alarm = {
            "answer_wait_s": 1,
            "siren": ["sh", "-c", f"echo $$ >> {self.folder}/rings; exec sleep 60"],
            "contacts": [ONE, TWO],
            "modem_path": str(self.folder / "modem"),
            "place": "王奶奶家",
        }
        self.start(local_alarm=alarm | changes)
        return self

    def press(self, frame: bytes) -> None:
        """As the wearable does it: again and again until the gateway has it on disk."""
        self.acks.clear()
        self.until(lambda: self.acks, every=lambda: self.line.write(frame))

    def on_disk_of(self, kind: EventKind) -> int:
        return self.on_disk(where=f"""body LIKE '%"kind":"{kind}"%'""")

    @property
    def rings(self) -> list[int]:
        path = self.folder / "rings"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    @property
    def numbers(self) -> list[str]:
        return [one.number for one in self.modem.taken]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def house(broker: Broker, tmp_path: Path) -> Iterator[Alone]:
    home = Alone(tmp_path, broker)
    home.line.plug()
    with home.modem:
        yield home
        if home.is_alive:
            home.end(signal.SIGKILL)
    home.line.unplug()
    for pid in filter(is_alive, home.rings):
        os.kill(pid, signal.SIGKILL)
    clear_status(broker)


def remarks(backend: Backend, kind: EventKind) -> list[dict[str, str]]:
    """Of each event once, whatever was sent twice."""
    return [read_remark(detail) for detail in {one.event_id: one.detail for one in backend.events if one.kind is kind}.values()]


def told(backend: Backend) -> set[tuple[str, str]]:
    return {(one["contact"], one["result"]) for one in remarks(backend, EventKind.ALONE_SMS)}


def test_a_home_that_nobody_answers_acts_alone_and_says_so_later(house: Alone, broker: Broker) -> None:
    house.begin()
    house.press(press(1))
    house.until(lambda: len(house.modem.taken) == 2 and house.rings)
    assert house.numbers == [ONE, TWO]
    assert all(one.is_ucs2 and one.text.startswith("【家护】王奶奶家") and "按下求助" in one.text for one in house.modem.taken)
    assert [is_alive(pid) for pid in house.rings] == [True]
    with Backend(broker) as backend:
        backend.listen()
        house.until(lambda: {("1", "delivered"), ("2", "delivered")} <= told(backend))
        assert told(backend) == {(contact, result) for contact in "12" for result in ("sent", "delivered")}
        assert remarks(backend, EventKind.ACTED_ALONE) == [{"event": today("00aa-1"), "siren": "on", "contacts": "2"}]
        house.until(lambda: not any(map(is_alive, house.rings)))
    assert len(house.modem.taken) == 2 and len(house.rings) == 1
    log = house.log.read_text("utf-8")
    assert ONE[1:] not in log and TWO[1:] not in log and "王奶奶" not in log


def test_a_gateway_killed_after_its_first_message_does_the_rest_and_nothing_twice(house: Alone, broker: Broker) -> None:
    house.modem.manners.accept_s = 2  # the card is gone before the second is taken
    house.begin()
    house.press(press(2))
    house.until(lambda: len(house.modem.taken) == 1)
    house.modem.manners.sim = "none"
    house.until(lambda: house.rings and house.on_disk_of(EventKind.ALONE_SMS) >= 1)
    house.end(signal.SIGKILL)
    assert [is_alive(pid) for pid in house.rings] == [True]
    house.modem.manners.sim = "ready"
    house.begin()
    house.until(lambda: len(house.modem.taken) == 2)
    with Backend(broker) as backend:
        backend.listen()
        house.until(lambda: {("1", "sent"), ("2", "sent")} <= told(backend))
        house.until(lambda: not any(map(is_alive, house.rings)))
    assert house.numbers == [ONE, TWO] and len(house.rings) == 1


def test_a_gateway_killed_while_it_waits_still_acts(house: Alone, broker: Broker) -> None:
    house.begin(answer_wait_s=3)
    house.press(press(3))
    house.end(signal.SIGKILL)
    assert house.rings == [] and house.modem.taken == []
    house.begin(answer_wait_s=3)
    house.until(lambda: house.numbers == [ONE, TWO] and house.rings)


def test_a_press_that_is_answered_disturbs_nobody(house: Alone, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.begin()
        house.press(press(4))
        house.until(lambda: house.on_disk(where="is_event") == 0)
        steps = itertools.count()
        house.until(lambda: next(steps) > 250)
        assert remarks(backend, EventKind.ACTED_ALONE) == [] and house.rings == [] and house.modem.taken == []


def test_a_press_taken_back_in_time_disturbs_nobody(house: Alone, broker: Broker) -> None:
    house.begin(answer_wait_s=3)
    with Backend(broker, answer=silent) as backend:
        house.press(press(5))
        house.press(press(50, SosKind.CANCELLED))
        steps = itertools.count()
        house.until(lambda: next(steps) > 450)
        assert remarks(backend, EventKind.ACTED_ALONE) == [] and house.rings == [] and house.modem.taken == []


def test_a_modem_without_a_sim_is_reported_and_the_siren_rings_all_the_same(house: Alone, broker: Broker) -> None:
    house.modem.manners = Manners(sim="none")
    house.begin()
    house.press(press(6))
    house.until(lambda: house.rings and house.on_disk_of(EventKind.MODEM_FAILED))
    with Backend(broker) as backend:
        backend.listen()
        house.until(lambda: len(told(backend)) == 2)
        results = remarks(backend, EventKind.ALONE_SMS)
        assert {(one["contact"], one["result"], one["reason"]) for one in results} == {("1", "failed", "no_sim"), ("2", "failed", "no_sim")}
        assert remarks(backend, EventKind.MODEM_FAILED) == [{"reason": "no_sim"}]
        eventually(lambda: not any(map(is_alive, house.rings)))
