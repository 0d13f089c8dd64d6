"""Between the broker's thread and the writer: who goes first, what does not fit, and what one process subscribes to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from backend.config import BROKER_PASSWORD, BrokerConfig, IngestConfig
from backend.errors import Unavailable
from backend.ingest import subscriber as subscriber_module
from backend.ingest.subscriber import EVENTS_MAX, OLD, OLD_FIRST, SENDER_MAX, Arrival, Inbox, Subscriber
from contract import topics
from contract.events import EventKind
from contract.status import GatewayStatus
from contract.stored import Stored, digest_of
from contract.topics import Leaf
from simulators.servers import Broker
from tests.backend.ingest.running import DEADLINE_S, connected
from tests.backend.street import LOG, NOW, batch, event, letter, seconds


def arrival(leaf: Leaf, number: int) -> Arrival:
    return Arrival(topics.build("gw-1", leaf), str(number).encode(), False, NOW)


async def taken(inbox: Inbox, count_max: int = 100) -> list[bytes]:
    return [one.payload for one in await asyncio.wait_for(inbox.take(count_max), DEADLINE_S)]


async def test_events_overtake_readings() -> None:
    inbox = Inbox(10)
    for number in range(3):
        inbox.put(arrival(Leaf.SERIES, number))
    inbox.put(arrival(Leaf.EVENT, 3))
    assert [await taken(inbox), await taken(inbox)] == [[b"3"], [b"0", b"1", b"2"]]


async def test_within_a_kind_the_order_of_arrival_is_kept_and_a_group_has_a_limit() -> None:
    inbox = Inbox(10)
    for number in range(5):
        inbox.put(arrival(Leaf.SERIES, number))
    assert [await taken(inbox, 3), await taken(inbox, 3)] == [[b"0", b"1", b"2"], [b"3", b"4"]]


def kept(count: int, *, gateway_id: str = "gw-1", spread_s: float = 0, clock_behind_s: float = 0) -> list[Arrival]:
    """Batches a second too old to call anybody, by the home's own clock; the newest of their two readings `spread_s` later."""
    made = []
    for number in range(count):
        start_at = NOW - OLD - seconds(1 + clock_behind_s)
        found = batch([97, 97], first=number + 1, start_at=start_at, every_s=spread_s)
        made.append(letter(found, gateway_id, received_at=NOW, clock_behind_s=clock_behind_s).arrival)
    return made


@pytest.mark.parametrize(
    ("arrival", "is_old"),
    [
        pytest.param(kept(1)[0], True, id="all of it was read too long ago"),
        pytest.param(kept(1, spread_s=1)[0], False, id="its newest reading still calls"),
        pytest.param(kept(1, clock_behind_s=5e8)[0], True, id="old by the clock of a home that is years behind"),
        pytest.param(letter(batch([97], start_at=NOW - seconds(5e8)), clock_behind_s=5e8).arrival, False, id="live by that clock"),
        pytest.param(letter(event(EventKind.SOS, at=NOW - OLD)).arrival, False, id="a press that still counts as new"),
        pytest.param(letter(event(EventKind.SOS, at=NOW - OLD - seconds(1))).arrival, True, id="a press that its home kept"),
        pytest.param(Arrival(topics.build("gw-1", Leaf.SERIES), b'{"sent_at":"x","start_at":', False, NOW), False, id="not to be read"),
    ],
)
def test_what_its_home_kept_for_long_is_old(arrival: Arrival, is_old: bool) -> None:
    assert arrival.is_old == is_old


async def test_what_is_live_overtakes_a_backlog_and_quick_groups_carry_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_module, "OLD_GROUP_S", 1000)  # whatever else the machine does
    inbox = Inbox(100)
    for one in kept(40):
        inbox.put(one)
    inbox.put(arrival(Leaf.SERIES, 99))
    assert inbox.oldest_at == NOW
    first, second = await taken(inbox), await taken(inbox)
    assert (first[0], len(first)) == (b"99", 1 + OLD_FIRST)
    assert len(second) == 40 - OLD_FIRST
    assert inbox.oldest_at is None


async def test_no_more_of_a_backlog_is_taken_at_once_than_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_module, "OLD_GROUP_S", 1000)
    inbox = Inbox(1000)
    for one in kept(250):
        inbox.put(one)
    for number in range(300):
        inbox.put(Arrival(topics.build(f"gw-{number + 2}", Leaf.SERIES), b"", False, NOW))
    async with asyncio.timeout(DEADLINE_S):
        sizes = [sum(one.is_old for one in await inbox.take(32)) for _ in range(12)]
    assert sizes == [2] * 10 + [OLD_FIRST, 2 * OLD_FIRST], "2 of 32 while enough is live, and then no more than was asked for at first"


