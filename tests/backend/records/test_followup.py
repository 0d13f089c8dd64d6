"""The table of the 规范: each limit at its value and one unit beside it."""

from datetime import date
from typing import Any

import pytest

from backend.records.followup import ROUTINE, TWO_WEEKS, Condition, Control, Found, NotMeasured, Reason, joint, judge

ON = date(2026, 3, 1)
H, D = Condition.HYPERTENSION, Condition.DIABETES
SATISFIED, FIRST, SECOND, EMERGENCY = Control


@pytest.mark.parametrize(
    ("condition", "found", "previous", "control"),
    [
        (H, {"systolic": 149, "diastolic": 89}, None, SATISFIED),
        (H, {"systolic": 150, "diastolic": 80}, None, FIRST),
        (H, {"systolic": 130, "diastolic": 90}, None, FIRST),
        (H, {"systolic": 179, "diastolic": 109}, None, FIRST),
        (H, {"systolic": 180, "diastolic": 80}, None, EMERGENCY),
        (H, {"systolic": 130, "diastolic": 110}, SATISFIED, EMERGENCY),
        (H, {"systolic": 150, "diastolic": 80}, SATISFIED, FIRST),
        (H, {"systolic": 150, "diastolic": 80}, FIRST, SECOND),
        (H, {"systolic": 150, "diastolic": 80}, SECOND, SECOND),
        (H, {"systolic": 150, "diastolic": 80}, EMERGENCY, SECOND),
        (H, {"systolic": 120, "diastolic": 80}, SECOND, SATISFIED),
        (H, {"systolic": 120, "diastolic": 80, "age_years": 64}, None, SATISFIED),
        (H, {"systolic": 140, "diastolic": 80, "age_years": 64}, None, FIRST),
        (H, {"systolic": 140, "diastolic": 80, "age_years": 65}, None, SATISFIED),
        (H, {"systolic": 140, "diastolic": 80, "age_years": None}, None, SATISFIED),
        (H, {"systolic": 120, "diastolic": 80, "drug_reaction": True}, None, FIRST),
        (H, {"systolic": 120, "diastolic": 80, "drug_reaction": True, "reaction_hard": True}, None, SECOND),
        (H, {"systolic": 120, "diastolic": 80, "complication": True}, None, SECOND),
        (H, {"systolic": 120, "diastolic": 80, "danger_signs": ["chest"]}, None, EMERGENCY),
        (D, {"glucose": 6.9}, None, SATISFIED),
        (D, {"glucose": 7.0}, None, FIRST),
        (D, {"glucose": 7.0}, FIRST, SECOND),
        (D, {"glucose": 16.6}, None, FIRST),
        (D, {"glucose": 16.7}, None, EMERGENCY),
        (D, {"glucose": 4.0}, None, SATISFIED),
        (D, {"glucose": 3.9}, None, EMERGENCY),
        (D, {"glucose": 6.0, "systolic": 180}, None, EMERGENCY),
        (D, {"glucose": 6.0, "temperature": 39.0}, None, SATISFIED),
        (D, {"glucose": 6.0, "temperature": 39.1}, None, EMERGENCY),
        (D, {"glucose": 6.0, "pulse": 100}, None, SATISFIED),
        (D, {"glucose": 6.0, "pulse": 101}, None, EMERGENCY),
    ],
)
def test_the_class_follows_the_table(condition: Condition, found: dict[str, Any], previous: Control | None, control: Control) -> None:
    advice = judge(condition, Found(**{"age_years": 80} | found), previous=previous, on=ON)
    assert advice.control is control
    assert advice.refer == (control in (SECOND, EMERGENCY))
    assert advice.next_on - ON == (ROUTINE if control is SATISFIED else TWO_WEEKS)


@pytest.mark.parametrize(("condition", "found"), [(H, {"systolic": 120}), (H, {}), (D, {"systolic": 120, "diastolic": 80})])
def test_what_was_not_measured_is_not_satisfied(condition: Condition, found: dict[str, Any]) -> None:
    with pytest.raises(NotMeasured):
        judge(condition, Found(age_years=80, **found), previous=None, on=ON)


def test_two_diseases_are_one_plan() -> None:
    both = Found(age_years=80, systolic=120, diastolic=80, glucose=8.0)
    plan = joint([judge(one, both, previous=None, on=ON) for one in (H, D)])
    assert (plan.control, plan.reasons, plan.refer, plan.next_on) == (FIRST, (Reason.GLUCOSE_HIGH,), False, ON + TWO_WEEKS)
