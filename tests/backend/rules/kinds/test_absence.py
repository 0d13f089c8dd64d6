"""Absence rules: from which second on nothing heard is a breach."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from backend.rules.kinds import RULE
from backend.rules.kinds.absence import AbsenceRule, judge
from backend.rules.model import Verdict
from tests.backend.street import NOW, seconds

LEVEL = {"name": "technical", "priority": "technical", "for_s": 180}
BODY = {
    "id": "gone",
    "kind": "absence",
    "title": {"zh": "离线", "en": "Gone"},
    "source": "a test",
    "of": "gateway",
    "levels": [LEVEL],
}


@pytest.fixture
def rule() -> AbsenceRule:
    rule = RULE.validate_python(BODY)
    assert isinstance(rule, AbsenceRule)
    return rule


@pytest.mark.parametrize(
    ("silent_for", "verdict"),
    [
        (seconds(0), Verdict.CLEAR),
        (seconds(179), Verdict.CLEAR),
        (seconds(180) - timedelta(microseconds=1), Verdict.CLEAR),
        (seconds(180), Verdict.BREACHED),
        (seconds(181), Verdict.BREACHED),
        (seconds(86_400), Verdict.BREACHED),
    ],
)
def test_silence_is_a_breach_from_for_s_on(rule: AbsenceRule, silent_for: timedelta, verdict: Verdict) -> None:
    assert judge(rule, NOW, NOW + silent_for).verdict is verdict


def test_a_breach_counts_from_the_moment_it_was_due_and_not_from_when_somebody_looked(rule: AbsenceRule) -> None:
    judgement = judge(rule, NOW, NOW + seconds(400))
    assert (judgement.at, judgement.level) == (NOW + seconds(180), "technical")


def test_a_return_counts_from_when_it_was_heard(rule: AbsenceRule) -> None:
    judgement = judge(rule, NOW, NOW + seconds(4))
    assert (judgement.at, judgement.level) == (NOW, None)


def test_a_sound_from_the_future_is_no_silence(rule: AbsenceRule) -> None:
    assert judge(rule, NOW + seconds(60), NOW).verdict is Verdict.CLEAR


def test_the_evidence_says_when_it_was_last_heard(rule: AbsenceRule) -> None:
    assert judge(rule, NOW, NOW + seconds(180)).evidence == {"heard_at": "2026-03-01T03:12:00+00:00"}


@pytest.mark.parametrize("changed", [{"of": "nothing_known"}, {"levels": []}, {"levels": [LEVEL | {"for_s": 0}]}])
def test_a_rule_that_could_never_be_judged_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RULE.validate_python(BODY | changed)
