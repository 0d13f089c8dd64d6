"""A page is asked for again and again; a device that stops answering is lost once and found once. Real HTTP on this machine."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.bridges.http_poll import PAGE_BYTES_MAX, PAGE_END, HttpPoll
from gateway.bridges.serial_port import Chunk
from tests.gateway.home import WAIT_S, eventually

StartPoll = Callable[[str], HttpPoll]
PAGE = b"SER=002177<br>\r\nPRES=1<br>\r\n"


class Device(ThreadingHTTPServer):
    """A device with one page. `status` and `page` are what it answers from now on."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.status, self.page = 200, PAGE
        self.asked: list[str] = []

    @property
    def path(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/dvmstatus.htm"

    def switch_on(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def switch_off(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Device)
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.page)))
        self.end_headers()
        self.wfile.write(self.server.page)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def device() -> Iterator[Device]:
    one = Device()
    one.switch_on()
    yield one
    one.switch_off()


@pytest.fixture
def chunks() -> queue.Queue[Chunk]:
    return queue.Queue(1024)


@pytest.fixture
def deaths() -> list[BaseException]:
    return []


@pytest.fixture
def start(chunks: queue.Queue[Chunk], deaths: list[BaseException]) -> Iterator[StartPoll]:
    polls: list[HttpPoll] = []

    def begin(path: str) -> HttpPoll:
        polls.append(HttpPoll(path, chunks, deaths.append, poll_s=0.02))
        polls[-1].start()
        return polls[-1]

    yield begin
    for poll in polls:
        poll.stop()
    assert deaths == []


def next_of(chunks: queue.Queue[Chunk], wanted: Callable[[Chunk], bool]) -> Chunk:
    while not wanted(chunk := chunks.get(timeout=WAIT_S)):
        pass
    return chunk


def test_a_device_that_answers_is_told_before_its_first_page(device: Device, chunks: queue.Queue[Chunk], start: StartPoll) -> None:
    poll = start(device.path)
    assert [chunks.get(timeout=WAIT_S) for _ in range(3)] == [
        Chunk(device.path, b""),
        Chunk(device.path, PAGE + PAGE_END),
        Chunk(device.path, PAGE + PAGE_END),
    ]
    assert poll.is_open
    assert set(device.asked) == {"/dvmstatus.htm"}


def test_a_device_that_stops_answering_is_lost_once_and_found_again(
    device: Device, chunks: queue.Queue[Chunk], start: StartPoll, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    poll = start(device.path)
    next_of(chunks, lambda chunk: bool(chunk.data))
    device.status = 500
    assert next_of(chunks, lambda chunk: not chunk.data) == Chunk(device.path, b"", is_lost=True)
    assert not poll.is_open
    asked = len(device.asked)
    eventually(lambda: len(device.asked) > asked + 2)
    device.status = 200
    assert chunks.get(timeout=WAIT_S) == Chunk(device.path, b"")
    assert [record.getMessage() for record in caplog.records] == [
        f"{device.path} does not answer: status 500, {len(PAGE)} bytes; trying again"
    ]


def test_a_device_that_is_switched_off_and_on_answers_again(chunks: queue.Queue[Chunk], start: StartPoll) -> None:
    first = Device()
    first.switch_on()
    poll = start(first.path)
    next_of(chunks, lambda chunk: bool(chunk.data))
    first.switch_off()
    assert next_of(chunks, lambda chunk: not chunk.data).is_lost
    second = Device(first.server_port)
    second.switch_on()
    assert next_of(chunks, lambda chunk: bool(chunk.data)).data == PAGE + PAGE_END
    poll.stop()
    second.switch_off()


def test_a_page_without_end_is_no_page(device: Device, chunks: queue.Queue[Chunk], start: StartPoll) -> None:
    device.page = b"x" * (PAGE_BYTES_MAX + 1)
    poll = start(device.path)
    eventually(lambda: len(device.asked) > 2)
    assert chunks.empty()
    assert not poll.is_open


def test_nothing_can_be_written_and_a_stopped_poll_asks_no_more(device: Device, chunks: queue.Queue[Chunk], start: StartPoll) -> None:
    poll = start(device.path)
    poll.write(b"R00")
    next_of(chunks, lambda chunk: bool(chunk.data))
    poll.stop()
    assert not any(thread.name == f"poll {device.path}" for thread in threading.enumerate())
