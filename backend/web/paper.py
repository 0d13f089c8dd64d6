"""Filled-in forms of a visit: what was typed becomes a record with its advice, ready to be signed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from backend.db.pool import Connection
from backend.errors import BadInput
from backend.records import followup, forms
from backend.records import store as records
from backend.records.followup import Advice, Condition
from backend.records.forms import Answers, Form
from backend.records.store import Record
from backend.web import elder_read, read
from backend.web.labels import N_
from backend.web.render import years

NEXT_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Paper:
    """Names of the forms, what was given for each field (`form.field`), where the elder is referred to, the PIN, and a next date.

    Without a next date the table of the 规范 says it.
    """

    forms: Sequence[str]
    given: Mapping[str, Sequence[str]]
    refer_to: str
    pin: str
    next_on: date | None = None


async def record_of(conn: Connection, visit: read.Row, paper: Paper, *, findings: str, now: datetime) -> Record:
    """The record of a visit, with what the table of the 规范 says of it. Raises BadInput that names the form and the field."""
    elder = await elder_read.elder(conn, visit["elder_id"], now=now)
    assert elder is not None, "a visit is to an elder"
    today = now.astimezone(ZoneInfo(elder["zone"])).date()
    age = years(elder["born_on"], today) if elder["born_on"] else None
    chosen = [forms.FORMS[name] for name in paper.forms if name in forms.FORMS]
    answers = {form.name: _read(form, paper) for form in chosen}
    advices = {
        form.condition: await _advice(conn, visit["elder_id"], form.condition, answers[form.name], age=age, today=today)
        for form in chosen
        if form.condition is not None
    }
    record = Record(visit["id"], visit["elder_id"], answers, advices, findings, paper.refer_to, paper.next_on)
    if record.next_on is None:
        return replace(record, next_on=_next_on(record, today))
    if not today < record.next_on <= today + NEXT_MAX:
        raise BadInput(N_("The next visit is after today, and within a year."))
    return record


def _next_on(record: Record, today: date) -> date | None:
    """By the table; who is referred is looked after within two weeks, whatever was found."""
    dates = [followup.joint(list(record.advices.values())).next_on] if record.advices else []
    return min([*dates, *([today + followup.TWO_WEEKS] if record.refer else [])], default=None)


def _read(form: Form, paper: Paper) -> Answers:
    try:
        return forms.read_answers(form, paper.given)
    except forms.BadAnswer as error:
        field = error.field.title
        raise BadInput(f"{form.title.zh} {form.title.en}: {field.zh} {field.en}?") from error


async def _advice(conn: Connection, elder_id: str, condition: Condition, answers: Answers, *, age: int | None, today: date) -> Advice:
    before = await records.previous(conn, elder_id, condition)
    return followup.judge(condition, forms.found_of(answers, age_years=age), previous=before, on=today)
