"""What cuffs share that tell their whole memory again at every request: each record is told once, the old ones as history."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Output, Reason, Refusal

LIVE_MAX = 2
"""Cuffs are asked every minute, and a measurement takes half a minute."""
REMEMBERED_MAX = 1000
"""Several times what any cuff stores."""


@dataclass(frozen=True, slots=True)
class CuffRecord:
    """One measurement of a cuff: mmHg and /min. `time` is the cuff's own clock, local; None is "no value", never 0."""

    time: datetime | None
    systolic_mmhg: int | None
    diastolic_mmhg: int | None
    pulse_bpm: int | None


class Session:
    """State: the records that were told. What the first answer after a time away adds is history, what a later one adds is new.

    More than LIVE_MAX at once are history too: they were there before, and an answer in between was not whole.
    A cuff without a clock may store two measurements that are alike to the digit: they are counted, not only remembered.
    """

    def __init__(self) -> None:
        self._told: Counter[CuffRecord] = Counter()
        self._was_away = True

    def interrupt(self) -> None:
        """The cuff was away: nobody knows when what it adds was measured, but by its own clock."""
        self._was_away = True

    def tell(self, records: Iterable[CuffRecord]) -> Iterator[Output]:
        """Outputs for the records of one whole answer that were not told yet."""
        now = Counter(records)
        added = now - self._told
        is_history = self._was_away or added.total() > LIVE_MAX
        self._was_away = False
        self._told |= now
        if len(self._told) > REMEMBERED_MAX:
            self._told = now
        for record in added.elements():
            yield from _outputs(record, is_history=is_history)


def _outputs(record: CuffRecord, *, is_history: bool) -> Iterator[Output]:
    """Without a time an old record has no place in the history; one that is new was measured about now, whatever the cuff's clock says."""
    if is_history and record.time is None:
        yield Refusal(Reason.CLOCK)
        return
    values = (
        (QuantityName.SYSTOLIC, record.systolic_mmhg),
        (QuantityName.DIASTOLIC, record.diastolic_mmhg),
        (QuantityName.HEART_RATE, record.pulse_bpm),
    )
    if all(value is None for _, value in values):
        yield Refusal(Reason.SEARCHING)
    for quantity, value in values:
        if value is not None:
            yield Measurement(quantity, value, measured_at=record.time, is_history=is_history)
