"""Who is told next, and when: each state has a ladder of steps, and an open case always stands before exactly one of them. Pure.

Figures: 97.5 % of calls answered within 60 s, 99 % within 180 s and every later one investigated, visits within 45 min
(90 %) and 60 min (all): MASCOT Telecare report 2015-16 under the TSA code. Technical trouble is no call: it is stale after 24 h (ISA-18.2).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from backend.cases.lifecycle import State

SECOND_S = 60
INVESTIGATE_S = 180
ATTEND_S = 45 * 60
ATTEND_MAX_S = 60 * 60
STALE_S = 24 * 3600


class Step(StrEnum):
    """What happens when the timer of a case runs out. REARM stands on no ladder: it ends a rest (`rest.py`)."""

    SECOND = "second"
    INVESTIGATE = "investigate"
    IDLE = "idle"
    ATTEND = "attend"
    ATTEND_MAX = "attend_max"
    STALE = "stale"
    REARM = "rearm"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder: what, how many seconds after the state began, whom it is told, and whether it is flagged for investigation."""

    step: Step
    after_s: int
    tells: tuple[str, ...] = ()
    is_flag: bool = False


_WAITING = (
    Rung(Step.SECOND, SECOND_S, ("second", "supervisor")),
    Rung(Step.INVESTIGATE, INVESTIGATE_S, ("supervisor", "on_call"), is_flag=True),
)
_TAKEN = (Rung(Step.IDLE, INVESTIGATE_S, ("holder", "supervisor")),)
_IN_HAND = (
    Rung(Step.ATTEND, ATTEND_S, ("holder", "supervisor")),
    Rung(Step.ATTEND_MAX, ATTEND_MAX_S, ("supervisor",), is_flag=True),
)
_STALE = (Rung(Step.STALE, STALE_S, ("holder", "supervisor")),)

TITLES: dict[Step, tuple[str, str]] = {
    Step.SECOND: ("警情 60 秒无人接警", "A case has waited for 60 s"),
    Step.INVESTIGATE: ("警情 180 秒无人接警，需调查", "A case has waited for 180 s: to be investigated"),
    Step.IDLE: ("已接警情 180 秒未开始处置", "A case was taken 180 s ago and nothing has begun"),
    Step.ATTEND: ("警情处置已超过 45 分钟", "A case has been in hand for 45 min"),
    Step.ATTEND_MAX: ("警情处置已超过 60 分钟，需调查", "A case has been in hand for 60 min: to be investigated"),
    Step.STALE: ("警情 24 小时未结案", "A case has been open for 24 h"),
}

LADDERS: dict[State, tuple[Rung, ...]] = {State.NEW: _WAITING, State.TAKEN: _TAKEN, State.IN_HAND: _IN_HAND, State.RESOLVED: _STALE}
"""For cases of priority high, medium and low; those of priority technical have only the last rung, whatever their state."""


@dataclass(frozen=True, slots=True)
class Timer:
    """The next step of a case and its instant."""

    step: Step
    at: datetime


def ladder(state: State, priority: str) -> tuple[Rung, ...]:
    """The steps of a case in this state, the first first. Raises KeyError for a closed case, which has none."""
    return _STALE if priority == "technical" and state is not State.CLOSED else LADDERS[state]


def begin(state: State, priority: str, since: datetime) -> Timer:
    """The timer of a case that has been in this state since then."""
    rung = ladder(state, priority)[0]
    return Timer(rung.step, since + timedelta(seconds=rung.after_s))


def rung_of(state: State, priority: str, step: str) -> Rung:
    """The rung of this step; the first of the ladder for a step of another one (the priority has changed meanwhile)."""
    rungs = ladder(state, priority)
    return next((rung for rung in rungs if rung.step == step), rungs[0])


def after(state: State, priority: str, step: str, *, now: datetime) -> Timer:
    """The timer that follows a step done now: the next rung, as far after it as their instants differ; the last one repeats."""
    rungs = ladder(state, priority)
    place = rungs.index(rung_of(state, priority, step))
    if place + 1 == len(rungs):
        return Timer(rungs[place].step, now + timedelta(seconds=rungs[place].after_s))
    wait_s = rungs[place + 1].after_s - rungs[place].after_s
    return Timer(rungs[place + 1].step, now + timedelta(seconds=wait_s))


def message(case_id: int, step: str, *, at: datetime) -> dict[str, str | int]:
    """What is told about a step, without names: who may know them, reads them on the page of the case."""
    zh, en = TITLES[Step(step)]
    return {"case_id": case_id, "step": step, "at": at.isoformat(timespec="seconds"), "title_zh": zh, "title_en": en}
