"""The board: one queue for all consoles, never older than what is asked of it, read and drawn once."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from backend.cases import store as cases
from backend.db.pool import TRANSIENT, Pool
from backend.web import board, read
from backend.web.auth import Web
from backend.web.board import Board
from backend.web.language import Language
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


async def test_a_hundred_requests_at_once_read_and_draw_the_queue_once_or_twice(app: FastAPI, street: Pool, clock: Clock) -> None:
    web: Web = app.state.web
    drawn: list[str] = []
    draw = web.board._draw

    def count(template: str, language: Language, context: dict[str, object]) -> str:
        drawn.append(template)
        return draw(template, language, context)

    web.board._draw = count
    await open_alert(street)
    looks = web.live._looks

    async def ask() -> str:
        async with street.connection() as conn:
            await web.live.catch_up(conn)
        return web.board.queue_html("zh")

    answers = await asyncio.gather(*(ask() for _ in range(100)))
    assert len(set(answers)) == 1
    assert "血氧偏低" in answers[0]
    assert web.live._looks - looks < 40  # of a pool of eight connections, eight ask at once
    assert len(drawn) <= 2


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
    stream = web.board.stream("en")
    assert "at" in await told(stream, "hello")
    first = await told(stream, "queue")
    assert "SpO2" in str(first["html"]) or "oxygen" in str(first["html"])
    assert first["cases"] == [{"id": case_id, "version": 1, "priority": "high", "state": "new", "condition": "active"}]
    async with street.connection() as conn, conn.transaction():
        await cases.take(conn, case_id, by="wang", now=NOW)
    second = await told(stream, "queue")
    assert [case["state"] for case in second["cases"]] == ["taken"]  # type: ignore[attr-defined]
    assert await told(stream, "changed") == {"cases": [case_id]}
    await stream.aclose()  # type: ignore[attr-defined]
    await eventually(lambda: web.board.pages == 0)


async def test_a_slow_console_is_told_the_newest_state_and_each_changed_case(app: FastAPI, street: Pool) -> None:
    web: Web = app.state.web
    async with street.connection() as conn:
        await web.live.catch_up(conn)
    stream = web.board.stream("zh")
    await told(stream, "queue")
    ids = []
    for rule_id in ("sos", "fall"):
        ids.append(await open_case(street, "elder-1" if rule_id == "sos" else "elder-2", rule_id=rule_id))
        async with street.connection() as conn:
            await web.live.catch_up(conn)
    assert len((await told(stream, "queue"))["cases"]) == 2  # type: ignore[arg-type]
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
        everything = {case["id"]: case["is_muted"] for case in await read.open_cases(conn)}
    assert everything == {battery: True, call: False}
    assert ([case["id"] for case in queue.cases], queue.resting) == ([call], 1)


async def test_ages_in_the_queue_are_those_of_now(app: FastAPI, street: Pool, signed_in: SignedIn, clock: Clock) -> None:
    await open_alert(street)
    client = await signed_in("wang")
    assert "0 秒" in (await client.get("/operator/queue")).text
    clock.advance(board.DRAWN_AGE_MAX.total_seconds() * 5)
    assert "5 秒" in (await client.get("/operator/queue")).text


def test_more_rows_are_asked_for_until_there_are_enough() -> None:
    assert [board.shown(None, rows)["more"] for rows in (40, 80, 180, 200)] == [80, 120, 200, 0]


async def test_a_board_with_all_its_consoles_takes_no_more(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "CONSOLES_MAX", 0)
    with pytest.raises(Exception, match="too many pages"):
        await anext(Board(clock=clock, draw=lambda *_: "").stream("zh"))
