"""What may become of a visit, as a table: a pair that is not listed is refused."""

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
    ASSIGN = "assign"
    RELEASE = "release"
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
    (_S.REQUESTED, _M.ASSIGN): _S.ACCEPTED,
    (_S.OFFERED, _M.ASSIGN): _S.ACCEPTED,
    (_S.ACCEPTED, _M.ASSIGN): _S.ACCEPTED,
    (_S.ACCEPTED, _M.RELEASE): _S.REQUESTED,
    (_S.ON_THE_WAY, _M.RELEASE): _S.REQUESTED,
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


class SkipReason(StrEnum):
    """Why a stop of the plan is not made today. `urgent_visit`: somebody else needed the doctor more."""

    NOT_AT_HOME = "not_at_home"
    REFUSED = "refused"
    IN_HOSPITAL = "in_hospital"
    NO_TIME = "no_time"
    OTHER = "other"
    URGENT_VISIT = "urgent_visit"


class Outcome(StrEnum):
    """What became of the person visited."""

    WELL = "well"
    TREATED = "treated"
    REFERRED = "referred"
    EMERGENCY = "emergency"
    NOT_MET = "not_met"


class Why(StrEnum):
    """Why this doctor was asked. `by_hand`: by an operator on the telephone; `planned`: by the published plan."""

    OWN_DOCTOR = "own_doctor"
    OWN_TEAM = "own_team"
    AREA_TEAM = "area_team"
    FALLBACK_TEAM = "fallback_team"
    BY_HAND = "by_hand"
    PLANNED = "planned"
