"""Falls through the whole gateway as a process: judged, asked about, answered, watched without alarm, and killed in between."""

import signal
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from contract.events import Event, EventKind
from gateway.bridges.framing import Frame, seal
from simulators.servers import Broker, installed_brokers
from simulators.wire import EventKey, FallCandidate, FrameType, SosKind, fall_candidate, packed_chunks
from tests.gateway.backend import Backend, clear_status
from tests.gateway.falls import BEFORE, RATE_HZ, fall_rows, knock_rows
from tests.gateway.test_daemon import ADDRESS, House, press

pytestmark = [pytest.mark.system, pytest.mark.parametrize("broker", installed_brokers()[:1], indirect=True)]

ASKS = {"ask_below": 1.0, "ask_wait_s": 5}


@pytest.fixture
def house(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = House(tmp_path_factory.mktemp("home"), broker)
    home.line.plug()
    yield home
    if home.is_alive:
        home.end(signal.SIGKILL)
    home.line.unplug()
    clear_status(broker)


def candidate(event: int, *, is_fall: bool = True) -> bytes:
    """A candidate with its window as the wearable sends them."""
    rows = np.array(fall_rows() if is_fall else knock_rows(), np.int16)
    key = EventKey(0xAA, event)
    chunks = packed_chunks(key, rows)
    head = fall_candidate(key, 2500, FallCandidate(3000, 90, RATE_HZ, BEFORE), len(chunks))
    frames = [(FrameType.FALL_CANDIDATE, head), *((FrameType.PACKED_CHUNK, chunk) for chunk in chunks)]
    return b"".join(seal(Frame(kind, ADDRESS, 0, payload)) for kind, payload in frames)


def kinds(backend: Backend) -> list[EventKind]:
    """Of the events, each once."""
    return list({event.event_id + event.kind: event.kind for event in backend.events}.values())


def only(backend: Backend, kind: EventKind) -> Event:
    return next(event for event in backend.events if event.kind is kind)


def test_a_fall_beyond_doubt_is_an_alarm_at_once_with_its_window(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start().line.write(candidate(1))
        house.until(lambda: backend.events)
        house.line.write(press(2, SosKind.CANCELLED))
        house.until(lambda: len(kinds(backend)) == 3)
    event = only(backend, EventKind.FALL)
    assert event.confidence is not None and event.confidence > 0.7
    assert event.window is not None and len(event.window.x) == 275
    assert set(kinds(backend)[1:]) == {EventKind.FALL_CANCELLED, EventKind.SOS_CANCELLED}


def test_silence_after_the_question_is_an_alarm_though_the_gateway_was_killed(house: House, broker: Broker) -> None:
    spoken = house.folder / "spoken"
    player = [sys.executable, "-c", f"import sys; open({str(spoken)!r}, 'ab').write(sys.stdin.buffer.read())"]
    with Backend(broker) as backend:
        house.start(fall=ASKS, player=player).line.write(candidate(1))
        house.until(lambda: house.acks and kinds(backend) == [EventKind.FALL_ASKED] and spoken.exists() and spoken.read_text("utf-8"))
        house.end(signal.SIGKILL)
        house.start(fall=ASKS, player=player)
        house.until(lambda: len(kinds(backend)) == 2)
    event = only(backend, EventKind.FALL)
    assert (event.detail, event.window is not None) == ("asked=unanswered", True)
    assert spoken.read_text("utf-8").startswith("您还好吗？")


def test_an_answer_is_told_and_is_no_alarm(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start(fall=ASKS | {"ask_wait_s": 60}).line.write(candidate(1))
        house.until(lambda: EventKind.FALL_ASKED in kinds(backend))
        house.line.write(press(2, SosKind.CANCELLED))
        house.until(lambda: len(kinds(backend)) == 3)
    assert set(kinds(backend)) == {EventKind.FALL_ASKED, EventKind.FALL_ANSWERED, EventKind.SOS_CANCELLED}
    assert only(backend, EventKind.FALL_ANSWERED).window is not None


def test_a_gateway_that_only_watches_stores_verdicts_and_windows_and_alarms_nobody(house: House, broker: Broker) -> None:
    with Backend(broker) as backend:
        house.start(fall={"mode": "shadow"}).line.write(candidate(1) + candidate(2, is_fall=False))
        house.until(lambda: len(house.acks) == 2 and len(backend.events) == 2)
    assert kinds(backend) == [EventKind.FALL_CANDIDATE, EventKind.FALL_CANDIDATE]
    details = [event.detail or "" for event in backend.events]
    assert details[0].startswith("verdict=fall peak_mg=") and details[1].startswith("verdict=rejected peak_mg=30")
    assert all(event.window is not None for event in backend.events)
    assert house.said("a fall candidate of wearable-1: ") == 2
