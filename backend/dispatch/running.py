"""An urgent visit in a running day: who could take it between planned stops, and the day afterwards. The caller owns the transaction.

What has begun and the next stop of each doctor stay (`planning/urgent.py`); the others keep their promises while somebody comes in time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from backend.config import PlanConfig
from backend.db.apart import apart
from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.dispatch import day_store, plan_store, progress_store
from backend.dispatch.day.assemble import HABITS, Day, DueRow, minute_of, visit_of
from backend.dispatch.lifecycle import SkipReason
from backend.dispatch.planning import insertion, urgent
from backend.dispatch.planning.model import PlannedTour, Task, Visit
from backend.dispatch.planning.urgent import LASTS_MIN, Choice, Running
from backend.dispatch.progress_store import ZONE
from backend.dispatch.travel import Place

ROOM_AGAIN = timedelta(seconds=30)
"""Work on a day that failed, or whose worker died, is done again after so long."""
WITHIN_MIN = 60.0
"""Urgent: at the home within 60 min; our own choice."""

HOME = """
SELECT e.latitude, e.longitude, c.doctor_id FROM visit v JOIN elder e ON e.id = v.elder_id
LEFT JOIN contract c ON c.elder_id = e.id AND c.cancelled_on IS NULL
    AND (%(now)s::timestamptz AT TIME ZONE e.zone)::date BETWEEN c.signed_on AND c.ends_on
WHERE v.id = %(visit_id)s AND v.due_id IS NULL
"""
TEAM_OF = "SELECT team_id FROM doctor WHERE id = %(doctor_id)s"
MOVE_STOP = """
UPDATE plan_stop SET doctor_id = %(doctor_id)s, half = %(half)s, position = %(position)s, starts_at = %(starts_at)s, ends_at = %(ends_at)s,
    leg_min = %(leg)s
WHERE plan_id = %(plan_id)s AND due_id = %(due_id)s AND side = %(side)s
    AND (doctor_id, half, position, starts_at, ends_at)
        IS DISTINCT FROM (%(doctor_id)s, %(half)s, %(position)s, %(starts_at)s::timestamptz, %(ends_at)s::timestamptz)
"""
PROMISE_BY = """
UPDATE due_visit SET promised_doctor_id = %(doctor_id)s WHERE id = %(due_id)s AND state = 'due' AND promised_at IS NOT NULL AND %(side)s = 0
"""
TAKES_ROOM = """
UPDATE visit SET room_of = %(doctor_id)s
WHERE id = %(visit_id)s AND doctor_id = %(doctor_id)s AND state IN ('accepted', 'on_the_way', 'at_home')
    AND room_of IS NULL AND %(doctor_id)s <> ALL (room_owed)
"""
"""Once: neither again while another's day has to give back, nor beside what the own one has to."""
GAVE_BACK = "UPDATE visit SET room_owed = array_remove(room_owed, %(doctor_id)s) WHERE id = %(visit_id)s"
COMES_BACK = """
UPDATE plan_stop SET skipped_at = NULL, skip_reason = NULL WHERE plan_id = %(plan_id)s AND due_id = %(due_id)s AND skipped_at IS NOT NULL
"""
PROMISE_AGAIN = """
UPDATE due_visit d SET promised_at = p.starts_at, promised_doctor_id = p.doctor_id
FROM plan_stop p WHERE p.plan_id = %(plan_id)s AND p.due_id = d.id AND d.id = %(due_id)s AND d.state = 'due'
"""
CLAIM_ROOM = """
UPDATE visit SET room_at = %(again_at)s
WHERE id = (SELECT id FROM visit WHERE room_at <= %(now)s ORDER BY room_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, room_owed, CASE WHEN state IN ('accepted', 'on_the_way', 'at_home') THEN doctor_id END AS doctor_id
"""
HAS_ROOM = "UPDATE visit SET room_at = NULL WHERE id = %(id)s AND room_at = %(again_at)s AND room_owed = '{}'"
"""Not where another doctor has it meanwhile: that one's day needs room, too; nor while a day still has to give room back."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a team's published day. `minute`: now."""

    plan_id: int
    day: Day
    running: Running
    minute: float


