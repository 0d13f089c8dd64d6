"""What people may do with a case, as a table. A pair that is not listed is refused here, and by the trigger `care_case_moves` again.

new -> taken -> in_hand -> resolved -> closed         back to new: it happens again, or its holder gives it back
"""

from enum import StrEnum


class State(StrEnum):
    """How far people are. NEW waits for somebody; RESOLVED waits for the code that says what it was."""

    NEW = "new"
    TAKEN = "taken"
    IN_HAND = "in_hand"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Move(StrEnum):
    """A step from state to state."""

    TAKE = "take"
    BEGIN = "begin"
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"
    GIVE_BACK = "give_back"
    WITHDRAW = "withdraw"


NEXT: dict[tuple[State, Move], State] = {
    (State.NEW, Move.TAKE): State.TAKEN,
    (State.TAKEN, Move.BEGIN): State.IN_HAND,
    (State.RESOLVED, Move.BEGIN): State.IN_HAND,
    (State.TAKEN, Move.RESOLVE): State.RESOLVED,
    (State.IN_HAND, Move.RESOLVE): State.RESOLVED,
    (State.RESOLVED, Move.CLOSE): State.CLOSED,
    (State.TAKEN, Move.GIVE_BACK): State.NEW,
    (State.IN_HAND, Move.GIVE_BACK): State.NEW,
    (State.TAKEN, Move.REOPEN): State.NEW,
    (State.IN_HAND, Move.REOPEN): State.NEW,
    (State.RESOLVED, Move.REOPEN): State.NEW,
    (State.NEW, Move.WITHDRAW): State.CLOSED,
    (State.TAKEN, Move.WITHDRAW): State.CLOSED,
    (State.IN_HAND, Move.WITHDRAW): State.CLOSED,
    (State.RESOLVED, Move.WITHDRAW): State.CLOSED,
}
"""REOPEN and WITHDRAW are the system's: it happens again; all that the case was about has ended by itself (technical trouble)."""


class Action(StrEnum):
    """A line of the case's history."""

    OPENED = "opened"
    JOINED = "joined"
    RAISED = "raised"
    REOPENED = "reopened"
    TAKEN = "taken"
    BEGUN = "begun"
    RESOLVED = "resolved"
    GIVEN_BACK = "given_back"
    HANDED_OVER = "handed_over"
    NOTED = "noted"
    DISPATCHED = "dispatched"
    CALLED = "called"
    ESCALATED = "escalated"
    WATCHED = "watched"
    RESTED = "rested"
    REARMED = "rearmed"
    CLOSED = "closed"


class Disposition(StrEnum):
    """What a case was, without which it cannot be closed. The five are our own choice."""

    REAL = "real"
    FALSE = "false"
    TEST = "test"
    TECHNICAL = "technical"
    NO_REPLY = "no_reply"
