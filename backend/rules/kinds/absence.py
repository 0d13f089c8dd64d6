"""Absence: something was not heard for too long. Judged by the worker's clock, since silence brings no message to judge on."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from backend.rules.model import Judgement, Level, RuleBase, Verdict
from contract.quantities import QuantityName


class AbsenceLevel(Level):
    """Breached when nothing was heard for `for_s` seconds."""

    for_s: float = Field(ge=1, le=7 * 86_400)


class AbsenceRule(RuleBase):
    """`of`: the gateway itself (any message), or a quantity of the elder (any device), not judged while its gateway is silent."""

    kind: Literal["absence"]
    of: Literal["gateway"] | QuantityName
    levels: list[AbsenceLevel] = Field(min_length=1, max_length=1)


def judge(rule: AbsenceRule, heard_at: datetime, now: datetime, *, listening_since: datetime | None = None) -> Judgement:
    """BREACHED once `for_s` has passed since `heard_at`, else CLEAR.

    `listening_since`: nobody could hear before; that delays a breach, but it is not a sound.
    """
    level = rule.levels[0]
    due_at = max(heard_at, listening_since or heard_at) + timedelta(seconds=level.for_s)
    evidence: dict[str, float | str] = {"heard_at": heard_at.isoformat()}
    if now >= due_at:
        return Judgement(Verdict.BREACHED, due_at, level.name, evidence)
    return Judgement(Verdict.CLEAR, heard_at, None, evidence)
