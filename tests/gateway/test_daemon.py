"""The whole gateway as a process: a pty on one side, a real broker on the other, and a kill in between."""

import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.commands import LiveView, Report, Speak
from contract.events import EventKind
from contract.topics import Leaf
from gateway.bridges.framing import Frame, FrameReader, seal
from gateway.config import BROKER_PASSWORD
from simulators.serial_bridge import SerialBridge
from simulators.servers import Broker, installed_brokers
from simulators.wire import Ack, EventKey, FrameType, SosKind, WearableVitals, parse_ack, sos, wearable_vitals
from tests.gateway.backend import Backend, Heard, clear_status, refused, stored
from tests.gateway.home import NOW, WAIT_S, WEARABLE, eventually, toml

pytestmark = [pytest.mark.system, pytest.mark.parametrize("broker", installed_brokers()[:1], indirect=True)]

HOUSE = Path(__file__).parents[2]
ADDRESS = 7


def today(key: str) -> str:
    """Event id of a key of the wearable that happened today."""
    return f"wearable-1:{key}-{datetime.now(UTC):%Y%m%d}"


def silent(heard: Heard) -> None:
    return None


def vitals(heart_rate: int = 72) -> bytes:
    values = WearableVitals(heart_rate=heart_rate, spo2=97, skin_temperature=None, steps=None, battery=None, is_worn=True)
    return seal(Frame(FrameType.WEARABLE_VITALS, ADDRESS, 0, wearable_vitals(values)))


def press(event: int, kind: SosKind = SosKind.PRESSED) -> bytes:
    return seal(Frame(FrameType.SOS, ADDRESS, 0, sos(EventKey(0xAA, event), 0, kind)))


class House:
    """A home on this machine: its device's end of the line, its gateway as a process, its files."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder = folder
        self.outbox = folder / "outbox.sqlite"
        self.log = folder / "log"
        self.line = SerialBridge(folder / "bridge")
        self.acks: list[Ack] = []
        self._broker = broker
        self._reader = FrameReader()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **changes: Any) -> "House":
        """Start the gateway and wait until it has its port open."""
        settings: dict[str, Any] = {
            "gateway_id": "gw-1",
            "broker": {"host": self._broker.host, "port": self._broker.port, "protocol": self._broker.protocol, "reconnect_max_s": 1},
            "outbox": {"path": str(self.outbox)},
            "send": {"batch_interval_s": 0.05, "resend_s": 2, "resend_urgent_s": 5},
            "port": [{"path": str(self.line.link), "device": [WEARABLE]}],
        }
        config = self.folder / "gateway.toml"
        config.write_text(toml(settings | changes), "utf-8")
        said = self.said("is open")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run", "--config", str(config)],
                cwd=HOUSE,
                env=os.environ | {BROKER_PASSWORD: self._broker.accounts["gw-1"]},
                stderr=log,
            )
        self.until(lambda: self.said("is open") > said)
        return self

    def until(self, condition: Callable[[], object], *, every: Callable[[], object] = lambda: None) -> None:
        """Keep the line alive until `condition` holds, doing `every` meanwhile."""

        def lived() -> object:
            every()
            self.line.flush()
            self.hear()
            return condition()

        eventually(lived)

    def hear(self) -> None:
        """Take what the gateway has written to the line."""
        frames = [item for item in self._reader.feed(self.line.read()) if isinstance(item, Frame)]
        self.acks += [ack for ack in map(parse_ack, frames) if ack is not None]

    def said(self, text: str) -> int:
        """How many lines of the log have `text` in them."""
        return sum(text in line for line in self.log.read_text("utf-8").splitlines()) if self.log.exists() else 0

    def on_disk(self, what: str = "count(*)", where: str = "NOT is_event") -> int:
        """Ask the outbox file as another program."""
        with closing(sqlite3.connect(f"file:{self.outbox}?mode=ro", uri=True)) as db:
            return int(db.execute(f"SELECT {what} FROM entry WHERE {where}").fetchone()[0])

    def end(self, number: signal.Signals) -> int:
        """Send a signal to the gateway; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(WAIT_S)

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


@pytest.fixture
def house(broker: Broker, tmp_path: Path) -> Iterator[House]:
    home = House(tmp_path, broker)
    home.line.plug()
    yield home
    if home.is_alive:
        home.end(signal.SIGKILL)
    home.line.unplug()
    clear_status(broker)


