"""A team's day as the planner sees it, read from the database: what is due or planned, who works, what has begun."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from backend.config import PlanConfig
from backend.db.pool import Connection
from backend.dispatch import plan_store, progress_store, travel
from backend.dispatch.day import assemble as making
from backend.dispatch.day import progress
from backend.dispatch.day.assemble import Day, DueRow, Frozen, Worker
from backend.dispatch.day.progress import Tours, Urgent
from backend.dispatch.planning.model import PlannedTour
from backend.dispatch.progress_store import ZONE, midnight
from backend.dispatch.roads import roads_of
from backend.dispatch.travel import Place
from backend.errors import NotFound

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
PUSHED_OUT = """
SELECT d.id, d.elder_id, e.name, d.kind, d.opens_on, d.due_on, d.part, d.lasts_min, d.roles, d.gap_min_min, d.gap_max_min,
       e.latitude, e.longitude, c.doctor_id, p.starts_at AS promised_at, p.doctor_id AS promised_doctor_id
FROM plan_stop p
JOIN due_visit d ON d.id = p.due_id
JOIN elder e ON e.id = d.elder_id
LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL
WHERE p.plan_id = %(id)s AND p.doctor_id = %(doctor_id)s AND p.skip_reason = 'urgent_visit' AND p.starts_at > %(now)s
    AND d.state = 'due' AND d.promised_at IS NULL AND cardinality(d.roles) = 1
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


async def assemble(conn: Connection, team_id: str, day: date, *, now: datetime, habits: PlanConfig = making.HABITS) -> Day:
    """What is due, for a plan to be made now. Raises NotFound for an unknown team.

    Where a plan of the day is published, stops that have begun by `now`, and the next of each doctor, are frozen and left out. Of today
    only what is left is planned.
    """
    values = _span(team_id, day)
    rows = await (await conn.execute(DUE, values)).fetchall()
    frozen = await _frozen(conn, values, now, habits)
    fixed = {due_id for one in frozen for due_id in one.due_ids}
    workers = _workers(await (await conn.execute(WORKERS, values)).fetchall())
    dues = making.choose([_due(row, habits) for row in rows if row["id"] not in fixed], workers, day, ZONE, habits)
    return await _made_of(conn, values, dues, workers, frozen=frozen, not_before=now, habits=habits)


async def of_plan(conn: Connection, plan: Mapping[str, Any], *, now: datetime, habits: PlanConfig = making.HABITS) -> Day:
    """What a plan (`id`, `team_id`, `day`, `state`) is about. In a draft of a running day, what has begun or is next by now is frozen."""
    values = _span(plan["team_id"], plan["day"])
    rows = await (await conn.execute(OF_PLAN, {"id": plan["id"]})).fetchall()
    is_draft = plan["state"] == "draft"
    frozen = await _frozen(conn, values, now, habits) if is_draft else []
    fixed = {due_id for one in frozen for due_id in one.due_ids}
    dues = [_due(row, habits) for row in rows]
    workers = _workers(await (await conn.execute(WORKERS, values)).fetchall())
    movable = [due for due in dues if due.id not in fixed]
    day = await _made_of(conn, values, movable, workers, frozen=frozen, not_before=now if is_draft else None, habits=habits)
    return replace(day, kept=tuple(due for due in dues if due.id in fixed))


async def rest_of_today(
    conn: Connection, team_id: str, *, now: datetime, also: Sequence[Place], but: int | None = None, habits: PlanConfig = making.HABITS
) -> tuple[int, Day, Sequence[PlannedTour]] | None:
    """What is left of the team's published day: the plan's id, and its tours as they go on from where each doctor is; None without a plan.

    `also` are the last places of the instance. A stop that is late already may stay so. Urgent visits that doctors have taken, all but that
    with the id `but`, come first.
    """
    values = _span(team_id, now.astimezone(ZONE).date())
    plan_id = await plan_store.published(conn, team_id, values["day"])
    if plan_id is None:
        return None
    driven = await progress_store.driven(conn, team_id, values["day"])
    frozen = await _frozen(conn, values, now, habits, driven=driven, but=but)
    fixed = {due_id for one in frozen for due_id in one.due_ids}
    left = {stop.due_id for stops in driven.values() for stop in stops} - fixed
    rows = await (await conn.execute(OF_PLAN, {"id": plan_id})).fetchall()
    workers = _workers(await (await conn.execute(WORKERS, values)).fetchall())
    dues = [_due(row, habits) for row in rows if row["id"] in left]
    day = await _made_of(conn, values, dues, workers, frozen=frozen, habits=habits, also=also)
    if (roads := roads_of(habits)) is not None:
        day = await roads.on_roads(day)
    tours = {f"{doctor_id}/{half}": [(stop.due_id, stop.side) for stop in stops] for (doctor_id, half), stops in driven.items()}
    return plan_id, *making.as_late_as_it_is(day, making.begin_from(day, tours).tours)


async def pushed_out(conn: Connection, plan_id: int, doctor_id: str, *, now: datetime, habits: PlanConfig = making.HABITS) -> list[DueRow]:
    """What an urgent visit has pushed out of this doctor's coming day and nobody has promised anew, as if it were promised as it was."""
    rows = await (await conn.execute(PUSHED_OUT, {"id": plan_id, "doctor_id": doctor_id, "now": now})).fetchall()
    return [due for row in rows if (due := _due(row, habits)).place is not None]


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
    not_before: datetime | None = None,
) -> Day:
    team = await (await conn.execute(TEAM, values)).fetchone()
    if team is None:
        raise NotFound(f"there is no team {values['team_id']}")
    curve = travel.DEFAULT if team["a_s"] is None else travel.Curve(team["a_s"], team["b_s"], team["c_s"])
    centre = None if team["latitude"] is None or team["longitude"] is None else (team["latitude"], team["longitude"])
    return making.assemble(
        values["day"], ZONE, workers, dues, centre=centre, curve=curve, frozen=frozen, also=also, not_before=not_before, habits=habits
    )


def _due(row: Mapping[str, Any], habits: PlanConfig) -> DueRow:
    place = None if row["latitude"] is None or row["longitude"] is None else (row["latitude"], row["longitude"])
    return DueRow(
        id=row["id"],
        elder_id=row["elder_id"],
        elder_name=row["name"],
        kind=row["kind"],
        opens_on=row["opens_on"],
        due_on=row["due_on"],
        part=row["part"],
        lasts_min=row["lasts_min"] or habits.lasts(row["kind"]),
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
