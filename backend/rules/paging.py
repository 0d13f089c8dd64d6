"""Whether an episode calls somebody: by how old it was when it became known, and whether it was over by then. Pure."""

from backend.rules.engine import Active
from backend.rules.kinds.event import EventRule
from backend.rules.model import SECOND, span_us
from backend.rules.track import Episode

LIVE_US = 60 * SECOND
"""Our own choice: what is known within a minute is live."""
LOUD = frozenset({"high", "medium"})
"""Priorities that ring at an operator; low and technical ones wait in their lists."""


def decide(active: Active, episode: Episode, level: str, *, known_at: int) -> tuple[bool, str]:
    """Whether this level of an episode calls somebody when it becomes known at `known_at` (microseconds), and why.

    Live pages. Late, up to `late_page_s`, pages unless the newest data show recovery. Old never does: it goes to the review of the day.
    """
    priority = active.level(level).priority
    if priority not in LOUD:
        return False, f"priority {priority}"
    if isinstance(active.rule, EventRule):
        return True, "a call for help, whatever its age" if priority == "high" else "event"
    timing = getattr(active.rule, "timing", None)
    if timing is None:
        return True, "live"
    if episode.closed_at is not None:
        if known_at - episode.opened_at <= LIVE_US:
            return True, "live"
        return False, "old" if known_at - episode.closed_at > span_us(timing.late_page_s) else "recovered before it was known"
    age = known_at - episode.last_at
    if age <= LIVE_US:
        return True, "live"
    return (True, "late") if age <= span_us(timing.late_page_s) else (False, "old")
