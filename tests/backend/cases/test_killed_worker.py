"""The worker, killed: no step of a case is lost or done twice, and no message goes out under a second key."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.alerts.model import Subject
from backend.cases import duty
from backend.db.pool import Connection
from backend.notify import outbox
from simulators.keeper import Program
from tests.backend.cases.calls import bring
from tests.backend.cases.test_duty import ACCOUNTS
from tests.backend.notify.channels.test_webhook import Receiver
from tests.backend.street import one, rows, seconds
from tests.backend.test_worker import ago, until

pytestmark = [pytest.mark.system]

CASES = 60
COPY_ELDERS = "INSERT INTO elder (id, name, sex, address) SELECT 'old-' || n, 'x', 'female', 'x' FROM generate_series(1, %(count)s) AS n"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.is_over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def worker(tmp_path: Path, database_url: str) -> Iterator[Program]:
    config = tmp_path / "backend.toml"
    config.write_text(f'[database]\nurl = "{database_url}"\n[worker]\nescalate_tick_s = 0.05\nsend_tick_s = 0.05\n')
    program = Program(["backend", "worker", "--config", str(config)], tmp_path / "log", {})
    yield program
    program.stop()


async def settle(conn: Connection, receiver: Receiver) -> None:
    await conn.execute(ACCOUNTS)
    await conn.execute(COPY_ELDERS, {"count": CASES})
    await duty.add(conn, name="chen", part="supervisor", starts_at=ago(3600), ends_at=ago(-3600))
    route = {"channel": "webhook", "address": receiver.url, "priorities": ["high"], "quiet_from": None, "quiet_to": None}
    await outbox.add_route(conn, person="account:chen", now=ago(0), quiet_spares_high=True, consented_to="a test", **route)
    for number in range(1, CASES + 1):
        await bring(conn, at=ago(60), subject=Subject(f"old-{number}", "gw-1"))


async def test_a_worker_killed_in_mid_escalation_loses_no_step_and_doubles_none(
    street: Connection, receiver: Receiver, worker: Program
) -> None:
    await settle(street, receiver)
    for _ in range(4):
        worker.start()
        await asyncio.sleep(0)
        before = (await one(street, "SELECT count(*) AS n FROM case_step WHERE action = 'escalated'"))["n"]

        async def has_moved(before: int = before) -> bool:
            return bool((await one(street, "SELECT count(*) AS n FROM case_step WHERE action = 'escalated'"))["n"] > before)

        if before < CASES:
            await until(has_moved)
        worker.kill()
    worker.start()

    async def is_done() -> bool:
        found = await one(street, "SELECT count(DISTINCT case_id) AS n FROM case_step WHERE detail ->> 'step' = 'second'")
        return bool(found["n"] == CASES)

    await until(is_done)
    worker.kill()
    steps = Counter(row["case_id"] for row in await rows(street, "SELECT case_id FROM case_step WHERE detail ->> 'step' = 'second'"))
    assert set(steps.values()) == {1}
    assert await rows(street, "SELECT id FROM care_case WHERE state <> 'closed' AND next_at IS NULL") == []
    told = await rows(street, "SELECT case_id FROM notification WHERE step LIKE 'second:%'")
    assert len(told) == CASES


async def test_a_worker_killed_in_mid_send_sends_again_under_the_same_key(street: Connection, receiver: Receiver, worker: Program) -> None:
    await settle(street, receiver)
    receiver.answers = [0]  # takes the request and never answers
    worker.start()

    async def is_sending() -> bool:
        return len(receiver.received) >= 1

    await until(is_sending)
    worker.kill()
    receiver.is_over.set()
    receiver.answers = [500, 200]
    in_doubt = {headers["Idempotency-Key"] for headers, _ in receiver.received}
    await street.execute(
        "UPDATE notification SET due_at = due_at - %(lease)s WHERE state = 'waiting'", {"lease": outbox.LEASE + seconds(1)}
    )
    worker.start()

    async def is_done() -> bool:
        refused = "state = 'waiting' AND error = 'answered 500' AND due_at < now() + interval '30 s'"  # a later one is being sent
        await street.execute(f"UPDATE notification SET due_at = now() WHERE {refused}".encode())
        return bool((await one(street, "SELECT count(*) AS n FROM notification WHERE state = 'sent'"))["n"] >= CASES)

    await until(is_done)
    worker.kill()
    keys = Counter(headers["Idempotency-Key"] for headers, _ in receiver.received)
    assert in_doubt <= keys.keys()
    sent = {str(row["key"]) for row in await rows(street, "SELECT key FROM notification WHERE state = 'sent'")}
    assert keys.keys() == sent, "each message has one key, whatever became of the worker"
    assert sum(count - 1 for count in keys.values()) <= len(in_doubt) + 1, "only what was in doubt or refused went twice"
