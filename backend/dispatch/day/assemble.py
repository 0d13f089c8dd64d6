"""Rows of the database as a planning instance of one team's day, and a plan as rows again: pure. Times are minutes of the day there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from backend.config import PlanConfig
from backend.dispatch.day.due import lateness
from backend.dispatch.planning import schedule
from backend.dispatch.planning.model import Instance, Plan, PlannedTour, Prices, Task, Tour, Visit
from backend.dispatch.travel import Curve, Place, crow_km

PRIZE_MIN, PRIZE_DUE, PRIZE_LATE, PRIZE_PROMISED = 45.0, 240.0, 480.0, 3000.0
"""Minutes that leaving out a visit costs: on the first day of its window, more on its last, when overdue, when promised."""
HABITS = PlanConfig()
"""8:00 to 12:00 and 13:30 to 17:30, a habit of ours; a shift cuts them shorter. The prices are habits as well (docs/planning.md):
12 min for a visit not by the own doctor; planned anew, 15 min for another doctor and 0.2 min per minute; once told to the elder, a visit
starts within 30 min of it."""


@dataclass(frozen=True, slots=True)
class DueRow:
    """A due visit with what the plan needs of its elder."""

    id: int
    elder_id: str
    elder_name: str
    kind: str
    opens_on: date
    due_on: date
    part: str
    lasts_min: int
    roles: tuple[str, ...]
    gap: tuple[int, int]
    place: Place | None
    own_doctor_id: str | None
    promised_at: datetime | None
    promised_doctor_id: str | None


@dataclass(frozen=True, slots=True)
class Worker:
    """A member of the team with the shifts that touch the day. `busy_min`: service and travel planned on the other days of the week."""

    doctor_id: str
    name: str
    role: str
    shifts: tuple[tuple[datetime, datetime], ...]
    busy_min: float = 0.0


@dataclass(frozen=True, slots=True)
class Frozen:
    """Stops of a published plan that have begun or are next, per doctor and half: they stay. Then the doctor leaves `place`."""

    doctor_id: str
    half: str
    due_ids: tuple[int, ...]
    ends_at: datetime
    place: Place | None


@dataclass(frozen=True, slots=True)
class Day:
    """One team's day. `dues[i]` belongs to `instance.visits[i]`; tours are named doctor/half."""

    date: date
    zone: ZoneInfo
    instance: Instance
    dues: tuple[DueRow, ...]
    placeless: tuple[DueRow, ...]
    names: Mapping[str, str]
    frozen: tuple[Frozen, ...] = ()
    points: tuple[Place, ...] = ()
    """The places of `instance.travel`, in order."""
    kept: tuple[DueRow, ...] = ()
    """Those of the stops in `frozen`, which are not in the instance."""

    def at(self, minute: float) -> datetime:
        """The instant of a minute of the day."""
        return datetime.combine(self.date, time(), self.zone) + timedelta(minutes=minute)


def assemble(
    day: date,
    zone: ZoneInfo,
    workers: Sequence[Worker],
    dues: Sequence[DueRow],
    *,
    centre: Place | None,
    curve: Curve,
    frozen: Sequence[Frozen] = (),
    also: Sequence[Place] = (),
    not_before: datetime | None = None,
    habits: PlanConfig = HABITS,
) -> Day:
    """The instance. Visits of elders without coordinates cannot be planned and are listed apart. `also`: further places, the last ones.

    Nobody leaves before `not_before`, where that is an instant of this day.
    """
    placed = tuple(due for due in dues if due.place is not None)
    base = centre or _middle([due.place for due in dues if due.place is not None])
    points = [base, *(due.place or base for due in placed)]
    leaving: dict[tuple[str, str], tuple[int, float]] = {}
    for one in frozen:
        points.append(one.place or base)
        leaving[one.doctor_id, one.half] = (len(points) - 1, minute_of(one.ends_at, day, zone))
    points += also
    travel = [[0.0 if a == b else curve.seconds(crow_km(a, b)) / 60 for b in points] for a in points]
    tours = [tour for worker in workers for tour in _tours(worker, day, zone, leaving, habits, _now(not_before, day, zone))]
    visits = [visit_of(due, at, day, zone, habits) for at, due in enumerate(placed, start=1)]
    load = {worker.doctor_id: worker.busy_min for worker in workers}
    names = {worker.doctor_id: worker.name for worker in workers}
    placeless = tuple(due for due in dues if due.place is None)
    return Day(day, zone, Instance(travel, visits, tours, _prices(habits), load), placed, placeless, names, tuple(frozen), tuple(points))


def _prices(habits: PlanConfig) -> Prices:
    return Prices(
        travel=1.0, fairness=habits.fairness_min_per_min, not_own=habits.not_own_min, other_person=habits.other_person_min,
        shift=habits.shift_min_per_min,
    )  # fmt: skip


def minute_of(at: datetime, day: date, zone: ZoneInfo) -> float:
    """Minutes since midnight there; below 0 or above 1440 on other days."""
    return (at - datetime.combine(day, time(), zone)).total_seconds() / 60


def _now(not_before: datetime | None, day: date, zone: ZoneInfo) -> float:
    minute = 0.0 if not_before is None else minute_of(not_before, day, zone)
    return minute if 0.0 <= minute < 1440.0 else 0.0


def _middle(places: Sequence[Place]) -> Place:
    if not places:
        return (0.0, 0.0)
    return sum(place[0] for place in places) / len(places), sum(place[1] for place in places) / len(places)


