"""The worker's ticks: silence that opens and closes alerts, offers, messages, and what a failing tick does to the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from backend.alerts import store as alerts
from backend.cases import duty
from backend.cases.lifecycle import Disposition
from backend.config import Config, DatabaseConfig, NotifyConfig, WorkerConfig
from backend.db.pool import Connection, Pool
from backend.dispatch import store as dispatch
from backend.dispatch.ladder import URGENT
from backend.metrics.jobs import Jobs
from backend.notify import outbox
from backend.notify.channels import CHANNELS
from backend.notify.channels.message import Message
from backend.worker import Worker, _guarded
from contract.events import EventKind
from contract.quantities import QuantityName
from tests.backend.cases.calls import bring
from tests.backend.cases.test_duty import ACCOUNTS
from tests.backend.street import batch, event, letter, one, rows, seconds, write

DEADLINE_S = 30.0
HEART_RATE = QuantityName.HEART_RATE


def ago(count_s: float) -> datetime:
    """This many seconds before now: the worker reads the clock itself."""
    return datetime.now(UTC) - seconds(count_s)


@pytest.fixture
def worker(pool: Pool, database_url: str) -> Worker:
    fast = WorkerConfig(silence_tick_s=0.1, offer_tick_s=0.1, send_tick_s=0.1)
    return Worker(Config(database=DatabaseConfig(url=database_url), worker=fast), pool)


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(CollectorRegistry(), lambda: ago(0))


async def hear(conn: Connection, at: datetime, gateway_id: str = "gw-1") -> None:
    """Set back too, as no running system does: so what the worker has seen is forgotten."""
    query = "UPDATE gateway SET heard_at = %(at)s, seen_at = '-infinity' WHERE id = %(id)s"
    await conn.execute(query, {"at": at, "id": gateway_id})


async def measure(conn: Connection, at: datetime, *, quantity: QuantityName = HEART_RATE, gateway_id: str = "gw-1", first: int = 1) -> None:
    await write(conn, letter(batch([72], first=first, start_at=at, quantity=quantity), gateway_id), now=at)


async def found(conn: Connection) -> list[dict[str, Any]]:
    return await rows(conn, "SELECT rule_id, state, condition FROM alert ORDER BY id")


async def close(conn: Connection, at: datetime) -> None:
    row = await one(conn, "SELECT id FROM alert WHERE state <> 'closed'")
    async with conn.transaction():
        await alerts.close(conn, row["id"], by="wang", disposition=Disposition.TECHNICAL, text="", now=at)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(0.02)


# -- silence -----------------------------------------------------------------------------------------------------------------------------


async def test_a_gateway_that_is_silent_for_its_time_is_an_alert_from_the_moment_it_was_due(street: Connection, worker: Worker) -> None:
    await hear(street, ago(170))
    await worker.judge_silence()
    assert await found(street) == []
    heard_at = ago(181)
    await hear(street, heard_at)
    await worker.judge_silence()
    [alert] = await rows(street, "SELECT rule_id, opened_at, priority FROM alert")
    assert alert == {"rule_id": "gateway_silent", "opened_at": heard_at + seconds(180), "priority": "technical"}


async def test_many_ticks_of_one_silence_are_one_alert_that_nobody_touches(street: Connection, worker: Worker) -> None:
    await hear(street, ago(500))
    for _ in range(3):
        await worker.judge_silence()
    assert await rows(street, "SELECT count, version FROM alert") == [{"count": 1, "version": 1}]


async def test_a_gateway_that_is_heard_again_closes_its_alert(street: Connection, worker: Worker) -> None:
    await hear(street, ago(500))
    await worker.judge_silence()
    await hear(street, ago(1))
    await worker.judge_silence()
    assert await rows(street, "SELECT state, closed_by, disposition FROM alert") == [
        {"state": "closed", "closed_by": "system", "disposition": "technical"}
    ]


async def test_a_gateway_that_was_never_heard_is_not_silent(street: Connection, worker: Worker) -> None:
    await worker.judge_silence()
    assert await found(street) == []


async def test_a_silence_that_a_person_closed_is_not_asked_about_until_it_was_heard_again(street: Connection, worker: Worker) -> None:
    await hear(street, ago(5_000))
    await worker.judge_silence()
    await close(street, ago(4_000))
    await worker.judge_silence()
    assert [row["state"] for row in await found(street)] == ["closed"]
    await hear(street, ago(1_000))
    await worker.judge_silence()
    assert [row["state"] for row in await found(street)] == ["closed", "new"]


async def test_our_own_deafness_is_not_taken_for_the_silence_of_homes(street: Connection, worker: Worker) -> None:
    await hear(street, ago(500))
    await street.execute("INSERT INTO listener VALUES (0, 63, %(since)s, %(at)s)", {"since": ago(60), "at": ago(1)})
    await worker.judge_silence()
    assert await found(street) == []
    await street.execute("UPDATE listener SET since = %(since)s", {"since": ago(181)})
    await worker.judge_silence()
    assert [row["rule_id"] for row in await found(street)] == ["gateway_silent"]


async def test_each_home_is_judged_for_itself(street: Connection, worker: Worker) -> None:
    await hear(street, ago(500), "gw-1")
    await hear(street, ago(1), "gw-2")
    await worker.judge_silence()
    assert await rows(street, "SELECT elder_id FROM alert") == [{"elder_id": "elder-1"}]


async def test_of_two_gateways_of_one_home_the_one_that_speaks_does_not_answer_for_the_other(street: Connection, worker: Worker) -> None:
    await street.execute("INSERT INTO gateway (id, elder_id) VALUES ('gw-3', 'elder-1')")
    await hear(street, ago(500), "gw-1")
    await hear(street, ago(1), "gw-3")
    for _ in range(2):
        await worker.judge_silence()
    assert [row["state"] for row in await found(street)] == ["new"]


async def test_a_quantity_not_heard_for_two_hours_is_an_alert(street: Connection, worker: Worker) -> None:
    await measure(street, ago(7_201))
    await hear(street, ago(1))
    await worker.judge_silence()
    assert [row["rule_id"] for row in await found(street)] == ["no_heart_rate"]


async def test_while_the_gateway_is_off_line_nobody_asks_about_its_quantities(street: Connection, worker: Worker) -> None:
    await measure(street, ago(7_201))
    await hear(street, ago(200))
    await worker.judge_silence()
    assert [row["rule_id"] for row in await found(street)] == ["gateway_silent"]


async def test_a_quantity_that_returns_through_another_gateway_closes_its_alert(street: Connection, worker: Worker) -> None:
    await measure(street, ago(7_201))
    await hear(street, ago(1))
    await worker.judge_silence()
    await street.execute("INSERT INTO gateway (id, elder_id) VALUES ('gw-3', 'elder-1')")
    await measure(street, ago(1), gateway_id="gw-3")
    await worker.judge_silence()
    assert [row["state"] for row in await found(street)] == ["closed"]


async def test_two_workers_at_once_open_one_alert(street: Connection, worker: Worker) -> None:
    await hear(street, ago(500))
    await asyncio.gather(*(worker.judge_silence() for _ in range(4)))
    assert await rows(street, "SELECT count FROM alert") == [{"count": 1}]


# -- data that stops under an open alert -------------------------------------------------------------------------------------------------


async def breach(conn: Connection, at: datetime) -> None:
    """Low SpO2 for two minutes from `at` on, from a gateway that is still there now."""
    await write(conn, letter(batch([86] * 13, start_at=at)), now=at + seconds(120))
    await hear(conn, ago(1))


async def test_when_the_data_stop_an_alert_falls_silent_and_does_not_recover(street: Connection, worker: Worker) -> None:
    await breach(street, ago(400))
    for _ in range(2):
        await worker.judge_silence()
    assert await found(street) == [{"rule_id": "spo2_low", "state": "new", "condition": "silent"}]
    assert [row["action"] for row in await rows(street, "SELECT action FROM alert_step ORDER BY id")] == ["opened", "silent"]


async def test_while_data_come_an_alert_is_not_silent(street: Connection, worker: Worker) -> None:
    await breach(street, ago(125))
    await worker.judge_silence()
    assert (await found(street))[0]["condition"] == "active"


@pytest.mark.parametrize(("value", "condition"), [(97, "recovered"), (86, "active"), (92, "silent")])
async def test_after_a_silence_only_data_that_say_so_end_an_alert(street: Connection, worker: Worker, value: float, condition: str) -> None:
    await breach(street, ago(400))
    await worker.judge_silence()
    later = datetime.now(UTC) + seconds(1)
    await write(street, letter(batch([value] * 13, first=100, start_at=later)), now=later + seconds(120))
    assert (await found(street))[0]["condition"] == condition


# -- visits, messages, days --------------------------------------------------------------------------------------------------------------


async def test_every_visit_that_is_due_is_offered_in_one_tick(street: Connection, worker: Worker) -> None:
    for elder_id in ("elder-1", "elder-2", "elder-1"):
        await dispatch.request(street, elder_id=elder_id, alert_id=None, visit_class="urgent", reason="跌倒", by="wang", now=ago(1))
    await street.execute("UPDATE shift SET starts_at = now() - interval '1 day', ends_at = now() + interval '1 day'")
    await street.execute("UPDATE contract SET signed_on = current_date - 100, ends_on = current_date + 1000")
    await worker.offer_visits()
    assert [row["state"] for row in await rows(street, "SELECT state FROM visit")] == ["offered"] * 3


async def test_the_last_rung_of_a_search_tells_who_supervises(street: Connection, worker: Worker) -> None:
    await street.execute(ACCOUNTS)
    await duty.add(street, name="chen", part="supervisor", starts_at=ago(3600), ends_at=ago(-3600))
    route = {"channel": "log", "address": "chen", "priorities": ["high"], "quiet_from": None, "quiet_to": None}
    await outbox.add_route(street, person="account:chen", now=ago(0), quiet_spares_high=True, consented_to="a test", **route)
    case = await bring(street, at=ago(300))
    alert_id = (await one(street, "SELECT id FROM alert"))["id"]
    async with street.transaction():
        await dispatch.request(
            street, elder_id="elder-1", alert_id=alert_id, visit_class="urgent", reason="跌倒", by="wang", now=ago(URGENT.backup_s + 1)
        )
    await worker.offer_visits()
    [told] = await rows(street, "SELECT case_id, body ->> 'title_en' AS title FROM notification WHERE person LIKE 'account:chen/%'")
    assert told == {"case_id": case, "title": "No doctor has accepted yet"}


async def test_a_visit_that_cannot_be_offered_stops_no_other_and_who_supervises_hears(street: Connection, worker: Worker) -> None:
    await street.execute(ACCOUNTS)
    await duty.add(street, name="chen", part="supervisor", starts_at=ago(3600), ends_at=ago(-3600))
    route = {"channel": "log", "address": "chen", "priorities": ["high"], "quiet_from": None, "quiet_to": None}
    await outbox.add_route(street, person="account:chen", now=ago(0), quiet_spares_high=True, consented_to="a test", **route)
    await bring(street, at=ago(300))
    alert_id = (await one(street, "SELECT id FROM alert"))["id"]
    for elder_id, alert, age_s in (("elder-1", alert_id, 9), ("elder-2", None, 5)):
        await dispatch.request(
            street, elder_id=elder_id, alert_id=alert, visit_class="urgent", reason="跌倒", by="wang", now=ago(age_s)
        )  # fmt: skip
    await street.execute("UPDATE shift SET starts_at = now() - interval '1 day', ends_at = now() + interval '1 day'")
    await street.execute("UPDATE contract SET signed_on = current_date - 100, ends_on = current_date + 1000")
    await street.execute("ALTER TABLE visit ADD CONSTRAINT broken CHECK (elder_id <> 'elder-1' OR state <> 'offered')")
    await worker.offer_visits()
    assert await rows(street, "SELECT state, next_at > now() AS waits FROM visit ORDER BY elder_id") == [
        {"state": "requested", "waits": True},
        {"state": "offered", "waits": True},
    ]
    [told] = await rows(street, "SELECT body ->> 'title_en' AS title FROM notification WHERE person LIKE 'account:chen/%'")
    assert told["title"] == "A visit cannot be offered: call a doctor by telephone"


async def test_the_worker_makes_the_room_that_an_acceptance_asks_for(street: Connection, worker: Worker) -> None:
    visit_id = await dispatch.request(street, elder_id="elder-1", alert_id=None, visit_class="urgent", reason="跌倒", by="wang", now=ago(9))
    await dispatch.assign(street, visit_id, doctor_id="doctor-li", by="wang", now=ago(1))
    assert (await one(street, "SELECT room_at IS NOT NULL AS wants FROM visit"))["wants"]
    await worker.make_room()
    assert not (await one(street, "SELECT room_at IS NOT NULL AS wants FROM visit"))["wants"]


async def test_date_rules_fill_the_due_list_by_themselves_and_once(street: Connection, worker: Worker) -> None:
    await street.execute("UPDATE elder SET born_on = '1945-01-01', conditions = '{高血压, 2型糖尿病}' WHERE id = 'elder-1'")
    await street.execute("UPDATE contract SET signed_on = current_date - 100, ends_on = current_date + 1000")
    for _ in range(2):
        await worker.list_due()
    listed = await rows(street, "SELECT kind FROM due_visit WHERE elder_id = 'elder-1' AND source = 'date_rule' ORDER BY kind")
    assert [row["kind"] for row in listed] == ["diabetes_followup", "elder_checkup", "hypertension_followup"]


async def test_a_receiver_that_does_not_answer_holds_up_nobody_else(
    street: Connection, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    both_at_once = asyncio.Event()
    loop = asyncio.get_running_loop()

    def send(message: Message, settings: NotifyConfig) -> None:
        if message.address == "hangs":
            asyncio.run_coroutine_threadsafe(both_at_once.wait(), loop).result(DEADLINE_S)
        sent.append(message.address)
        loop.call_soon_threadsafe(both_at_once.set)

    monkeypatch.setitem(CHANNELS, "webhook", send)
    await street.execute(
        "UPDATE contact SET notify_channel = 'webhook', notify_address = CASE position WHEN 1 THEN 'hangs' ELSE 'answers' END"
    )
    await write(street, letter(event(EventKind.SOS, at=ago(1))), now=ago(1))
    await asyncio.wait_for(worker.send_notifications(), DEADLINE_S)
    assert sent == ["answers", "hangs"]


async def test_days_are_prepared(street: Connection, worker: Worker) -> None:
    await worker.keep_house()
    row = await one(
        street, f"SELECT relkind, to_regclass('history_usual_{ago(0):%Y%m%d}') AS today FROM pg_class WHERE oid = 'history_usual'::regclass"
    )
    assert row["relkind"] != "p" or row["today"] is not None


async def test_a_worker_that_runs_does_all_of_it(street: Connection, worker: Worker) -> None:
    await street.execute("UPDATE shift SET starts_at = now() - interval '1 day', ends_at = now() + interval '1 day'")
    await street.execute("UPDATE contract SET signed_on = current_date - 100, ends_on = current_date + 1000")
    await hear(street, ago(500), "gw-2")
    await write(street, letter(event(EventKind.FALL, at=ago(1))), now=ago(1))
    running = asyncio.create_task(worker.run())
    query = """
    SELECT EXISTS (SELECT FROM visit_offer WHERE doctor_id = 'doctor-li') AND EXISTS (SELECT FROM notification WHERE state = 'sent')
        AND EXISTS (SELECT FROM alert WHERE rule_id = 'gateway_silent') AS is_done
    """

    async def is_done() -> bool:
        return bool((await one(street, query))["is_done"])

    await until(is_done)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


# -- trouble -----------------------------------------------------------------------------------------------------------------------------


async def test_a_tick_that_fails_is_logged_and_does_not_rise(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    async def count_sheep() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.WARNING):
        await _guarded(count_sheep, jobs)()
    assert [record.getMessage() for record in caplog.records] == ["count_sheep failed"]


async def test_a_tick_without_a_database_is_one_warning(worker: Worker, pool: Pool, jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    await pool.close()
    with caplog.at_level(logging.WARNING):
        await _guarded(worker.judge_silence, jobs)()
    assert [record.getMessage() for record in caplog.records] == ["judge_silence must wait: PoolClosed"]


async def test_a_home_whose_rule_breaks_does_not_keep_others_from_being_judged(street: Connection, worker: Worker) -> None:
    await street.execute("ALTER TABLE alert ADD CONSTRAINT not_elder_1 CHECK (elder_id <> 'elder-1' OR rule_id = 'rule_failed')")
    for gateway_id in ("gw-1", "gw-2"):
        await hear(street, ago(500), gateway_id)
    await worker.judge_silence()
    assert sorted(row["rule_id"] for row in await found(street)) == ["gateway_silent", "rule_failed"]


async def test_a_gateway_is_on_line_for_three_of_its_reports(street: Connection, worker: Worker) -> None:
    await measure(street, ago(7_201))
    await hear(street, ago(85))
    await worker.judge_silence()
    assert len(await found(street)) == 1
