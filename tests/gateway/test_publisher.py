"""Sending over a real broker: urgent first, again until the backend says `Stored`, and nothing is forgotten before."""

import json
import logging
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contract.commands import Command, Report, Speak
from contract.events import AccelerationWindow, EventKind
from contract.quantities import QuantityName
from contract.readings import BATCH_SERIES_MAX, SeriesBatch
from contract.status import GatewayStatus
from contract.stored import Stored
from contract.topics import Leaf
from gateway.clock import Word
from gateway.config import BROKER_PASSWORD
from gateway.outbox import Entry, Outbox, Reading
from gateway.publisher import EVENTS_UNANSWERED_MAX, REFUSED_FILES_MAX, Publisher, Refusal, make_batch
from gateway.stored_event import StoredEvent
from simulators.servers import Broker, free_port
from tests.gateway.backend import Backend, Heard, clear_status, refused, stored
from tests.gateway.home import NOW, config, eventually, put_event, readings, seconds

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


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == "gateway.publisher" and record.levelno >= logging.WARNING]
    return [record.getMessage() for record in ours]


# -- forgetting --------------------------------------------------------------------------------------------------------------------------


def test_readings_and_events_arrive_and_are_forgotten_once_they_are_stored(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(5))
    put_event(station.outbox, "w:1", EventKind.SOS, is_urgent=True)
    with Backend(broker) as backend:
        station.start().until(lambda: station.outbox.waiting == 0)
        assert backend.sequences == [1, 2, 3, 4, 5]
        [event] = backend.events
    assert (event.event_id, event.kind, event.sequence, event.log_id) == ("w:1", EventKind.SOS, 6, station.outbox.log_id)


def test_nothing_is_forgotten_before_the_backend_says_so(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(5))
    put_event(station.outbox, "w:1")
    with Backend(broker, silent) as backend:
        station.start().until(lambda: len(backend.heard) >= 3)
        assert station.outbox.waiting == 6
        for heard in [one for one in backend.heard if one.leaf is not Leaf.STATUS]:
            backend.say(stored(heard))
        station.until(lambda: station.outbox.waiting == 0)


def test_only_what_is_named_as_stored_is_forgotten(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(5))
    with Backend(broker, silent) as backend:
        station.start().until(lambda: backend.batches)
        backend.say(Stored(log_id=station.outbox.log_id, first=2, last=3, at=NOW))
        station.until(lambda: station.outbox.waiting == 3)
        assert [entry.sequence for entry in station.outbox.readings(after=0, count_max=9)] == [1, 4, 5]


@pytest.mark.parametrize("answers", [1, 5])
def test_repeated_and_late_answers_change_nothing(answers: int, station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(2))
    with Backend(broker, silent) as backend:
        station.start().until(lambda: backend.batches)
        late = stored(next(one for one in backend.heard if one.leaf is Leaf.SERIES))
        for _ in range(answers):
            backend.say(late)
        station.until(lambda: station.outbox.waiting == 0)
        station.outbox.append_readings(readings(2, first=2))
        backend.say(late)
        backend.say(Report(id=1), Leaf.COMMAND)
        station.until(lambda: station.commands)
    assert [entry.sequence for entry in station.outbox.readings(after=0, count_max=9)] == [3, 4]


@pytest.mark.parametrize(
    "answer",
    [
        Stored(log_id="f" * 16, first=1, last=5, at=NOW).model_dump_json().encode(),
        b"",
        b"\xff\x00",
        b"[]",
        b'{"kind": "stored"}',
        b"[" * 100_000,
        b'{"kind": "refused", "digest": "00000000000000000000000000000000", "reason": "not_json", "at": "2026-03-01T00:00:00Z"}',
    ],
    ids=["another log", "empty", "no text", "no object", "no fields", "deep", "unknown digest"],
)
def test_an_answer_that_is_not_for_us_forgets_nothing_and_stops_nothing(answer: bytes, station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(5))
    with Backend(broker, silent) as backend:
        station.start().until(lambda: backend.batches)
        backend.say(answer)
        backend.say(b'{"kind": "dance"}', Leaf.COMMAND)
        backend.say(Report(id=1), Leaf.COMMAND)
        station.until(lambda: station.commands)
    assert (station.outbox.waiting, station.refusals) == (5, [])


