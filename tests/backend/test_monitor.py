"""The story, rule by rule: what opens an alert, what makes it louder, what it is deaf to, and what happens when a rule breaks."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
import pytest

from backend import monitor
from backend.alerts import store as alerts
from backend.alerts.model import Subject
from backend.cases.lifecycle import Disposition
from backend.db.pool import TRANSIENT, Connection, Pool
from backend.ingest import writer
from backend.rules import store as rules
from backend.rules.kinds import RULE, AnyRule
from contract.events import EventKind
from contract.quantities import QuantityName
from contract.readings import Series
from tests.backend.street import NOW, batch, event, letter, one, rows, seconds, write

MINUTE = 60
HEART_RATE = QuantityName.HEART_RATE


def threshold(levels: list[dict[str, Any]], clear: dict[str, Any], **timing: float) -> AnyRule:
    """A rule on the heart rate in place of the shipped ones."""
    names = {"id": "heart_rate_high", "kind": "threshold", "title": {"zh": "心率", "en": "Heart rate"}, "source": "a test"}
    return RULE.validate_python(names | {"quantity": HEART_RATE, "levels": levels, "clear": clear, "timing": timing})


async def use(conn: Connection, rule: AnyRule) -> None:
    async with conn.transaction():
        await rules.save(conn, [rule], by="test")


class Home:
    """Sends one value after the other, each as its own batch; a value is known the moment it is measured unless told otherwise."""

    def __init__(self, conn: Connection, quantity: QuantityName = QuantityName.SPO2) -> None:
        self._conn = conn
        self._quantity = quantity
        self._next = 1

    async def send(
        self, values: Sequence[float], at: datetime, *, known_at: datetime | None = None, every_s: float = 10, is_history: bool = False
    ) -> None:
        message = batch(values, first=self._next, start_at=at, every_s=every_s, quantity=self._quantity, is_history=is_history)
        self._next += len(values)
        await write(self._conn, letter(message), now=known_at or at + seconds(every_s * (len(values) - 1)))


async def alert(conn: Connection) -> dict[str, Any]:
    return await one(conn, "SELECT state, condition, level, priority, count FROM alert WHERE state <> 'closed'")


async def close(conn: Connection, at: datetime, by: str = "wang") -> None:
    row = await one(conn, "SELECT id FROM alert WHERE state <> 'closed'")
    async with conn.transaction():
        await alerts.close(conn, row["id"], by=by, disposition=Disposition.FALSE, text="", now=at)


async def steps(conn: Connection) -> list[str]:
    return [row["action"] for row in await rows(conn, "SELECT action FROM alert_step ORDER BY id")]


# -- levels ------------------------------------------------------------------------------------------------------------------------------


async def test_a_worse_level_raises_the_alert_and_tells_the_contacts(street: Connection) -> None:
    home = Home(street)
    await home.send([91] * 13, NOW)
    assert await alert(street) == {"state": "new", "condition": "active", "level": "attention", "priority": "medium", "count": 1}
    assert await rows(street, "SELECT id FROM notification") == []
    await home.send([86] * 7, NOW + seconds(130))
    assert await alert(street) == {"state": "new", "condition": "active", "level": "urgent", "priority": "high", "count": 1}
    assert [row["step"] for row in await rows(street, "SELECT step FROM notification")] == ["raised:urgent"]
    assert await steps(street) == ["opened", "raised"]


async def test_a_raised_level_that_asks_for_a_visit_gets_one(street: Connection) -> None:
    mild, grave = {"name": "attention", "priority": "medium", "above": 100}, {"name": "urgent", "priority": "high", "above": 120}
    await use(street, threshold([mild, grave | {"visit": "urgent"}], {"below": 90}))
    home = Home(street, HEART_RATE)
    await home.send([110], NOW)
    assert await rows(street, "SELECT id FROM visit") == []
    await home.send([130], NOW + seconds(10))
    assert (await one(street, "SELECT class FROM visit"))["class"] == "urgent"


async def test_a_level_is_never_lowered_by_itself(street: Connection) -> None:
    """Kapacitor's values 61 73 64 85 62 56 47 (pipeline/alert.go): it says INFO again at 62 after CRIT; we keep the gravest until CLEAR."""
    levels = [("attention", 60), ("urgent", 70), ("emergency", 80)]
    await use(street, threshold([{"name": name, "priority": "high", "above": limit} for name, limit in levels], {"below": 50}))
    home, seen = Home(street, HEART_RATE), []
    for step, value in enumerate([61, 73, 64, 85, 62, 56, 47]):
        await home.send([value], NOW + seconds(10 * step))
        seen.append((value, (await alert(street))["level"], (await alert(street))["condition"]))
    assert seen == [
        (61, "attention", "active"),
        (73, "urgent", "active"),
        (64, "urgent", "active"),
        (85, "emergency", "active"),
        (62, "emergency", "active"),
        (56, "emergency", "active"),
        (47, "emergency", "recovered"),
    ]


