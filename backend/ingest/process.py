"""The ingest process: takes what waits, stores it in as few transactions as the load asks for, answers after each commit."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from backend.commands import store as commands
from backend.config import Config
from backend.db.pool import SYSTEMIC, TOO_LARGE, TRANSIENT, Connection, Pool, open_pool
from backend.ingest import store, writer
from backend.ingest.decode import Letter, Reject, decode
from backend.ingest.subscriber import Arrival, Inbox, Subscriber
from backend.metrics.health import Condition, Health, too_old
from backend.metrics.ingest import IngestMetrics, IngestState
from backend.metrics.serving import make_registry, serving
from backend.readings.store import SeriesIds
from backend.rules import store as rule_store
from backend.rules.engine import RuleBook
from contract.events import Event
from contract.stored import RefusedReason
from contract.topics import Leaf

logger = logging.getLogger(__name__)

T = TypeVar("T")

RULES_REFRESH_S = 5.0
COMMAND_TICK_S = 1.0
LISTEN_TICK_S = 5.0
RETRY_S = 0.5
RETRY_MAX_S = 2.0
PACE_S = 0.1
"""At 1 667 batches a second, groups of 10 cost 560 us of ingest's processor a batch, those of this pace 440, and full ones 330."""
WAITING_MAX_S = 30.0
"""A message that is not stored by then is sent again by its gateway; one that is older means that we do not keep up."""


