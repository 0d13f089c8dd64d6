"""The live stream: everything once, in order, quickly, and only to those who may know."""

import asyncio
import json
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from backend.alerts import store as alerts
from backend.cases.lifecycle import Disposition
from backend.config import Config, DatabaseConfig
from backend.db.pool import Pool, open_pool
from backend.errors import Unavailable
from backend.people import families
from backend.people.accounts import Account
from backend.web import auth, live
from backend.web.app import create_app
from backend.web.live import CLIENT_QUEUE_MAX, Change, Client, Live, Rate
from backend.web.readers import Readers
from simulators.servers import Database
from tests.backend.conftest import prepare
from tests.backend.street import NOW, settle
from tests.backend.web.conftest import (
    Clock,
    Listener,
    SignedIn,
    consent,
    eventually,
    listening,
    offer_visit,
    open_alert,
    pass_offer_on,
    serving,
)

OPERATOR = Account("wang", "operator", "坐席 王芳", None, None, "zh")
DOCTOR = Account("cao", "doctor", "曹医生", "doctor-cao", "team-b", "zh")
PULSE_WAITS = "SELECT FROM pg_locks WHERE relation = 'gateway'::regclass AND NOT granted"
FAMILY = Account("fang", "family", "王芳 女儿", None, None, "zh")
OWN_TEAM = Readers("team-b", frozenset())
OFFERED = Readers("team-a", frozenset({"doctor-cao"}))
OTHERS = Readers("team-a", frozenset({"doctor-li"}))


def change(version: int, *, number: int = 1, readers: Readers | None = OTHERS, is_over: bool = False) -> Change:
    return Change(("visit", number), version, readers, is_over, f'{{"version": {version}}}')


def test_a_page_hears_each_version_once_and_no_older_one() -> None:
    client = Client(OPERATOR, auth.sees)
    heard = client.messages([change(2), change(2), change(1), change(3)])
    assert heard == ['event: visit\ndata: {"version": 2}\n\n', 'event: visit\ndata: {"version": 3}\n\n']


@pytest.mark.parametrize(("readers", "count"), [(OWN_TEAM, 1), (OFFERED, 1), (OTHERS, 0), (None, 0)])
def test_a_doctor_hears_of_the_own_teams_elders_and_of_own_offers(readers: Readers | None, count: int) -> None:
    assert len(Client(DOCTOR, auth.sees).messages([change(1, readers=readers)])) == count


def test_a_doctor_hears_that_an_offer_has_gone() -> None:
    client = Client(DOCTOR, auth.sees)
    client.messages([change(1, readers=OFFERED)])
    assert client.messages([change(2, readers=OTHERS)]) == ['event: gone\ndata: {"kind": "visit", "id": 1}\n\n']
    assert client.messages([change(3, readers=OTHERS)]) == []


def test_what_is_over_is_said_once_and_forgotten() -> None:
    client = Client(OPERATOR, auth.sees)
    client.messages([change(1)])
    assert len(client.messages([change(2, is_over=True)])) == 1
    assert client.sent == {}


def test_a_page_that_is_too_slow_is_cut_off() -> None:
    client = Client(OPERATOR, auth.sees)
    assert client.put(["x"] * CLIENT_QUEUE_MAX)
    assert not client.put(["x"])
    assert client.queue.get_nowait() is None


def test_while_a_page_reads_what_is_open_the_newest_change_of_each_thing_waits_and_not_without_end() -> None:
    client = Client(OPERATOR, auth.sees, waiting={})
    assert client.put(client.messages([change(1), change(2)]))
    assert client.begun() == ['event: visit\ndata: {"version": 2}\n\n']
    client = Client(OPERATOR, auth.sees, waiting={})
    assert not client.put(client.messages(change(1, number=number) for number in range(CLIENT_QUEUE_MAX + 1)))
    assert client.is_over


@pytest.mark.store
async def test_readers_that_stand_still_hold_no_connection(app: FastAPI, street: Pool) -> None:
    web: auth.Web = app.state.web
    await open_alert(street)
    streams = [web.live.stream(web.live.enter(OPERATOR)) for _ in range(web.config.database.pool_max + 1)]
    for stream in streams:
        assert (await anext(stream)).startswith("event: hello")
        assert (await anext(stream)).startswith("event: case")
    async with asyncio.timeout(10), web.pool.connection() as conn:
        await web.live.catch_up(conn)
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]
    assert web.live.pages == 0


@pytest.mark.store
async def test_families_take_no_place_of_the_centre_and_are_not_told_what_is_open(app: FastAPI, signed_in: SignedIn, clock: Clock) -> None:
    web: auth.Web = app.state.web
    full = Live(web.pool, web.board, clock=clock, sees=auth.sees, clients_max=0, families_max=1)
    family = full.enter(FAMILY)
    assert family.waiting is None
    with pytest.raises(Unavailable):
        full.enter(FAMILY)
    client = await signed_in("wang")
    app.state.web = replace(web, live=full)
    assert (await client.get("/api/live")).status_code == 503
    full.leave(family)
    full.enter(FAMILY)


