"""What rests: no call, no queue, no steps while it does; back by itself when it is over; and calls for help never rest."""

from datetime import timedelta
from typing import Any

import pytest

from backend.cases import rest
from backend.cases import store as cases
from backend.db.pool import Connection
from backend.errors import BadInput
from contract.events import EventKind
from tests.backend.cases.calls import bring
from tests.backend.street import NOW, event, letter, one, rows, seconds, write

pytestmark = pytest.mark.store


async def shelve(conn: Connection, *, kind: str = "shelved", rule_id: str | None = "spo2_low", hours: float = 8, **more: Any) -> int:
    ends_at = NOW + timedelta(hours=hours)
    rest_id = await rest.add(
        conn, subject="elder-1", kind=kind, rule_id=rule_id, reason="探头松", by="wang", now=NOW, ends_at=ends_at, **more
    )
    for case_id in await rest.open_cases(conn, "elder-1"):
        await cases.look_again(conn, case_id, now=NOW)
    return rest_id


async def case(conn: Connection) -> dict[str, Any]:
    return await one(conn, "SELECT state, next_step, next_at, rests_until, waiting_since FROM care_case")


async def test_a_shelved_rule_opens_a_case_that_rests_and_comes_back_by_its_own_timer(street: Connection) -> None:
    await shelve(street)
    await bring(street, "spo2_low", "high", at=NOW + seconds(60))
    until = NOW + timedelta(hours=8)
    resting = {"state": "new", "next_step": "rearm", "next_at": until, "rests_until": until}
    assert {name: (await case(street))[name] for name in resting} == resting
    assert await cases.escalate_due(street, now=until - seconds(1)) is None
    done = await cases.escalate_due(street, now=until)
    assert done is not None and done.step == "rearm"
    assert await case(street) == {
        "state": "new", "next_step": "second", "next_at": until + seconds(60), "rests_until": None, "waiting_since": until,
    }  # fmt: skip
    assert [row["action"] for row in await rows(street, "SELECT action FROM case_step ORDER BY id")] == ["opened", "rested", "rearmed"]


async def test_an_open_case_rests_when_its_rule_is_shelved_and_wakes_when_that_is_ended(street: Connection) -> None:
    await bring(street, "spo2_low")
    rest_id = await shelve(street)
    assert (await case(street))["next_step"] == "rearm"
    await rest.end(street, rest_id, by="liu", now=NOW + seconds(30))
    for case_id in await rest.open_cases(street, "elder-1"):
        await cases.look_again(street, case_id, now=NOW + seconds(30))
    assert (await case(street))["next_at"] == NOW + seconds(90)
    assert await one(street, "SELECT ended_at, ended_by FROM rest") == {"ended_at": NOW + seconds(30), "ended_by": "liu"}


async def test_a_press_rings_whoever_is_away_and_wakes_what_rests_with_it(street: Connection) -> None:
    await shelve(street, kind="away", rule_id=None, hours=48)
    await bring(street, "spo2_low", "medium", at=NOW + seconds(10))
    assert (await case(street))["rests_until"] is not None
    await write(street, letter(event(EventKind.SOS, at=NOW + seconds(20))), now=NOW + seconds(20))
    woken = await case(street)
    assert (woken["rests_until"], woken["waiting_since"], woken["next_step"]) == (None, NOW + seconds(20), "second")
    assert len(await rows(street, "SELECT id FROM notification")) == 1


async def test_while_it_rests_nobody_is_told_and_no_doctor_asked(street: Connection) -> None:
    await shelve(street, kind="hospital", rule_id=None, hours=48)
    alert = "SELECT id FROM alert"
    await bring(street, "spo2_low", "high")
    assert await cases.rests(street, (await one(street, alert))["id"])


async def test_the_rules_know_who_is_away_until_when(street: Connection) -> None:
    rest_id = await shelve(street, kind="away", rule_id=None, hours=48)
    away = "SELECT elder_id, until_at FROM away"
    assert await one(street, away) == {"elder_id": "elder-1", "until_at": NOW + timedelta(hours=48)}
    await rest.end(street, rest_id, by="liu", now=NOW + seconds(600))
    assert await one(street, away) == {"elder_id": "elder-1", "until_at": NOW + seconds(600)}


async def test_another_device_of_a_shelved_one_rings(street: Connection) -> None:
    await shelve(street, device_id="oximeter-9")
    await bring(street, "spo2_low")
    assert (await case(street))["rests_until"] is None


async def test_maintenance_is_for_technical_trouble(street: Connection) -> None:
    await shelve(street, kind="maintenance", rule_id=None, hours=24)
    await bring(street, "device_lost", "technical")
    assert (await case(street))["rests_until"] is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rule_id": "sos"}, "never shelved"),
        ({"rule_id": "fall"}, "never shelved"),
        ({"hours": 25}, "within the next 1 days"),
        ({"hours": -1}, "within the next"),
        ({"rule_id": None}, "which rule"),
        ({"kind": "away", "rule_id": None, "hours": 24 * 91}, "within the next 90 days"),
    ],
)
async def test_what_must_not_rest_is_refused(street: Connection, change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        await shelve(street, **change)
