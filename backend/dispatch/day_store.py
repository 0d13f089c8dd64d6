"""Due visits and plans of the day in the database. The caller owns the transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from psycopg import IntegrityError

from backend.config import PlanConfig
from backend.db.pool import Connection
from backend.dispatch import progress_store, travel
from backend.dispatch.day import assemble as making
from backend.dispatch.day import progress
from backend.dispatch.day.assemble import Day, DueRow, Frozen, Worker
from backend.dispatch.day.due import Known, due_by_rules
from backend.dispatch.day.model import DueVisit, Kind
from backend.dispatch.day.progress import Tours, Urgent
from backend.dispatch.planning.model import PlannedTour, Unserved
from backend.dispatch.progress_store import ZONE, midnight
from backend.dispatch.roads import roads_of
from backend.dispatch.travel import Place
from backend.dispatch.travel_fit import Trip, fit
from backend.errors import BadInput, NotFound

ALONE_S = 30
"""A search not heard for so long is taken up by another worker."""
ROWS_AT_ONCE = 5_000
LEARN_FROM = timedelta(days=183)

ADD = """
INSERT INTO due_visit (elder_id, kind, opens_on, due_on, part, lasts_min, roles, gap_min_min, gap_max_min, source, note, made_at, made_by)
VALUES (%(elder_id)s, %(kind)s, %(opens_on)s, %(due_on)s, %(part)s, %(lasts_min)s, %(roles)s, %(gap_min_min)s, %(gap_max_min)s,
        %(source)s, %(note)s, %(now)s, %(by)s)
ON CONFLICT (elder_id, kind, due_on) DO NOTHING
"""
MADE_DUE = """
UPDATE due_visit SET state = 'done', done_on = %(on)s
WHERE elder_id = %(elder_id)s AND kind = ANY(%(kinds)s) AND state = 'due' AND opens_on <= %(on)s AND cardinality(roles) = 1
"""
IS_PROMISED = """
SELECT FROM due_visit WHERE elder_id = %(elder_id)s AND kind = %(kind)s AND state = 'due' AND promised_at IS NOT NULL
    AND due_on <= %(due_on)s LIMIT 1
"""
MOVE_DUE = """
UPDATE due_visit d SET opens_on = %(opens_on)s, due_on = %(due_on)s, note = %(note)s, source = 'findings'
WHERE d.id = (
        SELECT id FROM due_visit
        WHERE elder_id = %(elder_id)s AND kind = %(kind)s AND state = 'due' AND promised_at IS NULL ORDER BY due_on LIMIT 1
    )
    AND NOT EXISTS (SELECT FROM due_visit o WHERE o.elder_id = d.elder_id AND o.kind = d.kind AND o.due_on = %(due_on)s AND o.id <> d.id)
"""
SIGNED = """
SELECT e.id, e.born_on, e.conditions,
       ARRAY(SELECT DISTINCT kind FROM due_visit WHERE elder_id = e.id AND state = 'due') AS listed,
       (SELECT coalesce(jsonb_object_agg(d.kind, d.done_on), '{}')
        FROM (SELECT kind, max(done_on) AS done_on FROM due_visit WHERE elder_id = e.id AND done_on IS NOT NULL GROUP BY kind) d) AS done
FROM elder e JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL AND %(today)s BETWEEN c.signed_on AND c.ends_on
WHERE e.id > %(after)s ORDER BY e.id LIMIT %(limit)s
"""
DUE = """
SELECT d.id, d.elder_id, e.name, d.kind, d.opens_on, d.due_on, d.part, d.lasts_min, d.roles, d.gap_min_min, d.gap_max_min,
       e.latitude, e.longitude, c.doctor_id, d.promised_at, d.promised_doctor_id