# -- sending again -----------------------------------------------------------------------------------------------------------------------


def test_what_is_not_answered_in_time_is_sent_again_and_not_before(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(3))
    put_event(station.outbox, "w:1")
    with Backend(broker, silent) as backend:
        station.start().until(lambda: backend.batches and backend.events)
        station.acknowledged().after(9.9).pump()
        station.after(0.2).until(lambda: len(backend.events) == 2)
        assert len(backend.batches) == 1
        station.acknowledged().after(19.8).pump()
        station.after(0.2).until(lambda: len(backend.batches) == 2)
    assert backend.batches[0].series == backend.batches[1].series
    assert {event.event_id for event in backend.events} == {"w:1"}


def test_what_the_backend_lost_arrives_in_the_end(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(3))
    answers = iter([None, None, stored])

    def at_the_third_time(heard: Heard) -> Any:
        chosen = next(answers, stored)
        return chosen and chosen(heard)

    with Backend(broker, at_the_third_time) as backend:
        station.start().until(lambda: len(backend.batches) == 1)
        station.acknowledged().after(31).until(lambda: len(backend.batches) == 2)
        station.acknowledged().after(31).until(lambda: station.outbox.waiting == 0)
    assert backend.sequences == [1, 2, 3] * 3


def test_no_more_than_the_allowed_batches_are_unanswered(make_station: MakeStation, broker: Broker) -> None:
    station = make_station(batch_readings_max=10, unanswered_max=3)
    station.outbox.append_readings(readings(100))
    with Backend(broker, silent) as backend:
        station.start().until(lambda: len(backend.batches) == 3)
        backend.say(Report(id=1), Leaf.COMMAND)
        station.until(lambda: station.commands)
        assert backend.sequences == list(range(1, 31))
        backend.answer = stored
        for heard in [one for one in backend.heard if one.leaf is Leaf.SERIES]:
            backend.say(stored(heard))
        station.until(lambda: station.outbox.waiting == 0)
    assert sorted(backend.sequences) == list(range(1, 101))


def test_after_the_broker_was_killed_everything_unanswered_is_sent_again(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(5))
    put_event(station.outbox, "w:1")
    with Backend(broker, silent) as backend:
        station.start().until(lambda: backend.batches and backend.events)
        broker.kill()
        station.until(lambda: not station.publisher.is_connected)
        station.outbox.append_readings(readings(5, first=5))
        backend.heard.clear()
        backend.answer = stored
        broker.restart()
        backend.wait()
        station.until(lambda: station.publisher.is_connected)
        station.after(31).until(lambda: station.outbox.waiting == 0)
    assert {*backend.sequences} == {*range(1, 6), *range(7, 12)}
    assert {event.event_id for event in backend.events} == {"w:1"}


def test_a_backend_that_listens_again_gets_everything_at_once(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(3))
    put_event(station.outbox, "w:1")
    with Backend(broker, silent) as backend:
        station.start().until(lambda: backend.batches and backend.events)
        backend.answer = stored
        backend.listen()
        station.until(lambda: station.outbox.waiting == 0)
    assert (backend.sequences, len(backend.events)) == ([1, 2, 3] * 2, 2)


def test_only_the_answer_to_a_first_copy_tells_the_backends_time(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(3))
    put_event(station.outbox, "w:1")
    with Backend(broker, lambda heard: stored(heard) if heard.leaf is Leaf.EVENT else None) as backend:
        station.start().until(lambda: station.words and backend.batches)
        backend.answer = stored
        station.after(31).until(lambda: station.outbox.waiting == 0)
        assert len(station.words) == 1 and station.words[0].sent_s == START_S
        station.outbox.append_readings(readings(1, first=3))
        station.after(31).until(lambda: station.outbox.waiting == 0)
    assert len(station.words) == 2


def test_a_network_that_was_cut_without_a_word_is_noticed(station: Station) -> None:
    station.start()
    line = station.publisher._client.socket()
    assert isinstance(line, socket.socket)
    assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000


# -- urgent first ------------------------------------------------------------------------------------------------------------------------


def test_an_event_is_never_behind_the_backlog(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(20_000))
    put_event(station.outbox, "w:1", EventKind.BED_EXIT)
    put_event(station.outbox, "w:2", EventKind.SOS, is_urgent=True)
    with Backend(broker) as backend:
        station.start().until(lambda: station.outbox.waiting == 0)
    assert backend.heard[0].message == backend.events[0]
    assert [event.event_id for event in backend.events] == ["w:2", "w:1"]
    assert sorted(backend.sequences) == list(range(1, 20_001))


