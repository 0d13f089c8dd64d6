"""Shifts: who is reached by which step, and that a shift's end leaves no case behind."""

from datetime import timedelta

import pytest

from backend.cases import duty
from backend.cases import store as cases
from backend.db.pool import Connection
from backend.errors import BadInput, NotFound
from tests.backend.cases.calls import bring
from tests.backend.street import NOW, one, rows, seconds

ON = {"desk": ["wang", "liu"], "second": ["zhou"], "supervisor": ["chen"], "on_call": ["he"]}
ACCOUNTS = """
INSERT INTO account (name, role, title, password_hash) VALUES
    ('wang', 'operator', '王芳', ''), ('liu', 'operator', '刘洋', ''), ('chen', 'operator', '陈值班长', ''), ('root', 'admin', '管理员', '')
"""


@pytest.mark.parametrize(
    ("tells", "asked", "told"),
    [
        (("second", "supervisor"), (), ["zhou", "chen"]),
        (("second", "supervisor"), ("zhou",), ["wang", "chen"]),
        (("second",), ("zhou", "wang", "liu"), ["zhou"]),
        (("supervisor", "on_call"), ("chen",), ["chen", "he"]),
        (("holder", "supervisor"), (), ["liu", "chen"]),
    ],
)
def test_a_step_reaches_those_whom_its_rung_names(tells: tuple[str, ...], asked: tuple[str, ...], told: list[str]) -> None:
    assert duty.people(ON, tells, holder="liu", asked=asked) == told


async def plan(conn: Connection) -> None:
    await conn.execute(ACCOUNTS)
    for name, part in (("wang", "desk"), ("liu", "second"), ("chen", "supervisor")):
        await duty.add(conn, name=name, part=part, starts_at=NOW - seconds(3600), ends_at=NOW + seconds(3600))


@pytest.mark.store
async def test_a_call_that_nobody_takes_climbs_and_each_step_is_written_once(street: Connection) -> None:
    await plan(street)
    await bring(street)
    for at in (59, 60, 61, 179, 180, 181):
        async with street.transaction():
            await cases.escalate_due(street, now=NOW + seconds(at))
    steps = await rows(street, "SELECT at, detail FROM case_step WHERE action = 'escalated' ORDER BY id")
    assert [((row["at"] - NOW).total_seconds(), row["detail"]["step"], row["detail"]["told"]) for row in steps] == [
        (60, "second", ["liu", "chen"]),
        (180, "investigate", ["chen"]),
    ]
    assert await one(street, "SELECT flagged_at, asked FROM care_case") == {"flagged_at": NOW + seconds(180), "asked": ["chen", "liu"]}


@pytest.mark.store
async def test_a_case_that_is_taken_climbs_no_further(street: Connection) -> None:
    await plan(street)
    case_id = await bring(street)
    await cases.take(street, case_id, by="wang", now=NOW + seconds(59))
    assert await cases.escalate_due(street, now=NOW + seconds(70)) is None
    await cases.begin(street, case_id, by="wang", now=NOW + seconds(90))
    done = await cases.escalate_due(street, now=NOW + seconds(90 + 45 * 60))
    assert done is not None and (done.step, done.told) == ("attend", ["wang", "chen"])


@pytest.mark.store
async def test_where_nobody_is_on_duty_the_administrators_hear(street: Connection) -> None:
    await street.execute(ACCOUNTS)
    await bring(street)
    done = await cases.escalate_due(street, now=NOW + seconds(60))
    assert done is not None and done.told == ["root"]


@pytest.mark.store
async def test_a_hand_over_moves_every_case_and_waits_to_be_read(street: Connection) -> None:
    await plan(street)
    case_id = await bring(street)
    await cases.take(street, case_id, by="wang", now=NOW)
    assert await duty.hand_over(street, from_name="wang", to_name="liu", note="王秀英：女儿在路上", now=NOW + seconds(60)) == [case_id]
    assert (await one(street, "SELECT taken_by FROM care_case"))["taken_by"] == "liu"
    assert (await rows(street, "SELECT action FROM case_step ORDER BY id"))[-1] == {"action": "handed_over"}
    assert await duty.unread(street, "liu") == 1
    note_id = (await duty.notes(street, "liu"))[0]["id"]
    with pytest.raises(NotFound):
        await duty.read(street, note_id, name="wang", now=NOW)
    await duty.read(street, note_id, name="liu", now=NOW + seconds(90))
    assert await duty.unread(street, "liu") == 0


@pytest.mark.store
async def test_a_shift_ends_after_it_begins_and_within_a_day(street: Connection) -> None:
    await street.execute(ACCOUNTS)
    for hours in (0, -1, 25):
        with pytest.raises(BadInput):
            await duty.add(street, name="wang", part="desk", starts_at=NOW, ends_at=NOW + timedelta(hours=hours))
