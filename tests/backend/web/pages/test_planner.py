"""The planner's board: asked for, made, moved with its cost shown first, published."""

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest

from backend.db.pool import Pool
from backend.dispatch import due_store
from backend.dispatch.day import run
from backend.dispatch.day.model import DueVisit
from backend.dispatch.day.solver import Limit
from tests.backend.dispatch.test_day_store import PLACES
from tests.backend.street import NOW
from tests.backend.web.conftest import SignedIn

DAY = date(2026, 3, 2)
ADDRESS = f"/planner?team=team-a&day={DAY}"


@pytest.fixture
async def due(street: Pool) -> Pool:
    """Nine homes that are due, and one that nobody can be sent to."""
    async with street.connection() as conn:
        await conn.execute(PLACES)
        open_for = {"kind": "other", "opens_on": DAY, "due_on": DAY + timedelta(days=3)}
        rows = [open_for | {"elder": f"home-{number}", "roles": "specialist" if number == 9 else "gp"} for number in range(1, 10)]
        await due_store.add(conn, [DueVisit.model_validate(row) for row in rows], source="import", by="test", now=NOW)
    return street


async def make(pool: Pool) -> None:
    assert await run.serve_one(pool, clock=lambda: NOW, limit=Limit(moves=5_000))


def data(page: str) -> dict[str, Any]:
    found = re.search(r'id="plan-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None, page
    plan: dict[str, Any] = json.loads(found[1])
    return plan


async def test_a_plan_is_asked_for_made_moved_and_published(due: Pool, signed_in: SignedIn) -> None:
    client = await signed_in("wang")
    answer = await client.post("/planner/ask", data={"team": "team-a", "day": str(DAY)})
    assert answer.headers["location"] == ADDRESS
    assert "<progress" in (await client.get(ADDRESS)).text
    await make(due)
    page = (await client.get(ADDRESS)).text
    plan = data(page)
    assert len(plan["stops"]) == 8
    assert plan["stops"][0]["why"] in page
    assert [one["why"] for one in plan["left"]] == ["值班人员中没有所需角色"]

    stop = plan["stops"][0]
    elsewhere = next(tour["id"] for tour in plan["tours"] if tour["id"] != stop["tour"] and "nurse" not in tour["id"])
    move = {"due": stop["due"], "side": 0, "tour": elsewhere, "position": 0, "version": plan["version"]}
    url = f"/planner/plans/{plan['id']}/move"
    trial = (await client.post(url, json=move | {"is_trial": True})).json()
    assert trial["breaks"] == []
    assert data((await client.get(ADDRESS)).text)["version"] == plan["version"]
    nurse = await client.post(url, json=move | {"tour": "nurse-wu/morning", "is_trial": False})
    assert nurse.json()["breaks"] == ["此人没有所需角色"]
    assert (await client.post(url, json=move | {"is_trial": False})).json() == trial
    changed = data((await client.get(ADDRESS)).text)
    assert next(one["tour"] for one in changed["stops"] if one["due"] == stop["due"]) == elsewhere
    stale = await client.post(url, json=move | {"is_trial": False}, headers={"accept": "application/json"})
    assert stale.status_code == 422

    await client.post(f"/planner/plans/{plan['id']}/publish")
    page = (await client.get(ADDRESS)).text
    assert "已发布" in page
    assert "重新规划" in page
    assert (await client.post(url, json=move | {"version": data(page)["version"], "is_trial": True})).status_code == 422


async def test_the_board_is_not_for_doctors(due: Pool, signed_in: SignedIn) -> None:
    client = await signed_in("li")
    assert (await client.get(ADDRESS)).status_code == 404
    assert (await client.post("/planner/ask", data={"team": "team-a", "day": str(DAY)})).status_code == 404


async def test_an_empty_day_says_what_to_do(street: Pool, signed_in: SignedIn) -> None:
    client = await signed_in("wang")
    assert "尚未规划" in (await client.get(ADDRESS)).text
    assert (await client.get("/planner?team=nobody")).status_code == 200