FROM due_visit d
JOIN elder e ON e.id = d.elder_id
JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL AND %(day)s BETWEEN c.signed_on AND c.ends_on
WHERE d.state = 'due' AND d.opens_on <= %(day)s AND c.team_id = %(team_id)s
    AND (d.promised_at IS NULL OR d.promised_at BETWEEN %(from)s AND %(to)s)
    AND NOT EXISTS (
        SELECT FROM plan_stop p JOIN day_plan y ON y.id = p.plan_id
        WHERE p.due_id = d.id AND y.day = %(day)s AND p.skip_reason NOT IN ('no_time', 'urgent_visit')
    )
    AND NOT EXISTS (SELECT FROM visit v WHERE v.due_id = d.id AND v.requested_at >= %(from)s AND v.outcome = 'not_met')
    AND NOT EXISTS (SELECT FROM visit v WHERE v.due_id = d.id AND v.requested_at < %(from)s AND v.state NOT IN ('done', 'cancelled'))
ORDER BY d.due_on, d.id LIMIT 5000
"""
OF_PLAN = """
SELECT d.id, d.elder_id, e.name, d.kind, d.opens_on, d.due_on, d.part, d.lasts_min, d.roles, d.gap_min_min, d.gap_max_min,
       e.latitude, e.longitude, c.doctor_id, d.promised_at, d.promised_doctor_id
FROM due_visit d JOIN elder e ON e.id = d.elder_id LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL
WHERE d.id IN (SELECT due_id FROM plan_stop WHERE plan_id = %(id)s UNION SELECT due_id FROM plan_unserved WHERE plan_id = %(id)s)
ORDER BY d.due_on, d.id
"""
URGENT = """
SELECT v.doctor_id, v.state, v.depart_by, v.changed_at, e.latitude, e.longitude
FROM visit v JOIN doctor d ON d.id = v.doctor_id JOIN elder e ON e.id = v.elder_id
WHERE d.team_id = %(team_id)s AND v.due_id IS NULL AND v.state IN ('accepted', 'on_the_way', 'at_home')
    AND v.id IS DISTINCT FROM %(but)s::bigint
    AND CASE v.state WHEN 'accepted' THEN v.depart_by < %(now)s + interval '1 hour' ELSE v.changed_at > %(now)s - interval '2 hours' END
ORDER BY v.depart_by, v.id
"""
"""Those that a doctor makes now: for a visit by a date that is left for much later, the stops until then do not wait."""
WORKERS = """
SELECT d.id, d.name, d.role, s.starts_at, s.ends_at,
       (SELECT coalesce(sum(extract(epoch FROM p.ends_at - p.starts_at) / 60 + p.leg_min), 0)
        FROM plan_stop p JOIN day_plan y ON y.id = p.plan_id
        WHERE p.doctor_id = d.id AND y.state = 'published' AND y.day <> %(day)s
            AND date_trunc('week', y.day) = date_trunc('week', %(day)s::date)) AS busy_min
FROM doctor d JOIN shift s ON s.doctor_id = d.id AND s.starts_at < %(to)s AND s.ends_at > %(from)s
WHERE d.team_id = %(team_id)s AND d.is_active ORDER BY d.id, s.starts_at
"""
TEAM = """
SELECT t.id, t.name, t.latitude, t.longitude, c.a_s, c.b_s, c.c_s
FROM team t LEFT JOIN travel_curve c ON c.team_id = t.id WHERE t.id = %(team_id)s
"""
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
FORGET_STOPS = "DELETE FROM plan_stop WHERE plan_id = %(id)s"
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
SELECT p.due_id, p.side, p.doctor_id, p.half, p.position, p.starts_at, p.ends_at, p.leg_min, p.terms
FROM plan_stop p WHERE p.plan_id = %(id)s ORDER BY p.doctor_id, p.half DESC, p.position
"""
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

