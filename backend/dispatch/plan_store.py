"""Plans of days in the database: asked for, made, changed by hand, published. The caller owns the transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from backend.db.pool import Connection
from backend.dispatch import progress_store
from backend.dispatch.day import assemble as making
from backend.dispatch.day.assemble import Day, Frozen
from backend.dispatch.planning.model import PlannedTour, Unserved
from backend.dispatch.progress_store import ZONE, midnight
from backend.errors import BadInput, NotFound

ALONE_S = 30
"""A search not heard for so long is taken up by another worker."""
TEAMS = "SELECT id, name FROM team ORDER BY id"
ASK = """
INSERT INTO day_plan (team_id, day, asked_at, asked_by, seed) VALUES (%(team_id)s, %(day)s, %(now)s, %(by)s, %(seed)s) RETURNING id
"""
CLAIM = """
SELECT id, team_id, day, asked_at, seed FROM day_plan
WHERE state = 'asked' AND (heard_at IS NULL OR heard_at < %(lost_before)s) ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
HEARD = "UPDATE day_plan SET heard_at = %(now)s, share = %(share)s WHERE id = %(id)s AND state = 'asked'"
MADE = """
UPDATE day_plan SET state = 'draft', made_at = %(now)s, cost_min = %(cost)s, travel_min = %(travel)s, moves = %(moves)s, share = 1,
    problem = %(problem)s, version = version + 1
WHERE id = %(id)s AND state IN ('asked', 'draft')
"""
FAILED = "UPDATE day_plan SET state = 'failed', problem = %(problem)s WHERE id = %(id)s AND state = 'asked'"
FORGET_STOPS = "DELETE FROM plan_stop WHERE plan_id = %(id)s AND due_id <> ALL(%(kept)s)"
FORGET_UNSERVED = "DELETE FROM plan_unserved WHERE plan_id = %(id)s"
STOP = """
INSERT INTO plan_stop (plan_id, due_id, side, doctor_id, half, position, starts_at, ends_at, leg_min, terms)
VALUES (%(id)s, %(due_id)s, %(side)s, %(doctor_id)s, %(half)s, %(position)s, %(starts_at)s, %(ends_at)s, %(leg)s, %(terms)s)
"""
UNSERVED = "INSERT INTO plan_unserved (plan_id, due_id, reason) VALUES (%(id)s, %(due_id)s, %(reason)s)"
PLAN = """
SELECT id, team_id, day, state, asked_at, asked_by, seed, share, made_at, cost_min, travel_min, moves, problem, published_at, version
FROM day_plan WHERE id = %(id)s
"""
LOCK = "SELECT id, team_id, day, state, version FROM day_plan WHERE id = %(id)s FOR UPDATE"
NEWEST = "SELECT id FROM day_plan WHERE team_id = %(team_id)s AND day = %(day)s AND state <> 'replaced' ORDER BY id DESC LIMIT 1"
PUBLISHED = "SELECT id FROM day_plan WHERE team_id = %(team_id)s AND day = %(day)s AND state = 'published'"
STOPS = """
SELECT p.due_id, p.side, p.doctor_id, p.half, p.position, p.starts_at, p.ends_at, p.leg_min, p.terms, p.skip_reason,
       d.state AS due_state, v.state AS visit_state, v.outcome
FROM plan_stop p
JOIN day_plan y ON y.id = p.plan_id
JOIN due_visit d ON d.id = p.due_id
LEFT JOIN LATERAL (
    SELECT v.state, v.outcome FROM visit v
    WHERE v.due_id = p.due_id AND v.due_side = p.side AND v.doctor_id = p.doctor_id AND v.state <> 'cancelled'
        AND (v.requested_at AT TIME ZONE %(zone)s)::date = y.day ORDER BY v.id DESC LIMIT 1
) v ON true
WHERE p.plan_id = %(id)s ORDER BY p.doctor_id, p.half DESC, p.position
"""
"""With what has become of each."""
REASONS = "SELECT due_id, reason FROM plan_unserved WHERE plan_id = %(id)s ORDER BY due_id"
REPLACE = "UPDATE day_plan SET state = 'replaced' WHERE team_id = %(team_id)s AND day = %(day)s AND state = 'published' AND id <> %(id)s"
PUBLISH = "UPDATE day_plan SET state = 'published', published_at = %(now)s, version = version + 1 WHERE id = %(id)s"
RELEASE = """
UPDATE due_visit SET promised_at = NULL, promised_doctor_id = NULL WHERE state = 'due' AND promised_at BETWEEN %(from)s AND %(to)s
    AND id IN (SELECT due_id FROM plan_unserved WHERE plan_id = %(id)s)
"""
PROMISE = """
UPDATE due_visit d SET promised_at = p.starts_at, promised_doctor_id = p.doctor_id
FROM plan_stop p WHERE p.plan_id = %(id)s AND p.due_id = d.id AND p.side = 0 AND d.state = 'due'
"""
LOST = """
SELECT FROM visit v
WHERE v.due_id IN (
        SELECT p.due_id FROM plan_stop p JOIN day_plan y ON y.id = p.plan_id
        WHERE y.team_id = %(team_id)s AND y.day = %(day)s AND y.state = 'published'
    )
    AND v.requested_at >= %(from)s AND v.state <> 'cancelled' AND v.outcome IS DISTINCT FROM 'not_met'
    AND NOT EXISTS (
        SELECT FROM plan_stop p
        WHERE p.plan_id = %(id)s AND p.due_id = v.due_id AND p.side = v.due_side AND p.doctor_id = v.doctor_id
    )
LIMIT 1
"""
BEGUN_MEANWHILE = "Meanwhile a doctor has begun a visit that this plan gives to somebody else. Plan again."


