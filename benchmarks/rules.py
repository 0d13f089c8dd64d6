"""The rule engine alone, on one core: readings judged per second, calm ones by their extremes and sick ones value by value."""

import time
from datetime import UTC, datetime

from backend.rules import store as rules
from backend.rules.engine import Active, RuleBook
from backend.rules.kinds.threshold import ThresholdRule
from backend.rules.model import SECOND, to_us
from backend.rules.news2 import Sign, score
from benchmarks.district_load import CALM, READINGS

AT = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = 40
"""Samples of a look-back of some minutes, one each 5 s."""


def measure(seconds: float) -> dict[str, float]:
    """With the shipped rules; `calm` is what nearly all batches are, `sick` what a rule must look at sample by sample."""
    book = RuleBook([Active(rule, 1) for rule in rules.read_file(rules.DEFAULTS)])
    return {
        "rules": float(len(book.by_id)),
        "calm_readings_per_s": _calm(book, seconds),
        "sick_verdicts_per_s": _sick(book, seconds),
        "news2_per_s": _news2(seconds),
    }


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
