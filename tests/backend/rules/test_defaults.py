"""The shipped rules: all load, each number has a source, and each fires at its limit and not one displayed unit before it.

Limits: NEWS2 (Royal College of Physicians 2017, chart 1) and 国家基本公共卫生服务规范（第三版）.
"""

import pytest

from backend.rules import store as rules
from backend.rules.engine import Active, RuleBook
from backend.rules.kinds import AnyRule
from backend.rules.kinds.event import EventRule
from backend.rules.kinds.threshold import ThresholdRule, judge
from backend.rules.model import Sample, Verdict
from contract.events import EventKind
from contract.quantities import QUANTITIES
from tests.backend.street import NOW, seconds

SHIPPED = {rule.id: rule for rule in rules.read_file(rules.DEFAULTS)}
THRESHOLDS = [rule for rule in SHIPPED.values() if isinstance(rule, ThresholdRule)]


def worst_of(rule: AnyRule, value: float) -> str | None:
    """The level that this value breaches when it lasts for ten minutes."""
    assert isinstance(rule, ThresholdRule)
    judgements = judge(rule, [Sample(NOW + seconds(10 * row), value) for row in range(60)])
    return judgements[-1].level


@pytest.mark.parametrize(
    ("rule_id", "level", "fires", "just_not"),
    [
        ("spo2_low", "attention", 91, 92),
        ("spo2_low", "urgent", 87, 88),
        ("heart_rate_high", "urgent", 131, 130),
        ("heart_rate_low", "urgent", 40, 41),
        ("respiration_high", "urgent", 25, 24),
        ("respiration_low", "urgent", 8, 9),
        ("temperature_high", "attention", 39.1, 39.0),
        ("temperature_low", "attention", 35.0, 35.1),
        ("systolic_crisis", "urgent", 180, 179),
        ("diastolic_crisis", "urgent", 110, 109),
        ("systolic_above_target", "info", 150, 149),
        ("diastolic_above_target", "info", 90, 89),
        ("glucose_high", "urgent", 16.7, 16.6),
        ("glucose_low", "urgent", 3.9, 4.0),
    ],
)
def test_a_shipped_limit_fires_at_its_value_and_not_one_unit_before(rule_id: str, level: str, fires: float, just_not: float) -> None:
    assert worst_of(SHIPPED[rule_id], fires) == level
    assert worst_of(SHIPPED[rule_id], just_not) != level


@pytest.mark.parametrize(("value", "verdict"), [(149, Verdict.CLEAR), (150, Verdict.HELD)])
def test_a_systolic_crisis_is_over_below_150(value: float, verdict: Verdict) -> None:
    rule = SHIPPED["systolic_crisis"]
    assert isinstance(rule, ThresholdRule)
    assert judge(rule, [Sample(NOW, value)])[-1].verdict is verdict


@pytest.mark.parametrize("rule", THRESHOLDS, ids=lambda rule: rule.id)
def test_every_limit_lies_where_its_quantity_is_believed(rule: ThresholdRule) -> None:
    quantity = QUANTITIES[rule.quantity]
    assert all(quantity.is_plausible(limit.bound) for limit in (*rule.levels, *map(rule.clear_of, rule.levels)))


@pytest.mark.parametrize("rule", SHIPPED.values(), ids=lambda rule: rule.id)
def test_every_rule_has_a_source_and_two_names(rule: AnyRule) -> None:
    assert len(rule.source) > 20 and rule.title.zh != rule.title.en


DAILY_LIFE = {
    EventKind.BED_ENTRY,
    EventKind.BED_EXIT,
    EventKind.DOOR_OPENED,
    EventKind.DOOR_CLOSED,
    EventKind.MOTION,
    EventKind.BUTTON,
}
"""What happens in every home every day."""
PERHAPS = {EventKind.FALL_ASKED, EventKind.FALL_ANSWERED, EventKind.FALL_CANDIDATE}
"""What may become a fall, and what did not."""


@pytest.mark.parametrize("kind", sorted(set(EventKind) - DAILY_LIFE - PERHAPS - {EventKind.ALONE_SMS}))
def test_every_event_has_a_rule_but_those_of_daily_life_and_the_results_of_messages(kind: EventKind) -> None:
    named = {event for rule in SHIPPED.values() if isinstance(rule, EventRule) for event in (rule.event, rule.cancelled_by)}
    assert kind in named


@pytest.mark.parametrize("rule_id", ["fall", "sos"])
def test_a_call_for_help_is_as_loud_as_it_can_be(rule_id: str) -> None:
    [level] = SHIPPED[rule_id].levels
    assert (level.name, level.priority) == ("emergency", "high")


def test_a_rule_book_finds_every_rule_by_what_it_looks_at() -> None:
    book = RuleBook(Active(rule, 1) for rule in SHIPPED.values())
    sorted_in = [active.rule.id for by in (book.numbers, book.events) for actives in by.values() for active in actives]
    sorted_in += sorted({active.rule.id for actives in book.scores.values() for active in actives})
    assert sorted([*sorted_in, *(active.rule.id for active in book.absences)]) == sorted(SHIPPED)
    assert [active.rule.id for active in book.cancels[EventKind.FALL_CANCELLED]] == ["fall"]