async def teams(conn: Connection) -> list[dict[str, Any]]:
    """All teams: id and name."""
    return await (await conn.execute(TEAMS)).fetchall()


async def ask(conn: Connection, team_id: str, day: date, *, by: str, now: datetime, seed: int = 1) -> int:
    """Ask a worker for a plan of this day. Returns the plan's id."""
    return int((await _one(conn, ASK, {"team_id": team_id, "day": day, "by": by, "now": now, "seed": seed}))["id"])


async def claim(conn: Connection, *, now: datetime) -> dict[str, Any] | None:
    """Take up the oldest plan that is asked for and that nobody works on, None when there is none."""
    row = await (await conn.execute(CLAIM, {"lost_before": now - timedelta(seconds=ALONE_S)})).fetchone()
    if row is not None:
        await heard(conn, row["id"], 0.0, now=now)
    return row


async def heard(conn: Connection, plan_id: int, share: float, *, now: datetime) -> None:
    """The search is so far."""
    await conn.execute(HEARD, {"id": plan_id, "share": share, "now": now})


async def fail(conn: Connection, plan_id: int, problem: str) -> None:
    """There is no plan, and this is why."""
    await conn.execute(FAILED, {"id": plan_id, "problem": problem[:500]})


async def keep(
    conn: Connection,
    plan_id: int,
    day: Day,
    tours: Sequence[PlannedTour],
    unserved: Mapping[int, Unserved],
    *,
    cost: float,
    moves: int,
    now: datetime,
) -> None:
    """Store a plan as a draft, with the stops of a running day that stay as they are: the published plan's, or those it has already."""
    kept = [due_id for one in day.frozen for due_id in one.due_ids]
    await conn.execute(FORGET_STOPS, {"id": plan_id, "kept": kept})
    await conn.execute(FORGET_UNSERVED, {"id": plan_id})
    row = await _one(conn, PLAN, {"id": plan_id})
    if row["made_at"] is None:
        await _carry(conn, row, plan_id, day.frozen)
    begun = {(one.doctor_id, one.half): len(one.due_ids) for one in day.frozen}
    for number, planned in enumerate(tours):
        doctor_id, half = day.instance.tours[number].id.split("/")
        for position, stop in enumerate(planned.stops):
            await conn.execute(STOP, {
                "id": plan_id, "due_id": day.dues[stop.visit].id, "side": stop.side, "doctor_id": doctor_id, "half": half,
                "position": position + begun.get((doctor_id, half), 0), "starts_at": day.at(stop.starts), "ends_at": day.at(stop.ends),
                "leg": stop.leg, "terms": json.dumps(making.why(day, tours, number, position)),
            })  # fmt: skip
    for index, reason in unserved.items():
        await conn.execute(UNSERVED, {"id": plan_id, "due_id": day.dues[index].id, "reason": reason})
    for due in day.placeless:
        await conn.execute(UNSERVED, {"id": plan_id, "due_id": due.id, "reason": "no_place"})
    way = sum(planned.travelled for planned in tours)
    problem = "" if day.instance.tours else "nobody of the team has a shift on this day"
    await conn.execute(MADE, {"id": plan_id, "now": now, "cost": cost, "travel": way, "moves": moves, "problem": problem})