def test_a_press_in_the_middle_of_the_backlog_is_sent_at_once(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(20_000))
    with Backend(broker, silent) as backend:
        station.start().until(lambda: len(backend.batches) == 8)
        put_event(station.outbox, "w:1", EventKind.SOS, is_urgent=True)
        station.publisher.notice_event()
        station.until(lambda: backend.events)
        assert len(backend.batches) == 8


def test_a_press_does_not_wait_behind_unanswered_events(station: Station, broker: Broker) -> None:
    for number in range(EVENTS_UNANSWERED_MAX + 20):
        put_event(station.outbox, f"w:{number}")
    with Backend(broker, silent) as backend:
        station.start().until(lambda: len(backend.events) == EVENTS_UNANSWERED_MAX)
        put_event(station.outbox, "w:sos", EventKind.SOS, is_urgent=True)
        station.publisher.notice_event()
        station.until(lambda: len(backend.events) > EVENTS_UNANSWERED_MAX)
        assert backend.events[-1].event_id == "w:sos"


def test_any_number_of_events_arrive_without_waiting_for_a_repeat(station: Station, broker: Broker) -> None:
    for number in range(2 * EVENTS_UNANSWERED_MAX + 20):
        put_event(station.outbox, f"w:{number}", EventKind.SOS if number % 2 else EventKind.BED_EXIT, is_urgent=number % 2 == 1)
    with Backend(broker) as backend:
        station.start().until(lambda: station.outbox.waiting == 0)
    assert len({event.event_id for event in backend.events}) == len(backend.events) == 2 * EVENTS_UNANSWERED_MAX + 20


def test_an_event_carries_its_window_and_the_floor(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(3))
    station.outbox.forget_readings(1, 3)
    window = AccelerationWindow(rate_hz=50, x=[1], y=[2], z=[3])
    body = StoredEvent(event_id="w:1", kind=EventKind.FALL, confidence=0.75, window_json=window.model_dump_json())
    station.outbox.append_event("w:1", NOW, "wearable-1", body.model_dump_json(), is_urgent=True)
    with Backend(broker) as backend:
        station.start().until(lambda: backend.events)
    [event] = backend.events
    assert (event.window, event.confidence, event.sequence, event.floor, event.at) == (window, 0.75, 4, 4, NOW)


def test_readings_are_sent_at_intervals_and_events_at_once(station: Station, broker: Broker) -> None:
    with Backend(broker) as backend:
        station.start()
        station.outbox.append_readings(readings(1))
        put_event(station.outbox, "w:1")
        station.publisher.notice_event()
        station.after(4.9).until(lambda: backend.events)
        assert backend.batches == []
        station.after(0.2).until(lambda: backend.batches)


# -- refused -----------------------------------------------------------------------------------------------------------------------------


def test_a_refused_batch_is_set_aside_and_reported_and_the_rest_goes_on(make_station: MakeStation, broker: Broker) -> None:
    station = make_station(batch_readings_max=5)
    station.outbox.append_readings(readings(10))
    with Backend(broker, lambda heard: refused(heard) if getattr(heard.message, "first", 0) == 1 else stored(heard)) as backend:
        station.start().until(lambda: station.outbox.waiting == 0)
    [refusal] = station.refusals
    assert (refusal.reason, refusal.kind, station.publisher.refused) == ("not_valid", None, 1)
    [aside] = (station.settings.outbox.path.parent / "refused").iterdir()
    assert aside.stem == refusal.digest
    assert aside.read_bytes() == next(one.payload for one in backend.heard if one.leaf is Leaf.SERIES)


def test_a_refused_event_is_set_aside_and_its_kind_reported(station: Station, broker: Broker) -> None:
    put_event(station.outbox, "w:1", EventKind.BATCH_REFUSED)
    with Backend(broker, refused):
        station.start().until(lambda: station.outbox.waiting == 0)
    assert [one.kind for one in station.refusals] == [EventKind.BATCH_REFUSED]


