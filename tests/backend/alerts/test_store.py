"""Alerts in the database: one open per elder and rule, and a timeline that nobody edits."""

from datetime import datetime
from typing import Any

import psycopg
import pytest

from backend.alerts import store as alerts
from backend.alerts.lifecycle import Action, Condition, State
from backend.alerts.model import Subject
from backend.cases.lifecycle import Disposition
from backend.db.pool import Connection, Pool
from backend.errors import IllegalMove, NotFound
from contract.events import EventKind
from tests.backend.street import NOW, at_once, event, letter, one, rows, seconds, settle, write

WANG = Subject("elder-1", "gw-1")


async def open_alert(conn: Connection, subject: Subject = WANG, *, at: datetime = NOW, now: datetime = NOW) -> int:
    opened = await try_to_open(conn, subject, at=at, now=now)
    assert opened is not None
    return opened


async def try_to_open(conn: Connection, subject: Subject = WANG, *, at: datetime = NOW, now: datetime = NOW) -> int | None:
    evidence: dict[str, Any] = {"devices": ["wearable-1"]}
    async with conn.transaction():
        return await alerts.open_alert(
            conn, subject, rule_id="sos", rule_version=1, priority="high", level="emergency", at=at, now=now, evidence=evidence
        )


async def close(conn: Connection, alert_id: int, *, by: str = "wang", now: datetime = NOW) -> None:
    await alerts.close(conn, alert_id, by=by, disposition=Disposition.FALSE, text="", now=now)


async def test_a_closed_alert_cannot_be_closed_again_and_one_that_never_was_is_not_found(street: Connection) -> None:
    alert_id = await open_alert(street)
    await close(street, alert_id)
    with pytest.raises(IllegalMove, match=f"alert {alert_id} is closed"):
        await close(street, alert_id)
    with pytest.raises(NotFound, match="there is no alert 4711"):
        await close(street, 4711)


@pytest.mark.parametrize("change", ["UPDATE alert_step SET by = 'nobody'", "DELETE FROM alert_step"])
async def test_the_timeline_cannot_be_changed(street: Connection, change: str) -> None:
    await open_alert(street)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="rows of alert_step are never changed or deleted"):
        await street.execute(change.encode())


async def test_an_alert_opens_once_per_elder_and_rule(street: Connection) -> None:
    await open_alert(street)
    assert await try_to_open(street) is None
    assert await try_to_open(street, Subject("elder-1", "gw-9")) is None, "the elder counts, not the gateway"


async def test_a_closed_alert_makes_room_for_the_next(street: Connection) -> None:
    await close(street, await open_alert(street))
    await open_alert(street)
    assert len(await rows(street, "SELECT id FROM alert")) == 2


async def test_homes_without_an_elder_have_alerts_of_their_own(street: Connection) -> None:
    for gateway_id in ("gw-8", "gw-9"):
        await street.execute("INSERT INTO gateway (id) VALUES (%(id)s)", {"id": gateway_id})
        await open_alert(street, Subject(None, gateway_id))
        assert await try_to_open(street, Subject(None, gateway_id)) is None
    assert len(await rows(street, "SELECT id FROM alert")) == 2


async def test_twenty_presses_in_twenty_transactions_at_once_are_one_alert_counted_twenty_times(pool: Pool) -> None:
    async def press(conn: Connection, number: int) -> None:
        await write(conn, letter(event(EventKind.SOS, sequence=number + 1, at=NOW + seconds(number)), "gw-1" if number % 2 else "gw-3"))

    async with pool.connection() as conn:
        await settle(conn)
        await conn.execute("INSERT INTO gateway (id, elder_id) VALUES ('gw-3', 'elder-1')")
    await at_once(pool, 20, press)
    async with pool.connection() as conn:
        assert await rows(conn, "SELECT count, state FROM alert") == [{"count": 20, "state": "new"}]
        assert len(await rows(conn, "SELECT id FROM event WHERE alert_id IS NOT NULL")) == 20
        assert len(await rows(conn, "SELECT id FROM notification")) == 1


