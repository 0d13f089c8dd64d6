"""Episodes depend on the times of measurement alone: any order of arrival, any cut into batches, any repeats, any restart give the same."""

from bisect import bisect_left, bisect_right, insort
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.rules.kinds import RULE
from backend.rules.model import SECOND
from backend.rules.revision import Revision
from backend.rules.track import Episode, Point
from tests.backend.rules.recorded import recordings

NAMES = {"id": "tested", "kind": "threshold", "source": "a test", "quantity": "spo2"}
ZONE = "Asia/Shanghai"


def rule(**body: Any) -> Any:
    return RULE.validate_python(NAMES | body)


RULES = {
    "two levels with holds": rule(
        levels=[{"name": "attention", "below": 92, "hold_s": 40}, {"name": "urgent", "at_most": 88, "hold_s": 20}],
        clear={"at_least": 93, "hold_s": 30},
        timing={"max_gap_s": 15},
    ),
    "at once": rule(levels=[{"name": "urgent", "above": 90}], clear={"at_most": 88}, timing={"max_gap_s": 1}),
    "no way back of its own": rule(levels=[{"name": "urgent", "below": 91, "hold_s": 60}]),
    "repeats": rule(
        levels=[{"name": "urgent", "at_least": 92, "times": 2, "within_s": 60, "first": "ask_to_remeasure"}],
        clear={"below": 89, "times": 2},
    ),
    "ways back of each level": rule(
        levels=[
            {"name": "info", "above": 88, "clear": {"below": 87}},
            {"name": "urgent", "above": 92, "hold_s": 15, "clear": {"at_most": 89, "hold_s": 20}},
        ],
        timing={"max_gap_s": 31},
    ),
    "at night": rule(
        levels=[{"name": "urgent", "below": 92, "hold_s": 20}],
        active={"from": "00:00:30", "until": "00:05", "zone": "UTC"},
        timing={"max_gap_s": 60},
    ),
    "trend": rule(kind="trend", levels=[{"name": "attention", "rise_at_least": 3, "within_s": 90}]),
}
GAPS = st.sampled_from([0, 1, 5, 10, 14, 15, 16, 30, 31, 60, 61, 400])
VALUES = st.sampled_from([86.0, 88, 89, 91, 92, 93, 95])
SERIES = st.lists(st.tuples(GAPS, VALUES), min_size=1, max_size=40)


def points_of(series: list[tuple[int, float]]) -> list[Point]:
    at, points = 0, []
    for gap_s, value in series:
        at += gap_s * SECOND
        points.append((at, value))
    return sorted(set(points))


def judged_at_once(tested: Any, points: list[Point]) -> list[Episode]:
    machine = tested.machine(ZONE)
    machine.run(points)
    return list(machine.latch.episodes)


def judged_as_it_comes(tested: Any, batches: list[list[Point]]) -> list[Episode]:
    """Every batch is a program of its own that finds nothing but the samples and the episodes of the one before it."""
    track: list[Point] = []
    episodes: list[Episode] = []
    for batch in batches:
        fresh = [point for point in dict.fromkeys(batch) if point not in track]
        for point in fresh:
            insort(track, point)
        if fresh:
            work = Revision(tested, deepcopy(episodes), first=min(fresh)[0], last=max(fresh)[0], home_zone=ZONE)
            while (need := work.needs()) is not None:
                window = track[bisect_left(track, (need[0], -1.0)) : bisect_right(track, (need[1], 1e9))]
                work.feed(window, is_last=track[-1][0] <= need[1])
            episodes = work.episodes
    return episodes


@settings(max_examples=1000)
@given(name=st.sampled_from(sorted(RULES)), series=SERIES, data=st.data())
def test_any_order_any_cut_and_any_repeats_give_the_same_episodes(name: str, series: list[tuple[int, float]], data: st.DataObject) -> None:
    points = points_of(series)
    arriving = data.draw(st.permutations(points)) + data.draw(st.lists(st.sampled_from(points), max_size=10))
    cuts = sorted(data.draw(st.sets(st.integers(min_value=0, max_value=len(arriving)))) | {0, len(arriving)})
    batches = [arriving[begin:end] for begin, end in pairwise(cuts)]
    assert judged_as_it_comes(RULES[name], batches) == judged_at_once(RULES[name], points)


@settings(max_examples=300)
@given(name=st.sampled_from(sorted(RULES)), series=SERIES)
def test_the_shortcut_for_calm_values_changes_nothing(name: str, series: list[tuple[int, float]]) -> None:
    plain = RULES[name].machine(ZONE)
    for at, value in points_of(series):
        plain.step(at, value)
    assert judged_at_once(RULES[name], points_of(series)) == plain.latch.episodes


@pytest.mark.parametrize("seed", [1, 2])
def test_recordings_of_wards_and_homes_permuted_cut_and_doubled_give_the_same_episodes(seed: int) -> None:
    for tested, points, batches in recordings(seed):
        assert judged_as_it_comes(tested, batches) == judged_at_once(tested, points)