def test_of_very_many_refused_messages_the_newest_are_kept(make_station: MakeStation, broker: Broker) -> None:
    station = make_station(batch_readings_max=1, unanswered_max=100)
    station.outbox.append_readings(readings(REFUSED_FILES_MAX + 5))
    with Backend(broker, refused):
        station.start().until(lambda: station.outbox.waiting == 0)
    assert len([*(station.settings.outbox.path.parent / "refused").iterdir()]) == REFUSED_FILES_MAX


# -- what cannot be sent -----------------------------------------------------------------------------------------------------------------


def spoil(station: Station, statement: str) -> None:
    with closing(sqlite3.connect(station.settings.outbox.path, isolation_level=None)) as db:
        db.execute(statement)


@pytest.mark.parametrize(
    "broken", ["device = 'W?'", "quantity = 'mood'", "statistic = 'x'", "value = NULL", "at_ms = 1 << 60", "device = CAST(x'ff' AS TEXT)"]
)
def test_a_row_with_broken_bits_stays_on_the_disk_and_the_others_go_on(
    broken: str, station: Station, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    station.outbox.append_readings(readings(20))
    spoil(station, f"UPDATE entry SET {broken} WHERE sequence = 7")
    with Backend(broker) as backend:
        station.start().until(lambda: station.outbox.waiting == 1)
    assert sorted(backend.sequences) == [*range(1, 7), *range(8, 21)]
    assert "entry 7 of the outbox cannot be sent: " in caplog.text


def test_an_event_with_broken_bits_stays_on_the_disk_and_the_others_go_on(station: Station, broker: Broker) -> None:
    for number in range(3):
        put_event(station.outbox, f"w:{number}")
    spoil(station, "UPDATE entry SET body = 'x' || body WHERE sequence = 2")
    with Backend(broker) as backend:
        station.start().until(lambda: station.outbox.waiting == 1)
    assert [event.sequence for event in backend.events] == [1, 3]


def test_more_series_than_one_batch_can_carry_go_in_several(station: Station, broker: Broker) -> None:
    for number in range(2 * BATCH_SERIES_MAX):
        station.outbox.append_readings(readings(1, device=f"d{number}"))
    with Backend(broker) as backend:
        station.start().until(lambda: station.outbox.waiting == 0)
    assert sorted(backend.sequences) == list(range(1, 2 * BATCH_SERIES_MAX + 1))


def test_a_new_log_is_sent_from_its_beginning(station: Station, broker: Broker) -> None:
    station.outbox.append_readings(readings(500))
    for number in range(5):
        put_event(station.outbox, f"w:{number}")
    with Backend(broker, silent) as backend:
        station.start().until(lambda: backend.batches and len(backend.events) == 5)
        old, path = station.outbox.log_id, station.settings.outbox.path
        station.outbox.close()
        path.write_text("no database any more")
        path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
        station.outbox.open()
        for number in range(5):
            put_event(station.outbox, f"new:{number}", EventKind.SOS, is_urgent=True)
        station.outbox.append_readings(readings(10))
        backend.answer = stored
        station.until(lambda: station.outbox.waiting == 0)
    assert {event.event_id for event in backend.events if event.log_id != old} == {f"new:{number}" for number in range(5)}
    assert [batch.log_id for batch in backend.batches if batch.first == 6] == [station.outbox.log_id]


# -- the connection ----------------------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_said_in_one_line_and_tried_on(
    make_station: MakeStation, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    station = make_station(password="wrong")
    station.publisher.start()
    station.until(lambda: sum("refuses gw-1" in record.getMessage() for record in caplog.records) >= 2)
    [line] = warnings(caplog)
    assert line.startswith(f"the broker at {broker.host}:{broker.port} refuses gw-1: ")
    assert line.endswith("; check gateway_id and JIAHU_BROKER_PASSWORD; readings are kept on disk")
    assert not station.publisher.is_connected


def test_a_broker_that_cannot_be_reached_is_said_in_one_line_and_tried_on(
    make_station: MakeStation, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port = free_port()
    station = make_station(port=port)
    station.publisher.start()
    station.until(lambda: sum("cannot be reached" in record.getMessage() for record in caplog.records) >= 2)
    [line] = warnings(caplog)
    assert line.startswith(f"the broker at {broker.host}:{port} cannot be reached: [Errno 111] Connection refused; check [broker] host")


def test_a_good_connection_and_a_good_end_need_no_warning(
    make_station: MakeStation, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    make_station().start().close()
    assert warnings(caplog) == []


def test_the_status_says_that_the_gateway_is_there_and_that_it_leaves(make_station: MakeStation, broker: Broker) -> None:
    with Backend(broker) as backend:
        station = make_station().start()
        station.until(lambda: backend.statuses)
        station.after(74).pump()
        station.after(2).until(lambda: len(backend.statuses) == 2)
        station.publisher.ask_for_status()
        station.until(lambda: len(backend.statuses) == 3)
        station.close()
        eventually(lambda: len(backend.statuses) == 4)
    assert [status.online for status in backend.statuses] == [True, True, True, False]


def test_a_home_whose_batches_are_answered_seldom_says_that_it_lives(make_station: MakeStation, broker: Broker) -> None:
    with Backend(broker) as backend:
        station = make_station().start()
        station.until(lambda: backend.statuses)
        for minute in range(4):
            station.outbox.append_readings(readings(1, first=minute))
            station.after(60).until(lambda: station.outbox.waiting == 0)
        assert len(backend.statuses) == 1
        station.after(60).until(lambda: len(backend.statuses) == 2)  # its five minutes are over
        station.close()


def test_leaving_while_the_broker_is_dead_is_no_trouble(make_station: MakeStation, broker: Broker) -> None:
    station = make_station().start()
    broker.kill()
    station.close()
    broker.restart()


def test_commands_are_handed_over_in_order(station: Station, broker: Broker) -> None:
    wanted: list[Command] = [Speak(id=1, text="医生已经出发。", until=NOW), Report(id=2)]
    with Backend(broker) as backend:
        station.start()
        for command in wanted:
            backend.say(command, Leaf.COMMAND)
        station.until(lambda: len(station.commands) == 2)
    assert station.commands == wanted


# -- batches -----------------------------------------------------------------------------------------------------------------------------


def entries(*rows: Reading, first: int = 1) -> list[Entry]:
    return [Entry(first + number, row) for number, row in enumerate(rows)]


def test_a_batch_has_one_pair_of_columns_for_each_series_oldest_first() -> None:
    rows = [
        Reading("w", "spo2", "sample", NOW + seconds(2), 97),
        Reading("w", "heart_rate", "sample", NOW, 70),
        Reading("w", "spo2", "sample", NOW, 96),
        Reading("o", "spo2", "mean", NOW, 95),
    ]
    batch = make_batch(entries(*rows, first=5), log_id="0" * 16, floor=3, now=NOW)
    assert (batch.first, batch.last, batch.floor) == (5, 8, 3)
    assert [(one.device, one.quantity, one.statistic, one.start_at, one.offsets_ms, one.values, one.sequences) for one in batch.series] == [
        ("w", "spo2", "sample", NOW, [0, 2000], [96, 97], [2, 0]),
        ("w", "heart_rate", "sample", NOW, [0], [70], [1]),
        ("o", "spo2", "mean", NOW, [0], [95], [3]),
    ]


def test_what_a_device_had_stored_is_a_series_of_its_own_and_says_so_on_the_wire() -> None:
    rows = [Reading("c", QuantityName.SYSTOLIC, "sample", NOW, 142, is_history=is_history) for is_history in (False, True)]
    batch = make_batch(entries(*rows), log_id="0" * 16, floor=1, now=NOW)
    assert [(one.sequences, one.is_history) for one in batch.series] == [([0], False), ([1], True)]
    assert SeriesBatch.model_validate_json(batch.model_dump_json(exclude_defaults=True)) == batch


def test_a_series_over_more_than_a_week_becomes_several() -> None:
    week = 7 * 24 * 3600
    rows = [Reading("w", "spo2", "sample", NOW + seconds(at_s), 97) for at_s in (0, week, week + 0.001, 3 * week)]
    batch = make_batch(entries(*rows), log_id="0" * 16, floor=1, now=NOW)
    assert [one.sequences for one in batch.series] == [[0, 1], [2], [3]]


def test_a_batch_of_the_usual_size_is_small() -> None:
    rows = [row for number in range(500) for row in readings(4, first=number)]
    payload = make_batch(entries(*rows), log_id="0" * 16, floor=1, now=NOW).model_dump_json()
    assert len(payload) < 100_000 and json.loads(payload)["last"] == 2000
