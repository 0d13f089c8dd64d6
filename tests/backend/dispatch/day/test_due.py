"""Which visits the date rules ask for, and rows of an import that are refused with the line."""

from datetime import date

import pytest

from backend.dispatch.day.due import Known, due_by_rules, lateness, quarter, two_week_check
from backend.dispatch.day.model import Kind, read_csv
from backend.errors import BadInput

BORN = date(1948, 5, 1)


@pytest.mark.parametrize(
    ("born_on", "conditions", "done", "today", "kinds"),
    [
        (BORN, [], {}, date(2026, 3, 2), {Kind.ELDER_CHECKUP}),
        (BORN, [], {Kind.ELDER_CHECKUP: date(2026, 1, 20)}, date(2026, 3, 2), set()),
        (BORN, [], {Kind.ELDER_CHECKUP: date(2025, 12, 20)}, date(2026, 3, 2), {Kind.ELDER_CHECKUP}),
        (BORN, ["高血压", "2型糖尿病"], {}, date(2026, 3, 2), {Kind.ELDER_CHECKUP, Kind.HYPERTENSION_FOLLOWUP, Kind.DIABETES_FOLLOWUP}),
        (date(1980, 5, 1), ["高血压"], {Kind.HYPERTENSION_FOLLOWUP: date(2025, 12, 31)}, date(2026, 1, 1), {Kind.HYPERTENSION_FOLLOWUP}),
        (date(1980, 5, 1), ["高血压"], {Kind.HYPERTENSION_FOLLOWUP: date(2026, 1, 1)}, date(2026, 3, 31), set()),
        (date(2000, 5, 1), ["高血压"], {}, date(2026, 3, 2), set()),
        (None, ["高血压"], {}, date(2026, 3, 2), set()),
    ],
)
def test_the_rules_ask_once_a_year_and_once_a_quarter(
    born_on: date | None, conditions: list[str], done: dict[Kind, date], today: date, kinds: set[Kind]
) -> None:
    assert {due.kind for due in due_by_rules(Known("e", born_on, conditions, done), today)} == kinds


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2026, 1, 1), date(2026, 1, 1), date(2026, 3, 31)),
        (date(2026, 6, 30), date(2026, 4, 1), date(2026, 6, 30)),
        (date(2026, 8, 9), date(2026, 7, 1), date(2026, 9, 30)),
        (date(2026, 12, 31), date(2026, 10, 1), date(2026, 12, 31)),
    ],
)
def test_a_quarter_has_its_first_and_last_day(day: date, first: date, last: date) -> None:
    assert quarter(day) == (first, last)


def test_a_check_is_due_within_two_weeks() -> None:
    due = two_week_check("e", date(2026, 3, 2))
    assert (due.opens_on, due.due_on) == (date(2026, 3, 13), date(2026, 3, 16))


def test_lateness_grows_from_the_first_day_to_the_last_and_beyond() -> None:
    assert lateness(date(2026, 3, 1), date(2026, 3, 10), date(2026, 3, 1)) == pytest.approx(0.1)
    assert lateness(date(2026, 3, 1), date(2026, 3, 10), date(2026, 3, 10)) == pytest.approx(1.0)
    assert lateness(date(2026, 3, 1), date(2026, 3, 10), date(2026, 3, 20)) == pytest.approx(2.0)


HEAD = "elder,kind,opens_on,due_on,roles,gap_min_min,gap_max_min\n"


def test_a_row_of_an_import_says_only_what_is_its_own() -> None:
    first, second = read_csv(
        HEAD + "elder-1,home_bed_round,2026-03-01,2026-03-07,,,\nelder-2,other,2026-03-01,2026-03-07,nurse+gp,15,40\n", "x"
    )
    assert first.columns() | {"lasts_min": None, "roles": ["gp"]} == first.columns()
    assert (second.columns()["roles"], second.gap_min_min, second.gap_max_min) == (["nurse", "gp"], 15, 40)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "must name the columns"),
        (HEAD + "elder-1,magic,2026-03-01,2026-03-07,,,\n", "line 2: kind"),
        (HEAD + "elder-1,other,2026-03-09,2026-03-07,,,\n", "due_on must not be before"),
        (HEAD + "elder-1,other,2026-03-01,2026-03-07,gp+gp+gp,,\n", "line 2: roles"),
        (HEAD + "elder-1,other,2026-03-01,2026-03-07,gp,,,,,\n", "more values"),
    ],
)
def test_a_bad_import_names_the_line_and_the_fault(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_csv(text, "x.csv")
