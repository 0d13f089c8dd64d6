"""What a chart shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.rules.store import DEFAULTS, read_file
from backend.web.chart import POINTS_MAX, SPAN_S_MAX, Limit, limits_of, quantity_of, source_s, step_s, widen

RULES: dict[str, dict[str, Any]] = {rule.id: rule.model_dump(mode="json", exclude_none=True) for rule in read_file(DEFAULTS)}


@pytest.mark.parametrize("span_s", [1, 60, 3600, 86_400, 7 * 86_400, SPAN_S_MAX])
def test_no_chart_has_more_buckets_than_a_pane_has_pixels(span_s: int) -> None:
    assert span_s / step_s(span_s) <= POINTS_MAX


@pytest.mark.parametrize(
    ("rule_id", "quantity"),
    [("spo2_low", "spo2"), ("systolic_crisis", "blood_pressure_systolic"), ("no_heart_rate", "heart_rate"), ("fall", "heart_rate"),
     ("gateway_silent", "heart_rate")],
)  # fmt: skip
def test_an_alert_is_looked_at_with_its_own_quantity_or_the_heart_rate(rule_id: str, quantity: str) -> None:
    assert quantity_of(RULES[rule_id]) == quantity


def test_the_limits_of_a_rule_say_what_equality_does() -> None:
    assert limits_of(RULES["spo2_low"]) == [Limit("attention", "<", 92), Limit("urgent", "<", 88)]
    assert limits_of(RULES["heart_rate_high"]) == [Limit("urgent", "≥", 131)]


@pytest.mark.parametrize("rule_id", ["fall", "gateway_silent"])
def test_a_rule_without_a_number_has_no_limit(rule_id: str) -> None:
    assert limits_of(RULES[rule_id]) == []


@pytest.mark.parametrize(
    ("span", "age", "made_of_s"),
    [
        pytest.param(timedelta(hours=6), timedelta(hours=6), 1, id="six hours are drawn from readings"),
        pytest.param(timedelta(days=1), timedelta(days=1), 60, id="a day is drawn from minutes"),
        pytest.param(timedelta(days=15), timedelta(days=15), 60, id="half a month is the longest that is"),
        pytest.param(timedelta(days=30), timedelta(days=30), 3600, id="a month is drawn from hours"),
        pytest.param(timedelta(days=365), timedelta(days=365), 86_400, id="a year is drawn from days"),
        pytest.param(timedelta(hours=1), timedelta(days=31), 60, id="where readings have expired, minutes"),
        pytest.param(timedelta(hours=1), timedelta(days=181), 3600, id="where minutes have, hours"),
        pytest.param(timedelta(days=1), timedelta(days=181), 3600, id="also for a longer span"),
    ],
)
def test_a_chart_is_made_of_the_coarsest_that_fits(span: timedelta, age: timedelta, made_of_s: int) -> None:
    step = step_s(span.total_seconds())
    assert source_s(step, age, raw_kept=timedelta(days=30), minutes_kept=timedelta(days=180)) == made_of_s
    assert max(step, made_of_s) % made_of_s == 0


def test_a_span_is_widened_to_whole_buckets() -> None:
    from_at, to_at = datetime(2026, 3, 1, 3, 12, 5, tzinfo=UTC), datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    assert widen(from_at, to_at, 3600) == (from_at.replace(minute=0, second=0), to_at)
    assert widen(from_at, to_at, 86_400) == (from_at.replace(hour=0, minute=0, second=0), datetime(2026, 3, 3, tzinfo=UTC))
