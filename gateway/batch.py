"""From rows of the outbox to a batch of series, as the contract has it. No I/O."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from contract.quantities import QuantityName, Statistic
from contract.readings import OFFSET_MAX_MS, Series, SeriesBatch
from gateway.clock import MILLISECOND
from gateway.outbox import Entry


def make_batch(entries: Sequence[Entry], *, log_id: str, floor: int, now: datetime) -> SeriesBatch:
    """Columns of all entries, one pair per (device, quantity, statistic, history); a series that spans too long becomes two.

    Raises ValueError for what the contract cannot carry: too many series, or a name, time or value that nobody wrote.
    """
    first = entries[0].sequence
    groups: dict[tuple[str, str, str, bool], list[Entry]] = defaultdict(list)
    for entry in entries:
        reading = entry.reading
        groups[reading.device, reading.quantity, reading.statistic, reading.is_history].append(entry)
    series = [part for key, members in groups.items() for part in _series(key, sorted(members, key=_by_time), first)]
    return SeriesBatch(log_id=log_id, first=first, last=entries[-1].sequence, floor=min(floor, first), sent_at=now, series=series)


def _by_time(entry: Entry) -> tuple[datetime, int]:
    return entry.reading.at, entry.sequence


def _series(key: tuple[str, str, str, bool], entries: Sequence[Entry], first: int) -> list[Series]:
    start = entries[0].reading.at
    here = [entry for entry in entries if (entry.reading.at - start) // MILLISECOND <= OFFSET_MAX_MS]
    series = Series(
        device=key[0],
        quantity=QuantityName(key[1]),
        statistic=Statistic(key[2]),
        start_at=start,
        offsets_ms=[(entry.reading.at - start) // MILLISECOND for entry in here],
        values=[entry.reading.value for entry in here],
        sequences=[entry.sequence - first for entry in here],
        is_history=key[3],
    )
    rest = entries[len(here) :]
    return [series, *(_series(key, rest, first) if rest else [])]
