"""On the real database: order of arrival, batches, repeats and deaths in the middle change no episode; old data call nobody."""

import random
from datetime import datetime
from itertools import pairwise

import pytest

from backend.db.pool import Connection
from backend.ingest import writer
from backend.ingest.decode import Letter
from backend.rules import form, patch
from backend.rules import store as rules
from backend.rules.kinds import RULE
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.model import to_datetime, to_us
from contract.events import EventKind
from contract.quantities import QuantityName
from tests.backend.street import NOW, batch, event, letter, one, rows, seconds, write

EVERY_S = 10
EPISODES = "SELECT opened_at, closed_at, last_at, steps, peak FROM episode WHERE rule_id = 'spo2_low' ORDER BY opened_at"


def spells(dice: random.Random) -> list[float]:
    """Half an hour of SpO2 with spells of low values between the limits and beyond them."""
    values: list[float] = []
    while len(values) < 180:
        values += [dice.choice([86.0, 87, 90, 91, 92, 93, 97])] * dice.randint(1, 14)
    return values[:180]


def letters_of(values: list[float], dice: random.Random) -> list[Letter]:
    """The values in batches of any length, in any order, some of them twice."""
    cuts = sorted({0, len(values), *(dice.randrange(len(values)) for _ in range(25))})
    made = [
        letter(batch(values[begin:end], first=begin + 1, start_at=NOW + seconds(EVERY_S * begin), every_s=EVERY_S))
        for begin, end in pairwise(cuts)
    ]
    made += dice.choices(made, k=8)
    dice.shuffle(made)
    return made


def judged_at_once(values: list[float]) -> list[tuple[datetime, datetime | None, float]]:
    rule = form.shipped()["spo2_low"]
    assert isinstance(rule, ThresholdRule)
    machine = rule.machine()
    machine.run([(to_us(NOW + seconds(EVERY_S * row)), value) for row, value in enumerate(values)])
    return [
        (to_datetime(one.opened_at), to_datetime(one.closed_at) if one.closed_at is not None else None, one.peak)
        for one in machine.latch.episodes
    ]


async def die_in_the_middle(conn: Connection, arriving: Letter, now: datetime) -> None:
    """The process is killed before it commits: what it wrote is gone, and the home will send it again."""
    with pytest.raises(ZeroDivisionError):
        async with conn.transaction():
            await writer.write(conn, [arriving], await rules.load(conn), now=now)
            raise ZeroDivisionError


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_cut_repeat_and_death_give_the_episodes_of_the_samples_alone(street: Connection, seed: int) -> None:
    dice = random.Random(seed)
    values = spells(dice)
    now = NOW + seconds(EVERY_S * len(values))
    for arriving in letters_of(values, dice):
        if dice.random() < 0.2:
            await die_in_the_middle(street, arriving, now)
        await write(street, arriving, now=now)
    found = await rows(street, EPISODES)
    assert [(row["opened_at"], row["closed_at"], row["peak"]) for row in found] == judged_at_once(values)
    standing = any(row["closed_at"] is None for row in found)
    for alert in await rows(street, "SELECT condition FROM alert WHERE rule_id = 'spo2_low' AND state <> 'closed'"):
        assert (alert["condition"] == "active") is standing, "people see what the episodes say"


async def test_an_episode_keeps_its_rule_and_the_samples_that_opened_it_so_that_it_can_be_replayed(street: Connection) -> None:
    await write(street, letter(batch([97] * 3 + [86] * 7 + [97] * 8)), now=NOW + seconds(170))
    kept = await one(street, "SELECT rule_version, overrides, samples, opened_at, alert_id IS NOT NULL AS has_alert FROM episode")
    machine = form.shipped()["spo2_low"].machine()  # type: ignore[union-attr]
    machine.run([(at_ms * 1000, value) for at_ms, value in kept["samples"]])
    assert [to_datetime(episode.opened_at) for episode in machine.latch.episodes] == [kept["opened_at"]]
    assert (kept["rule_version"], kept["overrides"], kept["has_alert"]) == (1, [], True)


