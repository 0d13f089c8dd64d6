"""The gateway's small HTTP server, asked by real clients, and by some that are none."""

import http.client
import logging
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.status import GatewayStatus
from gateway.metrics import CONTENT_TYPE, State
from gateway.metrics_server import REQUEST_BYTES_MAX, MetricsServer
from gateway.systemd import Systemd
from gateway.vigil import STILL_MAX_S, Parts, Vigil
from simulators.servers import free_port
from tests.gateway.home import NOW, WAIT_S


class Home:
    """A loop whose clock a test moves, and its server."""

    def __init__(self) -> None:
        self.now_s = 10.0
        self.port = free_port()
        parts = Parts(lambda: 1, lambda: None, lambda: True, self._look)
        self.vigil = Vigil(parts, Systemd({}), lambda: self.now_s)
        self.server = MetricsServer("127.0.0.1", self.port, self.vigil)

    def _look(self, step_s_max: float) -> State:
        return State(NOW, GatewayStatus(online=True, at=NOW), is_connected=False, in_flight=0, step_s_max=step_s_max, ports={})

    def ask(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        """Status, content type, body."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)) as line:
            line.request(method, path)
            answer = line.getresponse()
            return answer.status, answer.getheader("content-type", ""), answer.read().decode()

    def say(self, data: bytes) -> bytes:
        """Bytes that need not be HTTP; returns what came back before the end."""
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)) as line:
            line.sendall(data)
            answer = b""
            while more := line.recv(65536):
                answer += more
            return answer


@pytest.fixture
def home() -> Iterator[Home]:
    made = Home()
    made.server.start()
    made.vigil.begin()
    made.vigil.step()
    yield made
    made.server.stop()


def test_prometheus_reads_the_page(home: Home) -> None:
    status, content_type, body = home.ask("/metrics")
    assert (status, content_type) == (200, CONTENT_TYPE)
    assert "jiahu_gateway_outbox_waiting_entries" in {family.name for family in text_string_to_metric_families(body)}


def test_a_loop_that_stands_still_is_told_by_a_server_that_does_not(home: Home) -> None:
    assert home.ask("/healthz")[0] == home.ask("/readyz")[0] == 200
    home.now_s += STILL_MAX_S + 1
    status, _, body = home.ask("/healthz")
    assert status == 503 and "no step for 6 s" in body
    assert home.ask("/readyz")[0] == 503


def test_a_gateway_says_whether_it_is_connected_and_is_ready_all_the_same(home: Home) -> None:
    status, _, body = home.ask("/readyz")
    assert status == 200 and '"connected": false' in body


@pytest.mark.parametrize(("path", "method", "status"), [("/", "GET", 404), ("/metrics/", "GET", 404), ("/metrics", "POST", 405)])
def test_anything_else_is_refused(home: Home, path: str, method: str, status: int) -> None:
    assert home.ask(path, method)[0] == status


def test_a_question_mark_changes_nothing(home: Home) -> None:
    assert home.ask("/metrics?name=x")[0] == 200


LONG = b"GET /metrics\r\n" + b"x" * REQUEST_BYTES_MAX


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n", LONG], ids=["none", "bytes", "half", "long"])
def test_what_is_no_request_gets_an_answer_and_breaks_nothing(home: Home, data: bytes) -> None:
    assert home.say(data).startswith(b"HTTP/1.1 ")
    assert home.ask("/metrics")[0] == 200


def test_a_client_that_says_nothing_does_not_keep_others_out(home: Home) -> None:
    with closing(socket.create_connection(("127.0.0.1", home.port))):
        assert home.ask("/metrics")[0] == 200


def test_a_port_that_is_taken_is_an_error_in_the_log_and_no_more(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    second = MetricsServer("127.0.0.1", home.port, home.vigil)
    with caplog.at_level(logging.ERROR):
        second.start()
        second.stop()
    assert "cannot serve metrics" in caplog.text
    assert home.ask("/metrics")[0] == 200


def test_before_the_first_look_there_is_no_page(home: Home) -> None:
    early = Home()
    early.server.start()
    try:
        assert early.ask("/metrics")[0] == early.ask("/healthz")[0] == 503
    finally:
        early.server.stop()
