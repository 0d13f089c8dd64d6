"""What may become of a visit, as a table: a pair that is not listed is refused. And who is asked next, as a pure function."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class VisitState(StrEnum):
    """Where a visit stands."""

    REQUESTED = "requested"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    ON_THE_WAY = "on_the_way"
    AT_HOME = "at_home"
    DONE = "done"
    CANCELLED = "cancelled"


class VisitMove(StrEnum):
    """A step that somebody takes."""

    OFFER = "offer"
    LAPSE = "lapse"
    ACCEPT = "accept"
    DEPART = "depart"
    ARRIVE = "arrive"
    FINISH = "finish"
    CANCEL = "cancel"


_S, _M = VisitState, VisitMove
NEXT: dict[tuple[VisitState, VisitMove], VisitState] = {
    (_S.REQUESTED, _M.OFFER): _S.OFFERED,
    (_S.OFFERED, _M.OFFER): _S.OFFERED,
    (_S.REQUESTED, _M.LAPSE): _S.REQUESTED,
    (_S.OFFERED, _M.LAPSE): _S.REQUESTED,
    (_S.OFFERED, _M.ACCEPT): _S.ACCEPTED,
    (_S.ACCEPTED, _M.DEPART): _S.ON_THE_WAY,
    (_S.ON_THE_WAY, _M.ARRIVE): _S.AT_HOME,
    (_S.AT_HOME, _M.FINISH): _S.DONE,
    (_S.REQUESTED, _M.CANCEL): _S.CANCELLED,
    (_S.OFFERED, _M.CANCEL): _S.CANCELLED,
    (_S.ACCEPTED, _M.CANCEL): _S.CANCELLED,
    (_S.ON_THE_WAY, _M.CANCEL): _S.CANCELLED,
}


class DeclineReason(StrEnum):
    """Why a doctor cannot go."""

    WITH_PATIENT = "with_patient"
    TOO_FAR = "too_far"
    OFF_DUTY = "off_duty"
    NOT_MY_FIELD = "not_my_field"
    OTHER = "other"


class Outcome(StrEnum):
    """What became of the person visited."""

    WELL = "well"
    TREATED = "treated"
    REFERRED = "referred"
    EMERGENCY = "emergency"
    NOT_MET = "not_met"


class Why(StrEnum):
    """Why this doctor was asked."""

    OWN_DOCTOR = "own_doctor"
    OWN_TEAM = "own_team"
    FALLBACK_TEAM = "fallback_team"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A doctor on duty. `open_visits`: how many homes already wait for this doctor."""

    doctor_id: str
    why: Why
    open_visits: int


_ORDER = (Why.OWN_DOCTOR, Why.OWN_TEAM, Why.FALLBACK_TEAM)


def next_doctor(candidates: Sequence[Candidate], asked: frozenset[str]) -> Candidate | None:
    """Who is asked next: the signed doctor, then the signed team, then the fallback team; the less busy first. None when all were asked."""
    left = [candidate for candidate in candidates if candidate.doctor_id not in asked]
    return min(left, key=lambda one: (_ORDER.index(one.why), one.open_visits, one.doctor_id), default=None)
