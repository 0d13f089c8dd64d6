"""Score: points of several signs, each from its newest value, against levels. NEWS2 is the one table there is."""

from collections.abc import Mapping, Sequence
from heapq import merge
from typing import Literal

from pydantic import Field, model_validator

from backend.rules import news2
from backend.rules.kinds.threshold import Ladder
from backend.rules.model import RuleShape, span_us
from backend.rules.track import Point
from contract.quantities import QuantityName

SIGN_OF: dict[QuantityName, news2.Sign] = {
    QuantityName.RESPIRATION_RATE: "respiration",
    QuantityName.SPO2: "spo2",
    QuantityName.SYSTOLIC: "systolic",
    QuantityName.HEART_RATE: "pulse",
    QuantityName.BODY_TEMPERATURE: "temperature",
}
OXYGEN, CONSCIOUSNESS = "on_oxygen", "consciousness"
FILLED_IN = (OXYGEN, CONSCIOUSNESS)
"""What no device of a home says: an operator may fill it in. Values: 0 air, 1 oxygen; 0 alert, 1 not alert (C, V, P or U)."""


class Table(RuleShape):
    """`max_age_s`: an older value does not count. `quantities_min`: fewer signs are UNKNOWN. `spo2_scale` 2: see news2.py."""

    name: Literal["news2"]
    max_age_s: float = Field(default=900, gt=0, le=7 * 86_400)
    quantities_min: int = Field(default=3, ge=1, le=5)
    label: str = Field(default="partial, not a NEWS2 score", min_length=3)
    spo2_scale: Literal[1, 2] = 1


class ScoreRule(Ladder):
    """The total against its levels. A total without consciousness and oxygen is not a NEWS2, and says so by `table.label`."""

    kind: Literal["score"]
    table: Table

    @model_validator(mode="after")
    def _totals_are_points(self) -> "ScoreRule":
        if any(not 0 <= level.bound <= 20 for level in self.levels) or (self.clear and not 0 <= self.clear.bound <= 20):
            raise ValueError("a NEWS2 total is 0 to 20 points")
        return self

    @property
    def gap_s(self) -> float:
        """Totals come when readings do: without a number of its own, as far apart as a reading stays valid."""
        return self.timing.max_gap_s if "max_gap_s" in self.timing.model_fields_set else self.table.max_age_s

    @property
    def fresh_s(self) -> float:
        """Without a number of its own, as long as a reading stays valid."""
        return self.timing.fresh_s if "fresh_s" in self.timing.model_fields_set else self.table.max_age_s

    @property
    def lookback_s(self) -> float:
        """A window must hold every reading that counts in a total that matters."""
        return super().lookback_s + self.table.max_age_s

    def points(self, quantity: QuantityName, low: float, high: float) -> int:
        """The most that values between `low` and `high` of one quantity may score."""
        sign = SIGN_OF[quantity]
        return max(news2.points_of(sign, value, scale=self.table.spo2_scale, on_oxygen=True) for value in (low, high))

    def is_quiet(self, low: float, high: float) -> bool:
        """By a total's extremes; those of one sign say nothing."""
        return super().is_quiet(low, high)


def totals(rule: ScoreRule, tracks: Mapping[str, Sequence[Point]]) -> list[tuple[int, float | None, str]]:
    """The total after every reading, oldest first: (when, total or None with too few signs, what it is called).

    `tracks`: by quantity, and by OXYGEN and CONSCIOUSNESS where somebody filled them in; each sorted by time. What is filled in counts for
    as long as a reading. Readings of one instant give one total.
    """
    marked = merge(*([(at, name, value) for at, value in points] for name, points in tracks.items()))
    newest: dict[str, Point] = {}
    found: list[tuple[int, float | None, str]] = []
    for at, name, value in marked:
        newest[name] = (at, value)
        said = _total(rule, newest, at)
        if found and found[-1][0] == at:
            found[-1] = said
        else:
            found.append(said)
    return found


def _total(rule: ScoreRule, newest: Mapping[str, Point], now: int) -> tuple[int, float | None, str]:
    oldest = now - span_us(rule.table.max_age_s)
    values = {name: value for name, (at, value) in newest.items() if at >= oldest}
    signs = {SIGN_OF[name]: value for name, value in values.items() if name in SIGN_OF}  # type: ignore[index]
    if len(signs) < rule.table.quantities_min:
        return now, None, rule.table.label
    on_oxygen = values[OXYGEN] > 0 if OXYGEN in values else None
    consciousness = ("C" if values[CONSCIOUSNESS] > 0 else "A") if CONSCIOUSNESS in values else None
    scored = news2.score(signs, on_oxygen=on_oxygen, consciousness=consciousness, scale=rule.table.spo2_scale)
    return now, float(scored.total), rule.table.label if scored.missing else "NEWS2"
