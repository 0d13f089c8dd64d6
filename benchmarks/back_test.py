"""The back-test as the rule editor runs it: 100 elders x 4 quantities x 30 days, one reading a minute, from a real database.

Goal E8: 60 s. Most of it is calm; one hour of a sign in a hundred is not. Three drafts are tried: NEWS2, SpO2 and a fast pulse.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from backend import back_test
from backend.config import DatabaseConfig
from backend.db import migrate, partitions
from backend.db.pool import Connection, open_pool
from backend.rules import form
from backend.rules import store as rules
from simulators.servers import Database

DAYS = 30
ELDERS = 100
NOW = datetime(2026, 3, 1, tzinfo=UTC)
DRAFTS = ("news2_partial", "spo2_low", "heart_rate_high")
PEOPLE = "INSERT INTO elder (id, name, sex, address) SELECT 'elder-' || n, 'x', 'female', 'x' FROM generate_series(1, %(elders)s) AS n"
SERIES = """
WITH homes AS (
    INSERT INTO gateway (id, elder_id) SELECT 'home-' || n, 'elder-' || n FROM generate_series(1, %(elders)s) AS n RETURNING id, elder_id
)
INSERT INTO series (gateway_id, device_id, quantity, statistic, elder_id, last_at)
SELECT id, 'wearable-1', quantity, 'sample', elder_id, %(now)s
FROM homes, unnest(ARRAY['spo2', 'heart_rate', 'respiration_rate', 'body_temperature']) AS quantity ORDER BY id, quantity
"""
READINGS = """
INSERT INTO history_usual (series_id, start_at, received_from, received_to, delay_ms_max, step_ms, decimals, scaled)
SELECT s.id, hour, hour, hour + interval '1 hour', 60000, 60000, 0, a.scaled
FROM series s
CROSS JOIN generate_series(%(from_at)s::timestamptz, %(now)s - interval '1 hour', '1 hour') AS hour
CROSS JOIN LATERAL (
    SELECT CASE s.quantity WHEN 'spo2' THEN ARRAY[96, -10] WHEN 'heart_rate' THEN ARRAY[72, 62] WHEN 'respiration_rate' THEN ARRAY[15, 8]
           ELSE ARRAY[36, 2] END AS usual, random() < 0.01 AND hour IS NOT NULL AS is_ill
) u
CROSS JOIN LATERAL (
    SELECT array_agg((u.usual[1] + floor(2 * random()) + u.usual[2] * (u.is_ill AND minute BETWEEN 10 AND 40)::integer)::smallint) AS scaled
    FROM generate_series(0, 59) AS minute WHERE s.id > 0 AND hour IS NOT NULL
) a
"""
DRAFT = """
WITH draft AS (
    INSERT INTO rule_draft (rule_id, body, cases, reason, is_retirement, author, created_at, cases_passed)
    SELECT id, body, '', 'measured', false, 'benchmark', %(now)s, false FROM rule WHERE id = %(rule)s RETURNING id, body
)
INSERT INTO back_test (draft_id, body, asked_by, asked_at) SELECT id, body, 'benchmark', %(now)s FROM draft RETURNING id
"""


def measure(seconds: float) -> dict[str, float]:
    """Seconds of each back-test, whatever is said of seconds; each judges the draft and the rule in force."""
    with Database(is_durable=False) as server:
        return asyncio.run(_measure(server.url))


async def _measure(url: str) -> dict[str, float]:
    async with await open_pool(DatabaseConfig(url=url)) as pool, pool.connection() as conn:
        await migrate.migrate(conn, migrate.files())
        await partitions.prepare(conn, now=NOW)
        async with conn.transaction():
            await rules.save(conn, list(form.shipped().values()), by="benchmark")
        span = {"elders": ELDERS, "now": NOW, "from_at": NOW - timedelta(days=DAYS)}
        for statement in (PEOPLE, SERIES, READINGS, "ANALYZE"):
            await conn.execute(statement.encode(), span)
        figures = {"readings": float(ELDERS * 4 * DAYS * 24 * 60)}
        for rule_id in DRAFTS:
            figures |= await _try(conn, rule_id)
        return figures


async def _try(conn: Connection, rule_id: str) -> dict[str, float]:
    row = await (await conn.execute(DRAFT, {"now": NOW, "rule": rule_id})).fetchone()
    assert row is not None
    began_s = time.perf_counter()
    preview = await back_test.run(conn, row["id"], now=NOW)
    return {f"{rule_id}_s": time.perf_counter() - began_s, f"{rule_id}_episodes": float(preview["new"]["episodes"])}
