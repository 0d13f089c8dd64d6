"""Fast series become mean, minimum and maximum per interval; silence makes no empty interval, a clock set back ends one."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName, Statistic
from gateway.summary import Summarizer, Summary
from tests.gateway.home import NOW, seconds

HEART_RATE, SPO2 = QuantityName.HEART_RATE, QuantityName.SPO2


def shown(summaries: list[Summary]) -> dict[str, float]:
    return {one.statistic: one.value for one in summaries}


def fed(values: list[float], *, every_s: float = 1, quantity: QuantityName = HEART_RATE) -> tuple[Summarizer, list[Summary]]:
    summarizer, ended = Summarizer(5), list[Summary]()
    for number, value in enumerate(values):
        ended += summarizer.add(quantity, NOW + seconds(every_s * number), value)
    return summarizer, ended


def test_the_sample_after_the_interval_ends_it() -> None:
    summarizer, ended = fed([70, 72, 80, 71, 70, 99])
    assert shown(ended) == {"mean": 72.6, "min": 70, "max": 80}
    assert {one.at for one in ended} == {NOW}
    assert shown(summarizer.tick(NOW + seconds(10))) == {"mean": 99, "min": 99, "max": 99}


@pytest.mark.parametrize(("after_s", "count"), [(0, 0), (4.999, 0), (5, 3), (60, 3)])
def test_time_alone_ends_an_interval(after_s: float, count: int) -> None:
    summarizer, _ = fed([70])
    assert len(summarizer.tick(NOW + seconds(after_s))) == count


def test_silence_makes_no_empty_intervals() -> None:
    summarizer, _ = fed([70])
    summarizer.tick(NOW + seconds(5))
    assert summarizer.tick(NOW + seconds(3600)) == []


def test_an_interval_begins_with_its_first_sample() -> None:
    summarizer, _ = fed([70])
    summarizer.add(HEART_RATE, NOW + seconds(100), 80)
    assert {one.at for one in summarizer.tick(NOW + seconds(105))} == {NOW + seconds(100)}


@pytest.mark.parametrize("back", [seconds(-0.001), seconds(-3600)])
def test_a_clock_set_back_ends_the_interval_and_loses_nothing(back: timedelta) -> None:
    summarizer, _ = fed([70])
    earlier = NOW + back
    assert shown(summarizer.add(HEART_RATE, earlier, 80)) == {"mean": 70, "min": 70, "max": 70}
    assert shown(summarizer.tick(earlier + seconds(5))) == {"mean": 80, "min": 80, "max": 80}


def test_each_quantity_has_its_own_interval() -> None:
    summarizer, _ = fed([70])
    summarizer.add(SPO2, NOW + seconds(3), 97)
    assert {one.quantity for one in summarizer.tick(NOW + seconds(5))} == {HEART_RATE}
    assert {one.quantity for one in summarizer.tick(NOW + seconds(8))} == {SPO2}


@given(st.lists(st.floats(1, 300), min_size=1, max_size=200), st.floats(0.01, 4))
def test_no_sample_is_lost_or_counted_twice(values: list[float], every_s: float) -> None:
    summarizer, ended = fed(values, every_s=every_s)
    ended += summarizer.tick(NOW + seconds(every_s * len(values) + 5))
    means, lows, highs = ([one for one in ended if one.statistic is kind] for kind in (Statistic.MEAN, Statistic.MIN, Statistic.MAX))
    assert (min(one.value for one in lows), max(one.value for one in highs)) == (min(values), max(values))
    assert len(means) == len(lows) == len(highs) == len({one.at for one in ended})
    assert all(low.value - 0.1 <= mean.value <= high.value + 0.1 for low, mean, high in zip(lows, means, highs, strict=True))


def test_intervals_can_be_shortened_for_a_while_and_never_grow_by_that() -> None:
    summarizer, _ = fed([70, 71])
    summarizer.hasten(0.25)
    assert shown(summarizer.add(HEART_RATE, NOW + seconds(2), 90)) == {"mean": 70.5, "min": 70, "max": 71}
    assert shown(summarizer.tick(NOW + seconds(2.25))) == {"mean": 90, "min": 90, "max": 90}
    summarizer.hasten(9)
    assert summarizer.add(HEART_RATE, NOW + seconds(3), 72) == []
    assert shown(summarizer.tick(NOW + seconds(8))) == {"mean": 72, "min": 72, "max": 72}
    summarizer.hasten(None)
    assert summarizer.add(HEART_RATE, NOW + seconds(9), 73) == []
    assert summarizer.tick(NOW + seconds(13.9)) == []