TRIPS = """
SELECT d.team_id, arrived.at - left_at.at AS took, home.latitude, home.longitude,
       coalesce(before.latitude, t.latitude) AS from_latitude, coalesce(before.longitude, t.longitude) AS from_longitude
FROM visit_step arrived
JOIN visit v ON v.id = arrived.visit_id
JOIN elder home ON home.id = v.elder_id
JOIN doctor d ON d.id = arrived.doctor_id
JOIN team t ON t.id = d.team_id
JOIN LATERAL (
    SELECT s.at FROM visit_step s
    WHERE s.visit_id = v.id AND s.state = 'on_the_way' AND s.doctor_id = arrived.doctor_id AND s.id < arrived.id ORDER BY s.id DESC LIMIT 1
) left_at ON true
LEFT JOIN LATERAL (
    SELECT e.latitude, e.longitude FROM visit_step s JOIN visit w ON w.id = s.visit_id JOIN elder e ON e.id = w.elder_id
    WHERE s.doctor_id = arrived.doctor_id AND s.state = 'at_home' AND s.visit_id <> v.id
        AND s.at < left_at.at AND s.at > left_at.at - interval '3 hours' ORDER BY s.id DESC LIMIT 1
) before ON true
WHERE arrived.state = 'at_home' AND arrived.at > %(since)s AND home.latitude IS NOT NULL AND home.longitude IS NOT NULL
ORDER BY arrived.id DESC LIMIT 20000
"""
CURVE = """
INSERT INTO travel_curve (team_id, a_s, b_s, c_s, trips, error_percent, fitted_at)
VALUES (%(team_id)s, %(a_s)s, %(b_s)s, %(c_s)s, %(trips)s, %(error_percent)s, %(now)s)
ON CONFLICT (team_id) DO UPDATE SET a_s = EXCLUDED.a_s, b_s = EXCLUDED.b_s, c_s = EXCLUDED.c_s, trips = EXCLUDED.trips,
    error_percent = EXCLUDED.error_percent, fitted_at = EXCLUDED.fitted_at
"""


async def add(conn: Connection, dues: Iterable[DueVisit], *, source: str, by: str, now: datetime) -> int:
    """Put visits on the due list; one that is there stays as it is. Returns how many are new. Raises BadInput for unknown elders."""
    values = [due.columns() | {"source": source, "by": by, "now": now} for due in dues]
    try:
        return sum([(await conn.execute(ADD, one)).rowcount for one in values])
    except IntegrityError as error:
        raise BadInput(f"the due visits do not fit: {error.diag.message_detail or error.diag.message_primary}") from error


async def add_by_rules(conn: Connection, *, today: date, now: datetime) -> int:
    """Put on the list what the date rules ask for, for every elder with a contract. Returns how many are new."""
    new, after = 0, ""
    while rows := await (await conn.execute(SIGNED, {"today": today, "after": after, "limit": ROWS_AT_ONCE})).fetchall():
        for row in rows:
            done = {Kind(kind): date.fromisoformat(on) for kind, on in row["done"].items()}
            known = Known(row["id"], row["born_on"], row["conditions"], done, frozenset(map(Kind, row["listed"])))
            new += await add(conn, due_by_rules(known, today), source="date_rule", by="system", now=now)
        after = rows[-1]["id"]
    return new


async def made(conn: Connection, elder_id: str, kinds: Sequence[Kind], *, on: date) -> int:
    """A visit has done what was due of these kinds and may be done by one person. Returns how many are off the list."""
    values = {"elder_id": elder_id, "kinds": list(kinds), "on": on}
    return (await conn.execute(MADE_DUE, values)).rowcount


async def move_or_add(conn: Connection, due: DueVisit, *, by: str, now: datetime) -> None:
    """Findings say when to come again: what is listed of this kind moves there, else it is new. What was promised before stays."""
    values = due.columns()
    if await (await conn.execute(IS_PROMISED, values)).fetchone() is not None:
        return
    if (await conn.execute(MOVE_DUE, values)).rowcount == 0:
        await add(conn, [due], source="findings", by=by, now=now)


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


async def assemble(
    conn: Connection, team_id: str, day: date, *, now: datetime, plan_id: int | None = None, habits: PlanConfig = making.HABITS
) -> Day:
    """The day as the planner sees it: what is due, or with `plan_id` what that plan is about. Raises NotFound for an unknown team.

    Where a plan of the day is published, stops that have begun by `now`, and the next of each doctor, are frozen and left out.
    """
    values = _span(team_id, day)
    rows = await (await conn.execute(OF_PLAN, {"id": plan_id}) if plan_id else await conn.execute(DUE, values)).fetchall()
    frozen = await _frozen(conn, values, now, habits) if plan_id is None else []
    fixed = {due_id for one in frozen for due_id in one.due_ids}
    dues = [_due(row) for row in rows if row["id"] not in fixed]
    workers = _workers(await (await conn.execute(WORKERS, values)).fetchall())
    if plan_id is None:
        dues = making.choose(dues, workers, day, ZONE, habits)
    return await _made_of(conn, values, dues, workers, frozen=frozen, habits=habits)


