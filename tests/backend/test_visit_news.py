"""Offers ring by the doctor's own channels: in the transaction of the offer, once, and not when it is over."""

from datetime import datetime
from typing import Any

import pytest

from backend import visit_news
from backend.config import NotifyConfig
from backend.db.pool import Connection, Pool
from backend.dispatch import store as dispatch
from backend.notify import outbox, sender
from tests.backend.notify.test_webpush import PushService, service
from tests.backend.street import NOW, one, rows, seconds, settle

__all__ = ["service"]
pytestmark = pytest.mark.store

SETTINGS = NotifyConfig(push_hosts=["127.0.0.1"])
RINGS = "SELECT person, channel, step, state, error, body FROM notification WHERE visit_id IS NOT NULL ORDER BY id"


@pytest.fixture
async def ready(pool: Pool) -> Pool:
    """Accounts of three doctors; the signed one is told by the log."""
    async with pool.connection() as conn:
        await settle(conn)
        for name in ("li", "yang", "cao"):
            await conn.execute(
                "INSERT INTO account (name, role, title, doctor_id, password_hash) VALUES (%s, 'doctor', %s, %s, '-')",
                [name, name, f"doctor-{name}"],
            )
        await route(conn, "li")
    return pool


async def route(conn: Connection, name: str, channel: str = "log", address: str = "", **change: Any) -> int:
    usual: dict[str, Any] = {"priorities": ["high"], "quiet_from": None, "quiet_to": None, "quiet_spares_high": True, "consented_to": "x"}
    return await outbox.add_route(conn, person=f"account:{name}", now=NOW, channel=channel, address=address, **(usual | change))


async def offer(conn: Connection, *, visit_class: str = "urgent", now: datetime = NOW) -> int:
    """What the worker does."""
    async with conn.transaction():
        visit_id = await dispatch.request(conn, elder_id="elder-1", alert_id=None, visit_class=visit_class, reason="跌倒", by="x", now=now)
        await widen(conn, now=now)
    return visit_id


async def widen(conn: Connection, *, now: datetime) -> None:
    ready = await dispatch.next_due(conn, now=now)
    assert ready is not None
    served = await dispatch.offer_due(conn, ready, now=now, retry_s=60)
    assert served is not None
    await visit_news.offered(conn, visit_id=served.visit_id, now=now)


async def test_an_offer_rings_the_doctor_once_and_names_nobody(ready: Pool) -> None:
    async with ready.connection() as conn:
        visit_id = await offer(conn)
        for _ in range(3):
            await visit_news.offered(conn, visit_id=visit_id, now=NOW)
        [ring] = await rows(conn, RINGS)
    assert (ring["person"].partition("/")[0], ring["channel"], ring["step"]) == ("account:li", "log", "offer:0")
    assert "王秀英" not in str(ring["body"])
    assert "幸福里" not in str(ring["body"])
    assert await sender.send_one(ready, now=NOW)
    assert not await sender.send_one(ready, now=NOW)


async def test_what_is_rolled_back_rings_nobody(ready: Pool) -> None:
    async with ready.connection() as conn:
        with pytest.raises(ZeroDivisionError):
            async with conn.transaction():
                await offer(conn)
                raise ZeroDivisionError
        assert await rows(conn, RINGS) == []


async def test_others_ring_when_the_search_widens_and_only_by_channels_of_that_priority(ready: Pool) -> None:
    async with ready.connection() as conn:
        await route(conn, "yang", priorities=["low"])
        await route(conn, "cao")
        await offer(conn)
        for after in (60, 120, 180):
            async with conn.transaction():
                await widen(conn, now=NOW + seconds(after))
        assert [row["person"].partition("/")[0] for row in await rows(conn, RINGS)] == ["account:li", "account:cao"]


async def test_an_offer_that_is_over_is_not_sent(ready: Pool) -> None:
    async with ready.connection() as conn:
        visit_id = await offer(conn)
        await dispatch.decline(conn, visit_id, doctor_id="doctor-li", reason="too_far", by="li", now=NOW)  # type: ignore[arg-type]
        assert await sender.send_one(ready, now=NOW)
        [ring] = await rows(conn, RINGS)
    assert (ring["state"], ring["error"]) == ("failed", "the offer is over")


async def test_after_a_crash_the_second_message_replaces_the_first(ready: Pool, service: PushService) -> None:
    async with ready.connection() as conn:
        await conn.execute("DELETE FROM notify_route")
        await route(conn, "li", "push", service.subscription())
        await offer(conn)
        claimed = await outbox.claim(conn, now=NOW)
        assert claimed is not None, "and here the worker died, after the push service had taken it"
    assert await sender.send_one(ready, now=NOW + outbox.LEASE, settings=SETTINGS)
    assert not await sender.send_one(ready, now=NOW + outbox.LEASE * 2, settings=SETTINGS)
    assert [headers["Topic"] for headers, _ in service.got] == [str(claimed["key"]).replace("-", "")]
    assert service.read()["key"] == str(claimed["key"])


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(ready: Pool, service: PushService, status: int) -> None:
    service.status = status
    async with ready.connection() as conn:
        await conn.execute("DELETE FROM notify_route")
        await route(conn, "li", "push", service.subscription())
        await route(conn, "li", "log")
        await offer(conn)
        for _ in range(2):
            assert await sender.send_one(ready, now=NOW, settings=SETTINGS)
        assert {row["channel"]: row["state"] for row in await rows(conn, RINGS)} == {"push": "failed", "log": "sent"}
        assert [row["channel"] for row in await outbox.routes(conn, "account:li")] == ["log"]
        assert (await one(conn, "SELECT withdrawn_at FROM notify_route WHERE channel = 'push'"))["withdrawn_at"] == NOW