async def test_an_alert_lives_on_when_a_new_version_drops_its_level(street: Connection) -> None:
    levels = [{"name": "attention", "priority": "technical", "above": 100}, {"name": "urgent", "priority": "high", "above": 120}]
    await use(street, threshold(levels, {"below": 90}))
    home = Home(street, HEART_RATE)
    await home.send([110], NOW)
    await use(street, threshold(levels[1:], {"below": 90}))
    await home.send([130], NOW + seconds(10))
    assert (await alert(street))["level"] == "urgent"
    assert await rows(street, "SELECT id FROM alert WHERE rule_id = 'rule_failed'") == []


@pytest.mark.parametrize(
    ("quantity", "fires", "just_not"),
    [
        (QuantityName.GLUCOSE, 3.9, 4.0),
        (QuantityName.GLUCOSE, 16.7, 16.6),
        (QuantityName.BODY_TEMPERATURE, 39.1, 39.0),
        (QuantityName.BODY_TEMPERATURE, 35.0, 35.1),
        (QuantityName.SYSTOLIC, 180, 179),
        (QuantityName.DIASTOLIC, 110, 109),
    ],
)
async def test_equality_at_a_limit_survives_the_database(street: Connection, quantity: QuantityName, fires: float, just_not: float) -> None:
    home = Home(street, quantity)
    await home.send([just_not], NOW)
    assert await rows(street, "SELECT id FROM alert WHERE rule_id NOT LIKE '%target'") == []
    await home.send([fires], NOW + seconds(10))
    assert len(await rows(street, "SELECT id FROM alert WHERE rule_id NOT LIKE '%target'")) == 1


# -- one alert, not many -----------------------------------------------------------------------------------------------------------------


async def test_a_value_that_crosses_its_limit_twenty_times_a_minute_is_one_alert(street: Connection) -> None:
    await use(street, threshold([{"name": "urgent", "priority": "high", "above": 100}], {"at_most": 100, "hold_s": 60}))
    home = Home(street, HEART_RATE)
    for step in range(40):
        await home.send([101 if step % 2 else 99], NOW + seconds(1.5 * step))
    assert await alert(street) == {"state": "new", "condition": "active", "level": "urgent", "priority": "high", "count": 1}
    assert len(await rows(street, "SELECT id FROM notification")) == 1


async def test_a_return_of_what_had_recovered_is_counted_in_the_same_alert(street: Connection) -> None:
    home = Home(street)
    await home.send([86] * 7 + [96] * 7 + [86] * 7, NOW)
    assert await alert(street) == {"state": "new", "condition": "active", "level": "urgent", "priority": "high", "count": 2}
    assert await steps(street) == ["opened", "recovered", "repeated"]


async def test_minima_and_maxima_are_for_people_and_alarm_nobody(street: Connection) -> None:
    message = batch([130] * 20, quantity=HEART_RATE)
    shown = [Series(**(series.model_dump() | {"statistic": "max"})) for series in message.series]
    await write(street, letter(message.model_copy(update={"series": shown})))
    assert await rows(street, "SELECT id FROM alert") == []


# -- after a person has closed it --------------------------------------------------------------------------------------------------------


async def test_what_a_person_has_just_closed_does_not_come_back_for_a_while(street: Connection) -> None:
    home = Home(street)
    await home.send([86] * 7, NOW)
    await close(street, NOW + seconds(60))
    for minute in range(1, 16):
        await home.send([86] * 6, NOW + seconds(MINUTE * minute + 10))
    assert await rows(street, "SELECT id FROM alert WHERE state <> 'closed'") == []
    await home.send([86] * 6, NOW + seconds(MINUTE * 16 + 10))
    assert (await one(street, "SELECT opened_at FROM alert WHERE state <> 'closed'"))["opened_at"] == NOW + seconds(970)


async def test_something_worse_than_what_was_closed_comes_at_once(street: Connection) -> None:
    home = Home(street)
    await home.send([91] * 13, NOW)
    await close(street, NOW + seconds(120))
    await home.send([86] * 7, NOW + seconds(130))
    assert (await alert(street))["level"] == "urgent"


async def test_what_the_system_closed_may_come_back_at_once(street: Connection) -> None:
    for number in range(2):
        await write(street, letter(event(EventKind.DEVICE_LOST, sequence=2 * number + 1, at=NOW + seconds(20 * number))))
        await write(street, letter(event(EventKind.DEVICE_FOUND, sequence=2 * number + 2, at=NOW + seconds(20 * number + 10))))
    assert [row["closed_by"] for row in await rows(street, "SELECT closed_by FROM alert")] == ["system", "system"]


