"""A gateway's outbox file as seen from outside: what waits in it, and how it is damaged. Only its tables' shape is known here.

    entry (sequence, is_event 0 a reading, at_ms, device, quantity, value, era)    era (id, shift_ms): at = at_ms + shift_ms

Source: gateway/outbox.py.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from simulators.faults.evidence import StoredReading

PAGE_BYTES = 4096
HEAD_BYTES = 100
WAITING = "SELECT count(*) FROM entry"
EVENTS = "SELECT count(*) FROM entry WHERE is_event"
SHED = re.compile(rb"the oldest (\d+) readings gave way")
READINGS = """
SELECT device, quantity, (at_ms + coalesce(shift_ms, 0)) / 1000.0, value FROM entry LEFT JOIN era ON era.id = entry.era WHERE NOT is_event
"""


def count_waiting(outbox: Path) -> int:
    """Entries that a running gateway has not seen stored yet. Raises sqlite3.Error."""
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True, timeout=1)) as db:
        return int(db.execute(WAITING).fetchone()[0])


def count_events(outbox: Path) -> int:
    """Events among them; 1 where that cannot be told now."""
    try:
        with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True, timeout=1)) as db:
            return int(db.execute(EVENTS).fetchone()[0])
    except sqlite3.Error:
        return 1


def readings_in(outbox: Path) -> tuple[StoredReading, ...] | None:
    """The readings that a dead gateway's file holds; its log is worked into it by that, unknown to its box.

    None: there are events too, or no file that can be read.
    """
    if not outbox.exists():
        return None
    try:
        with closing(sqlite3.connect(outbox)) as db:
            if db.execute(EVENTS).fetchone()[0]:
                return None
            rows = db.execute(READINGS).fetchall()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return None
    return tuple(StoredReading("", device, quantity, at, 0.0, value) for device, quantity, at, value in rows)


def damage(outbox: Path, random: Random) -> None:
    """Break it as failing storage does: its head, some of the pages that hold anything, or its end.

    Pages as a whole: single wrong bits in a value no one could notice.
    """
    data = bytearray(outbox.read_bytes())
    pages = [slice(at, at + PAGE_BYTES) for at in range(0, len(data), PAGE_BYTES) if any(data[at : at + PAGE_BYTES])]
    match random.randrange(4):
        case 0:
            data[:HEAD_BYTES] = random.randbytes(HEAD_BYTES)
        case 1:
            for page in random.sample(pages, random.randint(1, len(pages))):
                data[page] = random.randbytes(len(data[page]))
        case 2:
            page = random.choice(pages)
            data[page] = bytes(len(data[page]))
        case _:
            del data[random.randrange(1, len(data)) :]
    outbox.write_bytes(data)


def set_aside(outbox: Path) -> list[str]:
    """Names of the damaged files that the gateway has put beside its outbox."""
    found = outbox.parent.glob(f"{outbox.name}.damaged-*")
    return sorted(path.name for path in found if not path.name.endswith(("-wal", "-shm")))


def said_shed(log: Path, from_bytes: int) -> int:
    """How many readings a gateway said, in its log from `from_bytes` on, that it gave up on a full disk."""
    with log.open("rb") as lines:
        lines.seek(from_bytes)
        return sum(int(count) for count in SHED.findall(lines.read()))
