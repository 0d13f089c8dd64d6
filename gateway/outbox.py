"""The gateway's memory: an SQLite file that holds readings and events until the backend says that they are stored. The only sqlite3 user.

A reading or event counts as accepted only once `append` has returned: by then it is on the disk (WAL, synchronous=FULL). Events are
committed one by one, readings in the groups the caller makes. Sequences are never used twice within one file; a new file gets a new name
(`log_id`), so the backend never takes its sequences for old ones.
"""

import logging
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
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entry (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    is_event INTEGER NOT NULL,
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
ADD_EVENT = "INSERT INTO entry (is_event, at_ms, device, body) VALUES (1, ?, ?, ?)"
ADD_SEEN = "INSERT OR IGNORE INTO seen (event_id) VALUES (?)"
TRIM_SEEN = "DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?"
READINGS = """
SELECT sequence, at_ms, device, quantity, statistic, value FROM entry WHERE NOT is_event AND sequence > ? ORDER BY sequence LIMIT ?
"""
EVENTS = "SELECT sequence, at_ms, device, body FROM entry WHERE is_event AND sequence > ? ORDER BY sequence LIMIT ?"
FORGET_READINGS = "DELETE FROM entry WHERE NOT is_event AND sequence BETWEEN ? AND ?"
FORGET_EVENT = "DELETE FROM entry WHERE is_event AND sequence = ?"
SHED = "DELETE FROM entry WHERE sequence IN (SELECT sequence FROM entry WHERE NOT is_event ORDER BY sequence LIMIT ?)"
OLDEST = "SELECT sequence, at_ms FROM entry ORDER BY sequence LIMIT 1"
COUNT = "SELECT count(*) FROM entry"
NEXT = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0) + 1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


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
    at: datetime
    device: str
    body: str


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
        try:
            self._connect()
        except sqlite3.DatabaseError as error:
            self._set_aside(error)

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
            self._shed()

    def append_event(self, event_id: str, at: datetime, device: str, body: str) -> bool:
        """Accept an event: on disk when this returns. False when it is known already, which changes nothing."""

        def insert(db: sqlite3.Connection) -> bool:
            if db.execute(ADD_SEEN, (event_id,)).rowcount == 0:
                return False
            db.execute(TRIM_SEEN, (SEEN_MAX,))
            db.execute(ADD_EVENT, (to_ms(at), device, body))
            return True

        is_new = self._write(insert)
        self.waiting += is_new
        return is_new

    def readings(self, *, after: int, count_max: int) -> list[Entry]:
        """Readings with a sequence above `after`, oldest first."""
        rows = self._read(lambda db: db.execute(READINGS, (after, count_max)).fetchall())
        return [Entry(row[0], Reading(row[2], row[3], row[4], from_ms(row[1]), row[5])) for row in rows]

    def events(self, *, after: int, count_max: int) -> list[EventEntry]:
        """Events with a sequence above `after`, oldest first."""
        rows = self._read(lambda db: db.execute(EVENTS, (after, count_max)).fetchall())
        return [EventEntry(row[0], from_ms(row[1]), row[2], row[3]) for row in rows]

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
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._db = db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("quick_check found damage")
        db.executescript(SCHEMA)
        db.execute("INSERT OR IGNORE INTO meta VALUES ('log_id', ?)", (secrets.token_hex(8),))
        self.log_id = db.execute("SELECT value FROM meta WHERE key = 'log_id'").fetchone()[0]
        self.waiting = db.execute(COUNT).fetchone()[0]

    def _set_aside(self, cause: sqlite3.DatabaseError) -> None:
        self.close()
        aside = self._path.with_name(f"{self._path.name}.damaged-{secrets.token_hex(4)}")
        try:
            for suffix in ("", "-wal", "-shm"):
                part = self._path.with_name(self._path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
            self._connect()
        except (OSError, sqlite3.Error) as error:
            raise StoreBroken(f"cannot open the outbox {self._path}: {error}. Check the disk, its free room and its rights") from error
        self.damaged = aside
        logger.error("outbox was damaged and set aside as %s: %s", aside, cause, extra={"event": "outbox_damaged"})

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one synced transaction. A full disk sheds readings and tries again; a damaged file is set aside, then tried again."""
        try:
            return self._transact(work)
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise StoreBroken(f"cannot write the outbox {self._path}: {error}") from error
            self._shed()
            return self._last_try(work)
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return self._last_try(work)

    def _last_try(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._transact(work)
        except sqlite3.Error as error:
            raise StoreBroken(f"cannot write the outbox {self._path}: {error}. Check the disk and its free room") from error

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        assert self._db is not None, "open() first"
        self._db.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return result

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        assert self._db is not None, "open() first"
        try:
            return work(self._db)
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return work(self._db)

    def _shed(self) -> None:
        count = max(1, self.waiting // SHED_SHARE)
        gone = self._transact(lambda db: db.execute(SHED, (count,)).rowcount)
        self.waiting -= gone
        self.shed += gone
        logger.warning("outbox is full: the oldest %d readings gave way", gone, extra={"event": "readings_shed"})


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970, exact."""
    return (at - EPOCH) // MILLISECOND


def from_ms(ms: int) -> datetime:
    """Inverse of `to_ms`, aware UTC."""
    return EPOCH + ms * MILLISECOND
