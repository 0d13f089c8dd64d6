"""What a chart shows: which quantity belongs to an alert, where the rule's limits are, how wide a bucket is. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.rules.engine import RuleBook
from backend.web.labels import VITALS
from backend.web.model import SeriesColumns, SeriesView
from backend.web.read import Row
from contract.quantities import QUANTITIES, QuantityName

CHARTS_MAX = 4
"""A large screen has room for so many; a smaller one shows the first."""
POINTS_MAX = 720
"""Buckets of one chart: about one per pixel column of the pane."""
DAY_S = 86_400
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, DAY_S, 2 * DAY_S, 4 * DAY_S, 8 * DAY_S)
"""Widths of a bucket; the last gives 15 years in POINTS_MAX. From a minute on each is a multiple of a rollup's."""
SPAN_S_MAX = POINTS_MAX * STEPS_S[-1]
ROLLUPS_S = (DAY_S, 3600, 60)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BOUNDS = {"below": "<", "at_most": "≤", "above": ">", "at_least": "≥"}


@dataclass(frozen=True, slots=True)
class Limit:
    """A line of a rule: the level's name, what it is compared with, and how, e.g. `<`. `is_own`: an override of this elder."""

    level: str
    sign: str
    value: float
    is_own: bool = False

    @property
    def side(self) -> str:
        """Where the rule calls: `below` the line, or `above`."""
        return "below" if self.sign in (BOUNDS["below"], BOUNDS["at_most"]) else "above"


def step_s(span_s: float) -> int:
    """Width of a bucket in seconds, so that a span has at most POINTS_MAX of them."""
    return next((step for step in STEPS_S if span_s / step <= POINTS_MAX), STEPS_S[-1])


def source_s(step: int, age: timedelta, *, raw_kept: timedelta, minutes_kept: timedelta) -> int:
    """What a chart with buckets of `step` seconds is made of: 1 readings, else rollups of 60, 3600 or 86400 seconds.

    The coarsest that fits the step is the cheapest. Where the chart begins `age` ago and what it would be made of has expired, it is made
    of a coarser one.
    """
    wanted = next((width for width in ROLLUPS_S if step % width == 0), 1)
    if wanted == 1 and age > raw_kept:
        wanted = 60
    return 3600 if wanted == 60 and age > minutes_kept else wanted


def widen(from_at: datetime, to_at: datetime, width_s: int) -> tuple[datetime, datetime]:
    """The span that begins and ends at multiples of `width_s` since 1970 and holds from..to: rollups cannot be cut."""
    width = timedelta(seconds=width_s)
    return from_at - (from_at - EPOCH) % width, to_at + (EPOCH - to_at) % width


def quantity_of(rule: dict[str, Any]) -> QuantityName:
    """The quantity an alert of this rule is looked at with; for a fall or a press it is the heart rate."""
    name = rule.get("quantity") or rule.get("of")
    return QuantityName(name) if isinstance(name, str) and name in set(QuantityName) else QuantityName.HEART_RATE


def limits_of(rule: dict[str, Any]) -> list[Limit]:
    """The limits of a threshold rule, in the rule's order; other kinds have none."""
    return [
        Limit(level["name"], sign, level[word])
        for level in (rule.get("levels", []) if rule.get("kind") == "threshold" else [])
        for word, sign in BOUNDS.items()
        if level.get(word) is not None
    ]


def limits_by_quantity(book: RuleBook, elder_id: str) -> dict[str, list[Limit]]:
    """The limits that are in force for an elder, overrides applied, by quantity; each once, in the order of the rules."""
    found: dict[str, list[Limit]] = {}
    for quantity, actives in book.of_elder(elder_id).numbers.items():
        limits = {
            (limit.sign, limit.value): replace(limit, is_own=bool(active.overrides))
            for active in actives
            for limit in limits_of(active.rule.model_dump(mode="json", exclude_none=True))
        }
        found[quantity] = list(limits.values())
    return found


def charts_of(first: QuantityName, latest: Iterable[str]) -> list[QuantityName]:
    """What is drawn: the quantity that the case is about, then others that the elder has values of, CHARTS_MAX in all."""
    known = set(latest)
    others = [name for name in VITALS if name in known and name not in (first, QuantityName.BED_OCCUPIED)]
    return [first, *others][:CHARTS_MAX]


def columns(elder_id: str, quantity: QuantityName, rows: list[Row], *, from_at: datetime, to_at: datetime, step: int) -> SeriesView:
    """Rows of `series.buckets` as columns per device."""
    by_device: dict[str, list[Row]] = {}
    for row in rows:
        by_device.setdefault(row["device_id"], []).append(row)
    devices = [
        SeriesColumns(
            device_id=device_id,
            at=[int(row["bucket"]) for row in found],
            mean=[None if row["mean"] is None else round(row["mean"], 3) for row in found],
            min=[round(row["min"], 3) for row in found],
            max=[round(row["max"], 3) for row in found],
        )
        for device_id, found in by_device.items()
    ]
    unit = QUANTITIES[quantity].unit
    return SeriesView(elder_id=elder_id, quantity=quantity, unit=unit, from_at=from_at, to_at=to_at, step_s=step, devices=devices)