async def test_a_press_after_a_press_was_closed_is_a_new_alert_at_once(street: Connection) -> None:
    await write(street, letter(event(EventKind.SOS, sequence=1)))
    await close(street, NOW + seconds(1))
    await write(street, letter(event(EventKind.SOS, sequence=2, at=NOW + seconds(2))))
    assert len(await rows(street, "SELECT id FROM alert")) == 2
    assert len(await rows(street, "SELECT id FROM notification")) == 2


# -- late and wrong times ----------------------------------------------------------------------------------------------------------------


async def test_what_was_known_late_and_goes_on_now_is_as_loud_as_if_it_were_new(street: Connection) -> None:
    home, back = Home(street), NOW + seconds(7200)
    await home.send([86] * 7, NOW, known_at=back)
    assert (await alert(street))["priority"] == "low"
    await home.send([86] * 7, back, known_at=back + seconds(60))
    assert (await alert(street))["priority"] == "high"
    assert [row["step"] for row in await rows(street, "SELECT step FROM notification")] == ["raised:urgent"]
    await home.send([86] * 7, back + seconds(70))
    assert await steps(street) == ["opened", "raised"], "once, and not with every batch"


async def test_what_was_known_late_and_was_worse_later_still_pages_nobody(street: Connection) -> None:
    home, back = Home(street), NOW + seconds(7200)
    await home.send([91] * 13, NOW, known_at=back)
    await home.send([86] * 7, NOW + seconds(130), known_at=back)
    assert await alert(street) == {"state": "new", "condition": "active", "level": "urgent", "priority": "low", "count": 1}
    assert await rows(street, "SELECT id FROM notification") == []


async def test_a_backlog_that_ends_well_leaves_one_quiet_alert_that_has_recovered(street: Connection) -> None:
    home, back = Home(street), NOW + seconds(7200)
    await home.send([86] * 7 + [97] * 7, NOW, known_at=back)
    await home.send([97] * 7, back)
    assert await alert(street) == {"state": "new", "condition": "recovered", "level": "urgent", "priority": "low", "count": 1}


async def test_what_a_device_had_stored_is_told_quietly_however_young_and_what_follows_is_loud(street: Connection) -> None:
    home = Home(street, QuantityName.GLUCOSE)
    await home.send([17], NOW, is_history=True)
    assert await alert(street) == {"state": "new", "condition": "active", "level": "urgent", "priority": "low", "count": 1}
    assert await rows(street, "SELECT id FROM notification UNION SELECT id FROM visit") == []
    assert await one(street, "SELECT evidence -> 'late' AS late FROM alert") == {"late": True}
    assert await one(street, "SELECT value FROM reading") == {"value": 17}
    await home.send([17], NOW + seconds(60))
    assert (await alert(street))["priority"] == "high"


async def test_a_late_reading_can_complete_a_breach(street: Connection) -> None:
    home = Home(street)
    await home.send([86] * 3, NOW)
    await home.send([86] * 2, NOW + seconds(70))
    assert await rows(street, "SELECT id FROM alert") == []
    await home.send([86] * 4, NOW + seconds(30), known_at=NOW + seconds(90))
    assert [row["opened_at"] for row in await rows(street, "SELECT opened_at FROM alert")] == [NOW + seconds(60)]


async def test_an_old_reading_does_not_undo_what_is_known_since(street: Connection) -> None:
    home = Home(street)
    await home.send([86] * 7, NOW)
    await home.send([97] * 10, NOW - seconds(600), known_at=NOW + seconds(70))
    assert (await alert(street))["condition"] == "active"


async def test_after_a_clock_was_ahead_a_worse_value_is_still_heard(street: Connection) -> None:
    home = Home(street)
    await home.send([91] * 13, NOW + seconds(86_400), known_at=NOW)
    await home.send([86] * 7, NOW + seconds(10))
    assert (await alert(street))["level"] == "urgent"


# -- events ------------------------------------------------------------------------------------------------------------------------------


async def test_a_press_that_is_newer_than_the_cancelling_of_another_stands(street: Connection) -> None:
    await write(street, letter(event(EventKind.SOS, sequence=1)))
    await write(street, letter(event(EventKind.SOS, sequence=3, at=NOW + seconds(8))), now=NOW + seconds(8))
    await write(street, letter(event(EventKind.SOS_CANCELLED, sequence=2, at=NOW + seconds(5))), now=NOW + seconds(9))
    assert (await alert(street))["condition"] == "active"


async def test_only_the_device_that_called_can_take_it_back(street: Connection) -> None:
    await write(street, letter(event(EventKind.FALL, sequence=1, device="wearable-1")))
    await write(street, letter(event(EventKind.FALL_CANCELLED, sequence=2, device="wearable-2", at=NOW + seconds(5))))
    assert (await alert(street))["condition"] == "active"


