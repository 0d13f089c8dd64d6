"""What did not happen, judged by the worker's ticks: bed exits, stillness, with a warning first, and not while somebody is away."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.cases import rest
from backend.config import Config, DatabaseConfig
from backend.db.pool import Connection, Pool
from backend.rules import store as rules
from backend.rules.kinds import RULE
from backend.worker import Worker
from contract.events import EventKind
from contract.quantities import QuantityName
from tests.backend.street import batch, event, letter, one, rows, seconds, write

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def worker(pool: Pool, database_url: str) -> Worker:
    return Worker(Config(database=DatabaseConfig(url=database_url)), pool)


def ago(count_s: float) -> datetime:
    """This many seconds before now: the worker reads the clock itself."""
    return datetime.now(UTC) - seconds(count_s)


async def happen(conn: Connection, kind: EventKind, at: datetime, sequence: int = 1) -> None:
    await write(conn, letter(event(kind, sequence=sequence, at=at, device="radar-1")), now=at)
    await conn.execute("UPDATE gateway SET heard_at = now(), online = true")


async def opened(conn: Connection, rule_id: str) -> list[datetime]:
    return [row["opened_at"] for row in await rows(conn, f"SELECT opened_at FROM alert WHERE rule_id = '{rule_id}' AND state <> 'closed'")]


async def bed_rule(conn: Connection, *, is_now: bool) -> None:
    """The shipped rule with hours of the home's zone that hold now, or do not."""
    local = datetime.now(UTC).astimezone(SHANGHAI)
    begin, end = (
        (local - timedelta(hours=2), local + timedelta(hours=2)) if is_now else (local + timedelta(hours=2), local + timedelta(hours=4))
    )
    shipped = (await rules.load(conn)).by_id["bed_exit_night"].rule.model_dump(mode="json", exclude_none=True)
    hours = {"from": time(begin.hour, begin.minute).isoformat(), "until": time(end.hour, end.minute).isoformat(), "zone": "home"}
    async with conn.transaction():
        await rules.save(conn, [RULE.validate_python(shipped | {"active": hours})], by="test")


async def test_out_of_bed_for_a_quarter_of_an_hour_at_night_is_an_alert_since_it_was_due(street: Connection, worker: Worker) -> None:
    await bed_rule(street, is_now=True)
    left_at = ago(905)
    await happen(street, EventKind.BED_EXIT, left_at, sequence=9)
    await worker.judge_silence()
    assert await opened(street, "bed_exit_night") == [], "a mat that never said that anybody is in bed cannot miss it"
    await happen(street, EventKind.BED_ENTRY, ago(4000), sequence=8)
    await worker.judge_silence()
    assert await opened(street, "bed_exit_night") == [left_at + seconds(900)]
    await happen(street, EventKind.BED_ENTRY, ago(1), sequence=10)
    await worker.judge_silence()
    assert (await one(street, "SELECT condition FROM alert WHERE rule_id = 'bed_exit_night'"))["condition"] == "recovered"


async def test_who_is_back_in_bed_in_time_alarms_nobody_and_the_mat_itself_may_say_so(street: Connection, worker: Worker) -> None:
    await bed_rule(street, is_now=True)
    await happen(street, EventKind.BED_EXIT, ago(1000))
    back = batch([0, 0, 1], first=7, start_at=ago(500), quantity=QuantityName.BED_OCCUPIED, device="bed-1")
    await write(street, letter(back), now=ago(470))
    await worker.judge_silence()
    assert await opened(street, "bed_exit_night") == []


async def test_outside_its_hours_the_bed_is_nobodys_business(street: Connection, worker: Worker) -> None:
    await bed_rule(street, is_now=False)
    await happen(street, EventKind.BED_EXIT, ago(905))
    await worker.judge_silence()
    assert await opened(street, "bed_exit_night") == []


async def test_before_twelve_still_hours_are_over_the_home_is_asked_once(street: Connection, worker: Worker) -> None:
    await happen(street, EventKind.MOTION, ago(43_200 - 300))
    for _ in range(2):
        await worker.judge_silence()
    assert await opened(street, "no_movement") == []
    assert len(await rows(street, "SELECT id FROM command WHERE body ->> 'kind' = 'speak'")) == 1


async def test_twelve_still_hours_are_an_alert_but_not_of_somebody_who_is_away(street: Connection, worker: Worker) -> None:
    still_since = ago(43_205)
    await happen(street, EventKind.MOTION, still_since)
    async with street.transaction():
        await rest.add(street, subject="elder-1", kind="away", ends_at=ago(-3600), reason="医院", by="wang", now=ago(40_000))
    await worker.judge_silence()
    assert await opened(street, "no_movement") == []
    await street.execute("DELETE FROM away")
    await worker.judge_silence()
    assert await opened(street, "no_movement") == [still_since + seconds(43_200)]


async def test_in_its_cancel_window_a_fall_waits_quietly_and_then_calls(street: Connection, worker: Worker) -> None:
    shipped = (await rules.load(street)).by_id["fall"].rule.model_dump(mode="json", exclude_none=True)
    async with street.transaction():
        await rules.save(street, [RULE.validate_python(shipped | {"cancel_s": 30})], by="test")
    fell_at = ago(0)
    await happen(street, EventKind.FALL, fell_at)
    await worker.judge_silence()
    assert await one(street, "SELECT priority, condition FROM alert") == {"priority": "low", "condition": "active"}
    assert await rows(street, "SELECT id FROM notification") == []
    await street.execute("UPDATE alert SET evidence = evidence || jsonb_build_object('pending_until', now() - interval '1 s')")
    await worker.judge_silence()
    assert (await one(street, "SELECT priority FROM alert"))["priority"] == "high"
    for _ in range(2):
        await worker.judge_silence()
    assert len(await rows(street, "SELECT id FROM notification")) == 1
