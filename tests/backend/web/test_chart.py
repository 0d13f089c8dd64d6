"""What a chart shows."""

from typing import Any

import pytest

from backend.rules.store import DEFAULTS, read_file
from backend.web.chart import POINTS_MAX, SPAN_S_MAX, Limit, limits_of, quantity_of, step_s

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
