"""The webhook channel against a real HTTP server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from backend.config import NotifyConfig
from backend.notify import outbox
from backend.notify.channels import webhook
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import Message
from simulators.servers import free_port

BODY = {"alert_id": 7, "step": "opened", "title_zh": "跌倒"}


def send(address: str, *, timeout_s: float = webhook.TIMEOUT_S) -> None:
    webhook.send(Message(address, "the-key", "跌倒", "跌倒", BODY), NotifyConfig(), timeout_s=timeout_s)


class Receiver(ThreadingHTTPServer):
    """Answers with each of `answers` in turn, then with the last; 0 means never. Keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = [200]
        self.received: list[tuple[dict[str, str], object]] = []
        self.is_over = threading.Event()
        self.retry_after = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class Handler(BaseHTTPRequestHandler):
    """One request to the Receiver."""

    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((dict(self.headers), body))
        answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        if answer == 0:
            self.server.is_over.wait(20)
            return
        self.send_response(answer)
        if self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.is_over.set()
        server.shutdown()
        thread.join()


def test_the_body_arrives_as_json_with_the_key_of_the_message(receiver: Receiver) -> None:
    send(receiver.url)
    [(headers, body)] = receiver.received
    assert body == BODY
    assert (headers["Content-Type"], headers["Idempotency-Key"]) == ("application/json", "the-key")


def test_the_same_message_again_has_the_same_key(receiver: Receiver) -> None:
    for _ in range(2):
        send(receiver.url)
    assert len({headers["Idempotency-Key"] for headers, _ in receiver.received}) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_delivery(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    send(receiver.url)


@pytest.mark.parametrize(
    ("status", "is_final"),
    [
        (400, True),
        (401, True),
        (404, True),
        (410, True),
        (408, False),
        (425, False),
        (429, False),
        (302, False),
        (500, False),
        (503, False),
    ],
)
def test_what_is_no_success_says_whether_trying_again_may_help(receiver: Receiver, status: int, is_final: bool) -> None:
    receiver.answers = [status]
    with pytest.raises(NotDelivered, match=f"answered {status}") as failure:
        send(receiver.url)
    assert failure.value.is_final is is_final


@pytest.mark.parametrize(("said", "wait_s"), [("97", 97), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("soon", None), ("", None)])
def test_a_receiver_may_say_when_to_come_back(receiver: Receiver, said: str, wait_s: float | None) -> None:
    receiver.answers, receiver.retry_after = [503], said
    with pytest.raises(NotDelivered) as failure:
        send(receiver.url)
    assert failure.value.retry_after_s == wait_s


def test_a_receiver_that_does_not_answer_in_time_may_be_tried_again(receiver: Receiver) -> None:
    receiver.answers = [0]
    with pytest.raises(NotDelivered, match="ReadTimeout") as failure:
        send(receiver.url, timeout_s=0.2)
    assert not failure.value.is_final


def test_a_receiver_that_is_not_there_may_be_tried_again() -> None:
    with pytest.raises(NotDelivered, match="ConnectError") as failure:
        send(f"http://127.0.0.1:{free_port()}/")
    assert not failure.value.is_final


@pytest.mark.parametrize(
    "url", ["", "hook.example", "ftp://hook.example/", "http://", "http://\n", "http://[::1", "http://.", "http://xn--a/"]
)
def test_what_is_no_url_is_never_tried_again(url: str) -> None:
    with pytest.raises(NotDelivered, match="not a usable URL") as failure:
        send(url)
    assert failure.value.is_final


def test_connecting_writing_and_reading_together_stay_below_the_lease() -> None:
    assert outbox.LEASE.total_seconds() > 3 * webhook.TIMEOUT_S
