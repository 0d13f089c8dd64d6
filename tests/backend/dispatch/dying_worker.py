"""A worker that is killed at each step of an offer in turn: `python -m tests.backend.dispatch.dying_worker URL NOW`.

Each child serves what is due at NOW and sends itself SIGKILL just before its n-th statement, n = 1, 2, ... until one lives to the end,
which is killed after its commit. Prints how many were killed before, as a number. After each the clock stands where the dead one's lease
of the visit is over; that it holds no longer is looked at, too.
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
        if asyncio.run(_is_served(url, now)):
            return statements
    raise RuntimeError(f"more than {STEPS_MAX} statements")


async def _is_served(url: str, now: datetime) -> bool:
    """Nothing is due at `now`, nor when a lease that began then is over. Turns the clock back for what is."""
    conn: Any = await Connection.connect(url, autocommit=True, row_factory=dict_row)
    async with conn:
        due = await conn.execute("UPDATE visit SET next_at = least(next_at, %s) WHERE next_at <= %s", [now, now + dispatch.OFFER_LEASE])
        return bool(due.rowcount == 0)


if __name__ == "__main__":
    print(main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
