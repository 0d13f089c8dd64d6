"""Sending one message: what each answer of a channel leads to, and that a crash loses nothing and doubles no row."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from backend.config import NotifyConfig
from backend.db.pool import Connection, Pool
from backend.notify import outbox, sender
from backend.notify.channels import CHANNELS
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import Message
from tests.backend.notify.test_outbox import ALERT, add, row
from tests.backend.street import NOW, one, rows, seconds, settle


class Channel:
    """A channel that does what `outcomes` say, one call after the other, the last for ever."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[dict[str, Any]] = []
        self.texts: list[str] = []

    def __call__(self, message: Message, settings: NotifyConfig) -> None:
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if outcome is not None:
            raise outcome
        self.sent.append(message.body)
        self.texts.append(message.text)


AGAIN = NotDelivered("answered 500", is_final=False)
NEVER = NotDelivered("answered 404", is_final=True)


@pytest.fixture
async def waiting(conn: Connection) -> Connection:
    """A connection to a database with one message that is due."""
    await settle(conn)
    await add(conn, int((await one(conn, ALERT))["id"]))
    return conn


def use(monkeypatch: pytest.MonkeyPatch, *outcomes: Exception | None) -> Channel:
    channel = Channel(*outcomes)
    monkeypatch.setitem(CHANNELS, "log", channel)
    return channel


async def test_a_message_is_sent_once(pool: Pool, waiting: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = use(monkeypatch, None)
    assert await sender.send_one(pool, now=NOW)
    assert not await sender.send_one(pool, now=NOW + seconds(86_400))
    assert [body["step"] for body in channel.sent] == ["opened"]
    assert (await row(waiting))["state"] == "sent"


async def test_trouble_then_success_is_delivery_after_a_wait(pool: Pool, waiting: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = use(monkeypatch, AGAIN, None)
    assert await sender.send_one(pool, now=NOW)
    assert not await sender.send_one(pool, now=NOW + seconds(4.9))
    assert await sender.send_one(pool, now=NOW + seconds(5))
    assert len(channel.sent) == 1
    assert (await row(waiting))["attempts"] == 2


async def test_a_channel_that_says_when_is_tried_then(pool: Pool, waiting: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, NotDelivered("answered 429", is_final=False, retry_after_s=97), None)
    await sender.send_one(pool, now=NOW)
    assert (await row(waiting))["due_at"] == NOW + seconds(97)


async def test_a_final_refusal_ends_it(pool: Pool, waiting: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, NEVER)
    await sender.send_one(pool, now=NOW)
    assert not await sender.send_one(pool, now=NOW + seconds(86_400))
    assert await row(waiting) == {"state": "failed", "attempts": 1, "due_at": NOW, "sent_at": None, "error": "answered 404"}


async def test_it_gives_up_after_the_last_attempt(pool: Pool, waiting: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, AGAIN)
    now, tries = NOW, 0
    while await sender.send_one(pool, now=now):
        now, tries = now + timedelta(hours=1), tries + 1
    assert tries == sender.ATTEMPTS_MAX
    assert (await row(waiting))["state"] == "failed"


async def test_a_crash_between_claim_and_sent_means_sent_again_after_the_lease(
    pool: Pool, waiting: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = use(monkeypatch, None)
    assert await outbox.claim(waiting, now=NOW) is not None, "and here the worker died"
    assert not await sender.send_one(pool, now=NOW + outbox.LEASE - seconds(1))
    assert await sender.send_one(pool, now=NOW + outbox.LEASE)
    assert len(channel.sent) == 1
    assert await rows(waiting, "SELECT state, doubts FROM notification") == [{"state": "sent", "doubts": 1}]
    assert channel.texts[0].startswith("（可能是重复发送")


async def test_an_answer_that_was_lost_is_a_doubt_and_a_refusal_is_none(
    pool: Pool, waiting: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = use(monkeypatch, AGAIN, NotDelivered("ReadTimeout", is_final=False, is_in_doubt=True), None)
    for minute in range(3):
        await sender.send_one(pool, now=NOW + seconds(60 * minute))
    assert (await one(waiting, "SELECT doubts FROM notification"))["doubts"] == 1
    assert "可能是重复发送" in channel.texts[0]


async def test_a_channel_that_breaks_unexpectedly_is_tried_so_often_as_any(
    pool: Pool, waiting: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, ValueError("NUL \0."))
    now = NOW
    while await sender.send_one(pool, now=now):
        now += timedelta(hours=1)
    left = await row(waiting)
    assert (left["state"], left["attempts"], left["error"]) == ("failed", sender.ATTEMPTS_MAX, "ValueError: NUL .")


async def test_two_workers_send_one_message_once(pool: Pool, waiting: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = use(monkeypatch, None)
    both = await asyncio.gather(*(sender.send_one(pool, now=NOW) for _ in range(2)))
    assert sorted(both) == [False, True]
    assert len(channel.sent) == 1


@pytest.mark.parametrize(("attempts", "wait_s"), [(1, 5), (2, 10), (3, 20), (7, 320), (8, 600), (12, 600)])
def test_waits_double_up_to_ten_minutes(attempts: int, wait_s: float) -> None:
    assert sender.backoff(attempts) == timedelta(seconds=wait_s)


async def test_the_log_channel_never_fails(pool: Pool, waiting: Connection) -> None:
    assert await sender.send_one(pool, now=NOW)
    assert (await row(waiting))["state"] == "sent"