async def test_a_fall_after_a_cancelled_fall_is_active_again(street: Connection) -> None:
    for sequence, kind in enumerate((EventKind.FALL, EventKind.FALL_CANCELLED, EventKind.FALL), start=1):
        await write(street, letter(event(kind, sequence=sequence, at=NOW + seconds(sequence))), now=NOW + seconds(sequence))
    assert await alert(street) == {"state": "new", "condition": "active", "level": "emergency", "priority": "high", "count": 2}


@pytest.mark.parametrize(("offset_s", "is_off"), [(40, False), (40.001, True), (-20, False), (-20.001, True)])
async def test_a_clock_may_be_forty_seconds_behind_and_twenty_ahead(street: Connection, offset_s: float, is_off: bool) -> None:
    judged = monitor.Monitor(street, await rules.load(street), NOW)
    async with street.transaction():
        await judged.on_clock(Subject("elder-1", "gw-1"), seconds(offset_s))
    assert bool(await rows(street, "SELECT id FROM alert")) == is_off


async def test_when_an_operator_takes_a_press_the_home_hears_it(street: Connection) -> None:
    await street.execute("UPDATE gateway SET online = true")
    await write(street, letter(event(EventKind.SOS)))
    async with street.transaction():
        await monitor.on_taken(street, (await one(street, "SELECT case_id FROM alert"))["case_id"], now=NOW)
    command = await one(street, "SELECT gateway_id, body ->> 'kind' AS kind, until FROM command")
    assert command == {"gateway_id": "gw-1", "kind": "speak", "until": NOW + seconds(60)}


# -- a rule that breaks ------------------------------------------------------------------------------------------------------------------


async def test_a_rule_that_breaks_is_reported_once_and_not_with_every_reading(street: Connection, caplog: pytest.LogCaptureFixture) -> None:
    await street.execute("ALTER TABLE notification ADD CONSTRAINT nothing_goes CHECK (false)")
    with caplog.at_level(logging.ERROR):
        for sequence in range(1, 4):
            await write(street, letter(event(EventKind.FALL, sequence=sequence, at=NOW + seconds(sequence))))
    failed = await one(street, "SELECT rule_id, state, priority, count, evidence ->> 'detail' AS broken FROM alert")
    assert failed == {"rule_id": "rule_failed", "state": "new", "priority": "technical", "count": 1, "broken": "fall"}
    assert len(await rows(street, "SELECT id FROM event")) == 3
    assert caplog.text.count("rule fall failed") == 3


async def test_a_broken_rule_does_not_keep_the_others_from_working(street: Connection) -> None:
    await street.execute("ALTER TABLE visit ADD CONSTRAINT nobody_goes CHECK (false)")
    await write(street, letter(event(EventKind.FALL, sequence=1)), letter(event(EventKind.SOS, sequence=2)))
    assert sorted(row["rule_id"] for row in await rows(street, "SELECT rule_id FROM alert")) == ["rule_failed", "sos"]


async def test_when_even_the_report_of_a_broken_rule_breaks_readings_are_stored(street: Connection) -> None:
    await street.execute("ALTER TABLE alert ADD CONSTRAINT no_alert CHECK (false)")
    await write(street, letter(event(EventKind.FALL, sequence=1)), letter(batch([97], first=2)))
    assert len(await rows(street, "SELECT id FROM event")) == len(await rows(street, "SELECT value FROM reading")) == 1


async def test_a_lock_that_is_not_had_is_no_fault_of_a_rule(pool: Pool, street: Connection) -> None:
    await write(street, letter(event(EventKind.SOS, sequence=1)))
    async with pool.connection() as other, other.transaction():
        await other.execute("SELECT id FROM alert FOR UPDATE")
        await street.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable) as trouble:
            await write(street, letter(event(EventKind.SOS, sequence=2, at=NOW + seconds(1))))
    assert isinstance(trouble.value, TRANSIENT)
    assert len(await rows(street, "SELECT id FROM event")) == 1, "the whole transaction is undone, to be tried again"
    assert [row["rule_id"] for row in await rows(street, "SELECT rule_id FROM alert")] == ["sos"]


async def test_a_cut_connection_undoes_everything_and_says_nothing_about_rules(pool: Pool, street: Connection) -> None:
    async def cut(victim: Connection) -> None:
        async with pool.connection() as other:
            await other.execute("SELECT pg_terminate_backend(%(pid)s)", {"pid": victim.info.backend_pid})

    book = await rules.load(street)
    with pytest.raises(TRANSIENT):
        async with pool.connection() as conn, conn.transaction():
            await writer.write(conn, [letter(event(EventKind.SOS, sequence=1))], book, now=NOW)
            await cut(conn)
            await writer.write(conn, [letter(event(EventKind.FALL, sequence=2))], book, now=NOW)
    assert await rows(street, "SELECT id FROM event UNION ALL SELECT id FROM alert") == []
