"""The simulated bed sensor answers over real HTTP, and bridge and driver understand it."""

import http.client
import queue
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.http_poll import HttpPoll
from gateway.bridges.serial_port import Chunk
from gateway.devices.driver import Measurement, Output, Signal
from gateway.devices.emfit_qs import EmfitQs as Driver
from simulators.instruments.emfit_qs import EmfitQs
from tests.gateway.home import WAIT_S


@pytest.fixture
def sensor() -> Iterator[EmfitQs]:
    one = EmfitQs()
    one.start()
    yield one
    one.stop()


def test_the_page_is_the_documented_one(sensor: EmfitQs) -> None:
    sensor.uptime_s -= 1
    page = "SER=002177<br>\r\nPRES=1<br>\r\nTS=0<br>\r\nTS_R=84213<br>\r\nHR=61<br>\r\nRR=14.2<br>\r\nACT=35<br>\r\n"
    assert sensor.page() == page
    sensor.is_in_bed = False
    assert "HR=0<br>\r\nRR=0<br>\r\nACT=0" in sensor.page()


def test_other_pages_are_not_there(sensor: EmfitQs) -> None:
    connection = http.client.HTTPConnection(urlsplit(sensor.path).netloc, timeout=WAIT_S)
    connection.request("GET", "/")
    assert connection.getresponse().status == 404
    connection.close()


def test_getting_up_reaches_the_gateway(sensor: EmfitQs) -> None:
    chunks: queue.Queue[Chunk] = queue.Queue(1024)
    deaths: list[BaseException] = []
    poll, driver = HttpPoll(sensor.path, chunks, deaths.append, poll_s=0.02), Driver()
    poll.start()
    heard: list[Output] = []
    while not any(isinstance(one, Signal) for one in heard):
        heard += driver.feed(chunks.get(timeout=WAIT_S).data, 0.0)
        sensor.is_in_bed = not any(isinstance(one, Measurement) for one in heard)
    poll.stop()
    assert Measurement(QuantityName.HEART_RATE, 61.0) in heard
    assert [one.kind for one in heard if isinstance(one, Signal)] == [EventKind.BED_EXIT]
    assert deaths == []
