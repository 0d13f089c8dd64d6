"""A team's day from the due list to the published plan and back: real database, real child process."""

import argparse
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.config import LengthConfig, PlanConfig
from backend.db.pool import Connection, Pool
from backend.dispatch import day_store, due_store, plan_store, progress_store, travel_store
from backend.dispatch.day import command, edit, run
from backend.dispatch.day.model import DueVisit, Kind
from backend.dispatch.day.solver import Limit
from backend.errors import BadInput, NotFound
from tests.backend.street import NOW, one

DAY = date(2026, 3, 2)
MORNING = datetime(2026, 3, 2, 8, tzinfo=progress_store.ZONE)
QUICK = Limit(moves=20_000, seconds=20.0)
PLACES = """
UPDATE elder SET latitude = 29.52 + 0.01 * right(id, 1)::int, longitude = 106.50, born_on = '1945-01-01', conditions = '{高血压}';
UPDATE contract SET team_id = 'team-a', doctor_id = 'doctor-li';
INSERT INTO elder (id, name, sex, address, latitude, longitude)
SELECT 'home-' || n, '某人', 'female', '某处', 29.5 + 0.003 * n, 106.5 + 0.002 * (n % 5) FROM generate_series(1, 9) n;
INSERT INTO contract (elder_id, team_id, doctor_id, signed_on, ends_on)
SELECT 'home-' || n, 'team-a', CASE WHEN n % 2 = 0 THEN 'doctor-li' ELSE 'doctor-yang' END, '2026-01-01', '2026-12-31'
FROM generate_series(1, 9) n;
"""


@pytest.fixture
async def district(street: Connection) -> Connection:
    await street.execute(PLACES)
    return street


def due(elder: str, **more: Any) -> DueVisit:
    return DueVisit.model_validate({"elder": elder, "kind": Kind.OTHER, "opens_on": DAY, "due_on": DAY + timedelta(days=3)} | more)


async def add(conn: Connection, *dues: DueVisit) -> int:
    return await due_store.add(conn, dues, source="import", by="test", now=NOW)


async def plan(conn: Connection, *, now: datetime = NOW) -> int:
    return await run.plan_now(conn, "team-a", DAY, by="test", seed=1, limit=QUICK, now=now)


async def stops(conn: Connection, plan_id: int) -> dict[int, tuple[str, datetime]]:
    return {row["due_id"]: (row["doctor_id"], row["starts_at"]) for row in await plan_store.stops(conn, plan_id) if row["side"] == 0}


def homes(*numbers: int) -> Sequence[DueVisit]:
    return [due(f"home-{number}") for number in numbers]


async def test_a_visit_takes_as_long_as_its_kind_unless_its_row_says_so(district: Connection) -> None:
    """The length stands in the configuration, so that another one is in force with the next plan."""
    await add(district, due("home-1"), due("home-2", lasts_min=50), due("home-3", kind=Kind.ELDER_CHECKUP))
    habits = PlanConfig(lasts_min=LengthConfig(other=35))
    day = await day_store.assemble(district, "team-a", DAY, now=NOW, habits=habits)
    assert [visit.tasks[0].lasts for visit in day.instance.visits] == [35, 50, 45]


async def test_a_plan_serves_or_lists_everything_and_says_why(district: Connection) -> None:
    await add(district, *homes(1, 2, 3, 4), due("home-5", roles="gp+nurse"), due("home-6", roles="specialist"))
    await district.execute("UPDATE elder SET latitude = NULL WHERE id = 'home-4'")
    plan_id = await plan(district)
    made = await plan_store.stops(district, plan_id)
    assert len({row["due_id"] for row in made}) == 4
    assert {row["reason"] for row in await plan_store.unserved(district, plan_id)} == {"no_skill", "no_place"}
    together = [row for row in made if row["due_id"] == 5]
    assert len({row["doctor_id"] for row in together}) == 2
    assert len({row["starts_at"] for row in together}) == 1
    assert all(("own" in row["terms"]) != ("not_own" in row["terms"]) for row in made if row["doctor_id"] != "nurse-wu")
    assert all("detour" in row["terms"] for row in made)


