"""Make the plan that somebody asked for: read, search in a child process while saying how far it is, check, store."""

import asyncio
import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from backend.config import PlanConfig
from backend.db.pool import Connection, Pool
from backend.dispatch import day_store, plan_store
from backend.dispatch.day import assemble as making
from backend.dispatch.day import solver
from backend.dispatch.day.assemble import HABITS, Day
from backend.dispatch.day.solver import Limit
from backend.dispatch.planning.model import Plan
from backend.dispatch.roads import roads_of
from backend.errors import JiahuError

logger = logging.getLogger(__name__)

TELL_S = 0.5
"""Between two words on how far a search is."""


async def serve_one(pool: Pool, *, clock: Callable[[], datetime], limit: Limit, habits: PlanConfig = HABITS) -> bool:
    """Make the oldest plan that is asked for. False when there is none. Safe with any number of workers and to kill at any step."""
    async with pool.connection() as conn, conn.transaction():
        asked = await plan_store.claim(conn, now=clock())
    if asked is None:
        return False
    try:
        async with pool.connection() as conn:
            day, begin = await _read(conn, asked["team_id"], asked["day"], clock(), habits)
        plan = await _search(pool, asked, day, begin, clock, limit)
        async with pool.connection() as conn, conn.transaction():
            await plan_store.keep(conn, asked["id"], day, plan.tours, plan.unserved, cost=plan.cost, moves=plan.moves, now=clock())
    except JiahuError as error:
        async with pool.connection() as conn, conn.transaction():
            await plan_store.fail(conn, asked["id"], str(error))
    logger.info("planned day of team", extra={"event": "day_planned", "plan_id": asked["id"]})
    return True


async def _read(conn: Connection, team_id: str, day: date, now: datetime, habits: PlanConfig) -> tuple[Day, Plan | None]:
    """The day, with the router's times where there is one, and the published plan to start from where there is one."""
    made = await day_store.assemble(conn, team_id, day, now=now, habits=habits)
    if (roads := roads_of(habits)) is not None:
        made = await roads.on_roads(made)
    tours = await plan_store.published_tours(conn, team_id, day)
    return made, making.begin_from(made, tours) if tours and made.instance.tours else None


async def _search(pool: Pool, asked: dict[str, Any], day: Day, begin: Plan | None, clock: Callable[[], datetime], limit: Limit) -> Plan:
    share = 0.0

    def remember(done: float) -> None:
        nonlocal share
        share = done

    searching = asyncio.create_task(
        asyncio.to_thread(solver.solve, day.instance, limit, seed=asked["seed"], begin=begin, on_progress=remember)
    )
    while not (await asyncio.wait([searching], timeout=TELL_S))[0]:
        async with pool.connection() as conn:
            await plan_store.heard(conn, asked["id"], share, now=clock())
    return searching.result()


async def plan_now(
    conn: Connection, team_id: str, day: date, *, by: str, seed: int, limit: Limit, now: datetime, habits: PlanConfig = HABITS
) -> int:
    """Ask and make in one go, for the command line. Returns the plan's id. Raises NotFound."""
    made, begin = await _read(conn, team_id, day, now, habits)
    plan = await asyncio.to_thread(solver.solve, made.instance, limit, seed=seed, begin=begin)
    async with conn.transaction():
        plan_id = await plan_store.ask(conn, team_id, day, by=by, now=now, seed=seed)
        await plan_store.keep(conn, plan_id, made, plan.tours, plan.unserved, cost=plan.cost, moves=plan.moves, now=now)
    return plan_id
