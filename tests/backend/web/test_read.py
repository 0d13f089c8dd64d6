"""What the pages read, in a district that has seen much: no whole table is read for one case."""

import pytest

from backend.db.pool import Connection
from backend.web import read
from tests.backend.street import settle

pytestmark = pytest.mark.store

MUCH = """
SET session_replication_role = replica;
INSERT INTO care_case (elder_id, priority, state, opened_at, known_at, changed_at, waiting_since, closed_at, closed_by, disposition)
SELECT 'elder-1', 'low', 'closed', now(), now(), now(), now(), now(), 'wang', 'real' FROM generate_series(1, {cases});
INSERT INTO alert (elder_id, rule_id, rule_version, priority, level, state, opened_at, known_at, changed_at, last_at, case_id,
                   closed_by, closed_at, disposition)
SELECT 'elder-1', 'sos', 1, 'low', 'urgent', 'closed', now(), now(), now(), now(), id, 'wang', now(), 'real' FROM care_case;
INSERT INTO visit (elder_id, alert_id, class, reason, state, requested_at, requested_by, changed_at, search_at)
SELECT 'elder-1', id, 'urgent', '', 'cancelled', now(), 'wang', now(), now() FROM alert;
INSERT INTO notification (case_id, alert_id, visit_id, step, person, channel, address, body, due_at)
SELECT CASE n % 3 WHEN 0 THEN n END, CASE n % 3 WHEN 1 THEN n END, CASE n % 3 WHEN 2 THEN n END,
       'opened', 'account:wang', 'log', '', '{{}}', now()
FROM generate_series(1, {cases}) AS n;
ANALYZE care_case, alert, visit, notification
"""
CASES = 10_000


async def test_a_case_is_read_by_indexes(conn: Connection) -> None:
    await settle(conn)
    for part in MUCH.format(cases=CASES).split(";\n"):
        await conn.execute(part.encode())
    for statement in (read.NOTIFICATIONS, read.VISIT_STEPS, read.CASE_VISIT_IDS, read.ALERTS, read.CASES):
        values = {"alert_ids": [7, 8, 9], "case_id": 7, "ids": [7, 8, 9]}
        rows = await (await conn.execute(b"EXPLAIN " + statement.encode(), values)).fetchall()
        plan = "\n".join(row["QUERY PLAN"] for row in rows)
        for table in ("notification", "visit", "alert", "care_case"):
            assert f"Seq Scan on {table} " not in plan, plan