async def test_published_times_are_promises_that_a_new_plan_keeps(district: Connection) -> None:
    await add(district, *homes(1, 2, 3, 4, 5, 6))
    async with district.transaction():
        await plan_store.publish(district, before := await plan(district), now=NOW)
    first = await stops(district, before)
    await add(district, *homes(7, 8))
    async with district.transaction():
        await plan_store.publish(district, after := await plan(district), now=NOW)
    second = await stops(district, after)
    assert set(first) < set(second)
    assert all(abs(second[due_id][1] - at) <= timedelta(minutes=30) for due_id, (_, at) in first.items())
    assert sum(second[due_id][0] != doctor for due_id, (doctor, _) in first.items()) == 0
    assert await one(district, "SELECT count(*) AS n FROM day_plan WHERE state = 'published'") == {"n": 1}
    with pytest.raises(BadInput, match="replaced"):
        await plan_store.publish(district, before, now=NOW)


async def test_what_has_begun_and_what_is_next_stay_as_they_are(district: Connection) -> None:
    await add(district, *homes(1, 2, 3, 4, 5, 6, 7, 8))
    async with district.transaction():
        await plan_store.publish(district, before := await plan(district), now=NOW)
    first = await plan_store.stops(district, before)
    morning = [row for row in first if row["half"] == "morning"]
    noon = min(row["starts_at"] for row in morning) + timedelta(minutes=1)
    await add(district, due("home-9", due_on=DAY))
    second = await plan_store.stops(district, await plan(district, now=noon))
    for doctor in {row["doctor_id"] for row in morning}:
        begun = [row for row in morning if row["doctor_id"] == doctor]
        count = sum(row["starts_at"] <= noon for row in begun)
        kept = [(row["due_id"], row["starts_at"]) for row in begun[: count + 1]] if count else []
        again = [(row["due_id"], row["starts_at"]) for row in second if row["doctor_id"] == doctor and row["half"] == "morning"]
        assert again[: len(kept)] == kept
    assert len({row["due_id"] for row in second}) == 9


async def test_moving_on_a_running_day_leaves_what_has_begun_and_is_next(district: Connection) -> None:
    await add(district, *homes(1, 2, 3, 4, 5, 6, 7, 8))
    async with district.transaction():
        await plan_store.publish(district, published := await plan(district), now=NOW)
    ten = MORNING + timedelta(hours=2)
    draft = await plan_store.read(district, await plan(district, now=ten))
    before = await plan_store.stops(district, draft["id"])
    day = await day_store.of_plan(district, draft, now=ten)
    kept = {due.id for due in day.kept}
    assert kept
    tours = await plan_store.tours_of(district, draft["id"])
    begun = next(row for row in before if row["due_id"] in kept)
    with pytest.raises(BadInput, match="stays"):
        edit.move(day, tours, begun["due_id"], 0, "doctor-yang/afternoon", 0)
    free = next(row for row in before if row["due_id"] not in kept)
    moved = edit.move(day, tours, free["due_id"], 0, f"{begun['doctor_id']}/{begun['half']}", 0)
    assert moved is not None
    await plan_store.keep(district, draft["id"], day, moved.tours, moved.unserved, cost=moved.cost, moves=0, now=ten)
    after = await plan_store.stops(district, draft["id"])
    assert [row for row in after if row["due_id"] in kept] == [row for row in before if row["due_id"] in kept]
    [again] = [row for row in after if row["due_id"] == free["due_id"]]
    count = sum(row["due_id"] in kept for row in before if row["doctor_id"] == begun["doctor_id"] and row["half"] == begun["half"])
    assert again["position"] == count, "it comes behind those that stay"
    assert again["starts_at"] >= ten
    await district.execute(
        "UPDATE plan_stop SET position = position + 9 WHERE plan_id = %s AND due_id = %s", [draft["id"], begun["due_id"]]
    )
    with pytest.raises(BadInput, match="gone on"):
        edit.move(day, await plan_store.tours_of(district, draft["id"]), free["due_id"], 0, "doctor-yang/afternoon", 0)
    assert (await plan_store.read(district, published))["state"] == "published"


