"""Upgrades of a database with rows made as before: nobody's channel is lost, and a story names whom it named."""

from backend.cases import calls
from backend.db import migrate
from tests.backend.db.test_migrate import connect
from tests.backend.street import SETUP, one, rows

BEFORE = """
INSERT INTO contact (elder_id, position, name, relation, phone) VALUES
    ('elder-1', 3, '王芳', '女儿', '010-1'), ('elder-1', 4, '老李', '', '4');
INSERT INTO notify_route (person, channel, address, priorities, quiet_from, quiet_to, consented_at, consented_to) VALUES
    ('contact:elder-1:3', 'email', 'fang@family.test', '{high}', NULL, NULL, now(), ''),
    ('contact:elder-1:1', 'email', 'fang@family.test', '{low}', '22:00', '07:00', now(), ''),
    ('contact:elder-1:1', 'service', 'https://fang.test', '{high}', NULL, NULL, now(), ''),
    ('contact:elder-1:2', 'email', 'fang@family.test', '{high}', '22:00', '07:00', now(), ''),
    ('contact:elder-1:9', 'email', 'nobody@family.test', '{high}', NULL, NULL, now(), '');
INSERT INTO rule (id, version, body, created_by) VALUES ('sos', 1, '{}', 'x');
INSERT INTO alert (elder_id, rule_id, rule_version, priority, level, opened_at, known_at, changed_at, last_at)
VALUES ('elder-1', 'sos', 1, 'high', 'emergency', now(), now(), now(), now());
INSERT INTO notification (alert_id, step, person, channel, address, body, due_at)
SELECT a.id, 'opened', person, 'email', '', '{}', now()
FROM alert a, (VALUES ('contact:2'), ('contact:4'),
    ('contact:1/' || (SELECT id FROM notify_route WHERE channel = 'service'))) AS told (person);
INSERT INTO care_case (elder_id, priority, opened_at, known_at, changed_at, waiting_since, next_step, next_at)
VALUES ('elder-1', 'high', now(), now(), now(), now(), 'second', now());
INSERT INTO contact_try (case_id, person, name, by, called_at)
SELECT id, 'contact:4', '老李', 'wang', now() FROM care_case;
"""
CUT_SHORT = """
CREATE INDEX event_of_alarms ON event (at);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'event_of_alarms'::regclass;
"""
INDEX = "SELECT indisvalid, indnkeyatts FROM pg_index WHERE indexrelid = 'event_of_alarms'::regclass"


async def test_a_build_of_an_index_that_was_cut_short_and_two_routes_to_one_address_stop_no_upgrade(empty_url: str) -> None:
    async with await connect(empty_url) as conn:
        await migrate.migrate(conn, [migration for migration in migrate.files() if migration.number < 75])
        for made in (SETUP, BEFORE, CUT_SHORT):
            await conn.execute(made.encode())
        await migrate.migrate(conn, migrate.files())
        assert await one(conn, INDEX) == {"indisvalid": True, "indnkeyatts": 3}
        routes = await rows(
            conn, "SELECT person, channel, priorities, quiet_from, withdrawn_at IS NULL AS is_used FROM notify_route ORDER BY is_used, id"
        )
        names = await rows(conn, "SELECT name FROM notification ORDER BY id")
        called = (await one(conn, "SELECT person FROM contact_try"))["person"]
        plan = {person.id: person.name for person in await calls.plan(conn, "elder-1")}
    assert [(row["person"], row["channel"], row["priorities"], row["is_used"]) for row in routes] == [
        ("contact:elder-1:王芳", "email", ["high"], False),
        ("contact:elder-1:王芳", "email", ["high", "low"], True),
        ("contact:elder-1:王芳", "service", ["high"], True),
        ("contact:elder-1:邻居老陈", "email", ["high"], True),
        ("contact:elder-1:9", "email", ["high"], True),
    ]
    assert [row["quiet_from"] is None for row in routes] == [True, True, True, False, True], "what either told at once is told at once"
    assert [row["name"] for row in names] == ["邻居老陈", "老李", "王芳"]
    assert plan[called] == "老李", "a call that goes on has its place in the plan"
