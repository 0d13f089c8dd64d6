"""Readings on their way into the tables. Tuples, since a busy second makes tens of thousands of them."""

from datetime import datetime
from typing import NamedTuple

from contract.quantities import QuantityName, Statistic


class Columns(NamedTuple):
    """New readings of one series, oldest first: columns of one length n >= 1, offsets in milliseconds after `start_at`.

    `is_history`: the device had stored them while nobody listened.
    """

    device_id: str
    quantity: QuantityName
    statistic: Statistic
    start_at: datetime
    offsets_ms: list[int]
    values: list[float]
    is_history: bool = False


class Home(NamedTuple):
    """A gateway as ingest sees it: whose it is, and whether it was known to be off line."""

    gateway_id: str
    elder_id: str | None


class StoredSeries(NamedTuple):
    """A series that has just received readings."""

    id: int
    home: Home
    columns: Columns
