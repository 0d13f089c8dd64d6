"""Threshold rules: what they refuse, and what makes a window needless. What they say is in backend/rules/shipped_cases."""

from typing import Any

import pytest
from pydantic import ValidationError

from backend.rules.kinds import RULE

LEVELS = [{"name": "attention", "below": 92, "hold_s": 40}, {"name": "urgent", "at_most": 88, "hold_s": 20}]


def rule(**body: Any) -> Any:
    names = {"id": "tested", "kind": "threshold", "source": "a test", "quantity": "spo2"}
    return RULE.validate_python(names | {"levels": LEVELS, "clear": {"at_least": 93, "hold_s": 30}, "timing": {"max_gap_s": 15}} | body)


def test_a_hold_needs_the_longest_of_its_times_and_a_gap_of_lookback() -> None:
    assert rule().lookback_s == 40 + 15


def test_values_that_are_far_from_any_limit_need_no_window() -> None:
    tested = rule()
    assert tested.is_quiet(93, 100)
    assert not tested.is_quiet(92.9, 100)
    assert not tested.is_quiet(86, 100)


def test_levels_are_as_loud_as_their_names_say_unless_they_say_so_themselves() -> None:
    assert [level.priority for level in rule().levels] == ["medium", "high"]
    assert rule(levels=[{"name": "urgent", "below": 90, "priority": "low"}]).levels[0].priority == "low"


def test_a_short_name_of_a_quantity_is_its_own() -> None:
    tested = rule(quantity="systolic", levels=[{"name": "urgent", "at_least": 180}], clear={"below": 170})
    assert tested.quantity == "blood_pressure_systolic"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"clear": {"at_least": 91}}, "clear must not pass a value that breaches a level"),
        ({"clear": {"at_most": 80}}, "clear must look the other way"),
        ({"levels": [{"name": "urgent", "below": 130}], "clear": None}, "130 is no spo2"),
        ({"levels": [LEVELS[0], {"name": "urgent", "below": 95}], "clear": {"at_least": 95}}, "must not have a milder limit"),
        ({"levels": [{"name": "urgent", "below": 90, "times": 2}]}, "times .* and within_s belong together"),
        ({"levels": [{"name": "urgent", "below": 90, "times": 2, "within_s": 60, "hold_s": 5}]}, "not both"),
        ({"levels": [{"name": "urgent", "below": 90, "first": "ask_to_remeasure"}]}, "nothing to confirm"),
        ({"clear": {"at_least": 93, "hold_s": 5, "times": 2}}, "hold_s or times for the way back"),
        ({"active": {"from": "21:00", "until": "21:00"}}, "from and until are the same"),
        ({"active": {"from": "21:00", "until": "22:00", "zone": "Mars/Base"}}, "there is no time zone Mars/Base"),
    ],
)
def test_what_contradicts_itself_is_refused_and_says_why(body: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        rule(**body)