async def _carry(conn: Connection, plan: Mapping[str, Any], plan_id: int, frozen: Sequence[Frozen]) -> None:
    """Copy the frozen stops of the published plan."""
    if not any(one.due_ids for one in frozen):
        return  # only urgent visits have been taken so far
    kept = {(one.doctor_id, one.half): one.due_ids for one in frozen}
    published = await _one(conn, PUBLISHED, plan)
    for row in await stops(conn, published["id"]):
        due_ids = kept.get((row["doctor_id"], row["half"]), ())
        if row["due_id"] in due_ids:
            values = {"id": plan_id, "position": due_ids.index(row["due_id"]), "leg": row["leg_min"]}
            await conn.execute(STOP, row | values | {"terms": json.dumps(row["terms"] | {"frozen": 0.0})})


async def published(conn: Connection, team_id: str, day: date) -> int | None:
    """The id of the day's published plan, None when there is none."""
    row = await (await conn.execute(PUBLISHED, {"team_id": team_id, "day": day})).fetchone()
    return None if row is None else int(row["id"])


async def published_tours(conn: Connection, team_id: str, day: date) -> dict[str, list[tuple[int, int]]]:
    """The published plan's tours, doctor/half -> stops as (due id, side); empty when there is none."""
    plan_id = await published(conn, team_id, day)
    return {} if plan_id is None else await tours_of(conn, plan_id)


async def tours_of(conn: Connection, plan_id: int) -> dict[str, list[tuple[int, int]]]:
    """A plan's tours, doctor/half -> stops as (due id, side)."""
    tours: dict[str, list[tuple[int, int]]] = {}
    for row in await stops(conn, plan_id):
        tours.setdefault(f"{row['doctor_id']}/{row['half']}", []).append((row["due_id"], row["side"]))
    return tours


async def newest(conn: Connection, team_id: str, day: date) -> dict[str, Any] | None:
    """The plan that was asked for last, in whatever state; None when there never was one."""
    row = await (await conn.execute(NEWEST, {"team_id": team_id, "day": day})).fetchone()
    return None if row is None else await read(conn, row["id"])


async def read(conn: Connection, plan_id: int) -> dict[str, Any]:
    """A plan without its stops. Raises NotFound."""
    return await _one(conn, PLAN, {"id": plan_id})


async def stops(conn: Connection, plan_id: int) -> list[dict[str, Any]]:
    """The stops of a plan, tour by tour, with what has become of each: `visit_state`, `outcome`, `due_state`, `skip_reason`."""
    return await (await conn.execute(STOPS, {"id": plan_id, "zone": ZONE.key})).fetchall()


async def unserved(conn: Connection, plan_id: int) -> list[dict[str, Any]]:
    """What the plan leaves out, and why."""
    return await (await conn.execute(REASONS, {"id": plan_id})).fetchall()


async def lock(conn: Connection, plan_id: int) -> dict[str, Any]:
    """The plan, locked until the transaction ends. Raises NotFound."""
    return await _one(conn, LOCK, {"id": plan_id})


async def publish(conn: Connection, plan_id: int, *, now: datetime) -> None:
    """Make a draft the day's plan: its starts are now promised, and the plan before is replaced. Raises NotFound, BadInput.

    A draft that would take a visit from a doctor who has begun it is refused.
    """
    plan = await read(conn, plan_id)
    await progress_store.lock_day(conn, plan["team_id"], plan["day"], plan_id=plan_id)
    plan = await lock(conn, plan_id)
    if plan["state"] != "draft":
        raise BadInput(f"a plan that is {plan['state']} cannot be published; make a new one")
    start = midnight(plan["day"])
    if await (await conn.execute(LOST, plan | {"from": start})).fetchone() is not None:
        raise BadInput(BEGUN_MEANWHILE)
    await conn.execute(REPLACE, plan)
    await conn.execute(PUBLISH, {"id": plan_id, "now": now})
    await conn.execute(RELEASE, {"id": plan_id, "from": start, "to": start + timedelta(days=1)})
    await conn.execute(PROMISE, {"id": plan_id})


async def _one(conn: Connection, query: str, values: Mapping[str, Any]) -> dict[str, Any]:
    row = await (await conn.execute(query, values)).fetchone()
    if row is None:
        raise NotFound("there is no such plan")
    return row