async def rest_of_today(
    conn: Connection, team_id: str, *, now: datetime, also: Place, but: int | None = None, habits: PlanConfig = making.HABITS
) -> tuple[int, Day, Sequence[PlannedTour]] | None:
    """What is left of the team's published day: the plan's id, and its tours as they go on from where each doctor is; None without a plan.

    `also` is the last place of the instance. A stop that is late already may stay so. Urgent visits that doctors have taken, all but that
    with the id `but`, come first.
    """
    values = _span(team_id, now.astimezone(ZONE).date())
    published = await (await conn.execute(PUBLISHED, values)).fetchone()
    if published is None:
        return None
    driven = await progress_store.driven(conn, team_id, values["day"])
    frozen = await _frozen(conn, values, now, habits, driven=driven, but=but)
    fixed = {due_id for one in frozen for due_id in one.due_ids}
    left = {stop.due_id for stops in driven.values() for stop in stops} - fixed
    rows = await (await conn.execute(OF_PLAN, {"id": published["id"]})).fetchall()
    workers = _workers(await (await conn.execute(WORKERS, values)).fetchall())
    dues = [_due(row) for row in rows if row["id"] in left]
    day = await _made_of(conn, values, dues, workers, frozen=frozen, habits=habits, also=[also])
    if (roads := roads_of(habits)) is not None:
        day = await roads.on_roads(day)
    tours = {f"{doctor_id}/{half}": [(stop.due_id, stop.side) for stop in stops] for (doctor_id, half), stops in driven.items()}
    return published["id"], *making.as_late_as_it_is(day, making.begin_from(day, tours).tours)


def _span(team_id: str, day: date) -> dict[str, Any]:
    return {"team_id": team_id, "day": day, "from": midnight(day), "to": midnight(day) + timedelta(days=1)}


async def _made_of(
    conn: Connection,
    values: Mapping[str, Any],
    dues: Sequence[DueRow],
    workers: Sequence[Worker],
    *,
    frozen: Sequence[Frozen],
    habits: PlanConfig,
    also: Sequence[Place] = (),
) -> Day:
    team = await (await conn.execute(TEAM, values)).fetchone()
    if team is None:
        raise NotFound(f"there is no team {values['team_id']}")
    curve = travel.DEFAULT if team["a_s"] is None else travel.Curve(team["a_s"], team["b_s"], team["c_s"])
    centre = None if team["latitude"] is None or team["longitude"] is None else (team["latitude"], team["longitude"])
    return making.assemble(values["day"], ZONE, workers, dues, centre=centre, curve=curve, frozen=frozen, also=also, habits=habits)


def _due(row: Mapping[str, Any]) -> DueRow:
    place = None if row["latitude"] is None or row["longitude"] is None else (row["latitude"], row["longitude"])
    return DueRow(
        id=row["id"],
        elder_id=row["elder_id"],
        elder_name=row["name"],
        kind=row["kind"],
        opens_on=row["opens_on"],
        due_on=row["due_on"],
        part=row["part"],
        lasts_min=row["lasts_min"],
        roles=tuple(row["roles"]),
        gap=(row["gap_min_min"], row["gap_max_min"]),
        place=place,
        own_doctor_id=row["doctor_id"],
        promised_at=row["promised_at"],
        promised_doctor_id=row["promised_doctor_id"],
    )


def _workers(rows: Sequence[Mapping[str, Any]]) -> list[Worker]:
    shifts: dict[str, list[tuple[datetime, datetime]]] = {}
    first: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        first.setdefault(row["id"], row)
        shifts.setdefault(row["id"], []).append((row["starts_at"], row["ends_at"]))
    return [Worker(id_, row["name"], row["role"], tuple(shifts[id_]), float(row["busy_min"])) for id_, row in first.items()]


