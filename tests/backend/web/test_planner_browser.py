"""The planner's board in a real browser: drawn without a fault, nothing sticks out, a visit moves by keys and by dragging."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
from fastapi import FastAPI

from backend.db.pool import Pool
from backend.dispatch import due_store, plan_store
from backend.dispatch.day import run
from backend.dispatch.day.model import DueVisit
from backend.dispatch.day.solver import Limit
from tests.backend.dispatch.test_day_store import PLACES
from tests.backend.street import NOW, rows
from tests.backend.web.conftest import PASSWORD, Clock, serving
from tests.backend.web.in_browser import IN_BROWSER, chromium, playwright

assert playwright
from playwright.async_api import Page, expect  # noqa: E402

pytestmark = IN_BROWSER
DAY = date(2026, 3, 2)


@pytest.fixture
async def board(app: FastAPI, street: Pool) -> AsyncIterator[Page]:
    """A signed-in planner before a draft of nine visits."""
    async with street.connection() as conn:
        await conn.execute(PLACES)
        rows = [{"elder": f"home-{number}", "kind": "other", "opens_on": DAY, "due_on": DAY + timedelta(days=3)} for number in range(1, 10)]
        await due_store.add(conn, [DueVisit.model_validate(row) for row in rows], source="import", by="test", now=NOW)
        await plan_store.ask(conn, "team-a", DAY, by="test", now=NOW)
    await run.serve_one(street, clock=lambda: NOW, limit=Limit(moves=5_000))
    async with serving(app) as url, chromium() as browser:
        page = await (await browser.new_context(viewport={"width": 1366, "height": 768})).new_page()
        await page.request.post(f"{url}/api/session", data={"name": "wang", "password": PASSWORD})
        await page.goto(f"{url}/planner?team=team-a&day={DAY}")
        yield page


async def tours(page: Page) -> list[str]:
    """The tour of every stop, in order of the due visits."""
    found: list[str] = await page.evaluate(
        "JSON.parse(document.getElementById('plan-data').textContent).stops.sort((a, b) => a.due - b.due).map((stop) => stop.tour)"
    )
    return found


async def test_a_visit_moves_by_keys_and_by_dragging_after_its_cost_is_shown(board: Page) -> None:
    faults: list[str] = []
    board.on("pageerror", lambda error: faults.append(str(error)))
    await expect(board.locator("#bars .stop")).to_have_count(9)
    await expect(board.locator("#map circle")).not_to_have_count(0)
    for width, height in ((1366, 768), (390, 844)):
        await board.set_viewport_size({"width": width, "height": height})
        assert await board.evaluate("document.documentElement.scrollWidth") <= width
    await board.set_viewport_size({"width": 1366, "height": 768})

    before = await tours(board)
    bar = board.locator("#bars .stop").first
    await bar.focus()
    await board.keyboard.press("ArrowDown")
    await expect(board.locator("#price")).not_to_be_empty()
    assert await tours(board) == before
    async with board.expect_navigation():
        await board.keyboard.press("Enter")
    moved = await tours(board)
    assert sum(one != other for one, other in zip(before, moved, strict=True)) == 1

    box = await board.locator("#bars .stop").first.bounding_box()
    lanes = await board.locator("#bars .lane").all()
    target = await lanes[1].bounding_box()
    assert box is not None
    assert target is not None
    await board.mouse.move(box["x"] + 5, box["y"] + 5)
    await board.mouse.down()
    async with board.expect_response(lambda answer: answer.url.endswith("/move")):
        await board.mouse.move(box["x"] + 30, target["y"] + 10, steps=5)
    async with board.expect_navigation():
        await board.mouse.up()
    assert await tours(board) != moved
    assert faults == []


RUNNING = """
UPDATE plan_stop p SET skipped_at = %(now)s, skip_reason = 'refused'
FROM (SELECT due_id FROM plan_stop WHERE plan_id = %(plan)s ORDER BY starts_at OFFSET 1 LIMIT 1) one
WHERE p.plan_id = %(plan)s AND p.due_id = one.due_id;
"""
HAPPENED = """
INSERT INTO visit (elder_id, class, reason, state, doctor_id, requested_at, requested_by, changed_at, search_at, due_id, due_side,
    outcome, findings)
SELECT d.elder_id, 'by_date', 'other', 'done', p.doctor_id, %(now)s, 'test', %(now)s, %(now)s, p.due_id, p.side, 'well', '-'
FROM plan_stop p JOIN due_visit d ON d.id = p.due_id WHERE p.plan_id = %(plan)s ORDER BY p.starts_at LIMIT 1;
"""


async def test_a_running_day_shows_what_its_stops_have_become(board: Page, street: Pool, clock: Clock) -> None:
    """Done, skipped and late ones by word and colour; in a new draft those that have begun or are next cannot be taken."""
    async with street.connection() as conn:
        [plan] = await rows(conn, "SELECT id, (SELECT min(starts_at) FROM plan_stop) AS first FROM day_plan")
        values = {"plan": plan["id"], "now": plan["first"] + timedelta(minutes=50)}
        async with conn.transaction():
            await plan_store.publish(conn, plan["id"], now=NOW)
        await conn.execute(RUNNING, values)
        await conn.execute(HAPPENED, values)
        clock.at = values["now"]
        base = board.url.split("/planner")[0]
        await board.request.post(f"{base}/api/session", data={"name": "wang", "password": PASSWORD})
        await board.reload()
        for words in (("出诊完成", "今天不去", "尚无回报"), ("Visit done", "Not today", "no word yet")):
            for word in words:
                await expect(board.locator("#bars .stop").filter(has_text=word)).not_to_have_count(0)
                await expect(board.locator("#planner tbody tr").filter(has_text=word)).not_to_have_count(0)
            if words[0] == "出诊完成":
                await board.get_by_text("English", exact=True).click()
        await plan_store.ask(conn, "team-a", DAY, by="test", now=values["now"])
    await run.serve_one(street, clock=lambda: values["now"], limit=Limit(moves=5_000))
    await board.reload()
    stays = board.locator("#bars .stop.next").first
    await stays.click()
    await expect(board.locator("#price")).to_contain_text("stays as it is")
