"""Event: something happened, and that alone is the breach (a fall, a press, a device lost)."""

from typing import Literal

from pydantic import Field

from backend.rules.model import COOLDOWN_S, AnyEvent, Level, RuleBase, RuleShape

LATE_EVENT_S = 3600
"""RULES B2: SOS and falls are work items whatever their age; past an hour they are marked late."""


class EventTiming(RuleShape):
    """`late_page_s`: an older event is marked late, and still pages. `cooldown_s`: further events of an open alert within it only count."""

    late_page_s: float = Field(default=LATE_EVENT_S, ge=0)
    cooldown_s: float = Field(default=COOLDOWN_S, ge=0)


class EventRule(RuleBase):
    """Every event of kind `event` opens or repeats the alert; `cancelled_by` of the same device takes it back, visibly."""

    kind: Literal["event"]
    event: AnyEvent
    cancelled_by: AnyEvent | None = None
    levels: list[Level] = Field(min_length=1, max_length=1)
    timing: EventTiming = EventTiming()