async def _frozen(
    conn: Connection,
    values: Mapping[str, Any],
    now: datetime,
    habits: PlanConfig,
    *,
    driven: Tours | None = None,
    but: int | None = None,
) -> list[Frozen]:
    if not values["from"] <= now < values["to"]:
        return []
    if driven is None:
        driven = await progress_store.driven(conn, values["team_id"], values["day"])
    rows = await (await conn.execute(URGENT, {"team_id": values["team_id"], "but": but, "now": now})).fetchall()
    return list(progress.frozen(driven, now, urgent=[_urgent(row, now, habits) for row in rows]))


def _urgent(row: Mapping[str, Any], now: datetime, habits: PlanConfig) -> Urgent:
    place = None if row["latitude"] is None or row["longitude"] is None else (row["latitude"], row["longitude"])
    begins_at = row["changed_at"] if row["state"] == "at_home" else max(row["depart_by"], row["changed_at"])
    (morning, (_, noon)), (afternoon, (after_noon, _)) = habits.halves().items()
    half = morning if making.minute_of(max(begins_at, now), now.astimezone(ZONE).date(), ZONE) < (noon + after_noon) / 2 else afternoon
    return Urgent(row["doctor_id"], half, begins_at, row["state"] == "at_home", place)


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
    """Store a plan as a draft, with the stops of a running day that stay as they are."""
    await conn.execute(FORGET_STOPS, {"id": plan_id})
    await conn.execute(FORGET_UNSERVED, {"id": plan_id})
    row = await _one(conn, PLAN, {"id": plan_id})
    begun = await _carry(conn, row, plan_id, day.frozen) if not row["made_at"] else {}
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


async def _carry(conn: Connection, plan: Mapping[str, Any], plan_id: int, frozen: Sequence[Frozen]) -> dict[tuple[str, str], int]:
    """Copy the frozen stops of the published plan. Returns how many per doctor and half."""
    if not frozen:
        return {}
    kept = {(one.doctor_id, one.half): one.due_ids for one in frozen}
    published = await _one(conn, PUBLISHED, plan)
    for row in await (await conn.execute(STOPS, {"id": published["id"]})).fetchall():
        due_ids = kept.get((row["doctor_id"], row["half"]), ())
        if row["due_id"] in due_ids:
            values = {"id": plan_id, "position": due_ids.index(row["due_id"]), "leg": row["leg_min"]}
            await conn.execute(STOP, row | values | {"terms": json.dumps(row["terms"] | {"frozen": 0.0})})
    return {key: len(due_ids) for key, due_ids in kept.items()}


async def published_tours(conn: Connection, team_id: str, day: date) -> dict[str, list[tuple[int, int]]]:
    """The published plan's tours, doctor/half -> stops as (due id, side); empty when there is none."""
    row = await (await conn.execute(PUBLISHED, {"team_id": team_id, "day": day})).fetchone()
    return {} if row is None else await tours_of(conn, row["id"])


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
    """The stops of a plan, tour by tour."""
    return await (await conn.execute(STOPS, {"id": plan_id})).fetchall()


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


async def learn_travel(conn: Connection, *, now: datetime) -> int:
    """Fit each team's travel curve on the trips of the last half year. Returns how many teams have one now; few trips change nothing."""
    trips: dict[str, list[Trip]] = {}
    for row in await (await conn.execute(TRIPS, {"since": now - LEARN_FROM})).fetchall():
        if row["from_latitude"] is not None and row["from_longitude"] is not None:
            km = travel.crow_km((row["from_latitude"], row["from_longitude"]), (row["latitude"], row["longitude"]))
            trips.setdefault(row["team_id"], []).append(Trip(km, row["took"].total_seconds()))
    fits = {team_id: found for team_id, driven in trips.items() if (found := fit(driven)) is not None}
    for team_id, found in fits.items():
        values = {"team_id": team_id, "trips": len(trips[team_id]), "error_percent": found.error_percent, "now": now}
        await conn.execute(CURVE, values | asdict(found.curve))
    return len(fits)


async def _one(conn: Connection, query: str, values: Mapping[str, Any]) -> dict[str, Any]:
    row = await (await conn.execute(query, values)).fetchone()
    if row is None:
        raise NotFound("there is no such plan")
    return row
