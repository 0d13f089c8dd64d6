"""Outboxes for tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.outbox import Outbox
from tests.gateway.home import ROWS_MAX, OpenOutbox


@pytest.fixture
def open_outbox(tmp_path: Path) -> Iterator[OpenOutbox]:
    """Opens outboxes on one file, or another; all are closed after the test."""
    opened: list[Outbox] = []

    def open_one(path: Path = tmp_path / "outbox.sqlite", rows_max: int = ROWS_MAX) -> Outbox:
        opened.append(Outbox(path, rows_max))
        opened[-1].open()
        return opened[-1]

    yield open_one
    for outbox in opened:
        outbox.close()
