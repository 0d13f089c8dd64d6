"""What the simulators' tests share: waiting for a condition, and a port opened as a gateway opens it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serial import Serial

WAIT_S = 30.0
POLL_S = 0.01


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds; fail after WAIT_S."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            time.sleep(POLL_S)

    return wait


@pytest.fixture
def open_port() -> Iterator[Callable[[Path], Serial]]:
    """Opens ports, with a timeout of WAIT_S, and closes them after the test."""
    ports: list[Serial] = []

    def open_one(link: Path) -> Serial:
        ports.append(Serial(str(link), 115_200, timeout=WAIT_S))
        return ports[-1]

    yield open_one
    for port in ports:
        port.close()
