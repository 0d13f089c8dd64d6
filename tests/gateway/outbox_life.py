"""A part of an outbox's life, as a process of its own in a home's box: what it does, and what it then holds, is said line by line.

    python -m tests.gateway.outbox_life DISK BOX_FOLDER LIBRARY SEED FIRST ACTS

Before each act a line `{"begun": log length, "adds": names}`, after it `{"done": log length, "log_id": ..., "held": {name: sequence}}`.
Readings are named r1, r2 ... by their values, events w:1, w:2 ...; FIRST is the first number, which no life before had.
"""

import json
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np

from contract.events import EventKind
from gateway.outbox import Outbox, Reading
from gateway.stored_event import StoredEvent
from simulators.home_box import HomeBox
from tests.gateway.home import NOW, seconds

PLACE = "home/outbox.sqlite"
ROWS_MAX = 500
GROUP_MAX = 80
DEVICE = "bed-mat-" + 900 * "1"
"""A long name: it soon fills the 1000 pages after which SQLite moves its log into the file."""
ROOM_ON_FULL_DISK = 60_000
HELD_MAX = 10_000
DEADLINE_S = 120
ACTS = {"readings": 10, "event": 8, "forget_readings": 4, "forget_event": 5, "clock": 1, "reopen": 1, "full_disk": 1, "room_again": 1}


def open_outbox(path: Path) -> Outbox:
    """As the daemon does."""
    outbox = Outbox(path, ROWS_MAX)
    outbox.open()
    return outbox


def held(outbox: Outbox) -> dict[str, int]:
    """Name and sequence of everything. An event that is there twice breaks the test that asks."""
    events = [(json.loads(entry.body)["event_id"], entry.sequence) for entry in outbox.events(count_max=HELD_MAX)]
    readings = [(f"r{entry.reading.value:.0f}", entry.sequence) for entry in outbox.readings(after=0, count_max=HELD_MAX)]
    assert len(dict(events + readings)) == len(events) + len(readings), "something is held twice"
    return dict(events + readings)


def put_event(outbox: Outbox, name: str) -> bool:
    """Append the event of this name. False when it is known."""
    is_urgent = int(name.removeprefix("w:")) % 3 == 0
    body = StoredEvent(event_id=name, kind=EventKind.SOS if is_urgent else EventKind.BED_EXIT).model_dump_json(exclude_none=True)
    return outbox.append_event(name, NOW, "wearable-1", body, is_urgent=is_urgent, key=f"press {name}", uptime_s=1.0)


class Life:
    """Acts at random on one outbox."""

    def __init__(self, disk: Path, box: HomeBox, *, seed: int, first: int) -> None:
        self._disk = disk
        self._box = box
        self._random = np.random.default_rng(seed)
        self._number = first
        self._outbox: Outbox

    def live(self, acts: int) -> None:
        """Open, act, close."""
        self._say([], self._open)
        for name in self._random.choice(list(ACTS), acts, p=np.array(list(ACTS.values())) / sum(ACTS.values())):
            adds, act = getattr(self, f"_{name}")()
            self._say(adds, act)
        self._outbox.close()

    def _say(self, adds: list[str], act: Callable[[], object]) -> None:
        print(json.dumps({"begun": self._box.log.stat().st_size, "adds": adds}), flush=True)
        act()
        told = {"done": self._box.log.stat().st_size, "log_id": self._outbox.log_id, "held": held(self._outbox)}
        print(json.dumps(told), flush=True)

    def _open(self) -> None:
        self._outbox = open_outbox(self._disk / PLACE)

    def _take_numbers(self, count: int) -> range:
        self._number += count
        return range(self._number - count, self._number)

    def _readings(self) -> tuple[list[str], Callable[[], object]]:
        numbers = self._take_numbers(int(self._random.integers(1, GROUP_MAX)))
        group = [Reading(DEVICE, "heart_rate", "sample", NOW + seconds(number), float(number)) for number in numbers]
        return [f"r{number}" for number in numbers], lambda: self._outbox.append_readings(group)

    def _event(self) -> tuple[list[str], Callable[[], object]]:
        [number] = self._take_numbers(1)
        return [f"w:{number}"], lambda: put_event(self._outbox, f"w:{number}")

    def _forget_readings(self) -> tuple[list[str], Callable[[], object]]:
        oldest = self._outbox.readings(after=0, count_max=int(self._random.integers(1, 2 * GROUP_MAX)))
        first, last = (oldest[0].sequence, oldest[-1].sequence) if oldest else (1, 1)
        return [], lambda: self._outbox.forget_readings(first, last)

    def _forget_event(self) -> tuple[list[str], Callable[[], object]]:
        first = self._outbox.events(count_max=1)
        return [], lambda: self._outbox.forget_event(first[0].sequence if first else 1)

    def _clock(self) -> tuple[list[str], Callable[[], object]]:
        offset = timedelta(hours=int(self._random.integers(100_000, 500_000)))
        return [], lambda: self._outbox.set_clock("boot-1", offset)

    def _reopen(self) -> tuple[list[str], Callable[[], object]]:
        def reopen() -> None:
            self._outbox.close()
            self._open()

        return [], reopen

    def _full_disk(self) -> tuple[list[str], Callable[[], object]]:
        """Once the reserve is given up nobody takes the room it left: without any the outbox is broken, and says so."""
        has_reserve = (self._disk / f"{PLACE}.reserve").exists()
        size = sum(path.stat().st_size for path in self._disk.rglob("*") if path.is_file())
        return [], lambda: self._box.limit_room(size + ROOM_ON_FULL_DISK) if has_reserve else None

    def _room_again(self) -> tuple[list[str], Callable[[], object]]:
        return [], lambda: self._box.limit_room(None)


def main() -> None:
    """See above. Whatever hangs ends after DEADLINE_S."""
    signal.alarm(DEADLINE_S)
    disk, folder, library = map(Path, sys.argv[1:4])
    seed, first, acts = map(int, sys.argv[4:])
    Life(disk, HomeBox(disk, folder, library=library), seed=seed, first=first).live(acts)


if __name__ == "__main__":
    main()