async def test_a_new_press_overtakes_those_that_homes_kept_and_many_are_stored_by_and_by() -> None:
    inbox = Inbox(1000)
    for number in range(2 * EVENTS_MAX):
        inbox.put(letter(event(EventKind.SOS, at=NOW - OLD * 9), f"gw-{number + 2}").arrival)
    inbox.put(arrival(Leaf.SERIES, 7))
    inbox.put(arrival(Leaf.EVENT, 8))
    groups = [await taken(inbox) for _ in range(4)]
    assert groups[0][0] == b"8"
    assert [len(group) for group in groups] == [EVENTS_MAX, 1, EVENTS_MAX, 1]
    assert groups[1] == [b"7"]


async def test_a_homes_backlog_waits_for_its_events_whosever_turn_it_is() -> None:
    inbox = Inbox(100)
    for gateway_id in ("gw-1", "gw-2"):
        inbox.put(kept(1, gateway_id=gateway_id)[0])
    inbox.put(arrival(Leaf.EVENT, 1))
    first = await taken(inbox)
    inbox.put(arrival(Leaf.EVENT, 2))
    async with asyncio.timeout(DEADLINE_S):
        groups = [[one.topic for one in await inbox.take(10)] for _ in range(3)]
    assert (first, groups) == (
        [b"1"],
        [[topics.build(*one)] for one in (("gw-2", Leaf.SERIES), ("gw-1", Leaf.EVENT), ("gw-1", Leaf.SERIES))],
    )


async def test_events_of_one_home_keep_their_order_whatever_their_age() -> None:
    inbox = Inbox(10)
    kept_ones = [letter(event(EventKind.SOS, at=NOW - OLD * 9), gateway_id).arrival for gateway_id in ("gw-2", "gw-1")]
    for one in kept_ones:
        inbox.put(one)
    inbox.put(arrival(Leaf.EVENT, 8))
    assert await taken(inbox) == [kept_ones[1].payload, b"8", kept_ones[0].payload]


async def test_an_event_waits_for_nothing_that_was_not_passed_over() -> None:
    inbox = Inbox(100)
    inbox.put(arrival(Leaf.EVENT, 1))
    assert await taken(inbox) == [b"1"]
    inbox.put(arrival(Leaf.SERIES, 2))
    inbox.put(arrival(Leaf.EVENT, 3))
    assert await taken(inbox) == [b"3"]


async def test_nothing_waits_for_ever_however_much_of_something_else_there_is() -> None:
    inbox = Inbox(100)
    for one in kept(20, gateway_id="gw-2"):
        inbox.put(one)
    groups = []
    for number in range(20):
        for more in range(20):
            inbox.put(arrival(Leaf.SERIES, 1000 * number + more))
        inbox.put(arrival(Leaf.EVENT, number))
        async with asyncio.timeout(DEADLINE_S):
            groups.append(await inbox.take(10))
    kinds = [{"event" if one.topic.endswith(Leaf.EVENT) else "old" if one.is_old else "live" for one in group} for group in groups]
    assert kinds == [{"event"}, {"live", "old"}] * 10


async def test_the_batches_of_a_home_leave_room_for_its_calls() -> None:
    inbox = Inbox(1000)
    for one in kept(SENDER_MAX + 1):
        inbox.put(one)
    inbox.put(arrival(Leaf.EVENT, 9))
    assert (await taken(inbox), inbox.dropped) == ([b"9"], 1)


async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    inbox = Inbox(2)
    for number in range(5):
        inbox.put(arrival(Leaf.SERIES, number))
    assert (await taken(inbox), inbox.dropped) == ([b"0", b"1"], 3)


async def test_a_flood_of_readings_leaves_room_for_a_press() -> None:
    inbox = Inbox(2)
    for number in range(5):
        inbox.put(arrival(Leaf.SERIES, number))
    inbox.put(arrival(Leaf.EVENT, 9))
    assert await taken(inbox) == [b"9"]


async def test_an_empty_inbox_waits() -> None:
    inbox = Inbox(2)
    waiting = asyncio.create_task(inbox.take(10))
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.put(arrival(Leaf.STATUS, 1))
    assert len(await asyncio.wait_for(waiting, DEADLINE_S)) == 1


async def test_by_its_pace_an_inbox_gathers_unless_something_is_urgent_or_enough_has_come() -> None:
    inbox = Inbox(100, pace_s=DEADLINE_S * 10)
    inbox.put(arrival(Leaf.SERIES, 0))
    assert await taken(inbox) == [b"0"]  # nothing came for long
    inbox.put(arrival(Leaf.SERIES, 1))
    gathering = asyncio.create_task(inbox.take(2))
    await asyncio.sleep(0)
    assert not gathering.done()
    inbox.put(arrival(Leaf.EVENT, 2))
    assert [one.payload for one in await asyncio.wait_for(gathering, DEADLINE_S)] == [b"2"]
    inbox.put(arrival(Leaf.SERIES, 3))
    assert await taken(inbox, 2) == [b"1", b"3"]


