"""A small street for tests: two teams, three doctors, two elders, and messages from their homes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from backend.db.pool import Connection, Pool
from backend.ingest import writer
from backend.ingest.decode import Letter, Upward
from backend.ingest.subscriber import Arrival
from backend.rules import store as rules
from contract import topics
from contract.events import Event, EventKind
from contract.quantities import QuantityName
from contract.readings import Series, SeriesBatch
from contract.status import GatewayStatus

T = TypeVar("T")

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
TODAY = date(2026, 3, 1)
LOG = "00000000000000aa"

SETUP = """
INSERT INTO team (id, name, fallback_team_id) VALUES ('team-b', '小草团队', NULL), ('team-a', '李杨工作室', 'team-b');
INSERT INTO doctor (id, team_id, name, role) VALUES
    ('doctor-li', 'team-a', '李医生', 'gp'), ('doctor-yang', 'team-a', '杨医生', 'gp'), ('doctor-cao', 'team-b', '曹医生', 'gp'),
    ('nurse-wu', 'team-a', '吴护士', 'nurse');
INSERT INTO shift (doctor_id, starts_at, ends_at)
SELECT id, '2026-02-28T00:00Z', '2026-03-03T00:00Z' FROM doctor;
INSERT INTO elder (id, name, sex, address) VALUES
    ('elder-1', '王秀英', 'female', '幸福里 1 号'), ('elder-2', '张建国', 'male', '幸福里 2 号');
INSERT INTO contact (elder_id, position, name, relation, phone, notify_channel) VALUES
    ('elder-1', 1, '王芳', '女儿', '13800000001', 'log'), ('elder-1', 2, '邻居老陈', '邻居', '13800000002', NULL);
INSERT INTO gateway (id, elder_id) VALUES ('gw-1', 'elder-1'), ('gw-2', 'elder-2');
INSERT INTO contract (elder_id, team_id, doctor_id, signed_on, ends_on) VALUES
    ('elder-1', 'team-a', 'doctor-li', '2026-01-01', '2026-12-31'), ('elder-2', 'team-b', 'doctor-cao', '2026-01-01', '2026-12-31');
"""


async def settle(conn: Connection) -> None:
    """Put the street's people into the database."""
    await conn.execute(SETUP)


async def write(conn: Connection, *letters: Letter, now: datetime = NOW) -> Sequence[writer.Reply]:
    """Store letters as ingest does, in a transaction of their own, under the rules in force."""
    async with conn.transaction():
        return (await writer.write(conn, letters, await rules.load(conn), now=now)).replies


async def at_once(pool: Pool, count: int, work: Callable[[Connection, int], Awaitable[T]]) -> list[T]:
    """Run `work` on `count` connections, 0 to `count` - 1. All are open before the first begins, so that they really race."""
    start = asyncio.Barrier(count)

    async def run(number: int) -> T:
        async with pool.connection() as conn:
            await start.wait()
            return await work(conn, number)

    return await asyncio.gather(*map(run, range(count)))


async def rows(conn: Connection, query: str) -> list[dict[str, Any]]:
    """All rows of a query."""
    return await (await conn.execute(query.encode())).fetchall()


async def one(conn: Connection, query: str) -> dict[str, Any]:
    """The only row of a query."""
    [row] = await rows(conn, query)
    return row


def letter(
    message: Upward, gateway_id: str = "gw-1", *, received_at: datetime = NOW, is_retained: bool = False, clock_behind_s: float = 0
) -> Letter:
    """The message as if it had just come from the broker."""
    if not isinstance(message, GatewayStatus):
        message = message.model_copy(update={"sent_at": received_at - seconds(clock_behind_s)})
    leaf = {SeriesBatch: "series", Event: "event", GatewayStatus: "status"}[type(message)]
    topic = topics.build(gateway_id, topics.Leaf(leaf))
    return Letter(gateway_id, message, Arrival(topic, message.model_dump_json().encode(), is_retained, received_at))


def batch(
    values: Sequence[float],
    *,
    first: int = 1,
    start_at: datetime = NOW,
    every_s: float = 10,
    quantity: QuantityName = QuantityName.SPO2,
    device: str = "oximeter-1",
    floor: int = 1,
    log_id: str = LOG,
    is_history: bool = False,
) -> SeriesBatch:
    """One series whose readings follow each other every `every_s` seconds."""
    count = len(values)
    series = Series(
        device=device,
        quantity=quantity,
        start_at=start_at,
        offsets_ms=[int(row * every_s * 1000) for row in range(count)],
        values=list(values),
        sequences=list(range(count)),
        is_history=is_history,
    )
    return SeriesBatch(log_id=log_id, first=first, last=first + count - 1, floor=floor, sent_at=start_at, series=[series])


def event(kind: EventKind, *, sequence: int = 1, event_id: str = "", at: datetime = NOW, device: str = "wearable-1") -> Event:
    """One event without a window."""
    return Event(
        log_id=LOG, sequence=sequence, event_id=event_id or f"{device}:{kind}-{sequence}", device=device, kind=kind, at=at, sent_at=at
    )


def seconds(count: float) -> timedelta:
    """Short for a timedelta."""
    return timedelta(seconds=count)