@pytest.mark.store
async def test_a_family_hears_that_what_it_may_see_has_changed_and_of_nothing_else(app: FastAPI, street: Pool, clock: Clock) -> None:
    web: auth.Web = app.state.web
    live = Live(web.pool, web.board, clock=clock, sees=auth.sees)
    family = live.enter(FAMILY)
    await consent(street, "state")
    async with street.connection() as conn:

        async def heard() -> list[str]:
            await live._compare_families(conn, clock())
            return [str(family.queue.get_nowait()) for _ in range(family.queue.qsize())]

        assert await heard() == []
        await families.write_to_family(conn, "elder-1", text="!", to_name=None, by="wang", now=clock())
        assert await heard() == []  # it may read no messages
        await conn.execute("UPDATE gateway SET heard_at = %s WHERE id = 'gw-1'", (clock(),))
        assert len(await heard()) == 1
        await conn.execute("UPDATE gateway SET heard_at = %s WHERE id = 'gw-1'", (clock() + timedelta(seconds=1),))
        assert await heard() == []  # not at each second
        await consent(street, "messages")
        assert len(await heard()) == 1


@pytest.mark.store
@pytest.mark.parametrize("fault", ["ALTER TABLE last_sign RENAME COLUMN at TO gone", "DROP FUNCTION family_right CASCADE"])
async def test_a_fault_of_what_families_hear_keeps_the_centre_from_nothing(app: FastAPI, street: Pool, clock: Clock, fault: str) -> None:
    web: auth.Web = app.state.web
    web.live.enter(FAMILY)
    page = web.live.enter(OPERATOR)
    page.begun()
    async with street.connection() as conn:
        await conn.execute(fault)
    for _ in range(2):
        while not page.queue.empty():
            page.queue.get_nowait()
        looked_at = web.live.looked_at
        clock.advance(60)
        async with asyncio.timeout(10):
            while not str(await page.queue.get()).startswith("event: beat"):
                pass
        await eventually(lambda seen=looked_at: web.live.looked_at != seen)  # type: ignore[misc]
    await open_alert(street)
    async with asyncio.timeout(10):
        while not str(await page.queue.get()).startswith("event: alert"):
            pass


@pytest.mark.store
async def test_nobody_waits_for_the_pulse(app: FastAPI, street: Pool, clock: Clock) -> None:
    web: auth.Web = app.state.web
    await eventually(lambda: web.live.pulse is not None)
    async with street.connection() as conn, conn.transaction():
        await conn.execute("LOCK TABLE gateway IN ACCESS EXCLUSIVE MODE")
        clock.advance(60)
        async with street.connection() as other, asyncio.timeout(10):
            while await (await other.execute(PULSE_WAITS)).fetchone() is None:
                await asyncio.sleep(0.01)
            await web.live.catch_up(other)


def test_the_rate_is_unknown_before_it_was_watched() -> None:
    rate = Rate()
    assert rate.add(NOW, 1000) is None
    assert rate.add(NOW + timedelta(seconds=4), 1040) is None


def test_the_rate_counts_the_last_minute_only() -> None:
    rate = Rate()
    for second in range(200):
        shown = rate.add(NOW + timedelta(seconds=second), second * 10 if second > 100 else second * 500)
    assert shown == 600


@pytest.mark.store
async def test_a_page_hears_first_what_is_open_then_what_changes(app: FastAPI, street: Pool) -> None:
    old = await open_alert(street, rule_id="sos")
    async with serving(app) as url, listening(url, "wang") as heard:
        new = await open_alert(street, rule_id="fall")
        await heard.until(lambda page: len(page.of("alert")) == 2)
    assert [alert["id"] for alert in heard.of("alert")] == [old, new]
    assert heard.of("alert")[1]["elder_name"] == "王秀英"


@pytest.mark.store
async def test_an_alert_reaches_a_page_within_300_ms_of_its_commit(app: FastAPI, street: Pool) -> None:
    rules = ["sos", "fall", "spo2_low", "heart_rate_high", "heart_rate_low"]
    delays = []
    async with serving(app) as url, listening(url, "wang") as heard:
        for count, rule_id in enumerate(rules, start=1):
            await open_alert(street, rule_id=rule_id)
            committed = time.perf_counter()
            await heard.until(lambda page, count=count: len(page.of("alert")) == count)  # type: ignore[misc]
            delays.append(time.perf_counter() - committed)
    print(f"commit to page: median {statistics.median(delays) * 1000:.0f} ms, worst {max(delays) * 1000:.0f} ms")
    assert statistics.median(delays) < 0.3


