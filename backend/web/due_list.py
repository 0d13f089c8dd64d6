"""What a signed record says to the due list: which visits that were due it has made, and when somebody is to come again."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from backend.db.pool import Connection
from backend.dispatch import due_store
from backend.dispatch.day.due import TWO_WEEKS_EARLY, two_week_check
from backend.dispatch.day.model import DueVisit, Kind
from backend.records.followup import Condition, Control
from backend.records.store import Record

MADE_BY_FORM = {
    "hypertension": Kind.HYPERTENSION_FOLLOWUP,
    "diabetes": Kind.DIABETES_FOLLOWUP,
    "checkup_65": Kind.ELDER_CHECKUP,
    "family_bed": Kind.HOME_BED_ROUND,
}
FOLLOWUP_OF = {Condition.HYPERTENSION: Kind.HYPERTENSION_FOLLOWUP, Condition.DIABETES: Kind.DIABETES_FOLLOWUP}
FOLLOWUP_EARLY = timedelta(days=14)
OTHER_EARLY = timedelta(days=3)
"""So long before its date a visit may be made: habits of ours, so that a day can be chosen."""


async def settle(conn: Connection, record: Record, *, on: date, by: str, now: datetime) -> None:
    """Take off the list what this visit has made, and put on it what follows. To be called in the transaction that saves the record."""
    await due_store.made(conn, record.elder_id, made_by(record), on=on)
    for due in next_of(record, on):
        await due_store.move_or_add(conn, due, by=by, now=now)


def made_by(record: Record) -> list[Kind]:
    """What was due and has been done by these forms. A disease that was judged has had its two-week check too. Pure."""
    kinds = [MADE_BY_FORM[name] for name in record.answers if name in MADE_BY_FORM]
    return kinds + ([Kind.TWO_WEEK_CHECK] if record.advices else [])


def next_of(record: Record, on: date) -> Iterator[DueVisit]:
    """What follows, at the record's next date: the follow-ups of what is satisfied, else one check, so that nobody comes twice. Pure."""
    if record.next_on is None:
        return
    is_satisfied = all(advice.control is Control.SATISFIED for advice in record.advices.values())
    if record.refer or not is_satisfied:
        note = ", ".join([*record.advices, *(["referral"] if record.refer else [])])
        window = {"opens_on": _opens_on(record.next_on, on, TWO_WEEKS_EARLY), "due_on": record.next_on}
        yield two_week_check(record.elder_id, on, note).model_copy(update=window)
    elif record.advices:
        for condition in record.advices:
            opens_on = _opens_on(record.next_on, on, FOLLOWUP_EARLY)
            yield DueVisit(elder=record.elder_id, kind=FOLLOWUP_OF[condition], opens_on=opens_on, due_on=record.next_on)
    else:
        yield DueVisit(elder=record.elder_id, kind=Kind.OTHER, opens_on=_opens_on(record.next_on, on, OTHER_EARLY), due_on=record.next_on)


def _opens_on(next_on: date, on: date, early: timedelta) -> date:
    """Never on the day itself: that visit is over."""
    return min(next_on, max(next_on - early, on + timedelta(days=1)))
