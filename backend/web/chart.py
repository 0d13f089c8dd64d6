"""What a chart shows: which quantity belongs to an alert, where the rule's limits are, how wide a bucket is. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.web.model import SeriesColumns, SeriesView
from backend.web.read import Row
from contract.quantities import QUANTITIES, QuantityName

POINTS_MAX = 720
"""Buckets of one chart: about one per pixel column of the pane."""
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
"""Widths of a bucket; the last gives 60 days in POINTS_MAX."""
SPAN_S_MAX = POINTS_MAX * STEPS_S[-1]
BOUNDS = {"below": "<", "at_most": "≤", "above": ">", "at_least": "≥"}


@dataclass(frozen=True, slots=True)
class Limit:
    """A line of a rule: the level's name, what it is compared with, and how, e.g. `<`."""

    level: str
    sign: str
    value: float


def step_s(span_s: float) -> int:
    """Width of a bucket in seconds, so that a span has at most POINTS_MAX of them."""
    return next((step for step in STEPS_S if span_s / step <= POINTS_MAX), STEPS_S[-1])


def quantity_of(rule: dict[str, Any]) -> QuantityName:
    """The quantity an alert of this rule is looked at with; for a fall or a press it is the heart rate."""
    name = rule.get("quantity") or rule.get("of")
    return QuantityName(name) if name in set(QuantityName) else QuantityName.HEART_RATE


def limits_of(rule: dict[str, Any]) -> list[Limit]:
    """The limits of a threshold rule, in the rule's order; other kinds have none."""
    return [
        Limit(level["name"], sign, level[word])
        for level in rule.get("levels", [])
        for word, sign in BOUNDS.items()
        if level.get(word) is not None
    ]


def columns(elder_id: str, quantity: QuantityName, rows: list[Row], *, from_at: datetime, to_at: datetime, step: int) -> SeriesView:
    """Rows of `read.series` as columns per device."""
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
