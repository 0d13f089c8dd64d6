"""Messages to people as rows: one per alert, step and person, each claimed by one worker at a time."""

from typing import Any

import pytest

from backend.db.pool import Connection, Pool
from backend.notify import outbox
from tests.backend.street import NOW, at_once, one, rows, seconds, settle

ALERT = """
INSERT INTO alert (elder_id, rule_id, rule_version, priority, level, opened_at, known_at, changed_at, last_at)
VALUES ('elder-1', 'sos', 1, 'high', 'emergency', '2026-03-01T03:12Z', '2026-03-01T03:12Z', '2026-03-01T03:12Z', '2026-03-01T03:12Z')
RETURNING id
"""


@pytest.fixture
async def alert_id(conn: Connection) -> int:
    await settle(conn)
    return int((await one(conn, ALERT))["id"])


async def add(conn: Connection, alert_id: int, step: str = "opened") -> None:
    await outbox.add(conn, alert_id=alert_id, elder_id="elder-1", step=step, body={"alert_id": alert_id, "step": step}, now=NOW)


async def row(conn: Connection) -> dict[str, Any]:
    return await one(conn, "SELECT state, attempts, due_at, sent_at, error FROM notification")


async def test_every_contact_who_wants_to_be_told_gets_one_row(conn: Connection, alert_id: int) -> None:
    await conn.execute("UPDATE contact SET notify_channel = 'webhook', notify_address = 'http://chen' WHERE position = 2")
    await add(conn, alert_id)
    found = await rows(conn, "SELECT person, channel, address, body ->> 'step' AS step FROM notification ORDER BY person")
    assert found == [
        {"person": "contact:1", "channel": "log", "address": "", "step": "opened"},
        {"person": "contact:2", "channel": "webhook", "address": "http://chen", "step": "opened"},
    ]


async def test_a_step_is_told_once_however_often_it_is_added(conn: Connection, alert_id: int) -> None:
    for _ in range(3):
        await add(conn, alert_id)
    await add(conn, alert_id, "raised:urgent")
    assert [found["step"] for found in await rows(conn, "SELECT step FROM notification ORDER BY id")] == ["opened", "raised:urgent"]


async def test_a_claimed_row_is_not_claimed_again_before_its_lease_ends(conn: Connection, alert_id: int) -> None:
    await add(conn, alert_id)
    first = await outbox.claim(conn, now=NOW)
    assert first is not None and first["attempts"] == 1
    assert await outbox.claim(conn, now=NOW + outbox.LEASE - seconds(0.001)) is None
    again = await outbox.claim(conn, now=NOW + outbox.LEASE)
    assert again is not None and (again["id"], again["attempts"]) == (first["id"], 2)


async def test_a_row_is_not_claimed_before_it_is_due(conn: Connection, alert_id: int) -> None:
    await add(conn, alert_id)
    assert await outbox.claim(conn, now=NOW - seconds(1)) is None


async def test_the_longest_due_is_claimed_first(conn: Connection, alert_id: int) -> None:
    for step, due_s in (("raised:urgent", 5), ("opened", 0)):
        await add(conn, alert_id, step)
        await conn.execute(
            "UPDATE notification SET due_at = due_at + make_interval(secs => %(s)s) WHERE step = %(step)s", {"s": due_s, "step": step}
        )
    claimed = [await outbox.claim(conn, now=NOW + seconds(10)) for _ in range(2)]
    assert [found["step"] for found in claimed if found] == ["opened", "raised:urgent"]


async def test_workers_at_once_claim_different_rows(pool: Pool, conn: Connection, alert_id: int) -> None:
    for number in range(12):
        await add(conn, alert_id, f"raised:{number}")

    async def work(connection: Connection, _: int) -> list[int]:
        mine = []
        while found := await outbox.claim(connection, now=NOW):
            mine.append(found["id"])
        return mine

    shares = await at_once(pool, 4, work)
    claimed = [notification_id for share in shares for notification_id in share]
    assert len(claimed) == len(set(claimed)) == 12


async def test_what_was_sent_stays_sent(conn: Connection, alert_id: int) -> None:
    await add(conn, alert_id)
    found = await outbox.claim(conn, now=NOW)
    assert found is not None
    await outbox.sent(conn, found["id"], now=NOW + seconds(1))
    assert await row(conn) == {"state": "sent", "attempts": 1, "due_at": NOW + seconds(1), "sent_at": NOW + seconds(1), "error": None}
    assert await outbox.claim(conn, now=NOW + seconds(86_400)) is None


async def test_a_failure_waits_until_it_may_be_tried_again(conn: Connection, alert_id: int) -> None:
    await add(conn, alert_id)
    found = await outbox.claim(conn, now=NOW)
    assert found is not None
    await outbox.failed(conn, found["id"], error="answered 500", retry_at=NOW + seconds(5), now=NOW)
    assert await row(conn) == {"state": "waiting", "attempts": 1, "due_at": NOW + seconds(5), "sent_at": None, "error": "answered 500"}
    assert await outbox.claim(conn, now=NOW + seconds(4)) is None
    assert await outbox.claim(conn, now=NOW + seconds(5)) is not None


async def test_a_final_failure_is_never_tried_again_and_keeps_its_reason(conn: Connection, alert_id: int) -> None:
    await add(conn, alert_id)
    found = await outbox.claim(conn, now=NOW)
    assert found is not None
    await outbox.failed(conn, found["id"], error="x" * 10_000, retry_at=None, now=NOW)
    assert (await row(conn))["state"] == "failed" and len((await row(conn))["error"]) == 500
    assert await outbox.claim(conn, now=NOW + seconds(86_400)) is None


async def test_what_was_called_off_while_it_failed_does_not_come_back(conn: Connection, alert_id: int) -> None:
    await add(conn, alert_id)
    found = await outbox.claim(conn, now=NOW)
    assert found is not None
    await outbox.forget(conn, channel=found["channel"], address=found["address"], now=NOW)
    await outbox.failed(conn, found["id"], error="answered 500", retry_at=NOW + seconds(5), now=NOW)
    assert await outbox.claim(conn, now=NOW + seconds(86_400)) is None
    assert (await row(conn))["error"] == "address gone"
