"""The outbox's file: opened, synced, locked, and mended when the disk is full or the file damaged. Only it and `outbox` use sqlite3."""

import fcntl
import logging
import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from gateway.errors import BadInput, StoreBroken

logger = logging.getLogger(__name__)

T = TypeVar("T")

RESERVE_BYTES = 8 * 1024 * 1024
"""Kept free beside the file for a full disk: even to delete, SQLite must write, and its log of at most 4 MB must first find room."""
GROWTH_PAGES = 512
"""Of the reserve, 2 MB are for the file itself, so that a small one too can take events on a full disk; the rest is for SQLite's log."""
SPARE_BYTES = 512 * 1024
"""Free pages that a new file has from its beginning: room for thousands of events should others take the reserve as well."""
WRITES_UNTIL_ROOM = 200
"""After a disk was full, so many writes later it is asked again whether there is room."""
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
UNREADABLE = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)
NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
PAGES_MAX = 2**30
PARTS = ("", "-wal", "-shm")


class Damaged(sqlite3.DatabaseError):
    """Not SQLite's word but ours: the file can be opened, and is not to be trusted."""


class OutboxFile:
    """One file in WAL mode with synchronous=FULL: what `write` has returned from is on the disk. Used by one thread.

    `prepare` is called with every new connection: it makes the tables and reads what must be known; it may raise Damaged.
    `rescue` is called with the place of a file that was set aside, once a new one is open.
    `shed` frees at least one page, or raises.
    """

    def __init__(
        self, path: Path, *, prepare: Callable[[sqlite3.Connection], None], rescue: Callable[[Path], None], shed: Callable[[], None]
    ) -> None:
        self._path = path
        self._prepare = prepare
        self._rescue = rescue
        self._shed = shed
        self._db: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._writes_since_full: int | None = None
        self.damaged: Path | None = None
        """Where a file that could not be read was set aside last."""
        self.writes = 0
        """How many writes have succeeded."""

    def open(self) -> None:
        """Open or create the file; one that is damaged is set aside and a new one begun.

        Raises StoreBroken when even that fails, BadInput when another gateway has it open.
        """
        self._insist(self._connect)

    def close(self) -> None:
        """Close the file, and let others have it."""
        self._disconnect()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one synced transaction. It may run again from its beginning. Raises StoreBroken."""
        if self._writes_since_full is not None:
            self._ask_for_room()
        result = self._insist(lambda: self.transact(work))
        self.writes += 1
        return result

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which only reads. Raises StoreBroken."""
        return self._insist(lambda: work(self.connection))

    def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One try of `write`. Raises what SQLite says."""
        db = self.connection
        db.execute("BEGIN IMMEDIATE")
        try:
            result = work(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return result

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection."""
        assert self._db is not None, "open() first"
        return self._db

    def _connect(self) -> None:
        self._disconnect()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        is_new = not self._path.exists()
        db = self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.text_factory = lambda text: text.decode("utf-8", "replace")  # one broken letter must not hide the other rows
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise Damaged(found)
        self._prepare(db)
        if is_new:
            db.executescript(f"CREATE TABLE spare (room BLOB); INSERT INTO spare VALUES (zeroblob({SPARE_BYTES})); DROP TABLE spare;")
        self._sync()
        self._reserve_room()

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _take_lock(self) -> None:
        """Two gateways on one file would each send and forget what the other counts on."""
        if self._lock is not None:
            return
        lock = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise BadInput(
                f"outbox.path: another gateway is using {self._path}. Stop it, or give each gateway a file of its own"
            ) from error
        self._lock = lock

    def _sync(self) -> None:
        """A process killed before its sync leaves rows that are there to be read, but not on the disk: they must be before anybody is told.

        A synced file whose name was not synced may be gone after a power cut, so the folder is synced too.
        """
        for path in (self._path, self._path.with_name(f"{self._path.name}-wal"), self._path.parent):
            with suppress(FileNotFoundError):
                _fsync(path)

    def _insist(self, step: Callable[[], T]) -> T:
        """Do `step`; after a first error mend what can be mended, after a second one shed, then do it again. Raises StoreBroken."""
        try:
            for mend in (self._mend, self._mend_by_shedding):
                try:
                    return step()
                except sqlite3.DatabaseError as error:
                    mend(error)
            return step()
        except (sqlite3.DatabaseError, OSError) as error:
            raise StoreBroken(f"cannot use the outbox {self._path}: {error}. Check the disk, its free room and its rights") from error

    def _mend(self, error: sqlite3.DatabaseError) -> None:
        """Make another try worth while, or raise `error` again: a new file would not mend a disk, its rights, or a lock."""
        code = getattr(error, "sqlite_errorcode", 0)
        if code in NO_ROOM:
            self._release_reserve()
        elif isinstance(error, Damaged) or code & 0xFF in DAMAGE or code in UNREADABLE:
            self._set_aside(error)
        else:
            raise error

    def _mend_by_shedding(self, error: sqlite3.DatabaseError) -> None:
        if getattr(error, "sqlite_errorcode", 0) in NO_ROOM:
            self._shed()
        else:
            self._mend(error)

    def _set_aside(self, cause: sqlite3.DatabaseError) -> None:
        self._disconnect()
        aside = self._path.with_name(f"{self._path.name}.damaged-{secrets.token_hex(4)}")
        for suffix in PARTS:
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        self._connect()
        self.damaged = aside
        logger.error("outbox was damaged and set aside as %s: %s", aside, cause, extra={"event": "outbox_damaged"})
        self._rescue(aside)

    # -- a full disk ---------------------------------------------------------------------------------------------------------------------

    def _release_reserve(self) -> None:
        """Give up the reserve so that SQLite can write at all, and let the file grow hardly more: its own free pages must do."""
        had_reserve = self._reserve.exists()
        self._reserve.unlink(missing_ok=True)
        self.connection.execute("PRAGMA wal_checkpoint(RESTART)")
        pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
        self.connection.execute(f"PRAGMA max_page_count = {pages + (GROWTH_PAGES if had_reserve else 0)}")
        self._writes_since_full = 0

    def _ask_for_room(self) -> None:
        """Now and then: once the reserve can be had again, the file may grow again."""
        assert self._writes_since_full is not None
        self._writes_since_full += 1
        if self._writes_since_full % WRITES_UNTIL_ROOM == 0 and self._reserve_room():
            self.connection.execute(f"PRAGMA max_page_count = {PAGES_MAX}")
            self._writes_since_full = None
            logger.warning("there is room for the outbox again", extra={"event": "room_again"})

    @property
    def _reserve(self) -> Path:
        return self._path.with_name(f"{self._path.name}.reserve")

    def _reserve_room(self) -> bool:
        """Take the reserve while there is room for it: real blocks, not a hole. False when there is none."""
        try:
            with self._reserve.open("ab") as reserve:
                os.posix_fallocate(reserve.fileno(), 0, RESERVE_BYTES)
        except OSError as error:
            self._reserve.unlink(missing_ok=True)
            level = logging.WARNING if self._writes_since_full is None else logging.DEBUG
            why = "no room for a reserve of %d bytes at %s: %s"
            logger.log(level, why, RESERVE_BYTES, self._path, error, extra={"event": "no_reserve"})
            return False
        return True


def _fsync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
