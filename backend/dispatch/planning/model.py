"""What the planner is asked and what it answers. All times are in one unit: minutes of the day in the district."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Unserved(StrEnum):
    """Why a visit is in no tour."""

    NO_SKILL = "no_skill"
    """Nobody who plans to work has what it needs."""
    NO_SECOND_PERSON = "no_second_person"
    """It needs two people, and there is only one who can."""
    OUTSIDE_HOURS = "outside_hours"
    """Its window and the hours of those who could do not meet."""
    TOO_FAR = "too_far"
    """Nobody could go there, stay as long as needed and be back in time, even with nothing else to do."""
    FULL = "full"
    """There is no room left: what is planned instead counts more."""
    NOT_WORTH = "not_worth"
    """It would fit, but costs more than leaving it for a later day."""


@dataclass(frozen=True, slots=True)
class Task:
    """One person's part of a visit. `own`: the person whom the elder has signed with. `planned`: whom an earlier plan named."""

    lasts: float
    skill: str
    own: str | None = None
    planned: str | None = None
    demand: float = 0.0
    only: frozenset[str] | None = None
    """Ids of the tours that may do it, besides having the skill. None: all."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A home to go to. Two tasks are done by two people: start of the second minus start of the first lies in `gap`; (0, 0) is together."""

    id: str
    place: int
    opens: float
    closes: float
    """The latest start."""
    tasks: tuple[Task, ...]
    gap: tuple[float, float] = (0.0, 0.0)
    is_hard: bool = True
    """No start after `closes`; otherwise it costs."""
    prize: float | None = None
    """What leaving it out costs. None: it must be served."""
    wanted_at: float | None = None
    """The start in an earlier plan: to move away from it costs."""


@dataclass(frozen=True, slots=True)
class Tour:
    """One person's half-day, or what is left of it: from a place at a time to a place by a time."""

    id: str
    person: str
    leaves: int
    returns: int
    ready: float
    back_by: float
    skills: frozenset[str]
    longest: float = math.inf
    capacity: float = math.inf


@dataclass(frozen=True, slots=True)
class Prices:
    """What one unit of time on the way (1) is weighed against. The planner's own are in docs/planning.md."""

    travel: float = 1.0
    late_sum: float = 1.0
    late_max: float = 0.0
    fairness: float = 0.0
    """Per unit of service and travel above the mean of all persons."""
    not_own: float = 0.0
    """Per visit by another than the own doctor."""
    other_person: float = 0.0
    """Per visit that an earlier plan gave to somebody else."""
    shift: float = 0.0
    """Per unit of time away from the start in an earlier plan."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One planning problem. `travel[i][j]`: time from place i to place j; a row per place."""

    travel: Sequence[Sequence[float]]
    visits: Sequence[Visit]
    tours: Sequence[Tour]
    prices: Prices = field(default_factory=Prices)
    load_before: Mapping[str, float] = field(default_factory=dict)
    """Service and travel of each person already done in the fairness period."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One task in a tour. `side`: 0 or 1, the position among the visit's tasks. `leg`: travel to it."""

    visit: int
    side: int
    leg: float
    starts: float
    ends: float


@dataclass(frozen=True, slots=True)
class PlannedTour:
    """What one tour does, in order. A tour without stops stays where it is."""

    stops: tuple[Stop, ...]
    leaves: float
    back: float
    travelled: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer: a planned tour per tour of the instance, and why the other visits are not served (index -> reason)."""

    tours: tuple[PlannedTour, ...]
    unserved: Mapping[int, Unserved]
    cost: float
    moves: int = 0
    """How many moves the search tried."""
