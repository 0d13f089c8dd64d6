"""What may become of an alert, as two tables: what the body or device does (condition), and what people do (state).

A pair that is not listed changes nothing (condition) or is refused (state). Silence is not recovery: (ACTIVE, UNKNOWN) leads to SILENT,
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
    """What people did with the alert."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Action(StrEnum):
    """A step of the timeline."""

    OPENED = "opened"
    REPEATED = "repeated"
    RAISED = "raised"
    SILENT = "silent"
    RECOVERED = "recovered"
    CANCELLED = "cancelled"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    NOTED = "noted"
    DISPATCHED = "dispatched"
    CLOSED = "closed"


class Disposition(StrEnum):
    """Why an alert was closed (DOMAIN section 6, row 28)."""

    REAL = "real"
    FALSE = "false"
    TEST = "test"
    TECHNICAL = "technical"
    NO_REPLY = "no_reply"


NEXT_CONDITION: dict[tuple[Condition, Verdict], Condition] = {
    (Condition.ACTIVE, Verdict.UNKNOWN): Condition.SILENT,
    (Condition.ACTIVE, Verdict.CLEAR): Condition.RECOVERED,
    (Condition.SILENT, Verdict.BREACHED): Condition.ACTIVE,
    (Condition.SILENT, Verdict.CLEAR): Condition.RECOVERED,
    (Condition.RECOVERED, Verdict.BREACHED): Condition.ACTIVE,
    (Condition.CANCELLED, Verdict.BREACHED): Condition.ACTIVE,
}

ALLOWED: dict[Action, frozenset[State]] = {
    Action.ACKNOWLEDGED: frozenset({State.NEW}),
    Action.NOTED: frozenset({State.NEW, State.ACKNOWLEDGED, State.CLOSED}),
    Action.DISPATCHED: frozenset({State.NEW, State.ACKNOWLEDGED}),
    Action.CLOSED: frozenset({State.NEW, State.ACKNOWLEDGED}),
}
"""Which states allow a person's step."""

STEP_OF: dict[Condition, Action] = {
    Condition.ACTIVE: Action.REPEATED,
    Condition.SILENT: Action.SILENT,
    Condition.RECOVERED: Action.RECOVERED,
    Condition.CANCELLED: Action.CANCELLED,
}
"""The timeline's word for entering a condition."""
