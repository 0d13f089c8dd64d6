"""What the backend refuses, what cannot be sent, and a broker that is away: nothing stops, and nothing is forgotten."""

import logging
import sqlite3
from contextlib import closing

import pytest

from contract.commands import Command, Report, Speak
from contract.events import EventKind
from contract.readings import BATCH_SERIES_MAX
from contract.topics import Leaf
from gateway.publisher import REFUSED_FILES_MAX
from simulators.servers import Broker, free_port
from tests.gateway.backend import Backend, refused, stored
from tests.gateway.home import NOW, eventually, put_event, readings
from tests.gateway.station import MakeStation, Station, make_station, silent, station

__all__ = ["make_station", "station"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == "gateway.publisher" and record.levelno >= logging.WARNING]
    return [record.getMessage() for record in ours]


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