async def choices(
    conn: Connection, team_ids: Collection[str], home: Place, *, own: str | None, now: datetime, habits: PlanConfig = HABITS
) -> dict[str, Choice]:
    """For each doctor with a published plan of today, the best way to take an urgent visit; whoever cannot take it is absent.

    So are all of a team whose day cannot be worked out, whatever is wrong: an urgent visit is offered all the same.
    """
    best: dict[str, Choice] = {}
    for team_id in sorted(team_ids):
        async with apart(conn, "the rest of a day cannot be worked out", event="day_untimed", team_id=team_id):
            if (rest := await _rest(conn, team_id, home, now=now, habits=habits)) is not None:
                for choice in urgent.rank(rest.running, _at_home(rest, own), rest.minute):
                    best.setdefault(rest.day.instance.tours[choice.tour].person, choice)
    return best


async def make_due_room(conn: Connection, *, now: datetime, habits: PlanConfig = HABITS) -> bool:
    """Make room in the day of one doctor who has taken an urgent visit, and give it back in the day of who has it no longer.

    False when nobody waits for either. Opens its own transactions. Where it fails, it is tried again after ROOM_AGAIN; safe with any
    number of workers.
    """
    claimed = {"now": now, "again_at": now + ROOM_AGAIN}
    row = await (await conn.execute(CLAIM_ROOM, claimed)).fetchone()
    if row is None:
        return False
    for doctor_id in row["room_owed"]:  # apart: the locks of two teams' days are not held together
        async with apart(conn, "no room was given back", event="no_room_back", visit_id=row["id"]):
            await give_back(conn, row["id"], doctor_id, now=now, habits=habits)
    async with apart(conn, "no room was made for an urgent visit", event="no_room", visit_id=row["id"]):
        if row["doctor_id"] is not None:
            await make_room(conn, row["id"], row["doctor_id"], now=now, habits=habits)
        await conn.execute(HAS_ROOM, claimed | {"id": row["id"]})
    return True


async def make_room(conn: Connection, visit_id: int, doctor_id: str, *, now: datetime, habits: PlanConfig = HABITS) -> int:
    """The doctor has taken an urgent visit: the stops behind it move, and what has no place any more goes back to the due list.

    Returns how many stops of the published plan have another time, doctor or none. Without a plan, or a home on the map, nothing changes;
    nor when somebody else has the visit by now, or that day has room already or must give some back first.
    """
    home = await (await conn.execute(HOME, {"visit_id": visit_id, "now": now})).fetchone()
    team = await (await conn.execute(TEAM_OF, {"doctor_id": doctor_id})).fetchone()
    if home is None or team is None or home["latitude"] is None or home["longitude"] is None:
        return 0
    place = (home["latitude"], home["longitude"])
    await progress_store.lock_day(conn, team["team_id"], now.astimezone(ZONE).date())
    rest = await _rest(conn, team["team_id"], place, now=now, habits=habits, but=visit_id)
    if rest is None:
        return 0
    visit = _at_home(rest, home["doctor_id"])
    choice = urgent.of_person(rest.running, visit, doctor_id, rest.minute)
    if choice is None or (await conn.execute(TAKES_ROOM, {"visit_id": visit_id, "doctor_id": doctor_id})).rowcount == 0:
        return 0
    return await _carry_out(conn, rest, visit, choice, now)


async def give_back(conn: Connection, visit_id: int, doctor_id: str, *, now: datetime, habits: PlanConfig = HABITS) -> int:
    """The doctor has the urgent visit no longer: the stops behind it go back to their promised times, and what it pushed out comes back.

    What another doctor makes instead stays there. Returns how many stops have another time or are back.
    """
    [team] = await (await conn.execute(TEAM_OF, {"doctor_id": doctor_id})).fetchall()
    today = now.astimezone(ZONE).date()
    await progress_store.lock_day(conn, team["team_id"], today)
    plan_id = await plan_store.published(conn, team["team_id"], today)
    out = [] if plan_id is None else await day_store.pushed_out(conn, plan_id, doctor_id, now=now, habits=habits)
    also = [due.place for due in out if due.place is not None]
    found = await day_store.rest_of_today(conn, team["team_id"], now=now, also=also, but=visit_id, habits=habits)
    await conn.execute(GAVE_BACK, {"visit_id": visit_id, "doctor_id": doctor_id})
    if found is None:
        return 0
    rest = _left(*found, now)
    mine = [number for number, tour in enumerate(rest.day.instance.tours) if tour.person == doctor_id]
    tours, is_back = _refilled(rest, out, mine, habits)
    moved = 0
    for number in insertion.tied(tours, mine):
        moved += await _write(conn, rest, [*rest.day.dues, *out], number, tours[number])
    for due_id in is_back:
        await conn.execute(COMES_BACK, {"plan_id": plan_id, "due_id": due_id})
        await conn.execute(PROMISE_AGAIN, {"plan_id": plan_id, "due_id": due_id})
    await hint(conn, LIVE_CHANNEL)
    return moved