def test_bytes_in_are_messages_out(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start().line.write(vitals(81))
        house.until(lambda: backend.batches)
        [batch] = backend.batches
        assert {(one.device, one.quantity, one.values[0]) for one in batch.series} == {
            ("wearable-1", "heart_rate", 81),
            ("wearable-1", "spo2", 97),
        }
        assert abs(time.time() - batch.series[0].start_at.timestamp()) < WAIT_S
        house.until(lambda: house.on_disk() == 0)


def reached(house: House, backend: Backend) -> int:
    """Highest sequence that is on disk or was heard."""
    return max(0, house.on_disk("coalesce(max(sequence), 0)"), *backend.sequences)


def live_and_be_killed(house: House, backend: Backend, sequence: int) -> None:
    """Run the gateway on a line that never falls silent, and kill it once it has reached `sequence`."""
    rates = itertools.cycle(range(50, 150))
    house.start()
    house.until(lambda: reached(house, backend) >= sequence, every=lambda: house.line.write(vitals(next(rates))))
    house.end(signal.SIGKILL)


def test_everything_on_disk_survives_kills_at_any_moment_and_arrives(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        for sequence in (40, 200, 210):
            live_and_be_killed(house, backend, sequence)
        last = reached(house, backend)
        house.start()
        house.until(lambda: house.on_disk() == 0 and {*backend.sequences} >= {*range(1, last + 1)})
    assert len({batch.log_id for batch in backend.batches}) == 1
    assert all(len(values) == 1 for values in values_by_sequence(backend).values())


def values_by_sequence(backend: Backend) -> dict[int, set[float]]:
    """What each sequence was said to be, repeats included."""
    values: dict[int, set[float]] = defaultdict(set)
    for batch in backend.batches:
        for series in batch.series:
            for offset, value in zip(series.sequences, series.values, strict=True):
                values[batch.first + offset].add(value)
    return values


def test_what_nobody_answered_before_the_kill_arrives_after_it(house: House, broker: Broker) -> None:
    with Backend(broker, silent) as backend:
        house.start()
        for _ in range(20):
            house.line.write(vitals())
        house.line.write(press(1))
        house.until(lambda: house.on_disk() == 40 and backend.events and len({*backend.sequences}) == 40)
        house.end(signal.SIGKILL)
        backend.heard.clear()
        backend.answer = stored
        house.start()
        house.until(lambda: house.on_disk(where="1") == 0)
    assert len({*backend.sequences}) == 40
    assert {event.event_id for event in backend.events} == {today("00aa-1")}


def test_a_press_is_answered_once_it_is_on_disk_and_becomes_one_event(house: House, broker: Broker) -> None:
    with Backend(broker, silent) as backend:
        house.start().line.write(press(1))
        house.until(lambda: house.acks)
        assert house.on_disk(where="is_event") == 1
        house.line.write(press(1) + press(2, SosKind.CANCELLED))
        house.until(lambda: len(house.acks) == 3 and len(backend.events) == 2)
    assert house.acks[0] == Ack(EventKey(0xAA, 1), FrameType.SOS)
    assert [(event.event_id, event.kind) for event in backend.events] == [
        (today("00aa-1"), EventKind.SOS),
        (today("00aa-2"), EventKind.SOS_CANCELLED),
    ]


def test_a_press_repeated_after_a_kill_is_answered_and_still_one_event(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start().line.write(press(1))
        house.until(lambda: len(house.acks) == 1)
        house.end(signal.SIGKILL)
        house.start().line.write(press(1))
        house.until(lambda: len(house.acks) == 2)
        house.line.write(press(2))
        house.until(lambda: house.on_disk(where="is_event") == 0 and len(house.acks) == 3)
    assert {event.event_id: event.sequence for event in backend.events} == {today("00aa-1"): 1, today("00aa-2"): 2}


def test_a_press_that_cannot_be_kept_is_not_answered_and_ends_the_gateway(house: House, broker: Broker) -> None:
    house.start()
    with closing(sqlite3.connect(house.outbox, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        house.line.write(press(1))
        house.until(lambda: not house.is_alive)
    assert (house.wait(), house.acks) == (3, [])
    assert house.said("jiahu gateway: cannot use the outbox") == 1
    house.start().line.write(press(1))
    house.until(lambda: house.acks)


def has_heard(backend: Backend, rate: int) -> bool:
    return any(rate in series.values for batch in backend.batches for series in batch.series)


@pytest.mark.parametrize(
    "noise", [random.Random(1).randbytes(3000), b"\xff" * 3000, bytes(1000), b"AT\r\n\x03\x04"], ids=["random", "high", "zero", "text"]
)
def test_garbage_on_the_line_costs_nothing_behind_it(noise: bytes, house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start().line.write(noise)
        house.line.write(vitals(88))
        house.until(lambda: has_heard(backend, 88))


def test_a_line_pulled_out_is_opened_again(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start().line.write(vitals(61)[:7])
        house.line.unplug()
        house.until(lambda: house.said("is lost"))
        house.line.plug()
        house.until(lambda: house.said("is open") == 2)
        house.line.write(vitals(62))
        house.until(lambda: has_heard(backend, 62))


def test_a_command_to_speak_runs_the_player_with_the_text_on_its_input(house: House, broker: Broker) -> None:
    spoken = house.folder / "spoken"
    player = [sys.executable, "-c", f"import sys; open({str(spoken)!r}, 'ab').write(sys.stdin.buffer.read())"]
    until = NOW.replace(year=2199)
    with Backend(broker) as backend:
        house.start(player=player)
        house.until(lambda: backend.statuses)
        backend.say(Speak(id=1, text="过时的话。", until=NOW), Leaf.COMMAND)
        for _ in range(3):
            backend.say(Speak(id=2, text="医生已经出发。", until=until), Leaf.COMMAND)
        house.until(lambda: backend.statuses[-1].commands_done == [1, 2] and spoken.exists() and spoken.read_text("utf-8"))
        backend.say(Speak(id=3, text="请开门。", until=until), Leaf.COMMAND)
        house.until(lambda: spoken.read_text("utf-8").endswith("请开门。"))
    assert spoken.read_text("utf-8") == "医生已经出发。请开门。"


def test_a_player_that_is_missing_is_said_and_stops_nothing(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start(player=["/nowhere/player"])
        house.until(lambda: backend.statuses)
        backend.say(Speak(id=1, text="你好。", until=NOW.replace(year=2199)), Leaf.COMMAND)
        house.until(lambda: backend.statuses[-1].commands_done == [1])
    assert house.said("cannot run the player /nowhere/player: ") == 1


def test_a_live_view_sends_values_as_they_come_and_ends_by_itself(house: House, broker: Broker) -> None:
    slow = [{"path": str(house.line.link), "device": [WEARABLE | {"summary_s": 300}]}]
    with Backend(broker) as backend:
        house.start(port=slow, send={"batch_interval_s": 60})
        house.until(lambda: backend.statuses)
        backend.say(LiveView(id=1, until=NOW), Leaf.COMMAND)
        backend.say(LiveView(id=2, until=datetime.now(UTC) + timedelta(seconds=4)), Leaf.COMMAND)
        house.until(lambda: backend.statuses[-1].live_until)
        house.line.write(vitals(81))
        house.until(lambda: has_heard(backend, 81))
        house.line.write(press(1))
        house.until(lambda: [one for one in backend.events if one.kind is EventKind.SOS])
        house.until(lambda: backend.statuses[-1].live_until is None)
    assert {one.statistic for batch in backend.batches for one in batch.series} == {"mean", "min", "max"}
    assert house.said("live view for") == house.said("the live view is over") == 1


def test_a_report_is_a_status_at_once(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start().line.write(vitals())
        house.until(lambda: backend.batches)
        backend.say(Report(id=9), Leaf.COMMAND)
        house.until(lambda: backend.statuses and backend.statuses[-1].commands_done == [9])
    [device] = backend.statuses[-1].devices
    assert (device.id, device.is_lost, device.frames) == ("wearable-1", False, 1)
    assert backend.statuses[-1].log_id == backend.batches[0].log_id


def test_a_refused_message_is_reported_as_an_event(house: House, broker: Broker) -> None:
    with Backend(broker, lambda heard: refused(heard) if heard.leaf is Leaf.SERIES else stored(heard)) as backend:
        house.start().line.write(vitals())
        house.until(lambda: backend.events)
    [event] = backend.events
    assert (event.kind, event.device, event.detail) == (EventKind.BATCH_REFUSED, "gateway", "not_valid")
    assert event.event_id.startswith("gateway:refused-")


def test_a_damaged_outbox_is_reported_as_an_event_and_the_home_goes_on(house: House, broker: Broker) -> None:
    house.outbox = house.folder / ("手 " * 30 + ".sqlite")
    house.outbox.write_text("this is not a database\n" * 100)
    with Backend(broker) as backend:
        house.start().line.write(vitals())
        house.until(lambda: backend.events and backend.batches)
    [event] = backend.events
    assert (event.kind, event.device) == (EventKind.OUTBOX_DAMAGED, "gateway")
    assert event.detail is not None and (house.folder / event.detail).read_text().startswith("this is not")


def test_a_good_end_is_code_0_and_an_offline_status(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start()
        house.until(lambda: backend.statuses)
        assert house.end(signal.SIGTERM) == 0
        eventually(lambda: not backend.statuses[-1].online)
    assert backend.statuses[-1].log_id == backend.statuses[0].log_id
    assert house.said("Traceback") == 0


def test_a_bad_end_is_told_by_the_last_will(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start()
        house.until(lambda: backend.statuses)
        house.end(signal.SIGKILL)
        eventually(lambda: not backend.statuses[-1].online)
    assert backend.statuses[-1].log_id is None


def test_a_home_without_a_broker_keeps_everything_and_ends_well(house: House, broker: Broker) -> None:
    broker.stop()
    house.start().line.write(vitals() + press(1))
    house.until(lambda: house.acks and house.on_disk() == 2)
    broker.start()
    with Backend(broker):
        house.until(lambda: house.on_disk(where="1") == 0)
        assert house.end(signal.SIGINT) == 0
    assert house.said("cannot be reached") == 1
