"""Event rules as data: what a block may say."""

import pytest
from pydantic import ValidationError

from backend.rules.kinds import RULE
from backend.rules.kinds.event import EventRule
from backend.rules.model import InternalEvent
from contract.events import EventKind

SOS = {
    "id": "sos",
    "kind": "event",
    "title": {"zh": "紧急呼叫", "en": "SOS"},
    "source": "a test",
    "event": "sos",
    "levels": [{"name": "emergency", "priority": "high"}],
}


def test_an_event_rule_names_what_happened_and_what_takes_it_back() -> None:
    rule = RULE.validate_python(SOS | {"cancelled_by": "sos_cancelled"})
    assert isinstance(rule, EventRule)
    assert (rule.event, rule.cancelled_by) == (EventKind.SOS, EventKind.SOS_CANCELLED)


def test_an_event_may_be_one_of_the_backends_own() -> None:
    rule = RULE.validate_python(SOS | {"event": "clock_off", "cancelled_by": "clock_right"})
    assert isinstance(rule, EventRule)
    assert (rule.event, rule.cancelled_by) == (InternalEvent.CLOCK_OFF, InternalEvent.CLOCK_RIGHT)


def test_a_call_for_help_is_marked_late_after_an_hour_unless_the_rule_says_otherwise() -> None:
    rule = RULE.validate_python(SOS)
    assert isinstance(rule, EventRule)
    assert rule.timing.late_page_s == 3600


@pytest.mark.parametrize("levels", [[], [{"name": "attention", "priority": "low"}, {"name": "urgent", "priority": "high"}]])
def test_an_event_has_exactly_one_level(levels: list[dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        RULE.validate_python(SOS | {"levels": levels})


def test_an_event_has_no_limit() -> None:
    with pytest.raises(ValidationError):
        RULE.validate_python(SOS | {"levels": [{"name": "urgent", "priority": "high", "below": 3}]})
