"""Threshold rules: the cases of ../cases/*.toml, and that no cut of a series into windows changes what is said about it."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.rules import store as rules
from backend.rules.kinds import RULE
from backend.rules.kinds.threshold import ThresholdRule, judge
from backend.rules.model import Judgement, Sample

CASES = sorted((Path(__file__).parents[1] / "cases").glob("*.toml"))
START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
NAMES = {"id": "tested", "kind": "threshold", "title": {"zh": "测试", "en": "Tested"}, "source": "a test", "quantity": "heart_rate"}


@dataclass(frozen=True)
class Case:
    """One `[[case]]` with its rule; `said` turns judgements into the words of `expect`."""

    rule: ThresholdRule
    start: datetime
    samples: list[Sample]
    expect: list[str] | None
    expect_never: str | None

    def said(self, judgements: list[Judgement]) -> list[str]:
        return [" ".join(filter(None, [f"{(one.at - self.start).total_seconds():g}", one.verdict, one.level])) for one in judgements]


def read_cases() -> list[Any]:
    found = []
    for path in CASES:
        file = tomllib.loads(path.read_text("utf-8"))
        made = {name: make_rule(body) for name, body in file["rules"].items()}
        found += [pytest.param(make_case(made, block), id=f"{path.stem}: {block['name']}") for block in file["case"]]
    return found


def make_rule(body: dict[str, Any]) -> ThresholdRule:
    if "shipped" in body:
        [rule] = [rule for rule in rules.read_file(rules.DEFAULTS) if rule.id == body["shipped"]]
    else:
        rule = RULE.validate_python(NAMES | body)
    assert isinstance(rule, ThresholdRule)
    return rule


def make_case(made: dict[str, ThresholdRule], block: dict[str, Any]) -> Case:
    start = block.get("start", START)
    seconds = timed(block["at"]) if "at" in block else regular(block["feed"], block.get("every_s", 10))
    samples = [Sample(start + timedelta(seconds=second), value) for second, value in seconds]
    return Case(made[block["rule"]], start, samples, block.get("expect"), block.get("expect_never"))


def timed(text: str) -> list[tuple[float, float]]:
    """`0:86 31:86`."""
    pairs = (word.split(":") for word in text.split())
    return [(float(second), float(value)) for second, value in pairs]


def regular(text: str, every_s: float) -> list[tuple[float, float]]:
    """`95x6 86 _x2`."""
    words = (re.fullmatch(r"(_|[0-9.]+)(?:x(\d+))?", word) for word in text.split())
    values = [word[1] for word in words if word for _ in range(int(word[2] or 1))]
    return [(row * every_s, float(value)) for row, value in enumerate(values) if value != "_"]


@pytest.mark.parametrize("case", read_cases())
def test_a_series_is_judged_as_its_case_says(case: Case) -> None:
    said = case.said(judge(case.rule, case.samples, after=case.start))
    assert case.expect is None or said == case.expect
    assert case.expect_never is None or not any(case.expect_never in one for one in said)


@pytest.mark.parametrize("case", read_cases())
def test_a_series_is_judged_the_same_reading_by_reading(case: Case) -> None:
    assert in_windows(case.rule, case.samples, range(1, len(case.samples))) == brief(judge(case.rule, case.samples, after=case.start))


RULES = [
    make_rule(
        {
            "levels": [
                {"name": "attention", "priority": "medium", "below": 92, "hold_s": 40},
                {"name": "urgent", "priority": "high", "at_most": 88, "hold_s": 20},
            ],
            "clear": {"at_least": 93, "hold_s": 30},
            "timing": {"max_gap_s": 15},
        }
    ),
    make_rule({"levels": [{"name": "urgent", "priority": "high", "above": 90}], "clear": {"at_most": 88}, "timing": {"max_gap_s": 1}}),
    make_rule({"levels": [{"name": "urgent", "priority": "high", "below": 91, "hold_s": 60}], "clear": {"above": 91}}),
]
SERIES = st.lists(
    st.tuples(st.sampled_from([1, 5, 10, 14, 15, 16, 30, 31, 60]), st.sampled_from([86.0, 88, 89, 91, 92, 93, 95])), min_size=1, max_size=40
)


@given(rule=st.sampled_from(RULES), series=SERIES, data=st.data())
def test_any_cut_into_windows_with_lookback_gives_the_same_judgements(
    rule: ThresholdRule, series: list[tuple[int, float]], data: st.DataObject
) -> None:
    samples, at = [], START
    for gap_s, value in series:
        at += timedelta(seconds=gap_s)
        samples.append(Sample(at, value))
    cuts = data.draw(st.sets(st.integers(min_value=0, max_value=len(samples))))
    assert in_windows(rule, samples, cuts) == brief(judge(rule, samples, after=START))


def in_windows(rule: ThresholdRule, samples: list[Sample], cuts: Iterable[int]) -> list[tuple[datetime, str, str | None]]:
    """What is said when the series arrives in pieces, each judged with no more than `lookback_s` before it."""
    lookback = timedelta(seconds=rule.lookback_s)
    edges = sorted({0, *cuts, len(samples)})
    said: list[Judgement] = []
    for begin, end in pairwise(edges):
        after = samples[begin].at
        window = [sample for sample in samples[:end] if sample.at >= after - lookback]
        said += judge(rule, window, after=after)
    return brief(said)


def brief(judgements: list[Judgement]) -> list[tuple[datetime, str, str | None]]:
    """Time, verdict and level, without what only repeats the one before."""
    words = [(one.at, one.verdict, one.level) for one in judgements]
    return [word for before, word in pairwise([(START, "", None), *words]) if word[1:] != before[1:]]


def test_a_hold_needs_the_longest_of_its_times_and_a_gap_of_lookback() -> None:
    assert RULES[0].lookback_s == 40 + 15


def test_values_that_are_far_from_any_limit_need_no_window() -> None:
    assert RULES[0].is_quiet(93, 100)
    assert not RULES[0].is_quiet(92, 100)
    assert not RULES[0].is_quiet(86, 100)