def _tours(
    worker: Worker, day: date, zone: ZoneInfo, leaving: Mapping[tuple[str, str], tuple[int, float]], habits: PlanConfig,
    not_before: float = 0.0,
) -> list[Tour]:  # fmt: skip
    tours = []
    for half, (opens, closes) in habits.halves().items():
        begins = [(max(opens, minute_of(start, day, zone)), min(closes, minute_of(end, day, zone))) for start, end in worker.shifts]
        ready, back_by = max(begins, key=lambda one: one[1] - one[0], default=(0.0, 0.0))
        leaves, ready = leaving.get((worker.doctor_id, half), (0, max(ready, not_before)))
        if back_by > ready:
            tours.append(Tour(f"{worker.doctor_id}/{half}", worker.doctor_id, leaves, 0, ready, back_by, frozenset({worker.role})))
    return tours


def visit_of(due: DueRow, place: int, day: date, zone: ZoneInfo, habits: PlanConfig) -> Visit:
    """A due visit as one of the instance, at this place of it."""
    (low, noon), (after_noon, high) = habits.halves().values()
    middle = (noon + after_noon) / 2
    opens = middle if due.part == "afternoon" else low
    closes = middle if due.part == "morning" else high
    promised = None if due.promised_at is None else minute_of(due.promised_at, day, zone)
    if promised is not None and 0 <= promised < 1440:
        opens, closes = promised - habits.promise_min, promised + habits.promise_min
    else:
        promised = None
    planned = due.promised_doctor_id if promised is not None else None
    lead = due.roles.index("gp") if "gp" in due.roles else 0
    tasks = tuple(
        Task(
            float(due.lasts_min),
            role,
            own=due.own_doctor_id if side == lead and role == "gp" else None,
            planned=planned if side == 0 else None,
        )
        for side, role in enumerate(due.roles)
    )
    return Visit(
        str(due.id), place, opens, closes, tasks, (float(due.gap[0]), float(due.gap[1])), True, prize(due, day, promised), promised
    )


def prize(due: DueRow, day: date, promised: float | None) -> float:
    """What leaving it for another day costs, in minutes: by lateness, and above all what was promised."""
    share = lateness(due.opens_on, due.due_on, day)
    if promised is not None:
        return PRIZE_PROMISED
    return PRIZE_LATE + min(30.0, 10.0 * (share - 1.0)) if share > 1 else PRIZE_MIN + (PRIZE_DUE - PRIZE_MIN) * share


def choose(dues: Sequence[DueRow], workers: Sequence[Worker], day: date, zone: ZoneInfo, habits: PlanConfig = HABITS) -> list[DueRow]:
    """The most urgent due visits, half as many again as the team could make in its hours: the planner leaves out what does not fit."""
    minutes = sum(tour.back_by - tour.ready for worker in workers for tour in _tours(worker, day, zone, {}, habits))
    count = 10 + int(1.5 * minutes / 30)
    return sorted(dues, key=lambda due: (-prize(due, day, 0.0 if due.promised_at else None), due.due_on, due.id))[:count]


def why(day: Day, tours: Sequence[PlannedTour], number: int, position: int) -> dict[str, float]:
    """Why this stop is here, in minutes: `detour` it adds to the way, `own` 0 when the own doctor comes, and the prices it pays."""
    planned, tour, travel = tours[number], day.instance.tours[number], day.instance.travel
    stop = planned.stops[position]
    visit = day.instance.visits[stop.visit]
    before = day.instance.visits[planned.stops[position - 1].visit].place if position else tour.leaves
    after = day.instance.visits[planned.stops[position + 1].visit].place if position + 1 < len(planned.stops) else tour.returns
    terms = {"detour": travel[before][visit.place] + travel[visit.place][after] - travel[before][after]}
    task = visit.tasks[stop.side]
    if task.own is not None:
        terms["own" if task.own == tour.person else "not_own"] = 0.0 if task.own == tour.person else day.instance.prices.not_own
    for term in schedule.terms(day.instance, tours):
        if term.visit == stop.visit and term.tour == number and term.name in ("other_person", "shifted"):
            terms[term.name] = term.cost
    return {name: round(value, 1) for name, value in terms.items()}


def begin_from(day: Day, plan: Mapping[str, Sequence[tuple[int, int]]]) -> Plan:
    """An earlier plan's tours (doctor/half -> stops as (due id, side)) in this day's instance; stops that are no longer there fall out."""
    index = {due.id: at for at, due in enumerate(day.dues)}
    sequences = [[(index[due_id], side) for due_id, side in plan.get(tour.id, ()) if due_id in index] for tour in day.instance.tours]
    whole = {visit for visit in range(len(day.dues)) if _count(sequences, visit) == len(day.instance.visits[visit].tasks)}
    sequences = [[stop for stop in stops if stop[0] in whole] for stops in sequences]
    return Plan(schedule.timed(day.instance, sequences), {}, 0.0)


def as_late_as_it_is(day: Day, tours: Sequence[PlannedTour]) -> tuple[Day, Sequence[PlannedTour]]:
    """The same, with the window of each visit that is late already open until its start now: it may stay late, not become later."""
    starts = {stop.visit: stop.starts for tour in tours for stop in tour.stops if stop.side == 0}
    visits = [replace(visit, closes=max(visit.closes, starts.get(at, visit.closes))) for at, visit in enumerate(day.instance.visits)]
    return replace(day, instance=replace(day.instance, visits=visits)), tours


def _count(sequences: Sequence[Sequence[tuple[int, int]]], visit: int) -> int:
    return sum(stop[0] == visit for stops in sequences for stop in stops)
