"""The gateway's memory: an SQLite file that holds readings and events until the backend says that they are stored. The only sqlite3 user.

A reading or event counts as accepted only once `append` has returned: by then it is on the disk (WAL, synchronous=FULL). Events are
committed one by one, readings in the groups the caller makes. Sequences are never used twice within one file; a new file gets a new name
(`log_id`), so the backend never takes its sequences for old ones.
"""

import logging
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from gateway.errors import StoreBroken

logger = logging.getLogger(__name__)

T = TypeVar("T")

SEEN_MAX = 10_000
"""Event ids remembered so that a device's repeats, even across restarts, are one event."""
SHED_SHARE = 20
"""Where room is needed, this part (1/20) of the readings goes at once, oldest first."""
SHED_MIN = 1_000
"""On a full disk, at least so many: more than are ever accepted at once."""
RESERVE_BYTES = 8 * 1024 * 1024
"""Kept free beside the file for a full disk: even to delete, SQLite must write, and its log of at most 4 MB must first find room."""
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
UNREADABLE = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entry (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    is_event INTEGER NOT NULL, -- 0 a reading, 1 an event, 2 an urgent event
    at_ms INTEGER NOT NULL,
    device TEXT NOT NULL,
    quantity TEXT,
    statistic TEXT,
    value REAL,
    body TEXT
);
CREATE INDEX IF NOT EXISTS entry_event ON entry (sequence) WHERE is_event;
CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE);
"""
ADD_READING = "INSERT INTO entry (is_event, at_ms, device, quantity, statistic, value) VALUES (0, ?, ?, ?, ?, ?)"
ADD_EVENT = "INSERT INTO entry (is_event, at_ms, device, body) VALUES (?, ?, ?, ?)"
ADD_SEEN = "INSERT OR IGNORE INTO seen (event_id) VALUES (?)"
TRIM_SEEN = "DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?"
READINGS = """
SELECT sequence, at_ms, device, quantity, statistic, value FROM entry WHERE NOT is_event AND sequence > ? ORDER BY sequence LIMIT ?
"""
EVENTS = "SELECT sequence, is_event, at_ms, device, body FROM entry WHERE is_event ORDER BY is_event DESC, sequence LIMIT ?"
FORGET_READINGS = "DELETE FROM entry WHERE NOT is_event AND sequence BETWEEN ? AND ?"
FORGET_EVENT = "DELETE FROM entry WHERE is_event AND sequence = ?"
SHED = "DELETE FROM entry WHERE sequence IN (SELECT sequence FROM entry WHERE NOT is_event ORDER BY sequence LIMIT ?)"
OLDEST = "SELECT sequence, at_ms FROM entry ORDER BY sequence LIMIT 1"
COUNT = "SELECT count(*) FROM entry"
NEXT = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0) + 1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MS_MAX = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // MILLISECOND


@dataclass(frozen=True, slots=True)
class Reading:
    """A measurement with its device and time, before it has a sequence. `at` has whole milliseconds."""

    device: str
    quantity: str
    statistic: str
    at: datetime
    value: float


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


class Damaged(sqlite3.DatabaseError):
    """Not SQLite's word but ours: the file can be opened, and is not to be trusted."""


