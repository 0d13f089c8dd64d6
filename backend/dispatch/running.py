"""An urgent visit in a running day: who could take it between planned stops, and the day afterwards. The caller owns the transaction.

What has begun and the next stop of each doctor stay (`planning/urgent.py`); the others keep their promises while somebody comes in time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backend.config import PlanConfig
from backend.db.apart import apart
from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.dispatch import day_store, progress_store
from backend.dispatch.day.assemble import HABITS, Day, minute_of
from backend.dispatch.lifecycle import SkipReason
from backend.dispatch.planning import urgent
from backend.dispatch.planning.model import PlannedTour, Task, Visit
from backend.dispatch.planning.urgent import LASTS_MIN, Choice, Running
from backend.dispatch.progress_store import ZONE
from backend.dispatch.travel import Place

ROOM_AGAIN = timedelta(seconds=30)
"""Work on a day that failed, or whose worker died, is done again after so long."""
WITHIN_MIN = 60.0
"""Urgent: at the home within 60 min (DISPATCH A5)."""

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
"""
PROMISE_BY = """
UPDATE due_visit SET promised_doctor_id = %(doctor_id)s WHERE id = %(due_id)s AND state = 'due' AND promised_at IS NOT NULL AND %(side)s = 0
"""
CLAIM_ROOM = """
UPDATE visit SET room_at = %(again_at)s
WHERE id = (SELECT id FROM visit WHERE room_at <= %(now)s ORDER BY room_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, CASE WHEN state IN ('accepted', 'on_the_way', 'at_home') THEN doctor_id END AS doctor_id
"""
HAS_ROOM = "UPDATE visit SET room_at = NULL WHERE id = %(id)s AND room_at = %(again_at)s"
"""Not where another doctor has it meanwhile: that one's day needs room, too."""


@dataclass(frozen=True, slots=True)
class Afternoon:
    """What is left of a team's published day, with the urgent visit as one more. `minute`: now."""

    plan_id: int
    day: Day
    running: Running
    visit: Visit
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
            if (rest := await _rest(conn, team_id, home, own=own, now=now, habits=habits)) is not None:
                for choice in urgent.rank(rest.running, rest.visit, rest.minute):
                    best.setdefault(rest.day.instance.tours[choice.tour].person, choice)
    return best


async def make_due_room(conn: Connection, *, now: datetime, habits: PlanConfig = HABITS) -> bool:
    """Make room in the day of one doctor who has taken an urgent visit; False when nobody waits for it. Opens its own transactions.

    Where it fails, it is tried again after ROOM_AGAIN for as long as the doctor has the visit; safe with any number of workers.
    """
    claimed = {"now": now, "again_at": now + ROOM_AGAIN}
    row = await (await conn.execute(CLAIM_ROOM, claimed)).fetchone()
    if row is None:
        return False
    async with apart(conn, "no room was made for an urgent visit", event="no_room", visit_id=row["id"]):
        if row["doctor_id"] is not None:
            await make_room(conn, row["id"], row["doctor_id"], now=now, habits=habits)
        await conn.execute(HAS_ROOM, claimed | {"id": row["id"]})
    return True


async def make_room(conn: Connection, visit_id: int, doctor_id: str, *, now: datetime, habits: PlanConfig = HABITS) -> int:
    """The doctor has taken an urgent visit: the stops behind it move, and what has no place any more goes back to the due list.

    Returns how many stops of the published plan have another time, doctor or none. Without a plan, or a home on the map, nothing changes.
    """
    home = await (await conn.execute(HOME, {"visit_id": visit_id, "now": now})).fetchone()
    team = await (await conn.execute(TEAM_OF, {"doctor_id": doctor_id})).fetchone()
    if home is None or team is None or home["latitude"] is None or home["longitude"] is None:
        return 0
    place = (home["latitude"], home["longitude"])
    await progress_store.lock_day(conn, team["team_id"], now.astimezone(ZONE).date())
    rest = await _rest(conn, team["team_id"], place, own=home["doctor_id"], now=now, habits=habits, but=visit_id)
    if rest is None:
        return 0
    choice = urgent.of_person(rest.running, rest.visit, doctor_id, rest.minute)
    return 0 if choice is None else await _carry_out(conn, rest, choice, now)


async def _rest(
    conn: Connection, team_id: str, home: Place, *, own: str | None, now: datetime, habits: PlanConfig, but: int | None = None
) -> Afternoon | None:
    found = await day_store.rest_of_today(conn, team_id, now=now, also=home, but=but, habits=habits)
    if found is None:
        return None
    plan_id, day, tours = found
    minute = minute_of(now, day.date, ZONE)
    begun = {f"{one.doctor_id}/{one.half}" for one in day.frozen}
    under_way = [number for number, tour in enumerate(day.instance.tours) if tour.id in begun]
    left = urgent.running(day.instance, tours, minute, under_way=under_way)
    place = len(day.instance.travel) - 1
    visit = Visit("urgent", place, minute, minute + WITHIN_MIN, (Task(LASTS_MIN, "gp", own=own),), is_hard=False)
    return Afternoon(plan_id, day, left, visit, minute)


async def _carry_out(conn: Connection, rest: Afternoon, choice: Choice, now: datetime) -> int:
    after, postponed = urgent.carry_out(rest.running, rest.visit, choice)
    begun = {(one.doctor_id, one.half): len(one.due_ids) for one in rest.day.frozen}
    before = {(stop.visit, stop.side): (number, stop.starts) for number, stop in _stops(rest.running.tours)}
    moved = 0
    for number, planned in enumerate(after):
        if planned == rest.running.tours[number]:
            continue
        doctor_id, half = rest.day.instance.tours[number].id.split("/")
        kept = begun.get((doctor_id, half), 0) + rest.running.kept[number]
        mine = [stop for stop in planned.stops if stop.visit < len(rest.day.dues)]
        for position, stop in enumerate(mine, start=kept):
            was, starts = before[stop.visit, stop.side]
            moved += was != number or abs(starts - stop.starts) > 1e-6
            moving = {
                "plan_id": rest.plan_id, "due_id": rest.day.dues[stop.visit].id, "side": stop.side, "doctor_id": doctor_id, "half": half,
                "position": position, "starts_at": rest.day.at(stop.starts), "ends_at": rest.day.at(stop.ends), "leg": stop.leg,
            }  # fmt: skip
            await conn.execute(MOVE_STOP, moving)
            await conn.execute(PROMISE_BY, moving)
    for index in postponed:
        await progress_store.skip(conn, rest.plan_id, rest.day.dues[index].id, reason=SkipReason.URGENT_VISIT, now=now)
    await hint(conn, LIVE_CHANNEL)
    return moved + len(postponed)


def _stops(tours: Collection[PlannedTour]) -> list[tuple[int, Any]]:
    return [(number, stop) for number, planned in enumerate(tours) for stop in planned.stops]
