"""The port of a backend process: what it answers, to whom, and that it never stands in the way."""

import asyncio
import logging
import socket
from contextlib import ExitStack, closing

import pytest
from prometheus_client import CollectorRegistry, Gauge

from backend.db.pool import Pool
from backend.metrics.health import Condition, Health
from backend.metrics.serving import CONNECTIONS_MAX, make_registry, serving
from simulators.child_process import wait_until
from simulators.servers import free_port
from tests.backend.metrics.pages import ask, scrape, wrong

HERE = "127.0.0.1"


async def test_figures_and_health_are_answered_while_the_loop_works_on_something_else(pool: Pool) -> None:
    registry = make_registry()
    Gauge("jiahu_test_things", "Things.", registry=registry).set(7)
    port = free_port()
    with serving(HERE, port, registry, Health(pool, lambda: [Condition("broker", "gone")])):
        found = scrape(port)  # a blocking call: this loop does not move meanwhile
        assert found["jiahu_test_things",] == 7
        assert found["process_resident_memory_bytes",] > 0
        assert {*wrong(port, "/readyz")} == {"event_loop", "database", "broker"}
        assert {*wrong(port, "/healthz")} == {"event_loop"}
        assert ask(port, "/")[0] == 404
    await asyncio.sleep(0)


def test_each_process_has_a_registry_of_its_own(pool: Pool) -> None:
    assert make_registry() is not make_registry()


async def test_without_a_port_nothing_is_served(pool: Pool) -> None:
    with serving(HERE, None, CollectorRegistry(), Health(pool, lambda: [])):
        pass


async def test_a_port_that_is_taken_is_an_error_in_the_log_and_no_more(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    with (
        closing(socket.create_server((HERE, 0))) as other,
        caplog.at_level(logging.ERROR),
        serving(HERE, other.getsockname()[1], CollectorRegistry(), Health(pool, lambda: [])),
    ):
        pass
    assert "cannot serve metrics" in caplog.text


async def test_the_port_is_free_again_afterwards(pool: Pool) -> None:
    port = free_port()
    for _ in range(2):
        with serving(HERE, port, CollectorRegistry(), Health(pool, lambda: [])):
            assert ask(port, "/metrics")[0] == 200


async def test_many_idle_clients_are_not_many_threads(pool: Pool) -> None:
    port = free_port()
    with serving(HERE, port, CollectorRegistry(), Health(pool, lambda: [])):
        with ExitStack() as stack:
            lines = [stack.enter_context(socket.create_connection((HERE, port), timeout=10)) for _ in range(CONNECTIONS_MAX + 3)]
            assert [line.recv(1) for line in lines[CONNECTIONS_MAX:]] == [b""] * 3
        wait_until(lambda: answers(port), deadline_s=10, what="room for the next")


def answers(port: int) -> bool:
    try:
        return ask(port, "/metrics")[0] == 200
    except OSError:
        return False
