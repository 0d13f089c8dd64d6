"""A batch of readings: its columns agree, its sequences fit, and it survives the wire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.quantities import QuantityName, Statistic
from contract.readings import BATCH_READINGS_MAX, BATCH_SERIES_MAX, OFFSET_MAX_MS, Series, SeriesBatch

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


def series(**changes: Any) -> dict[str, Any]:
    columns = {"offsets_ms": [0, 1000], "values": [71, 72.5], "sequences": [0, 1]}
    return {"device": "wearable-1", "quantity": "heart_rate", "start_at": NOW} | columns | changes


def batch(**changes: Any) -> dict[str, Any]:
    return {"log_id": "0123456789abcdef", "first": 7, "last": 8, "sent_at": NOW, "series": [series()]} | changes


def test_a_batch_comes_back_from_the_wire_as_it_was() -> None:
    sent = SeriesBatch.model_validate(batch(floor=3))
    assert SeriesBatch.model_validate_json(sent.model_dump_json()) == sent
    assert sent.series[0].statistic is Statistic.SAMPLE


@given(
    rows=st.lists(st.tuples(st.integers(0, OFFSET_MAX_MS), st.floats(-1e30, 1e30)), min_size=1, max_size=50),
    first=st.integers(1, 2**62 - 50),
    quantity=st.sampled_from(QuantityName),
    statistic=st.sampled_from(Statistic),
)
def test_any_readings_come_back_from_the_wire(
    rows: list[tuple[int, float]], first: int, quantity: QuantityName, statistic: Statistic
) -> None:
    offsets, values = zip(*sorted(rows), strict=True)
    one = Series(
        device="d",
        quantity=quantity,
        statistic=statistic,
        start_at=NOW,
        offsets_ms=list(offsets),
        values=list(values),
        sequences=list(range(len(rows))),
    )
    sent = SeriesBatch(log_id="0" * 16, first=first, last=first + len(rows) - 1, sent_at=NOW, series=[one])
    assert SeriesBatch.model_validate_json(sent.model_dump_json()) == sent


def test_sequences_may_be_missing_and_out_of_order() -> None:
    two = [series(sequences=[4, 0]), series(quantity="spo2", sequences=[2, 3])]
    assert SeriesBatch.model_validate(batch(first=10, last=20, series=two)).last == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "Wearable 1"},
        {"quantity": "mood"},
        {"statistic": "median"},
        {"start_at": NOW.replace(tzinfo=None)},
        {"start_at": NOW.replace(year=1969)},
        {"offsets_ms": [], "values": [], "sequences": []},
        {"offsets_ms": [0]},
        {"values": [1, 2, 3]},
        {"sequences": [0]},
        {"sequences": [1, 1]},
        {"sequences": [-1, 0]},
        {"offsets_ms": [1, 0]},
        {"offsets_ms": [-1, 0]},
        {"offsets_ms": [0, OFFSET_MAX_MS + 1]},
        {"offsets_ms": [0, 0.5]},
        {"values": [1, None]},
        {"values": [1, float("nan")]},
        {"values": [1, float("inf")]},
        {"values": [1, 1e31]},
    ],
)
def test_a_series_with_a_fault_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Series.model_validate(series(**wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"log_id": "x"},
        {"first": 0},
        {"first": 9},
        {"last": 7},
        {"last": 2**62 + 1},
        {"floor": 8},
        {"sent_at": None},
        {"series": []},
        {"series": [series(), series(quantity="spo2")]},
        {"first": 1, "last": 600, "series": [series(sequences=[2 * n, 2 * n + 1]) for n in range(BATCH_SERIES_MAX + 1)]},
    ],
)
def test_a_batch_with_a_fault_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SeriesBatch.model_validate(batch(**wrong))


def full_batch(extra: int) -> dict[str, Any]:
    half = BATCH_READINGS_MAX // 2
    rows = [range(half), range(half, 2 * half + extra)]
    both = [series(offsets_ms=[0] * len(some), values=[1] * len(some), sequences=list(some)) for some in rows]
    return batch(first=1, last=BATCH_READINGS_MAX + extra, series=both)


def test_a_batch_holds_so_many_readings_and_no_more() -> None:
    assert SeriesBatch.model_validate(full_batch(0)).last == BATCH_READINGS_MAX
    with pytest.raises(ValidationError, match="at most 5000"):
        SeriesBatch.model_validate(full_batch(1))


def test_a_week_is_the_longest_span_of_a_series() -> None:
    assert timedelta(milliseconds=OFFSET_MAX_MS) == timedelta(days=7)
    assert Series.model_validate(series(offsets_ms=[0, OFFSET_MAX_MS])).offsets_ms[1] == OFFSET_MAX_MS