class Outbox:
    """One open file. Used by one thread."""

    def __init__(self, path: Path, rows_max: int) -> None:
        self._path = path
        self._rows_max = rows_max
        self._db: sqlite3.Connection | None = None
        self.log_id = ""
        self.waiting = 0
        self.shed = 0
        self.damaged: Path | None = None
        """Where a file that could not be read was set aside by the last `open` or repair."""

    def open(self) -> None:
        """Open or create the file; one that is damaged is set aside and a new one begun. Raises StoreBroken when even that fails."""
        self._twice(self._connect)

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def append_readings(self, readings: Sequence[Reading]) -> None:
        """Accept readings: on disk when this returns. Beyond the limit of rows the oldest readings give way."""
        rows = [(to_ms(one.at), one.device, one.quantity, one.statistic, one.value) for one in readings]
        self._write(lambda db: db.executemany(ADD_READING, rows))
        self.waiting += len(rows)
        if self.waiting > self._rows_max:
            self._twice(lambda: self._shed(self.waiting - self._rows_max))

    def append_event(self, event_id: str, at: datetime, device: str, body: str, *, is_urgent: bool) -> bool:
        """Accept an event: on disk when this returns. False when it is known already, which changes nothing."""

        def insert(db: sqlite3.Connection) -> bool:
            if db.execute(ADD_SEEN, (event_id,)).rowcount == 0:
                return False
            db.execute(TRIM_SEEN, (SEEN_MAX,))
            db.execute(ADD_EVENT, (1 + is_urgent, to_ms(at), device, body))
            return True

        is_new = self._write(insert)
        self.waiting += is_new
        return is_new

    def readings(self, *, after: int, count_max: int) -> list[Entry]:
        """Readings with a sequence above `after`, oldest first."""
        rows = self._read(lambda db: db.execute(READINGS, (after, count_max)).fetchall())
        return [Entry(row[0], Reading(row[2], row[3], row[4], from_ms(row[1]), row[5])) for row in rows]

    def events(self, *, count_max: int) -> list[EventEntry]:
        """Events, the urgent ones first, each kind oldest first."""
        rows = self._read(lambda db: db.execute(EVENTS, (count_max,)).fetchall())
        return [EventEntry(row[0], row[1] > 1, from_ms(row[2]), row[3], row[4]) for row in rows]

    def forget_readings(self, first: int, last: int) -> None:
        """Readings with these sequences are stored elsewhere now."""
        self.waiting -= self._write(lambda db: db.execute(FORGET_READINGS, (first, last)).rowcount)

    def forget_event(self, sequence: int) -> None:
        """The event is stored elsewhere now."""
        self.waiting -= self._write(lambda db: db.execute(FORGET_EVENT, (sequence,)).rowcount)

    def floor(self) -> int:
        """No sequence below this one is held any more."""
        oldest = self._read(lambda db: db.execute(OLDEST).fetchone())
        return oldest[0] if oldest else self._read(lambda db: int(db.execute(NEXT).fetchone()[0]))

    def oldest_at(self) -> datetime | None:
        """When the oldest entry was measured; None when nothing waits."""
        oldest = self._read(lambda db: db.execute(OLDEST).fetchone())
        return from_ms(oldest[1]) if oldest else None

    def _connect(self) -> None:
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.text_factory = lambda text: text.decode("utf-8", "replace")  # one broken letter must not hide the other rows
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise Damaged(found)
        db.executescript(SCHEMA)
        db.execute("INSERT OR IGNORE INTO meta VALUES ('log_id', ?)", (secrets.token_hex(8),))
        self.log_id = db.execute("SELECT value FROM meta WHERE key = 'log_id'").fetchone()[0]
        if not re.fullmatch(r"[0-9a-f]{16}", self.log_id):
            raise Damaged("the name of the log cannot be read")
        self.waiting = db.execute(COUNT).fetchone()[0]
        self._reserve_room()

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one synced transaction."""
        return self._twice(lambda: self._transact(work))

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._twice(lambda: work(self._open_db))

    def _twice(self, step: Callable[[], T]) -> T:
        """Do `step`. A full disk sheds readings, a damaged file is set aside, then `step` is done again. Raises StoreBroken."""
        try:
            try:
                return step()
            except sqlite3.DatabaseError as error:
                self._mend(error)
            return step()
        except (sqlite3.DatabaseError, OSError) as error:
            raise StoreBroken(f"cannot use the outbox {self._path}: {error}. Check the disk, its free room and its rights") from error

    def _mend(self, error: sqlite3.DatabaseError) -> None:
        """Make a second try worth while, or raise `error` again: a new file would not mend a disk, its rights, or a lock."""
        code = getattr(error, "sqlite_errorcode", 0)
        if code in NO_ROOM:
            self._make_room()
        elif isinstance(error, Damaged) or code & 0xFF in DAMAGE or code in UNREADABLE:
            self._set_aside(error)
        else:
            raise error

    @property
    def _open_db(self) -> sqlite3.Connection:
        assert self._db is not None, "open() first"
        return self._db

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        db = self._open_db
        db.execute("BEGIN IMMEDIATE")
        try:
            result = work(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return result

    def _set_aside(self, cause: sqlite3.DatabaseError) -> None:
        self.close()
        aside = self._path.with_name(f"{self._path.name}.damaged-{secrets.token_hex(4)}")
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        self._connect()
        self.damaged = aside
        logger.error("outbox was damaged and set aside as %s: %s", aside, cause, extra={"event": "outbox_damaged"})

    def _make_room(self) -> None:
        """Give up the reserve so that SQLite can write at all, let the file grow no more, and shed."""
        self._reserve.unlink(missing_ok=True)
        self._open_db.execute("PRAGMA wal_checkpoint(RESTART)")
        self._open_db.execute("PRAGMA max_page_count = 1")  # SQLite never goes below the size there is
        self._shed(SHED_MIN)

    @property
    def _reserve(self) -> Path:
        return self._path.with_name(f"{self._path.name}.reserve")

    def _reserve_room(self) -> None:
        """Take the reserve while there is room for it: real blocks, not a hole."""
        try:
            with self._reserve.open("ab") as reserve:
                os.posix_fallocate(reserve.fileno(), 0, RESERVE_BYTES)
        except OSError as error:
            self._reserve.unlink(missing_ok=True)
            logger.warning("no room for a reserve of %d bytes at %s: %s", RESERVE_BYTES, self._path, error, extra={"event": "no_reserve"})

    def _shed(self, count_min: int) -> None:
        count = max(count_min, self.waiting // SHED_SHARE)
        gone = self._transact(lambda db: db.execute(SHED, (count,)).rowcount)
        self.waiting -= gone
        self.shed += gone
        logger.warning("outbox is full: the oldest %d readings gave way", gone, extra={"event": "readings_shed"})


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970, exact."""
    return (at - EPOCH) // MILLISECOND


def from_ms(ms: int) -> datetime:
    """Inverse of `to_ms`, aware UTC. What no calendar holds, broken bits, becomes its nearest end."""
    return EPOCH + min(max(ms, 0), MS_MAX) * MILLISECOND
