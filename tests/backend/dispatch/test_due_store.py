"""The list of what is due: filled by rules and findings, each thing once."""

from datetime import date, timedelta

import pytest

from backend.db.pool import Connection
from backend.dispatch import due_store
from backend.dispatch.day.model import Kind
from backend.errors import BadInput
from tests.backend.dispatch.test_day_store import DAY, MORNING, PLACES, add, due
from tests.backend.street import NOW, one, rows


@pytest.fixture
async def district(street: Connection) -> Connection:
    await street.execute(PLACES)
    return street


async def test_rules_fill_the_list_once(district: Connection) -> None:
    assert await due_store.add_by_rules(district, today=DAY, now=NOW) == 4  # two elders, a check-up and a follow-up each
    assert await due_store.add_by_rules(district, today=DAY, now=NOW) == 0
    for elder_id in ("elder-1", "elder-2"):
        assert await due_store.made(district, elder_id, [Kind.HYPERTENSION_FOLLOWUP], on=DAY) == 1
    assert await due_store.add_by_rules(district, today=DAY, now=NOW) == 0
    assert await due_store.add_by_rules(district, today=date(2026, 4, 1), now=NOW) == 2


async def test_who_was_not_visited_in_a_quarter_is_listed_once_all_the_same(district: Connection) -> None:
    await due_store.add_by_rules(district, today=DAY, now=NOW)
    assert await due_store.add_by_rules(district, today=date(2026, 4, 1), now=NOW) == 0


async def test_findings_move_what_is_listed_and_leave_what_was_promised(district: Connection) -> None:
    check = due("home-1", kind=Kind.TWO_WEEK_CHECK)
    for days in (5, 9):
        moved = check.model_copy(update={"due_on": DAY + timedelta(days=days)})
        await due_store.move_or_add(district, moved, by="li", now=NOW)
    assert await rows(district, "SELECT due_on, source FROM due_visit") == [{"due_on": DAY + timedelta(days=9), "source": "findings"}]
    await district.execute("UPDATE due_visit SET promised_at = %s, promised_doctor_id = 'doctor-li'", [MORNING])
    await due_store.move_or_add(district, check.model_copy(update={"due_on": DAY + timedelta(days=12)}), by="li", now=NOW)
    assert await one(district, "SELECT due_on FROM due_visit") == {"due_on": DAY + timedelta(days=9)}


async def test_an_unknown_elder_is_refused(district: Connection) -> None:
    with pytest.raises(BadInput, match="nobody"):
        async with district.transaction():
            await add(district, due("nobody"))