@pytest.mark.store
async def test_many_changes_come_once_each_and_end_with_the_last(app: FastAPI, street: Pool) -> None:
    alert_id = await open_alert(street)
    async with serving(app) as url, listening(url, "wang") as heard:
        for _ in range(30):
            async with street.connection() as conn, conn.transaction():
                await alerts.touch(conn, alert_id, now=NOW)
        await heard.until(lambda page: [alert["version"] for alert in page.of("alert")][-1:] == [31])
    versions = [alert["version"] for alert in heard.of("alert")]
    assert versions == sorted(set(versions))


@pytest.mark.store
async def test_a_closed_alert_is_said_with_its_last_state(app: FastAPI, street: Pool) -> None:
    alert_id = await open_alert(street)
    async with serving(app) as url, listening(url, "wang") as heard:
        await heard.until(lambda page: len(page.of("alert")) == 1)
        async with street.connection() as conn, conn.transaction():
            await alerts.close(conn, alert_id, by="wang", disposition=Disposition.TEST, text="", now=NOW)
        await heard.until(lambda page: page.of("alert")[-1]["state"] == "closed")
    assert heard.of("alert")[-1]["disposition"] == "test"


@pytest.mark.store
async def test_a_change_without_a_hint_is_found_all_the_same(app: FastAPI, street: Pool) -> None:
    alert_id = await open_alert(street)
    async with serving(app) as url, listening(url, "wang") as heard:
        async with street.connection() as conn:
            await conn.execute("UPDATE alert SET version = version + 1, count = 7 WHERE id = %s", (alert_id,))
        await heard.until(lambda page: bool(page.of("alert")) and page.of("alert")[-1]["count"] == 7)


@pytest.mark.store
async def test_doctors_hear_only_what_is_theirs(app: FastAPI, street: Pool, clock: Clock) -> None:
    async with serving(app) as url, listening(url, "cao") as cao, listening(url, "li") as li:
        await open_alert(street, "elder-1")
        visit_id = await offer_visit(street, "elder-1")
        own = await open_alert(street, "elder-2")
        await cao.until(lambda page: bool(page.of("alert")))
        await li.until(lambda page: bool(page.of("visit")))
        assert [alert["id"] for alert in cao.of("alert")] == [own]
        assert cao.of("visit") == []
        async with street.connection() as conn:
            for _ in range(3):
                clock.advance(60)
                await pass_offer_on(conn, now=clock.at)
        await cao.until(lambda page: [visit["id"] for visit in page.of("visit")] == [visit_id])


@pytest.mark.store
async def test_a_beat_follows_only_a_look_at_the_tables(app: FastAPI, clock: Clock) -> None:
    async with serving(app) as url, listening(url, "wang") as heard:
        beats = len(heard.of("beat"))
        clock.advance(live.BEAT_S)
        await heard.until(lambda page: len(page.of("beat")) > beats)
        assert datetime.fromisoformat(heard.of("beat")[-1]["at"]) == clock.at


@pytest.mark.store
async def test_streams_end_when_the_application_does(app: FastAPI) -> None:
    async with serving(app) as url, httpx.AsyncClient(base_url=url) as client:
        await client.post("/api/session", json={"name": "wang", "password": "a long password"})
        async with client.stream("GET", "/api/live") as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            app.state.web.live.stop()
            async with asyncio.timeout(5):
                assert [line async for line in lines if line.startswith("event: ")] == []


@pytest.mark.store
async def test_the_stream_outlives_a_killed_database() -> None:
    with Database(is_durable=False) as server:
        await prepare(server.url)
        config = Config(database=DatabaseConfig(url=server.url))
        app = create_app(config, lambda: datetime.now(UTC))
        async with app.router.lifespan_context(app):
            web: auth.Web = app.state.web
            async with web.pool.connection() as conn:
                await settle(conn)
            heard = Listener()
            reading = asyncio.create_task(_read_stream(web, heard))
            await heard.until(lambda page: bool(page.of("beat")))
            server.kill()
            server.start()
            killed_at = time.perf_counter()
            async with await open_pool(config.database) as pool:
                alert_id = await open_alert(pool)
            await heard.until(lambda page: bool(page.of("alert")), 30)
            print(f"heard {time.perf_counter() - killed_at:.1f} s after the database was back")
            assert heard.of("alert")[-1]["id"] == alert_id
            web.live.stop()
            await reading


async def _read_stream(web: auth.Web, heard: Listener) -> None:
    async for message in web.live.stream(web.live.enter(OPERATOR)):
        kind, data, *_ = message.split("\n")
        heard.heard.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))


@pytest.mark.store
async def test_a_lost_listener_is_forgotten(app: FastAPI) -> None:
    web: auth.Web = app.state.web
    async with serving(app) as url:
        async with listening(url, "wang"):
            await eventually(lambda: len(web.live._clients) == 1)
        await eventually(lambda: not web.live._clients)
