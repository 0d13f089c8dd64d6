"""What may become of an alert, as a table of what the body or device does. What people do is done to its case: `cases/lifecycle.py`.

A pair that is not listed changes nothing. Silence is not recovery: (ACTIVE, UNKNOWN) leads to SILENT,
which stays an open work item, and only CLEAR, which needs fresh data, leads to RECOVERED.
"""

from enum import StrEnum

from backend.rules.model import Verdict


class Condition(StrEnum):
    """What the judged thing does now."""

    ACTIVE = "active"
    SILENT = "silent"
    RECOVERED = "recovered"
    CANCELLED = "cancelled"


class State(StrEnum):
    """Whether the alert is still part of an open case. (`new` is the word of the table for open.)"""

    OPEN = "new"
    CLOSED = "closed"


class Action(StrEnum):
    """A step of the timeline."""

    OPENED = "opened"
    REPEATED = "repeated"
    RAISED = "raised"
    SILENT = "silent"
    RECOVERED = "recovered"
    CANCELLED = "cancelled"
    CLOSED = "closed"


NEXT_CONDITION: dict[tuple[Condition, Verdict], Condition] = {
    (Condition.ACTIVE, Verdict.UNKNOWN): Condition.SILENT,
    (Condition.ACTIVE, Verdict.CLEAR): Condition.RECOVERED,
    (Condition.SILENT, Verdict.BREACHED): Condition.ACTIVE,
    (Condition.SILENT, Verdict.CLEAR): Condition.RECOVERED,
    (Condition.RECOVERED, Verdict.BREACHED): Condition.ACTIVE,
    (Condition.CANCELLED, Verdict.BREACHED): Condition.ACTIVE,
}

STEP_OF: dict[Condition, Action] = {
    Condition.ACTIVE: Action.REPEATED,
    Condition.SILENT: Action.SILENT,
    Condition.RECOVERED: Action.RECOVERED,
    Condition.CANCELLED: Action.CANCELLED,
}
"""The timeline's word for entering a condition."""
