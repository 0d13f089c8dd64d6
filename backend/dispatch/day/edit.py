"""Moving one visit of a plan by hand: what it would cost, and what it would break. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.dispatch import planner
from backend.dispatch.day.assemble import Day
from backend.dispatch.planning import schedule
from backend.dispatch.planning.model import PlannedTour, Unserved
from backend.errors import BadInput

Tours = Mapping[str, Sequence[tuple[int, int]]]
"""doctor/half -> stops in order, as (due id, side)."""
STAYS = "This visit has begun or is next: it stays as it is."
GONE_ON = "The day has gone on since this plan was made. Plan again."


@dataclass(frozen=True, slots=True)
class Moved:
    """A changed plan. `adds`: minutes of cost; `travel`: minutes on the way; `breaks`: rules, empty when it may be kept."""

    tours: tuple[PlannedTour, ...]
    unserved: Mapping[int, Unserved]
    cost: float
    adds: float
    travel: float
    breaks: tuple[str, ...]


def move(day: Day, tours: Tours, due_id: int, side: int, tour_id: str | None, position: int) -> Moved | None:
    """The plan with one stop elsewhere, None for a stop or tour that it does not have. Without `tour_id` the whole visit is left out.

    A visit of two people is put in and moved one person at a time; while one is missing it breaks a rule. `position` counts all stops of
    the tour, those that have begun as well. Raises BadInput for these: they keep their place and time.
    """
    kept = _kept(day, tours)
    if any(due_id in due_ids for due_ids in kept.values()):
        raise BadInput(STAYS)
    position = max(0, position - len(kept.get(tour_id or "", ())))
    index = {due.id: at for at, due in enumerate(day.dues)}
    numbers = {tour.id: number for number, tour in enumerate(day.instance.tours)}
    if due_id not in index or (tour_id is not None and tour_id not in numbers) or side >= len(day.instance.visits[index[due_id]].tasks):
        return None
    before = [[(index[one], which) for one, which in tours.get(tour.id, ()) if one in index] for tour in day.instance.tours]
    after = [[stop for stop in stops if stop != (index[due_id], side) and (tour_id or stop[0] != index[due_id])] for stops in before]
    if tour_id is not None:
        after[numbers[tour_id]].insert(position, (index[due_id], side))
    old, old_cost, _ = _judge(day, before)
    try:
        new, cost, left = _judge(day, after)
    except schedule.Circular:
        return Moved(tuple(old), {}, old_cost, 0.0, 0.0, ("circular",))
    breaks = tuple(dict.fromkeys(fault.rule for fault in schedule.faults(day.instance, new)))
    reasons = {at: planner.hopeless_because(day.instance, at) or Unserved.FULL for at in left}
    return Moved(tuple(new), reasons, cost, cost - old_cost, _way(new) - _way(old), breaks)


def _kept(day: Day, tours: Tours) -> dict[str, tuple[int, ...]]:
    """The stops that each tour begins with and that stay. Raises BadInput when this plan has them elsewhere: it is older than they are."""
    kept = {f"{one.doctor_id}/{one.half}": one.due_ids for one in day.frozen}
    for tour_id, due_ids in kept.items():
        if tuple(due for due, _ in tours.get(tour_id, ())[: len(due_ids)]) != due_ids:
            raise BadInput(GONE_ON)
    return kept


def _judge(day: Day, sequences: Sequence[Sequence[tuple[int, int]]]) -> tuple[Sequence[PlannedTour], float, list[int]]:
    tours = schedule.timed(day.instance, sequences)
    served = {visit for stops in sequences for visit, _ in stops}
    left = [index for index in range(len(day.dues)) if index not in served]
    return tours, schedule.cost(day.instance, tours, left), left


def _way(tours: Sequence[PlannedTour]) -> float:
    return sum(tour.travelled for tour in tours)
