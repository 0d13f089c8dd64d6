"""Daily partitions of `segment` where TimescaleDB does not make them: some days ahead, so that the default partition stays empty."""

from datetime import UTC, date, datetime, time, timedelta

from psycopg import sql
from psycopg.errors import CheckViolation, DuplicateTable

from backend.db.pool import Connection

IS_PARTITIONED = "SELECT relkind = 'p' AS is_partitioned FROM pg_class WHERE oid = 'segment'::regclass"
EXISTS = "SELECT to_regclass(%(name)s) IS NOT NULL AS it_does"
DAYS_BACK = 1
DAYS_AHEAD = 3


async def prepare(conn: Connection, *, today: date) -> list[str]:
    """Make the partitions of yesterday to three days ahead, on an autocommit connection. Returns the names of new ones.

    A day whose readings already lie in the default partition (a home with a clock far ahead) stays there.
    """
    row = await (await conn.execute(IS_PARTITIONED)).fetchone()
    if row is None or not row["is_partitioned"]:
        return []
    days = [today + timedelta(days=step) for step in range(-DAYS_BACK, DAYS_AHEAD + 1)]
    return [name for day in days if (name := await _make(conn, day)) is not None]


async def _make(conn: Connection, day: date) -> str | None:
    name = f"segment_{day:%Y%m%d}"
    row = await (await conn.execute(EXISTS, {"name": name})).fetchone()
    if row is None or row["it_does"]:
        return None
    statement = sql.SQL("CREATE TABLE {} PARTITION OF segment FOR VALUES FROM ({}) TO ({})")
    bounds = (sql.Literal(datetime.combine(day + timedelta(days=step), time(), UTC)) for step in (0, 1))
    try:
        await conn.execute(statement.format(sql.Identifier(name), *bounds))
    except (CheckViolation, DuplicateTable):
        return None  # its readings lie in the default partition; or another worker has just made it
    return name
