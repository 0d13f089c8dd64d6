"""Turns states that a device repeats into events: one event for one fall, however many frames report it."""

from collections.abc import Iterator

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Output, Signal

FLUTTER_S = 2.0
"""A state that ends and begins again within this time is the same one (one press is up to 10 frames at 433 MHz)."""


class Onsets:
    """State: which states last, and when they ended."""

    def __init__(self) -> None:
        self._lasting: set[EventKind] = set()
        self._ended_s: dict[EventKind, float] = {}

    def tell(self, kind: EventKind, is_on: bool, now_s: float) -> Iterator[Signal]:
        """A signal when the state begins, also when it is on at the first report. That it ends is no all-clear and gives none."""
        if not is_on and kind in self._lasting:
            self._lasting.discard(kind)
            self._ended_s[kind] = now_s
        if is_on and kind not in self._lasting:
            self._lasting.add(kind)
            if now_s - self._ended_s.get(kind, now_s - FLUTTER_S) >= FLUTTER_S:
                yield Signal(kind, "")


class BedWatch:
    """State: whether somebody lay in the bed when last heard; None at first, when nobody can tell who just got in or out."""

    def __init__(self) -> None:
        self._was_in_bed: bool | None = None

    def tell(self, is_in_bed: bool) -> Iterator[Output]:
        """The occupancy, and after the first report an event for each change."""
        if self._was_in_bed is not None and is_in_bed is not self._was_in_bed:
            yield Signal(EventKind.BED_ENTRY if is_in_bed else EventKind.BED_EXIT, "")
        self._was_in_bed = is_in_bed
        yield Measurement(QuantityName.BED_OCCUPIED, is_in_bed)