KEPT = """
SELECT r.body, array(SELECT o.patch FROM rule_override o WHERE o.id = ANY(p.overrides) ORDER BY o.elder_id IS NOT NULL, o.id) AS patches,
    p.samples, p.opened_at, p.closed_at, p.steps -> 0 -> 1 AS levels
FROM episode p JOIN rule r ON r.id = p.rule_id AND r.version = p.rule_version WHERE p.rule_id = 'spo2_low' ORDER BY p.opened_at
"""
COPD = """
INSERT INTO rule_override (elder_id, rule_id, patch, reason, by, created_at, until)
VALUES ('elder-1', 'spo2_low', '{"levels": [{"name": "urgent", "below": 88, "hold_s": 30}], "clear": {"at_least": 90, "hold_s": 20}}',
    'COPD', 'wang', now(), '9000-01-01')
"""


@pytest.mark.parametrize("seed", range(4))
async def test_every_episode_replays_from_its_own_samples_rule_and_overrides_in_whatever_order_they_came(
    street: Connection, seed: int
) -> None:
    dice = random.Random(seed)
    values = spells(dice)
    for number, arriving in enumerate(letters_of(values, dice)):
        if number == 15:
            await street.execute(COPD)
        await write(street, arriving, now=NOW + seconds(EVERY_S * len(values)))
    kept = await rows(street, KEPT)
    assert kept
    for row in kept:
        rule = RULE.validate_python(row["body"])
        for body in row["patches"]:
            rule = patch.apply(rule, body)
        assert isinstance(rule, ThresholdRule)
        machine = rule.machine()
        machine.run([(at_ms * 1000, value) for at_ms, value in row["samples"]])
        newest = machine.latch.episodes[-1]
        assert (to_datetime(newest.opened_at), list(newest.steps[0][1])) == (row["opened_at"], row["levels"])


async def test_a_late_reading_can_end_an_episode_and_the_alert_recovers_but_is_not_unmade(street: Connection) -> None:
    await write(street, letter(batch([86] * 7)), letter(batch([86] * 3, first=20, start_at=NOW + seconds(160))), now=NOW + seconds(180))
    await write(street, letter(batch([97] * 9, first=8, start_at=NOW + seconds(70))), now=NOW + seconds(190))
    assert await rows(street, "SELECT opened_at, closed_at FROM episode") == [
        {"opened_at": NOW + seconds(60), "closed_at": NOW + seconds(130)}
    ]
    assert await one(street, "SELECT state, condition FROM alert") == {"state": "new", "condition": "recovered"}


async def test_two_hours_of_backlog_call_nobody_and_every_press_is_a_work_item(street: Connection) -> None:
    old = NOW - seconds(4 * 3600)
    low = [97.0] * 60 + [86.0] * 30 + [97.0] * 60
    await write(
        street,
        letter(batch(low, start_at=old)),
        letter(event(EventKind.SOS, sequence=500, at=old + seconds(60))),
        letter(event(EventKind.FALL, sequence=500, at=old + seconds(60)), "gw-2"),
        now=NOW,
    )
    found = await rows(street, "SELECT rule_id, priority, condition, evidence -> 'late' AS late FROM alert ORDER BY rule_id")
    assert [(row["rule_id"], row["priority"], row["condition"]) for row in found] == [
        ("fall", "high", "active"),
        ("sos", "high", "active"),
        ("spo2_low", "low", "recovered"),
    ]
    assert [row["late"] for row in found] == [True, True, True]
    told = await rows(street, "SELECT a.rule_id FROM notification n JOIN alert a ON a.id = n.alert_id")
    assert "spo2_low" not in {row["rule_id"] for row in told}
    assert await rows(street, "SELECT opened_at, closed_at FROM episode") == [
        {"opened_at": old + seconds(660), "closed_at": old + seconds(960)}
    ]


@pytest.mark.parametrize(("age_s", "calls"), [(0, 1), (890, 1), (910, 0)])
async def test_what_is_late_calls_within_its_time_only(street: Connection, age_s: float, calls: int) -> None:
    await write(street, letter(batch([86] * 7)), now=NOW + seconds(60 + age_s))
    assert len(await rows(street, "SELECT id FROM notification")) == calls


async def test_what_is_late_and_over_calls_nobody(street: Connection) -> None:
    await write(street, letter(batch([86] * 7 + [97] * 10)), now=NOW + seconds(400))
    assert await rows(street, "SELECT id FROM notification") == []
    assert await one(street, "SELECT priority, condition FROM alert") == {"priority": "low", "condition": "recovered"}


