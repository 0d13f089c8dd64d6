"""A batch of readings: columns of times and values, one pair per (device, quantity, statistic)."""

from collections.abc import Collection
from itertools import chain
from typing import Self

from pydantic import Field, model_validator

from contract.message import DeviceId, Instant, LogId, Message, Sequence
from contract.quantities import QuantityName, Statistic

BATCH_SERIES_MAX = 256
BATCH_READINGS_MAX = 5_000
"""About 100 kB of JSON: one packet the broker and a slow uplink still carry in a second."""
SPAN_MAX = 100_000
"""Sequences between the first and the last of a batch: what was shed or sent by itself leaves gaps, but not many."""
OFFSET_MAX_MS = 7 * 24 * 3600 * 1000
"""A batch spans at most a week; a longer backlog goes in several batches."""

VALUE_MAX = 1e30
"""Values are stored as 32-bit floats."""


class Series(Message):
    """Readings of one device and quantity, oldest first.

    `offsets_ms`, `values` and `sequences` have one length n >= 1. Reading i was measured at `start_at` + `offsets_ms[i]` milliseconds
    and has the sequence `first` + `sequences[i]` of its batch. Values are in the unit that `contract.quantities` gives.
    `is_history`: the device had stored all of these while nobody listened, and their times are its own: they are kept and page nobody.
    Bounds are checked column by column: number by number that would take twice the time of reading the message.
    """

    device: DeviceId
    quantity: QuantityName
    statistic: Statistic = Statistic.SAMPLE
    start_at: Instant
    offsets_ms: list[int] = Field(min_length=1, max_length=BATCH_READINGS_MAX)
    values: list[float] = Field(min_length=1, max_length=BATCH_READINGS_MAX)
    sequences: list[int] = Field(min_length=1, max_length=BATCH_READINGS_MAX)
    is_history: bool = False

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        offsets_ms, values, sequences = self.offsets_ms, self.values, self.sequences
        if not len(offsets_ms) == len(values) == len(sequences):
            raise ValueError("offsets_ms, values and sequences must have the same length")
        if sorted(offsets_ms) != offsets_ms:
            raise ValueError("offsets_ms must not fall: oldest reading first")
        if offsets_ms[0] < 0 or offsets_ms[-1] > OFFSET_MAX_MS:
            raise ValueError(f"offsets_ms must lie in 0..{OFFSET_MAX_MS}")
        if min(values) < -VALUE_MAX or max(values) > VALUE_MAX:
            raise ValueError(f"values must lie in -{VALUE_MAX:g}..{VALUE_MAX:g}")
        if min(sequences) < 0:
            raise ValueError("sequences must not be negative")
        if len(set(sequences)) != len(sequences):
            raise ValueError("sequences must not repeat")
        return self


class SeriesBatch(Message):
    """Readings with the sequences `first`..`last` of one gateway's log; sequences in between may be missing (an event, a shed reading).

    `floor`: the gateway no longer holds any sequence below it, so gaps below are final.
    """

    log_id: LogId
    first: Sequence
    last: Sequence
    floor: Sequence = 1
    sent_at: Instant
    series: list[Series] = Field(min_length=1, max_length=BATCH_SERIES_MAX)

    @model_validator(mode="after")
    def _sequences_fit(self) -> Self:
        span = self.last - self.first
        every = list(chain.from_iterable([series.sequences for series in self.series]))
        if not 0 <= span <= SPAN_MAX or max(every) > span:
            raise ValueError(f"sequences must lie in first..last, and those at most {SPAN_MAX} apart")
        if len(every) > BATCH_READINGS_MAX:
            raise ValueError(f"a batch holds at most {BATCH_READINGS_MAX} readings")
        if len(set(every)) != len(every):
            raise ValueError("one sequence is used twice in this batch")
        if self.floor > self.first:
            raise ValueError("floor must not be above first")
        return self

    @property
    def carried(self) -> Collection[int]:
        """The sequences of its readings, in any order."""
        counts = [len(series.sequences) for series in self.series]
        if sum(counts) == self.last - self.first + 1:  # none twice and none outside: so none is missing
            return range(self.first, self.last + 1)
        return [self.first + offset for series in self.series for offset in series.sequences]
