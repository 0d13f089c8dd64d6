"""The rule engine alone, on one core: readings judged per second, calm ones by their extremes and sick ones value by value.

And how rare it makes alarms: scripted days with artefacts of 10 to 40 s and true episodes, against raw limits.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

from backend.rules import store as rules
from backend.rules.engine import Active, RuleBook
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.model import SECOND, to_us
from backend.rules.news2 import Sign, score
from backend.rules.paging import LOUD
from backend.rules.track import Point
from benchmarks.district_load import CALM, READINGS

AT = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = 40
"""Samples of a look-back of some minutes, one each 5 s."""

ELDER_DAYS = 400
EVERY_S = 10
ARTEFACTS_PER_DAY = 12


@dataclass(frozen=True, slots=True)
class Script:
    """A sign's days: what is usual, what an artefact and an illness read, the limit of a plain monitor, and how many illnesses."""

    rule_id: str
    usual: tuple[float, float]
    artefact: tuple[float, float]
    ill: tuple[float, float]
    raw_limit: float
    episodes: int


SCRIPTS = (
    Script("spo2_low", (94, 98), (70, 89), (78, 86), 90, 10),
    Script("heart_rate_high", (58, 96), (121, 180), (135, 160), 120, 9),
    Script("respiration_high", (12, 19), (26, 40), (26, 32), 24, 9),
)


def measure(seconds: float) -> dict[str, float]:
    """With the shipped rules; `calm` is what nearly all batches are, `sick` what a rule must look at sample by sample."""
    book = RuleBook([Active(rule, 1) for rule in rules.read_file(rules.DEFAULTS)])
    return {
        "rules": float(len(book.by_id)),
        "calm_readings_per_s": _calm(book, seconds),
        "sick_verdicts_per_s": _sick(book, seconds),
        "news2_per_s": _news2(seconds),
    } | _fatigue(Random(1))


def _fatigue(dice: Random) -> dict[str, float]:
    """Alarms a plain limit would raise and those of the shipped rules, per elder-day; true episodes found, and false alarms."""
    shipped = {rule.id: rule for rule in rules.read_file(rules.DEFAULTS)}
    raw = loud = found = false = 0
    for script in SCRIPTS:
        rule = shipped[script.rule_id]
        assert isinstance(rule, ThresholdRule)
        is_upper, priorities = rule.levels[0].is_upper, {level.name: level.priority for level in rule.levels}
        ill_days = set(dice.sample(range(ELDER_DAYS), script.episodes))
        for day in range(ELDER_DAYS):
            points, illness = _day(script, dice, is_ill=day in ill_days)
            beyond = [(value > script.raw_limit) if is_upper else (value < script.raw_limit) for _, value in points]
            raw += sum(now and not before for before, now in pairwise([False, *beyond]))
            machine = rule.machine()
            machine.run(points)
            alarms = [one for one in machine.latch.episodes if any(priorities[name] in LOUD for _, names in one.steps for name in names)]
            true = [one for one in alarms if illness and illness[0] <= one.opened_at <= illness[1]]
            loud, found, false = loud + len(alarms), found + bool(true), false + len(alarms) - len(true)
    return {
        "raw_alarms_per_elder_day": raw / ELDER_DAYS,
        "alarms_per_elder_day": loud / ELDER_DAYS,
        "false_alarms_per_elder_day": false / ELDER_DAYS,
        "fewer_than_raw_percent": 100 * (1 - loud / raw),
        "true_episodes": float(sum(script.episodes for script in SCRIPTS)),
        "true_episodes_found": float(found),
    }


def _day(script: Script, dice: Random, *, is_ill: bool) -> tuple[list[Point], tuple[int, int] | None]:
    """A day's samples, and when its illness begins and ends."""
    values = [dice.uniform(*script.usual) for _ in range(86_400 // EVERY_S)]
    for _ in range(ARTEFACTS_PER_DAY):
        _put(values, dice.randrange(len(values)), dice.randint(1, 4), script.artefact, dice)
    illness = None
    if is_ill:
        start, length = dice.randrange(100, len(values) - 200), dice.randint(30, 120)
        _put(values, start, length, script.ill, dice)
        illness = start * EVERY_S * SECOND, (start + length) * EVERY_S * SECOND
    return [(row * EVERY_S * SECOND, value) for row, value in enumerate(values)], illness


def _put(values: list[float], start: int, length: int, between: tuple[float, float], dice: Random) -> None:
    for row in range(start, min(start + length, len(values))):
        values[row] = dice.uniform(*between)


def _calm(book: RuleBook, seconds: float) -> float:
    minute = [(quantity, [middle] * READINGS) for quantity, middle, *_ in CALM]
    count, began_s = 0, time.perf_counter()
    while time.perf_counter() - began_s < seconds:
        for quantity, values in minute:
            low, high = min(values), max(values)
            for active in book.numbers.get(quantity, ()):
                assert isinstance(active.rule, ThresholdRule)
                assert active.rule.is_quiet(low, high)
            count += len(values)
    return count / (time.perf_counter() - began_s)


def _news2(seconds: float) -> float:
    signs: dict[Sign, float] = {"respiration": 21.0, "spo2": 94.0, "systolic": 118.0, "pulse": 92.0, "temperature": 37.4}
    count, began_s = 0, time.perf_counter()
    while time.perf_counter() - began_s < seconds:
        for _ in range(1000):
            score(signs, on_oxygen=None, consciousness=None)
        count += 1000
    return count / (time.perf_counter() - began_s)


def _sick(book: RuleBook, seconds: float) -> float:
    samples = [(to_us(AT) + 5 * row * SECOND, 60.0 + row % 7) for row in range(WINDOW)]
    thresholds = [active.rule for actives in book.numbers.values() for active in actives if isinstance(active.rule, ThresholdRule)]
    count, began_s = 0, time.perf_counter()
    while time.perf_counter() - began_s < seconds:
        for rule in thresholds:
            rule.machine().run(samples)
            count += WINDOW
    return count / (time.perf_counter() - began_s)
