"""Traces stored readings back to the frames they came from, and times to the clock the home had."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from simulators.faults import codes
from simulators.faults.evidence import StoredReading
from simulators.faults.ledger import ClockStep, FrameSent

EARLY_S = 1.5
LATE_S = 3.0
"""How much earlier or later than it was said a time may be. A frame waits in the kernel, and in the gateway's queue, while a busy machine
syncs a disk; what waits is moved by how far a clock was set, which a busy gateway measures to some tenths of a second; and a clock is set
right from a word that was on its way for a second or so."""

Frames = Mapping[int, FrameSent]
Place = tuple[int, str]
"""(number of the frame, quantity)."""


class HomeTime:
    """What a home's clock may have shown, from its steps in order of time."""

    def __init__(self, steps: Sequence[ClockStep]) -> None:
        self._steps = list(steps) or [ClockStep(0.0)]
        self._ats = [step.at for step in self._steps]

    def offsets(self, said_at: float, stored_at: float, taken_at: float | None = None) -> set[float]:
        """By how much a time may differ that was said at `said_at`, taken by the gateway at `taken_at`, stored at `stored_at`, all true.

        Leaps are those until it was taken; without that time, those of the moment. Errors are those that the clock had until the time
        left the home: as it is set, right or wrong, what waits there moves with it. None at all is always good.
        """
        leaps = {step.leap_s for step in self._during(said_at - EARLY_S, max(taken_at or 0.0, said_at + LATE_S))}
        errors = {step.error_s for step in self._during(said_at - EARLY_S, stored_at)} | {0.0}
        return {leap_s + error_s for leap_s, error_s in product(leaps, errors)}

    def is_kept(self, shown_at: float, said_at: float, stored_at: float, taken_at: float | None = None) -> bool:
        """Is `shown_at` a time that the home may rightly give to what was said at `said_at`?"""
        offsets = self.offsets(said_at, stored_at, taken_at)
        return any(-EARLY_S <= shown_at - said_at - offset_s <= LATE_S for offset_s in offsets)

    def _during(self, from_at: float, to_at: float) -> list[ClockStep]:
        first = max(0, bisect_right(self._ats, from_at) - 1)
        return self._steps[first : max(first + 1, bisect_right(self._ats, to_at))]


@dataclass(slots=True)
class Traced:
    """Of one device: the stored readings of each frame and quantity, and those that no frame explains."""

    found: dict[Place, list[StoredReading]] = field(default_factory=lambda: defaultdict(list))
    unknown: list[StoredReading] = field(default_factory=list)


def trace(device: str, frames: Frames, stored: Iterable[StoredReading], time: HomeTime) -> Traced:
    """Find the frame of every reading of one device of one home.

    The readings of a frame carry one time, and together its number. Where some are missing, the frame is the one of that time that fits.
    """
    traced = Traced()
    moments: dict[int, dict[str, list[StoredReading]]] = defaultdict(lambda: defaultdict(list))
    for reading in stored:
        moments[round(reading.measured_at * 1000)][reading.quantity].append(reading)
    by_rests = {codes.rests(device, number): number for number in frames}
    parts = []
    for moment in moments.values():
        parts += _take_whole(device, by_rests, moment, traced)
    for moment in parts:
        _take_part(device, frames, moment, time, traced)
    return traced


def _take_whole(
    device: str, by_rests: Mapping[tuple[int, ...], int], moment: dict[str, list[StoredReading]], traced: Traced
) -> list[dict[str, list[StoredReading]]]:
    """Take all whole frames of one moment; what is left of it is returned."""
    code = codes.CODES[device]
    while all(moment.get(digit.quantity) for digit in code):
        for combination in product(*(moment[digit.quantity] for digit in code)):
            number = by_rests.get(tuple(digit.rest(reading.value) for digit, reading in zip(code, combination, strict=True)))
            if number is not None:
                break
        else:
            break
        for reading in combination:
            traced.found[number, reading.quantity].append(reading)
            moment[reading.quantity].remove(reading)
    return [moment] if any(moment.values()) else []


def _take_part(device: str, frames: Frames, moment: dict[str, list[StoredReading]], time: HomeTime, traced: Traced) -> None:
    digits = {digit.quantity: digit for digit in codes.CODES[device]}
    left = [reading for readings in moment.values() for reading in readings]
    known = [reading for reading in left if reading.quantity in digits]
    traced.unknown += [reading for reading in left if reading.quantity not in digits]
    near = [
        frame
        for frame in frames.values()
        if known and frame.is_heard and time.is_kept(known[0].measured_at, frame.written_at, known[0].received_at or known[0].measured_at)
    ]
    for reading in known:
        digit = digits[reading.quantity]
        fitting = [frame for frame in near if frame.number % digit.modulus == digit.rest(reading.value)]
        free = [frame for frame in fitting if (frame.number, reading.quantity) not in traced.found]
        if not fitting:
            traced.unknown.append(reading)
            continue
        traced.found[(free or fitting)[0].number, reading.quantity].append(reading)
