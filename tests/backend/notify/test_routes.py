"""How a person is told: with consent only, by priority, and not in quiet hours unless it is urgent."""

from datetime import UTC, datetime, time
from typing import Any

import pytest

from backend.db.pool import Connection
from backend.notify import outbox
from tests.backend.cases.calls import bring
from tests.backend.street import NOW, one, rows, seconds

pytestmark = pytest.mark.store

WANG = "account:wang"


async def route(conn: Connection, person: str = WANG, **change: Any) -> int:
    usual: dict[str, Any] = {"channel": "log", "address": "", "priorities": ["high"], "quiet_from": None, "quiet_to": None}
    return await outbox.add_route(conn, person=person, now=NOW, **(usual | {"quiet_spares_high": True, "consented_to": "by hand"} | change))


async def tell(conn: Connection, priority: str = "high", *, now: datetime = NOW, step: str = "second") -> list[dict[str, Any]]:
    case_id = (await one(conn, "SELECT min(id) AS id FROM care_case"))["id"] or await bring(conn)
    await outbox.add_for_case(conn, case_id=case_id, people=[WANG], step=step, body={}, priority=priority, now=now)
    return await rows(conn, "SELECT channel, due_at FROM notification WHERE case_id IS NOT NULL ORDER BY id")


async def test_nobody_is_told_without_a_route_and_nothing_by_one_of_another_priority(street: Connection) -> None:
    assert await tell(street) == []
    await route(street, priorities=["medium"])
    assert await tell(street) == []
    assert len(await tell(street, "medium")) == 1


async def test_two_channels_are_two_messages_and_a_step_is_told_once(street: Connection) -> None:
    await route(street)
    await route(street, channel="email", address="wang@centre.test")
    for _ in range(2):
        assert sorted(row["channel"] for row in await tell(street)) == ["email", "log"]


@pytest.mark.parametrize(
    ("clock", "due"),
    [("21:59", "21:59"), ("22:00", "+1 07:00"), ("03:12", "07:00"), ("06:59", "07:00"), ("07:00", "07:00")],
)
async def test_what_is_not_urgent_waits_for_the_end_of_the_quiet_hours(street: Connection, clock: str, due: str) -> None:
    await route(street, priorities=["high", "low"], quiet_from=time(22), quiet_to=time(7))
    await street.execute("UPDATE notify_route SET zone = 'UTC'")
    now = datetime.fromisoformat(f"2026-03-01T{clock}+00:00")
    day = 2 if due.startswith("+1") else 1
    expected = datetime.combine(datetime(2026, 3, day), time.fromisoformat(due.split()[-1]), UTC)
    assert [row["due_at"] for row in await tell(street, "low", now=now)] == [expected]
    assert (await tell(street, "high", now=now, step="investigate"))[-1]["due_at"] == now, "urgent goes at once"


async def test_withdrawn_consent_stops_even_what_waits(street: Connection) -> None:
    route_id = await route(street)
    await tell(street)
    await outbox.withdraw(street, person=WANG, route_id=route_id, now=NOW)
    assert await outbox.claim(street, now=NOW + seconds(9)) is None
    assert len(await tell(street, step="investigate")) == 1


async def test_a_withdrawn_route_stops_nothing_that_another_person_wants_sent_to_the_same_address(street: Connection) -> None:
    alert_id = (await one(street, "SELECT id FROM alert"))["id"] if await bring(street) else 0
    await street.execute("UPDATE contact SET notify_channel = 'log'")
    await street.execute("UPDATE notification SET state = 'sent', sent_at = due_at")
    await outbox.add(street, alert_id=alert_id, elder_id="elder-1", step="by the file", body={}, now=NOW)
    daughter, _ = [await route(street, f"contact:elder-1:{name}") for name in ("王芳", "邻居老陈")]
    await outbox.add(street, alert_id=alert_id, elder_id="elder-1", step="by a route", body={}, now=NOW)
    await outbox.withdraw(street, person="contact:elder-1:王芳", route_id=daughter, now=NOW)
    waiting = await rows(street, "SELECT name, step FROM notification WHERE state = 'waiting' ORDER BY id")
    assert [(row["name"], row["step"]) for row in waiting] == [("邻居老陈", "by the file"), ("邻居老陈", "by a route")]


async def test_routes_of_a_contact_stand_in_place_of_the_import_file(street: Connection) -> None:
    alert_id = (await one(street, "SELECT id FROM alert"))["id"] if await bring(street) else 0
    route_id = await route(street, "contact:elder-1:王芳", channel="email", address="fang@family.test")

    async def told(step: str) -> list[str]:
        await outbox.add(street, alert_id=alert_id, elder_id="elder-1", step=step, body={}, now=NOW)
        return [row["channel"] for row in await rows(street, f"SELECT channel FROM notification WHERE step = '{step}' ORDER BY id")]

    assert await told("one") == ["email"]
    await outbox.withdraw(street, person="contact:elder-1:王芳", route_id=route_id, now=NOW)
    assert await told("two") == [], "who has withdrawn is not told by the old way either"


async def test_a_route_stays_with_its_person_when_the_plan_is_put_in_another_order(street: Connection) -> None:
    alert_id = (await one(street, "SELECT id FROM alert"))["id"] if await bring(street) else 0
    await route(street, "contact:elder-1:王芳", channel="email", address="fang@family.test")
    await street.execute("UPDATE contact SET position = position + 10 WHERE elder_id = 'elder-1' AND name = '王芳'")
    await street.execute("UPDATE contact SET position = 1, notify_channel = 'log' WHERE elder_id = 'elder-1' AND name <> '王芳'")
    await outbox.add(street, alert_id=alert_id, elder_id="elder-1", step="one", body={}, now=NOW)
    found = await rows(
        street, "SELECT split_part(person, '/', 1) AS who, channel, address FROM notification WHERE step = 'one' ORDER BY id"
    )
    assert [(row["who"], row["channel"], row["address"]) for row in found] == [
        ("contact:1", "log", ""),
        ("contact:11", "email", "fang@family.test"),
    ]


async def test_a_message_is_read_once(street: Connection) -> None:
    await route(street)
    await tell(street)
    key = str((await one(street, "SELECT key FROM notification"))["key"])
    assert await outbox.read(street, key, now=NOW) is not None
    assert await outbox.read(street, key, now=NOW + seconds(5)) is None
    assert (await one(street, "SELECT read_at FROM notification"))["read_at"] == NOW