async def test_the_first_of_two_readings_asks_the_home_and_the_second_calls(street: Connection) -> None:
    await street.execute("UPDATE gateway SET online = true")
    cuff = QuantityName.SYSTOLIC
    await write(street, letter(batch([185], quantity=cuff)))
    assert await one(street, "SELECT level, priority FROM alert") == {"level": "asked", "priority": "low"}
    assert "再测量一次" in (await one(street, "SELECT body ->> 'text' AS said FROM command"))["said"]
    assert await rows(street, "SELECT id FROM notification") == []
    await write(street, letter(batch([186], first=2, start_at=NOW + seconds(300), quantity=cuff)), now=NOW + seconds(300))
    assert await one(street, "SELECT level, priority FROM alert WHERE rule_id = 'systolic_crisis'") == {
        "level": "urgent",
        "priority": "high",
    }
    assert len(await rows(street, "SELECT id FROM notification")) == 1


async def test_a_second_reading_that_is_calm_closes_the_question(street: Connection) -> None:
    cuff = QuantityName.SYSTOLIC
    await write(street, letter(batch([185], quantity=cuff)))
    await write(street, letter(batch([140], first=2, start_at=NOW + seconds(300), quantity=cuff)), now=NOW + seconds(300))
    assert await one(street, "SELECT state, closed_by, disposition FROM alert") == {
        "state": "closed", "closed_by": "system", "disposition": "false",
    }  # fmt: skip


async def test_a_cancel_that_came_before_its_fall_still_takes_it_back_and_the_work_item_stays(street: Connection) -> None:
    await write(street, letter(event(EventKind.FALL_CANCELLED, sequence=2, at=NOW + seconds(5))), now=NOW + seconds(6))
    await write(street, letter(event(EventKind.FALL, sequence=1)), now=NOW + seconds(7))
    assert await one(street, "SELECT state, condition FROM alert") == {"state": "new", "condition": "cancelled"}
    assert await rows(street, "SELECT id FROM notification UNION ALL SELECT id FROM visit") == []


async def test_a_score_is_judged_when_any_of_its_signs_comes_and_an_operator_may_add_to_it(street: Connection) -> None:
    for number, (quantity, value) in enumerate(
        [(QuantityName.RESPIRATION_RATE, 22.0), (QuantityName.HEART_RATE, 112.0), (QuantityName.SPO2, 95.0)], start=1
    ):
        await write(
            street, letter(batch([value], first=number, start_at=NOW + seconds(number), quantity=quantity)), now=NOW + seconds(number)
        )
    assert await one(street, "SELECT rule_id, level FROM alert") == {"rule_id": "news2_partial", "level": "attention"}
    assert (await one(street, "SELECT peak FROM episode"))["peak"] == 5
    assert (await one(street, "SELECT evidence -> 'label' AS label FROM alert"))["label"] == "partial, not a NEWS2 score"


async def test_the_sign_that_completes_a_score_may_itself_score_nothing(street: Connection) -> None:
    for number, (quantity, value) in enumerate(
        [(QuantityName.SPO2, 91.0), (QuantityName.HEART_RATE, 112.0), (QuantityName.RESPIRATION_RATE, 15.0)], start=1
    ):
        at = NOW + seconds(number)
        await write(street, letter(batch([value], first=number, start_at=at, quantity=quantity)), now=at)
    assert await one(street, "SELECT rule_id, level FROM alert") == {"rule_id": "news2_partial", "level": "attention"}


async def test_what_a_level_said_that_a_new_version_has_not_ends_with_the_old_version(street: Connection) -> None:
    await write(street, letter(batch([91] * 13)), now=NOW + seconds(120))
    body = form.shipped()["spo2_low"].model_dump(mode="json", exclude_none=True)
    async with street.transaction():
        await rules.save(street, [RULE.validate_python(body | {"levels": body["levels"][1:]})], by="test")
    await write(street, letter(batch([91] * 3, first=20, start_at=NOW + seconds(130))), now=NOW + seconds(150))
    assert await rows(street, "SELECT closed_at FROM episode") == [{"closed_at": NOW + seconds(130)}]
    assert (await one(street, "SELECT condition FROM alert"))["condition"] == "recovered"


async def test_a_cancel_of_another_day_silences_no_fall(street: Connection) -> None:
    await write(street, letter(event(EventKind.FALL_CANCELLED, sequence=2, at=NOW + seconds(3600))))
    await write(street, letter(event(EventKind.FALL, sequence=3)), now=NOW + seconds(1))
    assert (await one(street, "SELECT condition FROM alert"))["condition"] == "active"
    assert len(await rows(street, "SELECT id FROM notification")) == 1
