"""Sending over a real broker: urgent first, again until the backend says `Stored`, and nothing is forgotten before."""

import socket
from typing import Any

import pytest

from contract.commands import Report
from contract.events import AccelerationWindow, EventKind
from contract.stored import Stored
from contract.topics import Leaf
from gateway.publisher import EVENTS_UNANSWERED_MAX
from gateway.stored_event import StoredEvent
from simulators.servers import Broker
from tests.gateway.backend import Backend, Heard, stored
from tests.gateway.home import NOW, put_event, readings
from tests.gateway.station import START_S, MakeStation, Station, make_station, silent, station

__all__ = ["make_station", "station"]

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
