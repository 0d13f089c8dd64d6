"""A small home for tests: its instants, its configuration, readings and events to put into an outbox."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contract.events import EventKind
from gateway.config import Config
from gateway.outbox import Outbox, Reading
from gateway.stored_event import StoredEvent

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
WAIT_S = 20.0
ROWS_MAX = 5_000_000
POLL_S = 0.01

WEARABLE = {"id": "wearable-1", "type": "jiahu_wearable", "address": 7}
BED_MAT = {"id": "bed-mat-1", "type": "jiahu_bed_mat", "address": 8}
OXIMETER = {"id": "oximeter-1", "type": "bci_oximeter"}
BRIDGE_PORT = {"path": "/ports/bridge", "device": [WEARABLE, BED_MAT]}
OXIMETER_PORT = {"path": "/ports/oximeter", "device": [OXIMETER]}


def eventually(condition: Callable[[], object], *, what: str = "the condition") -> None:
    """Return once `condition` is true; fail after WAIT_S."""
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"{what} did not come true within {WAIT_S:g} s"
        time.sleep(POLL_S)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def config(folder: Path = Path("/nowhere"), **changes: Any) -> Config:
    """A gateway `gw-1` with a wearable and a bed mat on one port, and an oximeter on another."""
    least = {
        "gateway_id": "gw-1",
        "broker": {"host": "127.0.0.1", "port": 1883},
        "outbox": {"path": folder / "outbox.sqlite"},
        "port": [BRIDGE_PORT, OXIMETER_PORT],
    }
    return Config.model_validate(least | changes)


def readings(count: int, *, first: int = 0, device: str = "wearable-1") -> list[Reading]:
    """One heart rate a second; its value is its number, so that a test can tell them apart."""
    numbers = range(first, first + count)
    return [Reading(device, "heart_rate", "sample", NOW + seconds(number), float(number % 200 + 50)) for number in numbers]


def put_event(outbox: Outbox, event_id: str, kind: EventKind = EventKind.BED_EXIT, *, is_urgent: bool = False) -> bool:
    body = StoredEvent(event_id=event_id, kind=kind).model_dump_json(exclude_none=True)
    return outbox.append_event(event_id, NOW, "wearable-1", body, is_urgent=is_urgent)


def toml(gateway: dict[str, Any]) -> str:
    """The file that gives `gateway`: JSON's strings, numbers and lists are TOML's too."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in gateway.items() if not isinstance(value, dict) and key != "port"]
    for name, section in gateway.items():
        if isinstance(section, dict):
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
    for port in gateway["port"]:
        lines += ["[[port]]", *(f"{key} = {json.dumps(value)}" for key, value in port.items() if key != "device")]
        for device in port["device"]:
            lines += ["[[port.device]]", *(f"{key} = {json.dumps(value)}" for key, value in device.items())]
    return "\n".join(lines)


OpenOutbox = Callable[..., Outbox]
"""The fixture `open_outbox`."""


def sequences(outbox: Outbox) -> list[int]:
    return [entry.sequence for entry in outbox.readings(after=0, count_max=ROWS_MAX)]


def event_sequences(outbox: Outbox) -> list[int]:
    return [entry.sequence for entry in outbox.events(count_max=ROWS_MAX)]


def fill(outbox: Outbox, count: int) -> None:
    for first in range(0, count, 500):
        outbox.append_readings(readings(500, first=first))


def directly(path: Path, *statements: str) -> None:
    """What another program, or a broken disk, does to the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)
