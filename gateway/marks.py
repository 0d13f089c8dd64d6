"""A small file beside the outbox: which of the records that devices store are known, so that a restart does not take them again."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.history import Mark

logger = logging.getLogger(__name__)


def read_marks(path: Path) -> dict[str, Mark]:
    """Marks by device. Empty where there is no file; a file that cannot be read costs repeated records, no lost ones."""
    try:
        return {str(device): _mark(**mark) for device, mark in json.loads(path.read_text("utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        logger.warning("%s cannot be read, records of devices may come twice: %s", path, error, extra={"event": "marks_lost"})
        return {}


def write_marks(path: Path, marks: Mapping[str, Mark]) -> None:
    """Replace the file in one step. A full disk is logged: the next mark tries again."""
    fresh = path.with_name(f"{path.name}.fresh")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({device: asdict(mark) for device, mark in marks.items()}, file, default=datetime.isoformat)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        logger.warning("%s cannot be written: %s", path, error, extra={"event": "marks_unwritten"})


def _mark(until: str | None, live: list[str], records: list[str] | None = None) -> Mark:
    """`records` came later than the rest."""
    return Mark(_instant(until) if until else None, tuple(map(_instant, live)), tuple(map(str, records or ())))


def _instant(text: Any) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return at
