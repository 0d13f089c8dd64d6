"""A worker that is killed at each step of an offer in turn: `python -m tests.backend.dispatch.dying_worker URL NOW`.

Each child serves what is due at NOW and sends itself SIGKILL just before its n-th statement, n = 1, 2, ... until one lives to the end,
which is killed after its commit. Prints how many were killed before, as a number.
"""

import asyncio
import os
import signal
import sys
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from backend.db.pool import Connection
from backend.dispatch import store as dispatch

STEPS_MAX = 60


class Dying(Connection):
    """A connection whose process dies before a statement."""

    statements_left = 0

    async def execute(self, *args: Any, **values: Any) -> Any:
        """Run it, or die."""
        Dying.statements_left -= 1
        if Dying.statements_left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().execute(*args, **values)


async def _serve(url: str, now: datetime) -> None:
    conn: Any = await Dying.connect(url, autocommit=True, row_factory=dict_row)
    async with conn:
        ready = await dispatch.next_due(conn, now=now)
        assert ready is not None
        async with conn.transaction():
            await dispatch.offer_due(conn, ready, now=now, retry_s=60)
        os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, now: datetime) -> int:
    """Kill one child after another. Returns how many died before their commit."""
    for statements in range(STEPS_MAX):
        Dying.statements_left = statements
        child = os.fork()
        if child == 0:
            asyncio.run(_serve(url, now))
        os.waitpid(child, 0)
        if _is_served(url, now):
            return statements
    raise RuntimeError(f"more than {STEPS_MAX} statements")


def _is_served(url: str, now: datetime) -> bool:
    async def due() -> int:
        conn: Any = await Connection.connect(url, autocommit=True, row_factory=dict_row)
        async with conn:
            row = await (await conn.execute("SELECT count(*) AS n FROM visit WHERE next_at <= %s", [now])).fetchone()
            return int(row["n"])

    return asyncio.run(due()) == 0


if __name__ == "__main__":
    print(main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
