"""An outbox is read and damaged from outside; the real gateway's file is what is looked at."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from gateway.outbox import Outbox, Reading
from simulators.faults.outbox_file import count_events, count_waiting, damage, readings_in, said_shed, set_aside

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
ROWS = 500


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """A closed file with readings in it."""
    path = tmp_path / "outbox.sqlite"
    one = Outbox(path, 1_000_000)
    one.open()
    one.append_readings([Reading("wearable-1", "spo2", "sample", AT, 90 + number % 9) for number in range(ROWS)])
    one.close()
    return path


def test_what_waits_is_counted_and_read(outbox: Path) -> None:
    assert (count_waiting(outbox), count_events(outbox)) == (ROWS, 0)
    rows = readings_in(outbox)
    assert rows is not None and len(rows) == ROWS
    assert (rows[1].device, rows[1].quantity, rows[1].measured_at, rows[1].value) == ("wearable-1", "spo2", AT.timestamp(), 91)


def test_a_file_with_an_event_is_left_alone(outbox: Path) -> None:
    one = Outbox(outbox, 1_000_000)
    one.open()
    one.append_event("wearable-1:1", AT, "wearable-1", "{}", is_urgent=True)
    one.close()
    assert readings_in(outbox) is None and count_events(outbox) == 1


def test_a_file_that_is_none_has_perhaps_an_event(tmp_path: Path) -> None:
    assert readings_in(tmp_path / "missing") is None and count_events(tmp_path / "missing") == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_never_stops_a_gateway(outbox: Path, seed: int) -> None:
    before = outbox.read_bytes()
    damage(outbox, Random(seed))
    assert outbox.read_bytes() != before
    one = Outbox(outbox, 1_000_000)
    one.open()
    one.append_readings([Reading("wearable-1", "spo2", "sample", AT, 95)])
    one.close()
    assert len(set_aside(outbox)) <= 1


def test_what_a_gateway_said_it_shed_is_read_from_where_asked(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    old = b"outbox is full: the oldest 7 readings gave way\n"
    log.write_bytes(old + b"outbox is full: the oldest 1000 readings gave way\n\xff\noutbox is full: the oldest 20 readings gave way\n")
    assert said_shed(log, len(old)) == 1020
