"""The gateway's outbox: readings accepted and synced per second, beside bare appends with fdatasync on the same disk."""

import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.outbox import Outbox, Reading

GROUP = 50
"""Readings that arrive within one step of the daemon under load."""
ROW_BYTES = 60
AT = datetime(2026, 3, 1, tzinfo=UTC)


def measure(seconds: float) -> dict[str, float]:
    """Readings per second in groups of 50 and alone, and the limit: 50 rows of 60 bytes appended and synced."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        grouped = _accepted_per_s(Path(folder) / "grouped.sqlite", GROUP, seconds)
        single = _accepted_per_s(Path(folder) / "single.sqlite", 1, seconds)
        limit = _appended_per_s(Path(folder) / "bare", seconds)
    return {
        "readings_per_s": grouped,
        "alone_per_s": single,
        "synced_append_rows_per_s": limit,
        "ratio": grouped / limit,
    }


def _accepted_per_s(path: Path, group: int, seconds: float) -> float:
    outbox = Outbox(path, rows_max=100_000_000)
    outbox.open()
    rows = [Reading("oximeter-1", "spo2", "mean", AT + timedelta(seconds=row), 97.0) for row in range(group)]
    rate = _per_second(lambda: outbox.append_readings(rows), seconds) * group
    outbox.close()
    return rate


def _appended_per_s(path: Path, seconds: float) -> float:
    with path.open("wb", buffering=0) as file:

        def append() -> None:
            file.write(bytes(ROW_BYTES * GROUP))
            os.fdatasync(file.fileno())

        return _per_second(append, seconds) * GROUP


def _per_second(act: Callable[[], None], seconds: float) -> float:
    count = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        act()
        count += 1
    return count / (time.perf_counter() - started)