async def test_of_a_day_that_runs_already_only_the_rest_is_planned(district: Connection) -> None:
    await add(district, *homes(1, 2, 3))
    ten = MORNING + timedelta(hours=2)
    assert all(row["starts_at"] >= ten for row in await plan_store.stops(district, await plan(district, now=ten)))


async def test_a_worker_makes_what_was_asked_for(district: Connection, pool: Pool) -> None:
    await add(district, *homes(1, 2, 3))
    plan_id = await plan_store.ask(district, "team-a", DAY, by="test", now=NOW)
    assert await run.serve_one(pool, clock=lambda: NOW, limit=QUICK)
    assert not await run.serve_one(pool, clock=lambda: NOW, limit=QUICK)
    assert (await plan_store.read(district, plan_id))["state"] == "draft"


async def test_a_search_that_died_is_taken_up_again(district: Connection) -> None:
    await plan_store.ask(district, "team-a", DAY, by="test", now=NOW)
    assert await plan_store.claim(district, now=NOW) is not None
    assert await plan_store.claim(district, now=NOW + timedelta(seconds=5)) is None
    assert await plan_store.claim(district, now=NOW + timedelta(seconds=plan_store.ALONE_S + 1)) is not None


async def test_a_day_without_anybody_on_duty_lists_everything(district: Connection) -> None:
    await add(district, *homes(1, 2))
    await district.execute("DELETE FROM shift")
    plan_id = await plan(district)
    assert {row["reason"] for row in await plan_store.unserved(district, plan_id)} == {"no_skill"}
    assert "shift" in (await plan_store.read(district, plan_id))["problem"]


async def test_an_unknown_team_is_named(district: Connection) -> None:
    with pytest.raises(NotFound, match="team-z"):
        await run.plan_now(district, "team-z", DAY, by="test", seed=1, limit=QUICK, now=NOW)


DRIVE = """
INSERT INTO visit (elder_id, class, reason, state, doctor_id, requested_at, requested_by, changed_at, search_at)
SELECT 'home-' || 1 + mod(n, 9), 'same_day', '-', 'at_home', 'doctor-li', %(now)s, 'test', %(now)s, %(now)s FROM generate_series(1, 60) n;
"""
STEPS = """
INSERT INTO visit_step (visit_id, at, by, state, doctor_id)
SELECT v.id, %(now)s::timestamptz - interval '30 days' + v.id * interval '1 hour' + minutes * interval '1 minute',
    'doctor-li', s.state, 'doctor-li'
FROM visit v CROSS JOIN (VALUES ('on_the_way', 0), ('at_home', 10)) s (state, minutes) ORDER BY v.id, minutes
"""


async def test_travel_is_learnt_from_departures_and_arrivals(district: Connection) -> None:
    assert await travel_store.learn_travel(district, now=NOW) == 0
    await district.execute(DRIVE, {"now": NOW})
    await district.execute(STEPS, {"now": NOW})
    assert await travel_store.learn_travel(district, now=NOW) == 1
    learnt = await one(district, "SELECT team_id, a_s, trips, error_percent FROM travel_curve")
    assert learnt["team_id"] == "team-a"
    assert learnt["trips"] >= 50
    assert learnt["error_percent"] < 5  # every way took ten minutes


async def test_the_command_prints_tours_with_reasons(district: Connection, tmp_path: Path) -> None:
    listed = tmp_path / "due.csv"
    listed.write_text(
        "elder,kind,opens_on,due_on,roles\n" + "".join(f"home-{n},home_bed_round,2026-03-01,2026-03-05,gp\n" for n in range(1, 6)), "utf-8"
    )
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = parser.parse_args(["--date", str(DAY), "--team", "team-a", "--import", str(listed), "--explain", "--publish"])
    said = await command.plan(district, words, now=NOW)
    assert "5 new due visits" in said
    assert "own patient, +" in said
    assert "doctor-li " in said
    assert (await one(district, "SELECT count(*) AS n FROM due_visit WHERE promised_at IS NOT NULL"))["n"] >= 5
    with pytest.raises(BadInput, match="no team nowhere; there are team-a"):
        await command.plan(district, parser.parse_args(["--date", str(DAY), "--team", "nowhere"]), now=NOW)
