"""Thins fast series before they are sent: mean, minimum and maximum per interval. No I/O, no clock."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contract.quantities import QUANTITIES, QuantityName, Statistic


@dataclass(slots=True)
class _Interval:
    begins_at: datetime
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Summary:
    """One value that stands for the interval that begins at `at`."""

    quantity: QuantityName
    statistic: Statistic
    at: datetime
    value: float


class Summarizer:
    """The open intervals of one device. An interval begins with its first sample, so silence makes no empty ones."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._usual = self._length = timedelta(seconds=interval_s)
        self._open: dict[QuantityName, _Interval] = {}

    def hasten(self, interval_s: float | None) -> None:
        """From now on intervals are no longer than this; None: as long as ever. An open one ends by the new length."""
        self._length = self._usual if interval_s is None else min(self._usual, timedelta(seconds=interval_s))

    def add(self, quantity: QuantityName, at: datetime, value: float) -> list[Summary]:
        """Take a sample. Returns the summaries of the interval that it ends, if any."""
        ended = self._end(quantity) if self._is_over(quantity, at) else []
        self._open.setdefault(quantity, _Interval(at)).values.append(value)
        return ended

    def tick(self, now: datetime) -> list[Summary]:
        """Summaries of all intervals that are over at `now`."""
        return [summary for quantity in list(self._open) if self._is_over(quantity, now) for summary in self._end(quantity)]

    def _is_over(self, quantity: QuantityName, now: datetime) -> bool:
        interval = self._open.get(quantity)
        return interval is not None and not timedelta(0) <= now - interval.begins_at < self._length

    def _end(self, quantity: QuantityName) -> list[Summary]:
        interval = self._open.pop(quantity)
        mean = round(sum(interval.values) / len(interval.values), QUANTITIES[quantity].decimals + 1)
        three = ((Statistic.MEAN, mean), (Statistic.MIN, min(interval.values)), (Statistic.MAX, max(interval.values)))
        return [Summary(quantity, statistic, interval.begins_at, value) for statistic, value in three]