@asynccontextmanager
async def subscribed(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, *, password: str | None = None, **settings: int
) -> AsyncIterator[tuple[Subscriber, Inbox]]:
    monkeypatch.setenv(BROKER_PASSWORD, password or broker.accounts["backend"])
    inbox, config = Inbox(1000), IngestConfig(**settings)
    where = BrokerConfig(host=broker.host, port=broker.port, protocol=broker.protocol)
    subscriber = Subscriber(where, config, inbox, client_id="ingest-test")
    await subscriber.start()
    try:
        yield subscriber, inbox
    finally:
        await subscriber.stop()


async def fresh(inbox: Inbox) -> Arrival:
    """The next message that was not kept from before: brokers keep the last state of a gateway that another test has killed."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            for found in await inbox.take(10):
                if not found.is_retained:
                    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_a_gateway_publishes_arrives_and_what_is_answered_reaches_it(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    async with subscribed(broker, monkeypatch) as (subscriber, inbox):
        await until(lambda: subscriber.is_connected)
        with connected(broker) as gateway:
            payload = gateway.send(Leaf.EVENT, event(EventKind.SOS))
            found = await fresh(inbox)
            assert (found.topic, found.payload, found.is_retained) == (topics.build("gw-1", Leaf.EVENT), payload, False)
            subscriber.publish("gw-1", Leaf.STORED, Stored(log_id=LOG, first=1, last=1, at=NOW).model_dump_json().encode())
            await until(lambda: len(gateway.answers) == 1)


async def test_homes_are_told_when_somebody_hears_them_and_only_those_of_the_shards_served(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = topics.shard_of("gw-1")
    with connected(broker, "gw-2") as other, connected(broker, "gw-1") as gateway:
        async with subscribed(broker, monkeypatch, first_shard=shard, last_shard=shard) as (subscriber, inbox):
            await until(lambda: gateway.times_told == 1 and subscriber.is_connected)  # each on a thread of its own
            gateway.send(Leaf.EVENT, event(EventKind.SOS))
            await asyncio.wait_for(inbox.take(10), DEADLINE_S)
        assert (gateway.times_told, other.times_told) == (1, 0)


async def test_of_a_message_over_the_limit_only_the_beginning_is_held_with_the_name_of_the_whole(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with subscribed(broker, monkeypatch, message_bytes_max=10_000) as (subscriber, inbox):
        await until(lambda: subscriber.is_connected)
        with connected(broker) as gateway:
            payload = gateway.send(Leaf.SERIES, b"x" * 20_000)
            found = await fresh(inbox)
    assert (len(found.payload), found.digest) == (10_001, digest_of(payload))


async def test_a_process_hears_the_homes_of_its_shards_only(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = topics.shard_of("gw-1")
    assert topics.shard_of("gw-2") != shard
    async with subscribed(broker, monkeypatch, first_shard=shard, last_shard=shard) as (subscriber, inbox):
        await until(lambda: subscriber.is_connected)
        with connected(broker, "gw-2") as other, connected(broker, "gw-1") as gateway:
            other.send(Leaf.SERIES, batch([97]))
            other.flush()
            gateway.send(Leaf.SERIES, batch([96]))
            [found] = await asyncio.wait_for(inbox.take(10), DEADLINE_S)
    assert topics.parse(found.topic).gateway_id == "gw-1"


async def test_what_the_broker_kept_is_marked_as_old_news(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(broker) as gateway:
        gateway.send(Leaf.STATUS, GatewayStatus(online=True, at=NOW), retain=True)
        gateway.flush()
        async with subscribed(broker, monkeypatch) as (_, inbox):
            [found] = await asyncio.wait_for(inbox.take(10), DEADLINE_S)
        gateway.send(Leaf.STATUS, b"", retain=True)
        gateway.flush()
    assert found.is_retained


async def test_a_broker_that_refuses_our_password_is_a_fault(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    async with subscribed(broker, monkeypatch, password="wrong") as (subscriber, _):
        with pytest.raises(Unavailable, match=r"the broker refuses user 'backend'"):
            await asyncio.wait_for(subscriber.fault, DEADLINE_S)
        assert not subscriber.is_connected


async def test_without_a_connection_an_answer_is_dropped(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BROKER_PASSWORD, "unused")
    subscriber = Subscriber(BrokerConfig(port=broker.port), IngestConfig(), Inbox(10), client_id="ingest-test")
    subscriber.publish("gw-1", Leaf.STORED, b"{}")
    assert not subscriber.is_connected