def _refilled(rest: Rest, out: Sequence[DueRow], mine: Collection[int], habits: PlanConfig) -> tuple[tuple[PlannedTour, ...], list[int]]:
    """The tours with what fits into `mine` again, dearest first, about when it was promised; and the ids of that."""
    first = len(rest.day.instance.travel) - len(out)
    more = [visit_of(due, first + at, rest.day.date, ZONE, habits) for at, due in enumerate(out)]
    instance, tours, is_back = rest.running.instance, rest.running.tours, []
    instance = replace(instance, visits=[*instance.visits, *more])
    for at in sorted(range(len(out)), key=lambda at: -(more[at].prize or 0.0)):
        index = len(rest.day.dues) + at
        places = (one for one in insertion.every(instance, tours, index) if one.at[0][0] in mine)
        if (best := min(places, key=lambda one: one.adds, default=None)) is not None:
            tours = insertion.put(instance, tours, index, best.at)
            is_back.append(out[at].id)
    return tours, is_back


def _left(plan_id: int, day: Day, tours: Sequence[PlannedTour], now: datetime) -> Rest:
    minute = minute_of(now, day.date, ZONE)
    begun = {f"{one.doctor_id}/{one.half}" for one in day.frozen}
    under_way = [number for number, tour in enumerate(day.instance.tours) if tour.id in begun]
    return Rest(plan_id, day, urgent.running(day.instance, tours, minute, under_way=under_way), minute)


async def _rest(
    conn: Connection, team_id: str, home: Place, *, now: datetime, habits: PlanConfig, but: int | None = None
) -> Rest | None:  # fmt: skip
    found = await day_store.rest_of_today(conn, team_id, now=now, also=[home], but=but, habits=habits)
    return None if found is None else _left(*found, now)


def _at_home(rest: Rest, own: str | None) -> Visit:
    """The urgent visit, at the last place of the instance."""
    task = Task(LASTS_MIN, "gp", own=own)
    return Visit("urgent", len(rest.day.instance.travel) - 1, rest.minute, rest.minute + WITHIN_MIN, (task,), is_hard=False)


async def _carry_out(conn: Connection, rest: Rest, visit: Visit, choice: Choice, now: datetime) -> int:
    after, postponed = urgent.carry_out(rest.running, visit, choice)
    moved = 0
    for number, planned in enumerate(after):
        if planned != rest.running.tours[number]:
            moved += await _write(conn, rest, rest.day.dues, number, planned)
    for index in postponed:
        await progress_store.skip(conn, rest.plan_id, rest.day.dues[index].id, reason=SkipReason.URGENT_VISIT, now=now)
    await hint(conn, LIVE_CHANNEL)
    return moved + len(postponed)


async def _write(conn: Connection, rest: Rest, dues: Sequence[DueRow], number: int, planned: PlannedTour) -> int:
    """Store what a tour does now, behind what has begun of it; an urgent visit is none of `dues`. Returns how many stops that changes."""
    doctor_id, half = rest.day.instance.tours[number].id.split("/")
    begun = sum(len(one.due_ids) for one in rest.day.frozen if (one.doctor_id, one.half) == (doctor_id, half))
    moved = 0
    stops = [stop for stop in planned.stops if stop.visit < len(dues)]
    for position, stop in enumerate(stops, start=begun + rest.running.kept[number]):
        moving = {
            "plan_id": rest.plan_id, "due_id": dues[stop.visit].id, "side": stop.side, "doctor_id": doctor_id, "half": half,
            "position": position, "starts_at": rest.day.at(stop.starts), "ends_at": rest.day.at(stop.ends), "leg": stop.leg,
        }  # fmt: skip
        moved += (await conn.execute(MOVE_STOP, moving)).rowcount
        await conn.execute(PROMISE_BY, moving)
    return moved
