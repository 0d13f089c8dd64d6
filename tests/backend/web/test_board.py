"""The board: one queue for all consoles, never older than what is asked of it, read and drawn once."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import FastAPI

from backend.cases import store as cases
from backend.db.pool import TRANSIENT, Pool
from backend.web import auth, board, read, render
from backend.web.auth import Web
from backend.web.board import Board
from backend.web.language import Language
from backend.web.live import Live
from tests.backend.street import NOW
from tests.backend.web.conftest import Clock, SignedIn, eventually, open_alert, open_case

pytestmark = pytest.mark.store


async def told(stream: AsyncIterator[bytes], kind: str) -> dict[str, object]:
    """The next message of this kind."""
    async with asyncio.timeout(10):
        async for message in stream:
            name, data, *_ = message.decode().split("\n")
            if name == f"event: {kind}":
                return dict(json.loads(data.removeprefix("data: ")))
    raise AssertionError("the stream has ended")


async def test_a_hundred_requests_at_once_read_and_draw_the_queue_once_or_twice(street: Pool, clock: Clock) -> None:
    drawn: list[str] = []

    def draw(template: str, language: Language, context: dict[str, object]) -> str:
        drawn.append(template)
        return render.part(template, language, clock(), **context)

    shared = Board(clock=clock, draw=draw)
    live = Live(street, shared, clock=clock, sees=auth.sees)
    await open_alert(street)

    async def ask() -> str:
        async with street.connection() as conn:
            await live.catch_up(conn)
        return shared.queue_html("zh")

    answers = await asyncio.gather(*(ask() for _ in range(100)))
    assert len(set(answers)) == 1
    assert "血氧偏低" in answers[0]
    assert len(drawn) <= 2  # what is read anew is drawn anew


async def test_a_look_that_failed_is_nobody_elses_look(app: FastAPI, street: Pool) -> None:
    web: Web = app.state.web
    async with street.connection() as conn, street.connection() as broken:
        await broken.close()
        async with web.live._looking:
            asked = web.live._looks
            tries = [asyncio.create_task(web.live.catch_up(one)) for one in (broken, conn)]
            await asyncio.sleep(0)
        failed, done = await asyncio.gather(*tries, return_exceptions=True)
    assert isinstance(failed, TRANSIENT)
    assert done is None
    assert web.live._looked > asked + 1


async def test_a_console_hears_the_queue_the_changed_case_and_the_pulse(app: FastAPI, street: Pool) -> None:
    web: Web = app.state.web
    case_id = await open_case(street)
    async with street.connection() as conn:
        await web.live.catch_up(conn)
    stream = web.board.stream(web.board.enter("en"))
    assert "at" in await told(stream, "hello")
    first = await told(stream, "queue")
    assert "SpO2" in str(first["html"]) or "oxygen" in str(first["html"])
    assert first["calls"] == [{"id": case_id, "priority": "high"}]
    async with street.connection() as conn, conn.transaction():
        await cases.take(conn, case_id, by="wang", now=NOW)
    second = await told(stream, "queue")
    assert second["calls"] == []
    assert "王芳" in str(second["html"])
    assert await told(stream, "changed") == {"cases": [case_id]}
    await stream.aclose()  # type: ignore[attr-defined]
    await eventually(lambda: web.board.pages == 0)


async def test_a_slow_console_is_told_the_newest_state_and_each_changed_case(app: FastAPI, street: Pool) -> None:
    web: Web = app.state.web
    async with street.connection() as conn:
        await web.live.catch_up(conn)
    stream = web.board.stream(web.board.enter("zh"))
    await told(stream, "queue")
    ids = []
    for rule_id in ("sos", "fall"):
        ids.append(await open_case(street, "elder-1" if rule_id == "sos" else "elder-2", rule_id=rule_id))
        async with street.connection() as conn:
            await web.live.catch_up(conn)
    assert len((await told(stream, "queue"))["calls"]) == 2  # type: ignore[arg-type]
    assert await told(stream, "changed") == {"cases": sorted(ids)}


async def test_the_queue_has_a_head_and_counts_the_rest(street: Pool) -> None:
    call = await open_case(street, "elder-1", rule_id="sos")
    await open_case(street, "elder-2", rule_id="battery_low", priority="technical")
    async with street.connection() as conn:
        queue = await read.queue(conn, limit=1)
    assert [case["id"] for case in queue.cases] == [call]
    assert queue.counts == {"high": 1, "technical": 1}
    assert queue.resting == 0


async def test_trouble_of_a_silent_home_rests_while_its_gateway_stands_in_a_group(street: Pool) -> None:
    battery = await open_case(street, "elder-1", rule_id="battery_low", priority="technical")
    call = await open_case(street, "elder-2", rule_id="sos")
    silent = await open_alert(street, "elder-1", rule_id="gateway_silent", priority="technical")
    async with street.connection() as conn:
        await conn.execute("UPDATE alert SET case_id = %s WHERE id = %s", (call, silent))
        queue = await read.queue(conn, limit=10)
        everything = {case["id"]: case["is_muted"] for case in await read.cases(conn, [battery, call])}
    assert everything == {battery: True, call: False}
    assert ([case["id"] for case in queue.cases], queue.resting) == ([call], 1)


async def test_every_call_of_high_priority_has_a_row_however_short_the_list(street: Pool) -> None:
    kinds = enumerate(("sos", "fall", "spo2_low"))
    urgent = [await open_case(street, "elder-2", rule_id=rule_id, now=NOW + timedelta(hours=hour)) for hour, rule_id in kinds]
    medium = await open_case(street, "elder-1", rule_id="temperature_high", priority="medium")
    async with street.connection() as conn:
        assert [case["id"] for case in (await read.queue(conn, limit=1)).cases] == urgent
        assert [case["id"] for case in (await read.queue(conn, limit=4)).cases] == [*urgent, medium]
        await conn.execute("UPDATE care_case SET state = 'taken', taken_by = 'wang', taken_at = known_at WHERE id = %s", (urgent[0],))
        queue = await read.queue(conn, limit=1)
    assert [case["id"] for case in queue.cases] == urgent[1:]  # what is taken may be folded
    assert queue.counts == {"high": 3, "medium": 1}


async def test_ages_in_the_queue_are_those_of_now(app: FastAPI, street: Pool, signed_in: SignedIn, clock: Clock) -> None:
    await open_alert(street)
    client = await signed_in("wang")
    assert "0 秒" in (await client.get("/operator/queue")).text
    clock.advance(board.DRAWN_AGE_MAX.total_seconds() * 5)
    assert "5 秒" in (await client.get("/operator/queue")).text


def test_more_rows_are_asked_for_until_there_are_enough() -> None:
    assert [board.shown(None, rows)["more"] for rows in (40, 80, 180, 200)] == [80, 120, 200, 0]


async def test_a_board_with_all_its_consoles_takes_no_more_and_says_so(app: FastAPI, signed_in: SignedIn, clock: Clock) -> None:
    client = await signed_in("wang")
    app.state.web = replace(app.state.web, board=Board(clock=clock, draw=lambda *_: "", consoles_max=0))
    answer = await client.get("/operator/live", headers={"hx-request": "true"})
    assert (answer.status_code, answer.text.split("。")[0]) == (503, "目前打开的页面过多")  # and not a word about the database


async def test_what_changed_before_a_console_came_in_is_told_to_it(street: Pool, clock: Clock) -> None:
    shared = Board(clock=clock, draw=lambda *_: "")
    async with street.connection() as conn:
        await shared.bring_up_to_date(conn)
        case_id = await open_case(street)
        await shared.note(conn, [case_id])  # nobody listens yet
        stream = shared.stream(shared.enter("zh"))
        assert (await told(stream, "queue"))["calls"] == []
        await shared.bring_up_to_date(conn)  # for it, or for whoever looks next
        assert (await told(stream, "queue"))["calls"] == [{"id": case_id, "priority": "high"}]


async def test_a_call_that_nobody_has_taken_stands_above_all_that_are_taken(street: Pool, signed_in: SignedIn) -> None:
    taken = await open_case(street, "elder-1", rule_id="sos")
    client = await signed_in("wang")
    assert (await client.post(f"/operator/cases/{taken}/take")).status_code == 200
    await open_case(street, None, rule_id="gateway_silent", priority="technical")
    low = await open_case(street, "elder-2", rule_id="heart_rate_high", priority="low")
    async with street.connection() as conn:
        queue = await read.queue(conn, limit=2)
        assert [case["id"] for case in queue.cases] == [low, taken]
        assert queue.calls == [{"id": low, "priority": "low"}]
        assert (await read.queue(conn, limit=0)).calls == queue.calls  # in the head or not
        await conn.execute("UPDATE alert SET condition = 'cancelled' WHERE case_id = %s", (low,))
        assert (await read.queue(conn, limit=2)).calls == []
    beside = (await client.get("/operator/beside")).text
    assert f"/operator/cases/{taken}" in beside
    assert f"/operator/cases/{low}" not in beside
