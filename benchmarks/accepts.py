"""Doctors who race for visits: every offer is accepted by several connections at the same instant, and exactly one of them must win.

A visit is asked for, offered to RACERS doctors as the ladder does, and accepted by all of them at once, RACES times on a
real PostgreSQL. Counted to the end, so that the figures are a proof as well: who won, who was told so, and whether a timer is left.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from backend.config import DatabaseConfig
from backend.db import migrate
from backend.db.pool import Connection, Pool, open_pool
from backend.dispatch import store as dispatch
from backend.dispatch.ladder import URGENT
from backend.errors import IllegalMove, Taken
from simulators.servers import Database

RACES = 10_000
RACERS = 3
LANES = 3
"""Races at once, each on its own elder and visit."""
NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
ASKED_AT = NOW + timedelta(seconds=URGENT.second_s)
"""By then the ladder asks three."""
PEOPLE = """
INSERT INTO team (id, name) VALUES ('team', 'x');
INSERT INTO doctor (id, team_id, name, role) SELECT 'doctor-' || n, 'team', 'x', 'gp' FROM generate_series(0, 2) n;
INSERT INTO shift (doctor_id, starts_at, ends_at) SELECT id, '2026-02-01T00:00Z', '2026-04-01T00:00Z' FROM doctor;
INSERT INTO elder (id, name, sex, address) SELECT 'elder-' || n, 'x', 'female', 'x' FROM generate_series(0, 2) n;
INSERT INTO contract (elder_id, team_id, doctor_id, signed_on, ends_on)
SELECT id, 'team', 'doctor-0', '2026-01-01', '2026-12-31' FROM elder;
"""
LEFT_OVER = """
SELECT (SELECT count(*) FROM visit WHERE state <> 'accepted' OR next_at IS NULL OR depart_by IS NULL) AS without_timer,
       (SELECT count(*) FROM (SELECT visit_id FROM visit_offer WHERE answer = 'accepted' GROUP BY visit_id HAVING count(*) = 1) one) AS won,
       (SELECT count(*) FROM visit_offer WHERE answer IS NULL) AS open_offers
"""


def measure(seconds: float) -> dict[str, float]:
    """Always whole, whatever `seconds` says. `wrong_winners`, `without_timer`, `open_offers` must be 0, `won` the number of races."""
    with Database(is_durable=False) as server:
        return asyncio.run(_measure(server.url))


async def _measure(url: str) -> dict[str, float]:
    async with await open_pool(DatabaseConfig(url=url, pool_max=LANES * RACERS + 2)) as pool:
        async with pool.connection() as conn:
            await migrate.migrate(conn, migrate.files())
            await conn.execute(PEOPLE)
        began_s = time.perf_counter()
        wrong = sum(await asyncio.gather(*(_lane(pool, lane) for lane in range(LANES))))
        spent_s = time.perf_counter() - began_s
        async with pool.connection() as conn:
            left = await (await conn.execute(LEFT_OVER)).fetchone()
    assert left is not None, "it counts"
    return {"races": float(RACES), "wrong_winners": float(wrong), "races_per_s": RACES / spent_s} | {
        name: float(n) for name, n in left.items()
    }


async def _lane(pool: Pool, lane: int) -> int:
    return sum([await _race(pool, f"elder-{lane}") for _ in range(lane, RACES, LANES)])


async def _race(pool: Pool, elder_id: str) -> bool:
    """True when it went wrong: not one winner, or somebody was told another name."""
    async with pool.connection() as conn:
        visit_id = await _offer(conn, elder_id)
    start = asyncio.Barrier(RACERS)
    said = await asyncio.gather(*(_accept(pool, start, visit_id, f"doctor-{racer}") for racer in range(RACERS)))
    async with pool.connection() as conn:
        row = await (await conn.execute("SELECT doctor_id FROM visit WHERE id = %(id)s", {"id": visit_id})).fetchone()
    winners = [name for name, who in said if name == who]
    return len(winners) != 1 or row is None or {who for _, who in said} != {row["doctor_id"]}


async def _offer(conn: Connection, elder_id: str) -> int:
    """A visit that all of the team are asked to make, by the ladder. Lanes serve each other's visits, as any number of workers may."""
    async with conn.transaction():
        visit_id = await dispatch.request(conn, elder_id=elder_id, alert_id=None, visit_class="urgent", reason="race", by="system", now=NOW)
    while True:
        if (ready := await dispatch.next_due(conn, now=ASKED_AT)) is not None:
            async with conn.transaction():
                await dispatch.offer_due(conn, ready, now=ASKED_AT, retry_s=60)
        row = await (await conn.execute("SELECT state FROM visit WHERE id = %(id)s", {"id": visit_id})).fetchone()
        if row is not None and row["state"] == "offered":
            return visit_id


async def _accept(pool: Pool, start: asyncio.Barrier, visit_id: int, doctor_id: str) -> tuple[str, str]:
    """Who asks, and who has the visit afterwards as that one was told."""
    async with pool.connection() as conn:
        await start.wait()
        try:
            async with conn.transaction():
                await dispatch.accept(conn, visit_id, doctor_id=doctor_id, by=doctor_id, now=ASKED_AT)
        except Taken as taken:
            return doctor_id, taken.by
        except IllegalMove:
            return doctor_id, "nobody"
        return doctor_id, doctor_id
