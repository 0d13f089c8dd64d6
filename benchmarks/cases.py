"""Operators who race for cases, and an area that goes dark: counted to the end, so that the figures are proofs as well.

A case is opened and RACERS connections take it at the same instant, RACES times: exactly one must win, and all must name the same winner.
Then OUTAGE gateways fall silent within a minute while an elder presses: one group item, and the press on top.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from backend.alerts import store as alerts
from backend.alerts.model import Subject
from backend.cases import store as cases
from backend.config import DatabaseConfig
from backend.db import migrate, partitions
from backend.db.pool import Connection, Pool, open_pool
from backend.errors import Taken
from backend.rules import store as rules
from backend.web import read
from simulators.servers import Database

RACES = 10_000
RACERS = 2
LANES = 4
"""Races at once."""
OUTAGE = 1_000
NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
PEOPLE = "INSERT INTO elder (id, name, sex, address) SELECT 'elder-' || n, 'x', 'female', 'x' FROM generate_series(1, %(count)s) AS n"
HOMES = "INSERT INTO gateway (id) SELECT 'home-' || n FROM generate_series(1, %(count)s) AS n"


def measure(seconds: float) -> dict[str, float]:
    """Races and outage, always whole, whatever `seconds` says. `wrong_winners` must be 0 and `items_shown` 2."""
    with Database(is_durable=False) as server:
        return asyncio.run(_measure(server.url))


async def _measure(url: str) -> dict[str, float]:
    async with await open_pool(DatabaseConfig(url=url, pool_max=LANES * RACERS + 2)) as pool:
        async with pool.connection() as conn:
            await migrate.migrate(conn, migrate.files())
            await partitions.prepare(conn, now=NOW)
            async with conn.transaction():
                await rules.save(conn, rules.read_file(rules.DEFAULTS), by="benchmark")
            await conn.execute(PEOPLE, {"count": RACES + 1})
            await conn.execute(HOMES, {"count": OUTAGE})
        return await _races(pool) | await _outage(pool)


async def _races(pool: Pool) -> dict[str, float]:
    began_s, wrong = time.perf_counter(), 0
    lanes = await asyncio.gather(*(_lane(pool, range(lane + 1, RACES + 1, LANES)) for lane in range(LANES)))
    wrong = sum(lanes)
    return {"races": float(RACES), "wrong_winners": float(wrong), "races_per_s": RACES / (time.perf_counter() - began_s)}


async def _lane(pool: Pool, numbers: range) -> int:
    wrong = 0
    for number in numbers:
        async with pool.connection() as conn:
            case_id = await _bring(conn, Subject(f"elder-{number}", "home-1"), "sos", "high", NOW)
        start = asyncio.Barrier(RACERS)
        said = await asyncio.gather(*(_take(pool, start, case_id, f"operator-{racer}") for racer in range(RACERS)))
        async with pool.connection() as conn:
            row = await (await conn.execute("SELECT taken_by FROM care_case WHERE id = %(id)s", {"id": case_id})).fetchone()
        winners = [name for name, who in said if name == who]
        wrong += len(winners) != 1 or row is None or {who for _, who in said} != {row["taken_by"]}
    return wrong


async def _take(pool: Pool, start: asyncio.Barrier, case_id: int, name: str) -> tuple[str, str]:
    """Who asks, and who has it afterwards as that one was told."""
    async with pool.connection() as conn:
        await start.wait()
        try:
            async with conn.transaction():
                await cases.take(conn, case_id, by=name, now=NOW)
        except Taken as taken:
            return name, taken.by
        return name, name


async def _outage(pool: Pool) -> dict[str, float]:
    async with pool.connection() as conn:
        await conn.execute("UPDATE care_case SET state = 'closed', closed_by = 'system', closed_at = %(now)s, disposition = 'test', "
                           "next_step = NULL, next_at = NULL", {"now": NOW})  # fmt: skip
    began_s = time.perf_counter()
    await asyncio.gather(*(_dark(pool, range(lane + 1, OUTAGE + 1, LANES)) for lane in range(LANES)))
    async with pool.connection() as conn:
        call = await _bring(conn, Subject(f"elder-{RACES + 1}", "home-1"), "sos", "high", NOW + timedelta(seconds=59))
        spent_s, shown = time.perf_counter() - began_s, (await read.queue(conn, limit=10)).cases
    is_on_top = shown[0]["id"] == call and [row["alerts_total"] for row in shown[1:]] == [OUTAGE]
    return {"gateways_dark": float(OUTAGE), "items_shown": float(len(shown)), "press_on_top": float(is_on_top), "outage_s": spent_s}


async def _dark(pool: Pool, numbers: range) -> None:
    for number in numbers:
        async with pool.connection() as conn:
            at = NOW + timedelta(seconds=58 * number / OUTAGE)
            await _bring(conn, Subject(None, f"home-{number}"), "gateway_silent", "technical", at)


async def _bring(conn: Connection, subject: Subject, rule_id: str, priority: str, at: datetime) -> int:
    async with conn.transaction():
        alert_id = await alerts.open_alert(
            conn, subject, rule_id=rule_id, rule_version=1, priority=priority, level="emergency", at=at, now=at, evidence={}
        )
        assert alert_id is not None
        return await cases.follow(conn, alert_id, now=at)
