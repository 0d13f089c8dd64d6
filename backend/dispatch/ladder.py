"""Who is asked to make a visit, and when more are asked. Pure: candidates and ages in, doctors out.

    0 s     the signed doctor, if near enough, else the best
    rung 1  the next two as well; the first offer stays open
    rung 2  the operators' board turns red: phone the best three, assign by hand
    rung 3  the supervisor, the backup team, the elder and the family are told

The times are our own choice; asking more in steps is what phased alerts do (van den Berg et al., medRxiv 2024.01.17.24301457).
A family doctor is no ambulance: in danger of life 120 is called first, and the visit is additional.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from backend.dispatch.lifecycle import Why

RUNG_BACKUP = 3
WIDTHS = (1, 3, 3)
"""Doctors asked below each rung but the last, where everybody is."""

NEAR_ENOUGH = 1.5
"""Our own choice: the signed doctor comes first while the way takes at most so many times the shortest."""
NOT_OWN_S = 12 * 60.0
"""Measured on seeded days (docs/planning.md): this price for another's patient gives 76 % own doctor for 26 % more travel."""
DISPLACED_S = 20 * 60.0
"""Our own choice: for each visit that this one pushes back."""
UNKNOWN_WAY_S = 30 * 60.0
"""A doctor whose place nobody knows: the service radius of 家庭养老床位 in remote places (赣州章贡), so that known ways come first."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """When the search widens, seconds after it began."""

    second_s: float
    board_s: float
    backup_s: float

    def __post_init__(self) -> None:
        if any(late <= early for early, late in pairwise((0.0, *self.steps_s))):
            raise ValueError("the rungs of a ladder must follow each other in time")

    @property
    def steps_s(self) -> tuple[float, float, float]:
        """The three instants, ascending."""
        return self.second_s, self.board_s, self.backup_s

    def rung(self, age_s: float) -> int:
        """How far the search has come, 0 to RUNG_BACKUP."""
        return sum(age_s >= step_s for step_s in self.steps_s)

    def next_s(self, age_s: float) -> float | None:
        """Age at which the next rung is reached; None on the last."""
        return next((step_s for step_s in self.steps_s if step_s > age_s), None)


URGENT = Ladder(60, 120, 180)
SAME_DAY = Ladder(900, 1800, 3600)
BY_DATE = Ladder(4 * 3600, 8 * 3600, 24 * 3600)
"""All three are our own choice; what can wait: long enough to answer between two patients, or within a working day."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A doctor on duty. `way_s`: until there, None when unknown; `open_visits`: homes that already wait for this doctor.

    In a running day `way_s` counts what is begun and next as well, `others_s` is what the planned visits behind pay, in seconds, and
    `displaced` is how many of them lose their place.
    """

    doctor_id: str
    why: Why
    way_s: float | None
    open_visits: int
    others_s: float = 0.0
    displaced: int = 0

    def terms(self) -> dict[str, float]:
        """The cost in seconds, term by term, so that people see why: `way`, `not_own`, `displaced`, and `others` in a running day."""
        terms = {
            "way": UNKNOWN_WAY_S if self.way_s is None else self.way_s,
            "not_own": 0.0 if self.why is Why.OWN_DOCTOR else NOT_OWN_S,
            "displaced": DISPLACED_S * (self.open_visits + self.displaced),
        }
        return terms | {"others": self.others_s} if self.others_s else terms

    @property
    def cost_s(self) -> float:
        """What asking this doctor costs; the least is asked first."""
        return sum(self.terms().values())


def ranked(candidates: Collection[Candidate]) -> list[Candidate]:
    """Best first: by cost, but the signed doctor before all while the way is at most NEAR_ENOUGH times the shortest."""
    ordered = sorted(candidates, key=lambda one: (one.cost_s, one.doctor_id))
    shortest_s = min((one.terms()["way"] for one in ordered), default=0.0)
    own = [one for one in ordered if one.why is Why.OWN_DOCTOR and one.terms()["way"] <= NEAR_ENOUGH * shortest_s]
    return own + [one for one in ordered if one not in own]


def to_ask(candidates: Sequence[Candidate], *, asked: Collection[str], is_anyone_asked: bool, rung: int) -> list[Candidate]:
    """Whom to ask now, best first; `asked` were asked in this round, `is_anyone_asked`: some of them have not answered yet.

    The backup team waits for the last rung, or until nobody of the own team is left and nobody is thinking it over.
    """
    left = [one for one in ranked(candidates) if one.doctor_id not in asked]
    own = [one for one in left if one.why is not Why.FALLBACK_TEAM]
    if rung >= RUNG_BACKUP:
        return left
    if not own and not is_anyone_asked:
        return left[: WIDTHS[rung]]
    wanted = WIDTHS[rung] - len(asked)
    if asked and not is_anyone_asked:
        wanted = max(wanted, WIDTHS[1] - 1)  # everybody asked so far has declined: the next two, whatever the time
    return own[: max(wanted, 0)]
