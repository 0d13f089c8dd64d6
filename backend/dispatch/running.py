"""An urgent visit in a running day: who could take it between planned stops, and the day afterwards. The caller owns the transaction.

What has begun and the next stop of each doctor stay (`planning/urgent.py`); the others keep their promises while somebody comes in time.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.config import PlanConfig
from backend.db.pool import LIVE_CHANNEL, Connection, hint
from backend.dispatch import day_store
from backend.dispatch.day.assemble import HABITS, Day, minute_of
from backend.dispatch.lifecycle import SkipReason
from backend.dispatch.planning import schedule, urgent
from backend.dispatch.planning.model import PlannedTour, Task, Visit
from backend.dispatch.planning.urgent import Choice, Running
from backend.dispatch.progress_store import ZONE
from backend.dispatch.travel import Place

logger = logging.getLogger(__name__)

LASTS_MIN = 25.0
"""What an urgent visit takes, as the measurement of DISPATCH A4 assumes."""
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
WHERE due_id = %(due_id)s AND side = %(side)s
    AND plan_id = (SELECT id FROM day_plan WHERE team_id = %(team_id)s AND day = %(day)s AND state = 'published')
"""
PUSH_OUT = """
UPDATE plan_stop SET skipped_at = %(now)s, skip_reason = %(reason)s
WHERE due_id = %(due_id)s AND plan_id = (SELECT id FROM day_plan WHERE team_id = %(team_id)s AND day = %(day)s AND state = 'published')
"""
BACK_TO_LIST = "UPDATE due_visit SET promised_at = NULL, promised_doctor_id = NULL WHERE id = %(due_id)s AND state = 'due'"


@dataclass(frozen=True, slots=True)
class Afternoon:
    """What is left of a team's published day, with the urgent visit as one more. `minute`: now."""

    team_id: str
    day: Day
    running: Running
    visit: Visit
    minute: float


async def choices(
    conn: Connection, team_ids: Collection[str], home: Place, *, own: str | None, now: datetime, habits: PlanConfig = HABITS
) -> dict[str, Choice]:
    """For each doctor with a published plan of today, the best way to take an urgent visit; whoever cannot take it is absent."""
    best: dict[str, Choice] = {}
    for team_id in sorted(team_ids):
        if (rest := await _rest(conn, team_id, home, own=own, now=now, habits=habits)) is not None:
            for choice in urgent.rank(rest.running, rest.visit, rest.minute):
                best.setdefault(rest.day.instance.tours[choice.tour].person, choice)
    return best


async def make_room(conn: Connection, visit_id: int, doctor_id: str, *, now: datetime, habits: PlanConfig = HABITS) -> int:
    """The doctor has taken an urgent visit: the stops behind it move, and what has no place any more goes back to the due list.

    Returns how many stops of the published plan have another time, doctor or none. Without a plan, or a home on the map, nothing changes.
    """
    home = await (await conn.execute(HOME, {"visit_id": visit_id, "now": now})).fetchone()
    team = await (await conn.execute(TEAM_OF, {"doctor_id": doctor_id})).fetchone()
    if home is None or team is None or home["latitude"] is None or home["longitude"] is None:
        return 0
    place = (home["latitude"], home["longitude"])
    rest = await _rest(conn, team["team_id"], place, own=home["doctor_id"], now=now, habits=habits)
    if rest is None:
        return 0
    choice = urgent.of_person(rest.running, rest.visit, doctor_id, rest.minute)
    return 0 if choice is None else await _carry_out(conn, rest, choice, now)


async def _rest(conn: Connection, team_id: str, home: Place, *, own: str | None, now: datetime, habits: PlanConfig) -> Afternoon | None:
    try:
        found = await day_store.rest_of_today(conn, team_id, now=now, also=home, habits=habits)
    except schedule.Circular:  # whatever became of the plan, an urgent visit is offered
        logger.warning("the rest of a day cannot be timed", extra={"event": "day_untimed", "team_id": team_id})
        return None
    if found is None:
        return None
    day, tours = found
    minute = minute_of(now, day.date, ZONE)
    begun = {f"{one.doctor_id}/{one.half}" for one in day.frozen}
    under_way = [number for number, tour in enumerate(day.instance.tours) if tour.id in begun]
    left = urgent.running(day.instance, tours, minute, under_way=under_way)
    place = len(day.instance.travel) - 1
    visit = Visit("urgent", place, minute, minute + WITHIN_MIN, (Task(LASTS_MIN, "gp", own=own),), is_hard=False)
    return Afternoon(team_id, day, left, visit, minute)


async def _carry_out(conn: Connection, rest: Afternoon, choice: Choice, now: datetime) -> int:
    after, postponed = urgent.carry_out(rest.running, rest.visit, choice)
    begun = {(one.doctor_id, one.half): len(one.due_ids) for one in rest.day.frozen}
    before = {(stop.visit, stop.side): (number, stop.starts) for number, stop in _stops(rest.running.tours)}
    keys: dict[str, Any] = {"team_id": rest.team_id, "day": rest.day.date, "now": now}
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
            await conn.execute(MOVE_STOP, keys | {
                "due_id": rest.day.dues[stop.visit].id, "side": stop.side, "doctor_id": doctor_id, "half": half, "position": position,
                "starts_at": rest.day.at(stop.starts), "ends_at": rest.day.at(stop.ends), "leg": stop.leg,
            })  # fmt: skip
    for index in postponed:
        due = {"due_id": rest.day.dues[index].id}
        await conn.execute(PUSH_OUT, keys | due | {"reason": SkipReason.URGENT_VISIT})
        await conn.execute(BACK_TO_LIST, due)
    await hint(conn, LIVE_CHANNEL)
    return moved + len(postponed)


def _stops(tours: Collection[PlannedTour]) -> list[tuple[int, Any]]:
    return [(number, stop) for number, planned in enumerate(tours) for stop in planned.stops]
