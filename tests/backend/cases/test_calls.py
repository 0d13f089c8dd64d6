"""The contact plan: whom to call next, and that every try is one row with its seconds."""

from typing import Any

import pytest

from backend.cases import calls
from backend.cases.calls import Person, Result
from backend.db.pool import Connection
from backend.errors import IllegalMove, NotFound
from tests.backend.cases.calls import bring
from tests.backend.street import NOW, one, seconds

ELDER, DAUGHTER, NEIGHBOUR = (
    Person("elder", "王秀英", "", "1"),
    Person("contact:1", "王芳", "女儿", "2"),
    Person("contact:2", "老陈", "邻居", "3"),
)
PLAN = [ELDER, DAUGHTER, NEIGHBOUR]


def tried(*results: tuple[Person, Result]) -> list[dict[str, Any]]:
    return [{"person": person.id, "result": result} for person, result in results]


@pytest.mark.parametrize(
    ("tries", "expected"),
    [
        ([], ELDER),
        (tried((ELDER, Result.NO_ANSWER)), DAUGHTER),
        (tried((ELDER, Result.NO_ANSWER), (DAUGHTER, Result.BUSY)), NEIGHBOUR),
        (tried((ELDER, Result.NO_ANSWER), (DAUGHTER, Result.BUSY), (NEIGHBOUR, Result.NO_ANSWER)), ELDER),
        (tried((ELDER, Result.NO_ANSWER), (DAUGHTER, Result.WRONG_NUMBER), (NEIGHBOUR, Result.NO_ANSWER), (ELDER, Result.BUSY)), NEIGHBOUR),
        (tried((ELDER, Result.NO_ANSWER), (DAUGHTER, Result.REACHED)), None),
        (tried((ELDER, Result.REFUSED), (DAUGHTER, Result.REFUSED), (NEIGHBOUR, Result.WRONG_NUMBER)), None),
    ],
)
def test_the_elder_first_then_one_after_the_other_then_again(tries: list[dict[str, Any]], expected: Person | None) -> None:
    assert calls.next_person(PLAN, tries) == expected


@pytest.mark.store
async def test_the_plan_is_the_elder_and_the_contacts_in_their_order(street: Connection) -> None:
    await street.execute("UPDATE elder SET phone = '13800000000' WHERE id = 'elder-1'")
    assert [person.name for person in await calls.plan(street, "elder-1")] == ["王秀英", "王芳", "邻居老陈"]
    assert [person.id for person in await calls.plan(street, "elder-2")] == [], "no telephone, no contacts"
    assert await calls.plan(street, None) == []


@pytest.mark.store
async def test_a_call_has_its_begin_its_end_and_its_result(street: Connection) -> None:
    case_id = await bring(street)
    call_id = await calls.begin(street, case_id, DAUGHTER, by="wang", now=NOW)
    with pytest.raises(IllegalMove, match="no result yet"):
        await calls.begin(street, case_id, NEIGHBOUR, by="liu", now=NOW)
    await calls.end(street, case_id, call_id, result=Result.NO_ANSWER, now=NOW + seconds(31))
    assert await one(street, "SELECT person, called_at, ended_at, result FROM contact_try") == {
        "person": "contact:1", "called_at": NOW, "ended_at": NOW + seconds(31), "result": "no_answer",
    }  # fmt: skip
    with pytest.raises(NotFound):
        await calls.end(street, case_id, call_id, result=Result.REACHED, now=NOW)
