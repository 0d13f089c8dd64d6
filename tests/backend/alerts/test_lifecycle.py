"""The table of an alert's condition, pair by pair. A pair that is added or taken away must be added or taken away here too."""

import pytest

from backend.alerts.lifecycle import NEXT_CONDITION, STEP_OF, Condition
from backend.rules.model import Verdict

A, S, R, C = Condition.ACTIVE, Condition.SILENT, Condition.RECOVERED, Condition.CANCELLED
CONDITIONS = [
    # condition  CLEAR  HELD  BREACHED  UNKNOWN
    (A, R, A, A, S),
    (S, R, S, A, S),
    (R, R, R, A, R),
    (C, C, C, A, C),
]
VERDICTS = (Verdict.CLEAR, Verdict.HELD, Verdict.BREACHED, Verdict.UNKNOWN)


@pytest.mark.parametrize(
    ("condition", "verdict", "after"),
    [(row[0], verdict, after) for row in CONDITIONS for verdict, after in zip(VERDICTS, row[1:], strict=True)],
)
def test_a_verdict_moves_the_condition_as_the_table_says(condition: Condition, verdict: Verdict, after: Condition) -> None:
    assert NEXT_CONDITION.get((condition, verdict), condition) is after


@pytest.mark.parametrize("condition", Condition)
def test_silence_is_never_recovery(condition: Condition) -> None:
    assert NEXT_CONDITION.get((condition, Verdict.UNKNOWN)) is not Condition.RECOVERED


def test_every_condition_has_a_word_in_the_timeline() -> None:
    assert set(STEP_OF) == set(Condition)
