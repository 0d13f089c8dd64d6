"""The gateway's memory: an SQLite file that holds readings and events until the backend says that they are stored.

A reading or event counts as accepted only once `append` has returned: by then it is on the disk. Events are committed one by one, readings
in the groups the caller makes. Sequences are never used twice within one file; a new file gets a new name (`log_id`), so the backend never
takes its sequences for old ones.

Times are kept as the home's clock said, less what that clock has been moved by since the machine started: when it is set right, what still
waits is right with it.
"""

import json
import logging
import math
import re
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contract.message import SEQUENCE_MAX
from gateway.clock import MILLISECOND, STEP_MIN
from gateway.outbox_file import Damaged, OutboxFile

logger = logging.getLogger(__name__)

SEEN_MAX = 10_000
"""Event ids remembered so that a device's repeats, even across restarts, are one event."""
REPEATS_FOR_S = 300.0
"""A device repeats for at most 3 min. Later the same key is another event: the number of a device's start has only 16 bits."""
SEEN_BEFORE_BOOT = 16
"""Just after the machine has started, so many of the newest events may be repeated: how long ago they were nobody can say."""
SHED_SHARE = 20
"""Where room is needed, this part (1/20) of the readings goes at once, oldest first."""
SHED_MIN = 1_000
"""On a full disk, at least so many: more than are ever accepted at once."""
VERSION = 3
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entry (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    is_event INTEGER NOT NULL, -- 0 a reading, 1 an event, 2 an urgent event
    at_ms INTEGER NOT NULL, -- plus the shift of its era
    device TEXT NOT NULL,
    quantity TEXT,
    statistic TEXT,
    value REAL,
    body TEXT,
    is_history INTEGER NOT NULL DEFAULT 0,
    era INTEGER NOT NULL DEFAULT 0 -- 0: the time does not move with the home's clock
);
CREATE INDEX IF NOT EXISTS entry_event ON entry (sequence) WHERE is_event;
CREATE TABLE IF NOT EXISTS era ( -- one start of the machine
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    boot TEXT NOT NULL UNIQUE,
    offset_ms INTEGER NOT NULL, -- its clock less its count of milliseconds since the start
    shift_ms INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS seen (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    key TEXT,
    era INTEGER NOT NULL DEFAULT 0,
    uptime_s REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS seen_key ON seen (key);
CREATE TABLE IF NOT EXISTS held ( -- urgent events about which the home is asked first
    event_id TEXT PRIMARY KEY,
    at_ms INTEGER NOT NULL, -- plus the shift of its era
    device TEXT NOT NULL,
    body TEXT NOT NULL,
    era INTEGER NOT NULL DEFAULT 0,
    uptime_s REAL NOT NULL DEFAULT 0 -- when it was asked
);
"""
FROM_VERSION_0 = """
ALTER TABLE entry ADD COLUMN era INTEGER NOT NULL DEFAULT 0;
ALTER TABLE seen ADD COLUMN key TEXT;
ALTER TABLE seen ADD COLUMN era INTEGER NOT NULL DEFAULT 0;
ALTER TABLE seen ADD COLUMN uptime_s REAL NOT NULL DEFAULT 0;
"""
FROM_VERSION_1 = "ALTER TABLE entry ADD COLUMN is_history INTEGER NOT NULL DEFAULT 0;"
UPGRADES = (FROM_VERSION_0, FROM_VERSION_1, "")  # version 3 only adds a table
ADD_READING = """
INSERT INTO entry (is_event, at_ms, device, quantity, statistic, value, era, is_history) VALUES (0, ?, ?, ?, ?, ?, ?, ?)
"""
ADD_EVENT = "INSERT INTO entry (is_event, at_ms, device, body, era) VALUES (?, ?, ?, ?, ?)"
HOLD = "INSERT INTO held (event_id, at_ms, device, body, era, uptime_s) VALUES (?, ?, ?, ?, ?, ?)"
HELD = "SELECT event_id, device, body, CASE WHEN era = ? THEN uptime_s END FROM held ORDER BY rowid"
RELEASE = "INSERT INTO entry (is_event, at_ms, device, body, era) SELECT ?, at_ms, device, ?, era FROM held WHERE event_id = ?"
FORGET_HELD = "DELETE FROM held WHERE event_id = ?"
ADD_SEEN = "INSERT OR IGNORE INTO seen (event_id, key, era, uptime_s) VALUES (?, ?, ?, ?)"
IS_REPEAT = """
SELECT 1 FROM seen WHERE key = :key AND (
    era = :era AND uptime_s > :uptime_s - :repeats_for_s
    OR era <> :era AND :uptime_s < :repeats_for_s AND number > (SELECT max(number) FROM seen) - :before_boot
)
"""
TRIM_SEEN = "DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?"
READINGS = """
SELECT sequence, at_ms + coalesce(shift_ms, 0), device, quantity, statistic, value, is_history
FROM entry LEFT JOIN era ON era.id = entry.era WHERE NOT is_event AND sequence > ? ORDER BY sequence LIMIT ?
"""
EVENTS = """
SELECT sequence, is_event, at_ms + coalesce(shift_ms, 0), device, body
FROM entry LEFT JOIN era ON era.id = entry.era WHERE is_event ORDER BY is_event DESC, sequence LIMIT ?
"""
FORGET_READINGS = "DELETE FROM entry WHERE NOT is_event AND sequence BETWEEN ? AND ?"
FORGET_EVENT = "DELETE FROM entry WHERE is_event AND sequence = ?"
SHED = "DELETE FROM entry WHERE sequence IN (SELECT sequence FROM entry WHERE NOT is_event ORDER BY sequence LIMIT ?)"
OLDEST = """
SELECT sequence, at_ms + coalesce(shift_ms, 0) FROM entry LEFT JOIN era ON era.id = entry.era ORDER BY sequence LIMIT 1
"""
COUNT = "SELECT count(*) FROM entry"
PROVE = "INSERT OR REPLACE INTO meta VALUES ('proved', ?)"
NEXT = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0) + 1"
ERA = "SELECT id, offset_ms, shift_ms FROM era WHERE boot = ?"
ADD_ERA = "INSERT OR IGNORE INTO era (boot, offset_ms) VALUES (?, ?)"
MOVE_ERA = "UPDATE era SET offset_ms = ?, shift_ms = ? WHERE id = ?"
# A damaged file is read row by row from both ends: what lies behind the damage is found too.
FIRST_EVENT = """
SELECT sequence, is_event, at_ms, device, body, era FROM entry NOT INDEXED WHERE is_event AND sequence > ? ORDER BY sequence LIMIT 1
"""
LAST_EVENT = """
SELECT sequence, is_event, at_ms, device, body, era FROM entry NOT INDEXED WHERE is_event AND sequence < ? ORDER BY sequence DESC LIMIT 1
"""
HELD_IN_DAMAGED = "SELECT at_ms, device, body, era FROM held NOT INDEXED ORDER BY rowid"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS_MAX = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // MILLISECOND


@dataclass(frozen=True, slots=True)
class Reading:
    """A measurement with its device and time, before it has a sequence. `at` has whole milliseconds.

    `is_history`: the device had stored it; `at` is by the device's clock, so a step of the home's does not move it.
    """

    device: str
    quantity: str
    statistic: str
    at: datetime
    value: float
    is_history: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A reading on disk."""

    sequence: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class EventEntry:
    """An event on disk; `body` is the JSON that the pipeline gave."""

    sequence: int
    is_urgent: bool
    at: datetime
    device: str
    body: str


@dataclass(frozen=True, slots=True)
class Held:
    """An event on disk about which the home is asked, `since_s` on the machine's count; minus infinity: before its last start."""

    event_id: str
    device: str
    body: str
    since_s: float


class Outbox:
    """One open file. Used by one thread."""

    def __init__(self, path: Path, rows_max: int) -> None:
        self._rows_max = rows_max
        self._file = OutboxFile(path, prepare=self._prepare, rescue=self._rescue, shed=self._shed_for_room)
        self._boot = ""
        self._offset = timedelta(0)
        self._era = 0
        self._shift_ms = 0
        self.log_id = ""
        self.waiting = 0
        self.shed = 0

    @property
    def damaged(self) -> Path | None:
        """Where a file that could not be read was set aside, until `take_damaged`."""
        return self._file.damaged

    def take_damaged(self) -> Path | None:
        """The same, once."""
        damaged, self._file.damaged = self._file.damaged, None
        return damaged

    def open(self) -> None:
        """Open or create the file; one that is damaged is set aside and a new one begun.

        Raises StoreBroken when even that fails, BadInput when another gateway has it open.
        """
        self._file.open()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def writes(self) -> int:
        """How many writes have succeeded since it was made."""
        return self._file.writes

    def prove(self) -> None:
        """Write one row, to see that the disk still takes it. Raises StoreBroken."""
        self._file.write(lambda db: db.execute(PROVE, (str(self.writes),)))

    def set_clock(self, boot: str, offset: timedelta) -> None:
        """Say how the clock stands to the count of this start of the machine. A step moves the times of what still waits since then."""
        self._boot, self._offset = boot, offset
        self._file.write(self._set_era)

    def append_readings(self, readings: Sequence[Reading]) -> None:
        """Accept readings: on disk when this returns. Beyond the limit of rows the oldest readings give way."""
        self._file.write(lambda db: db.executemany(ADD_READING, self._rows(readings)))
        self.waiting += len(readings)
        if self.waiting > self._rows_max:
            self._shed(self.waiting - self._rows_max, self._file.write)

    def append_event(
        self, event_id: str, at: datetime, device: str, body: str, *, is_urgent: bool, key: str | None = None, uptime_s: float = 0.0
    ) -> bool:
        """Accept an event: on disk when this returns. False when it is known already, which changes nothing.

        Known is its id; and its `key`, which has no time in it, for as long as a device repeats itself, whatever the clock did meanwhile.
        """

        def insert(db: sqlite3.Connection) -> bool:
            is_new = self._see(db, event_id, key, uptime_s)
            if is_new:
                db.execute(ADD_EVENT, (1 + is_urgent, to_ms(at) - self._shift_ms, device, body, self._era))
            return is_new

        is_new = self._file.write(insert)
        self.waiting += is_new
        return is_new

    def hold_event(self, event_id: str, at: datetime, device: str, body: str, *, key: str | None = None, uptime_s: float = 0.0) -> bool:
        """Keep an urgent event about which the home is asked: on disk when this returns. False when it is known, as in `append_event`.

        A damaged file gives it back as the urgent event that it would be.
        """

        def insert(db: sqlite3.Connection) -> bool:
            is_new = self._see(db, event_id, key, uptime_s)
            if is_new:
                db.execute(HOLD, (event_id, to_ms(at) - self._shift_ms, device, body, self._era, uptime_s))
            return is_new

        return self._file.write(insert)

    def held(self) -> list[Held]:
        """Events that are held, in the order they came."""
        rows = self._file.read(lambda db: db.execute(HELD, (self._era,)).fetchall())
        return [Held(row[0], row[1], row[2], -math.inf if row[3] is None else row[3]) for row in rows]

    def release_event(self, event_id: str, body: str, *, is_urgent: bool) -> None:
        """Make a held event one that is sent, with this body, in one step. One that is not held changes nothing."""

        def move(db: sqlite3.Connection) -> int:
            count = db.execute(RELEASE, (1 + is_urgent, body, event_id)).rowcount
            db.execute(FORGET_HELD, (event_id,))
            return count

        self.waiting += self._file.write(move)

    def _see(self, db: sqlite3.Connection, event_id: str, key: str | None, uptime_s: float) -> bool:
        known = {"key": key, "era": self._era, "uptime_s": uptime_s, "repeats_for_s": REPEATS_FOR_S, "before_boot": SEEN_BEFORE_BOOT}
        if key is not None and db.execute(IS_REPEAT, known).fetchone():
            return False
        if db.execute(ADD_SEEN, (event_id, key, self._era, uptime_s)).rowcount == 0:
            return False
        db.execute(TRIM_SEEN, (SEEN_MAX,))
        return True

    def readings(self, *, after: int, count_max: int) -> list[Entry]:
        """Readings with a sequence above `after`, oldest first."""
        rows = self._file.read(lambda db: db.execute(READINGS, (after, count_max)).fetchall())
        return [Entry(row[0], Reading(row[2], row[3], row[4], from_ms(row[1]), row[5], bool(row[6]))) for row in rows]

    def events(self, *, count_max: int) -> list[EventEntry]:
        """Events, the urgent ones first, each kind oldest first."""
        rows = self._file.read(lambda db: db.execute(EVENTS, (count_max,)).fetchall())
        return [EventEntry(row[0], row[1] > 1, from_ms(row[2]), row[3], row[4]) for row in rows]

    def forget_readings(self, first: int, last: int) -> None:
        """Readings with these sequences are stored elsewhere now."""
        self.waiting -= self._file.write(lambda db: db.execute(FORGET_READINGS, (first, last)).rowcount)

    def forget_event(self, sequence: int) -> None:
        """The event is stored elsewhere now."""
        self.waiting -= self._file.write(lambda db: db.execute(FORGET_EVENT, (sequence,)).rowcount)

    def floor(self) -> int:
        """No sequence below this one is held any more."""
        oldest = self._file.read(lambda db: db.execute(OLDEST).fetchone())
        return oldest[0] if oldest else self._file.read(lambda db: int(db.execute(NEXT).fetchone()[0]))

    def oldest_at(self) -> datetime | None:
        """When the oldest entry was measured; None when nothing waits."""
        oldest = self._file.read(lambda db: db.execute(OLDEST).fetchone())
        return from_ms(oldest[1]) if oldest else None

    def _rows(self, readings: Sequence[Reading]) -> list[tuple[int, str, str, str, float, int, bool]]:
        """Made within the transaction: a new file has another era."""
        here, nowhere = (self._shift_ms, self._era), (0, 0)
        eras = (nowhere if one.is_history else here for one in readings)
        return [
            (to_ms(one.at) - shift_ms, one.device, one.quantity, one.statistic, one.value, era, one.is_history)
            for one, (shift_ms, era) in zip(readings, eras, strict=True)
        ]

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version < VERSION:
            is_old = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'entry'").fetchone()
            upgrade = "".join(UPGRADES[version:]) if is_old else ""
            db.executescript(f"BEGIN IMMEDIATE; {upgrade} {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        db.execute("INSERT OR IGNORE INTO meta VALUES ('log_id', ?)", (secrets.token_hex(8),))
        self.log_id = db.execute("SELECT value FROM meta WHERE key = 'log_id'").fetchone()[0]
        if not re.fullmatch(r"[0-9a-f]{16}", self.log_id):
            raise Damaged("the name of the log cannot be read")
        self.waiting = db.execute(COUNT).fetchone()[0]
        self._era = self._shift_ms = 0
        if self._boot:
            self._set_era(db)

    def _set_era(self, db: sqlite3.Connection) -> None:
        offset_ms = self._offset // MILLISECOND
        db.execute(ADD_ERA, (self._boot, offset_ms))
        self._era, old_ms, shift_ms = db.execute(ERA, (self._boot,)).fetchone()
        moved_ms = offset_ms - old_ms
        self._shift_ms = shift_ms + (moved_ms if abs(moved_ms) >= STEP_MIN // MILLISECOND else 0)
        db.execute(MOVE_ERA, (offset_ms, self._shift_ms, self._era))

    def _rescue(self, aside: Path) -> None:
        """Take over the events that can still be read in a damaged file. Its readings stay there for a human."""
        events = _events_in(aside)

        def take_over(db: sqlite3.Connection) -> int:
            count = db.execute(COUNT).fetchone()[0]
            for is_event, at_ms, device, body in events:
                if db.execute(ADD_SEEN, (json.loads(body)["event_id"], None, self._era, 0.0)).rowcount:
                    db.execute(ADD_EVENT, (is_event, at_ms - self._shift_ms, device, body, self._era))
            return int(db.execute(COUNT).fetchone()[0]) - int(count)

        rescued = self._file.write(take_over)
        self.waiting += rescued
        logger.warning("%d events were taken over from %s", rescued, aside, extra={"event": "events_rescued"})

    def _shed_for_room(self) -> None:
        self._shed(SHED_MIN, self._file.transact)

    def _shed(self, count_min: int, write: Callable[[Callable[[sqlite3.Connection], int]], int]) -> None:
        count = max(count_min, self.waiting // SHED_SHARE)
        gone = write(lambda db: db.execute(SHED, (count,)).rowcount)
        self.waiting -= gone
        self.shed += gone
        logger.warning("outbox is full: the oldest %d readings gave way", gone, extra={"event": "readings_shed"})


def _events_in(path: Path) -> list[tuple[int, int, str, str]]:
    """(urgency, time in ms, device, body) of every event that a damaged file still shows whole, oldest first."""
    found: dict[int, tuple[int, int, str, str]] = {}
    for query, sequence in ((FIRST_EVENT, 0), (LAST_EVENT, SEQUENCE_MAX)):
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.execute("PRAGMA writable_schema = ON")  # a file cut short is opened only so
            shifts = _shifts_in(db)
            while row := db.execute(query, (sequence,)).fetchone():
                sequence, is_event, at_ms, device, body, era = row
                if _is_whole(is_event, at_ms, device, body):
                    found[sequence] = is_event, at_ms + shifts.get(era, 0), device, body
    return [row for _, row in sorted(found.items())] + _held_in(path)


def _held_in(path: Path) -> list[tuple[int, int, str, str]]:
    """The same of events about which the home was being asked: that is over, they are urgent."""
    found: list[tuple[int, int, str, str]] = []
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.execute("PRAGMA writable_schema = ON")
        shifts = _shifts_in(db)
        for at_ms, device, body, era in db.execute(HELD_IN_DAMAGED):
            if _is_whole(2, at_ms, device, body):
                found.append((2, at_ms + shifts.get(era, 0), device, body))
    return found


def _shifts_in(db: sqlite3.Connection) -> dict[int, int]:
    with suppress(sqlite3.DatabaseError):
        return dict(db.execute("SELECT id, shift_ms FROM era").fetchall())
    return {}


def _is_whole(is_event: object, at_ms: object, device: object, body: object) -> bool:
    """Broken bits in a row seldom leave it this shape."""
    if is_event not in (1, 2) or not isinstance(at_ms, int) or not isinstance(device, str) or not isinstance(body, str):
        return False
    try:
        return isinstance(json.loads(body)["event_id"], str)
    except (ValueError, KeyError, TypeError):
        return False


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970, exact."""
    return (at - EPOCH) // MILLISECOND


def from_ms(ms: int) -> datetime:
    """Inverse of `to_ms`, aware UTC. What no calendar holds, broken bits, becomes its nearest end."""
    return EPOCH + min(max(ms, 0), MS_MAX) * MILLISECOND
