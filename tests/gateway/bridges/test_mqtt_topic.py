"""Messages of a broker in the home arrive as lines, the broker's end is told, and it is found again. A real broker."""

import json
import logging
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.bridges.mqtt_topic import MqttTopic
from gateway.bridges.serial_port import Chunk
from simulators.servers import free_port
from tests.gateway.home import WAIT_S, eventually
from tests.gateway.home_broker import PROGRAM, HomeBroker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[HomeBroker]:
    if PROGRAM is None:
        pytest.skip("mosquitto is not installed")
    home = HomeBroker(tmp_path)
    home.start()
    yield home
    home.stop()


@pytest.fixture
def chunks() -> queue.Queue[Chunk]:
    return queue.Queue(1024)


@pytest.fixture
def deaths() -> list[BaseException]:
    return []


@pytest.fixture
def topic(broker: HomeBroker, chunks: queue.Queue[Chunk], deaths: list[BaseException]) -> Iterator[MqttTopic]:
    one = MqttTopic(f"mqtt://127.0.0.1:{broker.port}/zigbee2mqtt/#", chunks, deaths.append)
    one.start()
    yield one
    one.stop()
    assert deaths == []
    assert [thread for thread in threading.enumerate() if thread.name == "topic zigbee2mqtt/#"] == []


def next_line(chunks: queue.Queue[Chunk]) -> object:
    return json.loads(chunks.get(timeout=WAIT_S).data)


def test_messages_of_the_topic_arrive_as_lines(broker: HomeBroker, topic: MqttTopic, chunks: queue.Queue[Chunk]) -> None:
    assert chunks.get(timeout=WAIT_S) == Chunk(topic.path, b"")
    broker.publish("elsewhere/a", "{}")
    broker.publish("zigbee2mqtt/hall", '{"occupancy": true}')
    broker.publish("zigbee2mqtt/bridge/state", "online")
    assert next_line(chunks) == {"topic": "zigbee2mqtt/hall", "retained": False, "payload": {"occupancy": True}}
    assert next_line(chunks) == {"topic": "zigbee2mqtt/bridge/state", "retained": False, "payload": "online"}


def test_a_retained_message_is_marked(broker: HomeBroker, chunks: queue.Queue[Chunk], deaths: list[BaseException]) -> None:
    broker.publish("zigbee2mqtt/door", '{"contact": false}', is_retained=True)
    one = MqttTopic(f"mqtt://127.0.0.1:{broker.port}/zigbee2mqtt/+", chunks, deaths.append)
    one.start()
    assert {chunks.get(timeout=WAIT_S).data, chunks.get(timeout=WAIT_S).data} == {
        b"",
        b'{"topic": "zigbee2mqtt/door", "retained": true, "payload": {"contact": false}}\n',
    }
    one.stop()


def test_what_is_too_long_is_passed_over_and_what_is_no_json_is_text(
    broker: HomeBroker, topic: MqttTopic, chunks: queue.Queue[Chunk]
) -> None:
    assert chunks.get(timeout=WAIT_S).data == b""
    broker.publish("zigbee2mqtt/bridge/devices", "x" * 70_000)
    broker.publish("zigbee2mqtt/a", "[" * 50_000)
    broker.publish("zigbee2mqtt/b", "two\nlines")
    assert next_line(chunks) == {"topic": "zigbee2mqtt/a", "retained": False, "payload": "[" * 50_000}
    assert next_line(chunks) == {"topic": "zigbee2mqtt/b", "retained": False, "payload": "two\nlines"}


def test_a_broker_that_goes_is_told_as_lost_and_found_again(
    broker: HomeBroker, topic: MqttTopic, chunks: queue.Queue[Chunk], caplog: pytest.LogCaptureFixture
) -> None:
    assert chunks.get(timeout=WAIT_S) == Chunk(topic.path, b"")
    broker.stop()
    assert chunks.get(timeout=WAIT_S) == Chunk(topic.path, b"", is_lost=True)
    assert not topic.is_open
    broker.start()
    assert chunks.get(timeout=WAIT_S) == Chunk(topic.path, b"")
    assert topic.is_open
    assert any("is lost" in record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


def test_a_broker_that_is_not_there_is_said_once(
    chunks: queue.Queue[Chunk], deaths: list[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = MqttTopic(f"mqtt://127.0.0.1:{free_port()}/zigbee2mqtt/#", chunks, deaths.append)
    one.start()
    eventually(lambda: sum("cannot be reached" in record.getMessage() for record in caplog.records) >= 2)
    one.stop()
    assert sum(record.levelno >= logging.WARNING for record in caplog.records) == 1
    assert chunks.get_nowait() == Chunk(one.path, b"", is_lost=True)
    assert (chunks.empty(), deaths, one.is_open) == (True, [], False)


def test_a_quiet_broker_shows_by_beats_that_it_is_there(
    broker: HomeBroker, chunks: queue.Queue[Chunk], deaths: list[BaseException]
) -> None:
    one = MqttTopic(f"mqtt://127.0.0.1:{broker.port}/quiet", chunks, deaths.append, beat_s=0.1)
    one.start()
    assert [chunks.get(timeout=WAIT_S).data for _ in range(3)] == [b"", b"\n", b"\n"]
    one.stop()


def test_nothing_is_said_to_the_broker(topic: MqttTopic) -> None:
    topic.write(b"hello")
