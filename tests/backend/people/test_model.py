"""A contract runs a year by the calendar, in the file exactly as in the table."""

from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from backend.db.pool import Connection
from backend.people.model import Contract

SHORTEST = [
    (date(2026, 1, 1), date(2026, 12, 31)),
    (date(2023, 3, 1), date(2024, 2, 29)),
    (date(2024, 2, 29), date(2025, 2, 27)),
    (date(2024, 2, 28), date(2025, 2, 27)),
    (date(2024, 12, 31), date(2025, 12, 30)),
]


def contract(signed_on: date, ends_on: date) -> Contract:
    return Contract(team="team-a", doctor="doctor-li", signed_on=signed_on, ends_on=ends_on)


@pytest.mark.parametrize(("signed_on", "ends_on"), SHORTEST)
def test_a_contract_of_a_year_is_taken_and_one_of_a_day_less_is_not(signed_on: date, ends_on: date) -> None:
    assert contract(signed_on, ends_on).ends_on == ends_on
    with pytest.raises(ValidationError, match="a contract runs at least one year"):
        contract(signed_on, ends_on - timedelta(days=1))


@pytest.mark.parametrize(("signed_on", "ends_on"), SHORTEST)
async def test_the_table_draws_the_line_at_the_same_day(conn: Connection, signed_on: date, ends_on: date) -> None:
    query = "SELECT (%(signed_on)s::date + interval '1 year' - interval '1 day')::date AS shortest"
    row = await (await conn.execute(query, {"signed_on": signed_on})).fetchone()
    assert row == {"shortest": ends_on}