async def test_an_event_is_not_lost_when_its_alert_is_closed_at_the_same_moment(pool: Pool) -> None:
    async with pool.connection() as conn:
        await settle(conn)
        await write(conn, letter(event(EventKind.SOS, sequence=1)))

    async def press_or_hang_up(conn: Connection, side: int) -> None:
        for number in range(2, 12):
            if side == 0:
                await write(conn, letter(event(EventKind.SOS, sequence=number, at=NOW + seconds(number))))
            for row in await rows(conn, "SELECT id FROM alert WHERE state <> 'closed'") if side == 1 else []:
                async with conn.transaction():
                    await close(conn, row["id"])

    await at_once(pool, 2, press_or_hang_up)
    async with pool.connection() as conn:
        assert (await one(conn, "SELECT sum(count) AS n FROM alert WHERE rule_id = 'sos'"))["n"] == 11
        assert await rows(conn, "SELECT id FROM alert WHERE rule_id = 'rule_failed'") == []


async def test_every_change_raises_the_version(street: Connection) -> None:
    alert_id = await open_alert(street)
    await alerts.touch(street, alert_id, now=NOW)
    await close(street, alert_id)
    await alerts.change(street, alert_id, condition=Condition.RECOVERED, action=Action.RECOVERED, at=NOW, now=NOW + seconds(5))
    assert await one(street, "SELECT version, changed_at FROM alert") == {"version": 4, "changed_at": NOW + seconds(5)}


async def test_a_change_keeps_what_it_does_not_name(street: Connection) -> None:
    alert_id = await open_alert(street)
    await alerts.change(
        street, alert_id, condition=Condition.ACTIVE, action=Action.REPEATED, at=NOW, now=NOW, repeats=2, evidence={"value": 86}
    )
    kept = await one(street, "SELECT priority, level, count, evidence FROM alert")
    assert kept == {"priority": "high", "level": "emergency", "count": 3, "evidence": {"devices": ["wearable-1"], "value": 86}}


async def test_the_newest_judgement_never_goes_back(street: Connection) -> None:
    alert_id = await open_alert(street)
    for at in (NOW + seconds(30), NOW + seconds(10)):
        await alerts.change(street, alert_id, condition=Condition.ACTIVE, action=Action.REPEATED, at=at, now=NOW + seconds(60))
    assert (await one(street, "SELECT last_at FROM alert"))["last_at"] == NOW + seconds(30)


async def test_a_clock_that_is_ahead_does_not_make_an_alert_deaf(street: Connection) -> None:
    alert_id = await open_alert(street, at=NOW + seconds(86_400))
    assert await one(street, "SELECT opened_at, last_at FROM alert") == {"opened_at": NOW + seconds(86_400), "last_at": NOW}
    await alerts.change(street, alert_id, condition=Condition.ACTIVE, action=Action.REPEATED, at=NOW + seconds(86_400), now=NOW)
    assert (await one(street, "SELECT last_at FROM alert"))["last_at"] == NOW


async def test_only_what_a_person_closed_counts_as_closed(street: Connection) -> None:
    await close(street, await open_alert(street), by="wang", now=NOW)
    await close(street, await open_alert(street), by=alerts.SYSTEM, now=NOW + seconds(60))
    assert await alerts.last_closed(street, WANG, "sos") == ("emergency", NOW)
    assert await alerts.last_closed(street, Subject("elder-2", "gw-2"), "sos") is None


async def test_whether_a_person_closed_it_is_asked_of_an_index(street: Connection) -> None:
    await street.execute("SET enable_seqscan = off")
    plan = await street.execute(b"EXPLAIN " + alerts.LAST_CLOSED.encode(), {"subject": "elder-1", "rule_id": "sos"})
    assert "alert_by_closing" in str(await plan.fetchall())


async def test_an_open_alert_is_found_with_all_that_a_judgement_needs(street: Connection) -> None:
    assert await alerts.find_open(street, WANG, "sos") is None
    await open_alert(street)
    alert = await alerts.find_open(street, WANG, "sos")
    assert alert is not None
    assert (alert.rule_id, alert.priority, alert.state, alert.condition) == ("sos", "high", State.OPEN, Condition.ACTIVE)
    assert await alerts.open_of_rule(street, "sos") == {WANG: Condition.ACTIVE}


@pytest.mark.parametrize(("kind", "elder_id"), [(EventKind.SOS, "elder-1"), (EventKind.DEVICE_LOST, None)])
async def test_the_caller_is_the_elder_whose_event_it_was(street: Connection, kind: EventKind, elder_id: str | None) -> None:
    await write(street, letter(event(kind)))
    case_id = (await one(street, "SELECT id FROM care_case"))["id"]
    assert await alerts.caller(street, case_id, [EventKind.SOS, EventKind.FALL]) == elder_id
