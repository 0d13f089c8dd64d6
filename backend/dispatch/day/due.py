"""Which visits are due by date rules alone: pure.

Sources: 国家基本公共卫生服务规范 第三版: 65+ once a year; 高血压 and 2型糖尿病 (35+) at least four follow-ups a year, by quarter; two weeks
after a control that is not satisfied or an emergency. 家庭病床 rounds have no interval in it: they come by import.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from backend.dispatch.day.model import DueVisit, Kind

CHECKUP_AGE = 65
FOLLOWUP_AGE = 35
TWO_WEEKS = timedelta(days=14)
TWO_WEEKS_EARLY = timedelta(days=3)
"""A check may be made so much before two weeks are over: a habit of ours, so that a day can be chosen."""
CONDITIONS: Mapping[Kind, str] = {Kind.HYPERTENSION_FOLLOWUP: "高血压", Kind.DIABETES_FOLLOWUP: "糖尿病"}


@dataclass(frozen=True, slots=True)
class Known:
    """What the rules need of an elder. `done`: the last day each kind was done; `listed`: kinds of which a visit is on the list already."""

    elder_id: str
    born_on: date | None
    conditions: Sequence[str]
    done: Mapping[Kind, date]
    listed: Collection[Kind] = ()


def due_by_rules(elder: Known, today: date) -> Iterator[DueVisit]:
    """The visits whose window is open today, that were not made in it and are not listed: who is overdue is visited once, not twice."""
    age = (
        None
        if elder.born_on is None
        else today.year - elder.born_on.year - ((today.month, today.day) < (elder.born_on.month, elder.born_on.day))
    )
    if age is None:
        return
    if age >= CHECKUP_AGE:
        yield from _unless_done(elder, Kind.ELDER_CHECKUP, date(today.year, 1, 1), date(today.year, 12, 31))
    for kind, word in CONDITIONS.items():
        if age >= FOLLOWUP_AGE and any(word in condition for condition in elder.conditions):
            yield from _unless_done(elder, kind, *quarter(today))


def _unless_done(elder: Known, kind: Kind, opens_on: date, due_on: date) -> Iterator[DueVisit]:
    done_on = elder.done.get(kind)
    if kind not in elder.listed and (done_on is None or done_on < opens_on):
        yield DueVisit(elder=elder.elder_id, kind=kind, opens_on=opens_on, due_on=due_on)


def quarter(day: date) -> tuple[date, date]:
    """First and last day of the quarter."""
    first = date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    after = date(day.year + (first.month == 10), (first.month + 2) % 12 + 1, 1)
    return first, after - timedelta(days=1)


def two_week_check(elder_id: str, seen_on: date, note: str = "") -> DueVisit:
    """What follows an unsatisfied control, a drug reaction or an emergency: somebody looks again within two weeks."""
    due_on = seen_on + TWO_WEEKS
    return DueVisit(elder=elder_id, kind=Kind.TWO_WEEK_CHECK, opens_on=due_on - TWO_WEEKS_EARLY, due_on=due_on, note=note)


def lateness(opens_on: date, due_on: date, day: date) -> float:
    """How much of its window is over: 0 on its first day, 1 on its last, above 1 when overdue."""
    return max(0.0, ((day - opens_on).days + 1) / ((due_on - opens_on).days + 1))
