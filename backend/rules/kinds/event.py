"""Event: something happened, and that alone is the breach (a fall, a press, a device lost); it may be taken back."""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from backend.rules.hours import stretch
from backend.rules.model import COOLDOWN_S, LONGEST_S, Event, Level, RuleBase, RuleShape, span_us
from backend.rules.track import Episode

LATE_EVENT_S = 3600
"""Our own choice: SOS and falls are work items whatever their age; past an hour they are marked late."""


class EventTiming(RuleShape):
    """`late_page_s`: an older event is marked late, and still pages. `cooldown_s`: further events of an open alert within it only count."""

    late_page_s: float = Field(default=LATE_EVENT_S, ge=0, le=LONGEST_S)
    cooldown_s: float = Field(default=COOLDOWN_S, ge=0, le=LONGEST_S)


class EventRule(RuleBase):
    """Every event of kind `event` opens or repeats the alert; `cancelled_by` of the same device takes it back, visibly.

    `cancel_s`: nobody is called before it is over, and what was taken back in it calls nobody. Both may stand in the level as well.
    """

    kind: Literal["event"]
    event: Event
    cancelled_by: Event | None = None
    cancel_s: float = Field(default=0, ge=0, le=3600)
    levels: list[Level] = Field(min_length=1, max_length=1)
    timing: EventTiming = EventTiming()

    @model_validator(mode="before")
    @classmethod
    def _cancel_of_the_level(cls, given: Any) -> Any:
        levels = given.get("levels") if isinstance(given, dict) else None
        if not isinstance(levels, list) or not levels or not isinstance(levels[0], dict):
            return given
        own = {key: levels[0][key] for key in ("cancelled_by", "cancel_s") if key in levels[0]}
        if not own:
            return given
        if own.keys() & given.keys():
            raise ValueError("give cancelled_by and cancel_s once: in the rule or in its level")
        rest = {key: value for key, value in levels[0].items() if key not in own}
        return given | own | {"levels": [rest, *levels[1:]]}

    @model_validator(mode="after")
    def _window_has_an_end(self) -> Self:
        if self.cancel_s and self.cancelled_by is None:
            raise ValueError("cancel_s needs cancelled_by: what takes the event back")
        return self


def episodes(rule: EventRule, happened: Sequence[int], taken_back: Sequence[int], *, now: int, home_zone: str) -> list[Episode]:
    """Stretches from the end of the cancel window to what takes it back; all times sorted, in microseconds.

    Taken back at the very end of the window is still taken back in it. What nothing takes back is open: a person closes it.
    """
    name, window = rule.levels[0].name, span_us(rule.cancel_s)
    found: list[Episode] = []
    for at in happened:
        if stretch(rule.active, at, home_zone) is None:
            continue
        back = next((one for one in taken_back if one >= at), None)
        if (back is not None and window and back <= at + window) or at + window > now:
            continue
        if found and (found[-1].closed_at is None or found[-1].closed_at >= at + window):
            found[-1].last_at = max(found[-1].last_at, at + window)
            continue
        opened_at = at + window
        steps: list[tuple[int, tuple[str, ...]]] = [(opened_at, (name,))]
        closed_at = back if back is not None and back > opened_at else None
        if closed_at is not None:
            steps.append((closed_at, ()))
        found.append(Episode(opened_at, steps, 1, closed_at or opened_at, closed_at))
    return found