class Ingest:
    """One ingest process over its life."""

    def __init__(self, config: Config, pool: Pool, rules: RuleBook) -> None:
        self._config = config.ingest
        self._metrics_config = config.metrics
        self._pool = pool
        self._rules = rules
        self._series = SeriesIds()
        self._inbox = Inbox(config.ingest.queue_max, PACE_S)
        self._subscriber = Subscriber(config.broker, config.ingest, self._inbox, client_id=f"ingest-{secrets.token_hex(4)}")
        self._in_hand_since: datetime | None = None
        self._health = Health(pool, self._conditions)
        self._registry = make_registry()
        self._metrics = IngestMetrics(self._registry, self._look)

    async def run(self) -> None:
        """Run until cancelled. Raises Unavailable when the broker refuses our name and password."""
        with serving(self._metrics_config.host, self._metrics_config.ingest_port, self._registry, self._health):
            await self._run()

    async def _run(self) -> None:
        await self._subscriber.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._health.run())
                group.create_task(self._store_forever())
                group.create_task(self._refresh_rules())
                group.create_task(self._send_commands())
                group.create_task(self._say_listening())
                group.create_task(self._fail_with_broker())
        finally:
            await self._subscriber.stop()

    async def _fail_with_broker(self) -> None:
        await self._subscriber.fault

    async def _store_forever(self) -> None:
        while True:
            arrivals = await self._inbox.take(self._config.group_max)
            await self._store(arrivals)

    async def _store(self, arrivals: list[Arrival]) -> None:
        self._in_hand_since = datetime.now(UTC)
        decoded = [decode(arrival, bytes_max=self._config.message_bytes_max) for arrival in arrivals]
        letters = [one for one in decoded if isinstance(one, Letter)]
        if letters:
            await self._write(letters)
        for one in decoded:
            if isinstance(one, Reject):
                await self._keep(one)
        self._in_hand_since = None

    async def _write(self, letters: list[Letter]) -> None:
        """Store letters in one transaction; if that fails, each alone. One that fails alone is a fault of ours, see `_give_up`.

        What would fail for all alike rises and ends the process: gateways keep what is not answered.
        """
        try:
            written = await self._commit(lambda conn: writer.write(conn, letters, self._rules, now=datetime.now(UTC), ids=self._series))
        except SYSTEMIC:
            raise
        except Exception:
            logger.exception("cannot store %d messages", len(letters), extra={"event": "store_failed"})
            if len(letters) == 1:
                await self._give_up(letters[0])
                return
            for letter in letters:
                await self._write([letter])
            return
        self._answer(written.replies)
        self._count(letters, written)

    async def _give_up(self, letter: Letter) -> None:
        """Keep a copy. A batch is refused, so that it does not block its home; an event is not, so that its home sends it again."""
        arrival = letter.arrival
        reject = Reject(letter.gateway_id, RefusedReason.NOT_STORED, "see the log of ingest", arrival.digest, arrival)
        if isinstance(letter.message, Event):
            reject = replace(reject, gateway_id=None)
        await self._keep(reject)

    async def _keep(self, reject: Reject) -> None:
        extra = {"event": "message_refused", "gateway_id": reject.gateway_id, "reason": reject.reason, "detail": reject.detail}
        logger.warning("set aside a message that cannot be read or stored: %s", reject.reason, extra=extra)
        self._answer(await self._commit(lambda conn: writer.keep(conn, reject, now=datetime.now(UTC))))
        self._metrics.rejected(reject.reason)

    async def _commit(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a transaction, again and again while the database is in trouble; what it gave may be told once this returns."""
        wait_s = RETRY_S
        while True:
            began_s = time.perf_counter()
            try:
                async with self._pool.connection() as conn, conn.transaction():
                    result = await work(conn)
                self._series.keep()
            except TOO_LARGE:
                self._series.forget()
                raise
            except TRANSIENT as error:
                self._series.forget()
                logger.warning("cannot store now: %s", type(error).__name__, extra={"event": "store_delayed"})
                self._metrics.delayed()
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_MAX_S)
                continue
            self._metrics.transacted(time.perf_counter() - began_s)
            return result

    def _count(self, letters: list[Letter], written: writer.Written) -> None:
        now = datetime.now(UTC)
        came = ((one.arrival.topic.rpartition("/")[2], (now - one.arrival.received_at).total_seconds()) for one in letters)
        self._metrics.committed(came, readings=written.readings, events=written.events, repeats=written.repeats)

    def _answer(self, replies: list[writer.Reply]) -> None:
        for gateway_id, answer in replies:
            self._subscriber.publish(gateway_id, Leaf.STORED, answer.model_dump_json().encode())

    # -- asked by Prometheus, in another thread ------------------------------------------------------------------------------------------

    def _look(self) -> IngestState:
        urgent, other = self._inbox.waiting
        return IngestState(urgent, other, self._oldest_s(), self._subscriber.is_connected, self._inbox.dropped)

    def _conditions(self) -> list[Condition]:
        return [
            Condition("broker", None if self._subscriber.is_connected else "not subscribed at the broker"),
            Condition("storing", too_old("a message has waited", self._oldest_s(), WAITING_MAX_S)),
        ]

    def _oldest_s(self) -> float:
        """How long the oldest message has waited, or a group is being stored already; a backlog apart, which waits on purpose."""
        oldest_at = min((at for at in (self._in_hand_since, self._inbox.oldest_at) if at is not None), default=None)
        return max(0.0, (datetime.now(UTC) - oldest_at).total_seconds()) if oldest_at is not None else 0.0

    # ------------------------------------------------------------------------------------------------------------------------------------

    async def _refresh_rules(self) -> None:
        while True:
            await asyncio.sleep(RULES_REFRESH_S)
            with contextlib.suppress(TRANSIENT):
                async with self._pool.connection() as conn:
                    self._rules = await rule_store.load(conn)

    async def _say_listening(self) -> None:
        """Tell the worker since when homes could be heard, so that our own deafness is not taken for their silence."""
        shards = {"first_shard": self._config.first_shard, "last_shard": self._config.last_shard}
        while True:
            since = self._subscriber.connected_at
            if since is not None:
                with contextlib.suppress(TRANSIENT):
                    async with self._pool.connection() as conn:
                        await store.listen(conn, **shards, since=since, now=datetime.now(UTC))
            await asyncio.sleep(LISTEN_TICK_S)

    async def _send_commands(self) -> None:
        while True:
            await asyncio.sleep(COMMAND_TICK_S)
            if not self._subscriber.is_connected:
                continue
            with contextlib.suppress(TRANSIENT):
                async with self._pool.connection() as conn, conn.transaction():
                    due = await commands.take_due(conn, now=datetime.now(UTC))
                for gateway_id, payload in due:
                    self._subscriber.publish(gateway_id, Leaf.COMMAND, payload)


async def run(config: Config) -> None:
    """Open the database, load the rules, and serve."""
    pool = await open_pool(config.database)
    async with pool:
        async with pool.connection() as conn:
            rules = await rule_store.load(conn)
        await Ingest(config, pool, rules).run()
