"""A case as the store hands it out."""

from dataclasses import dataclass
from datetime import datetime

from backend.cases.lifecycle import State


@dataclass(frozen=True, slots=True)
class Case:
    """The row of one case, locked by the transaction that loaded it. `is_group`: many homes at once, none of them its subject."""

    id: int
    elder_id: str | None
    gateway_id: str | None
    is_group: bool
    priority: str
    state: State
    taken_by: str | None
    waiting_since: datetime
    next_step: str | None
    rests_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Escalated:
    """A step that was due: which, for which case, and who is to be told. `is_flag`: it is to be investigated."""

    case: Case
    step: str
    told: list[str]
    is_flag: bool
