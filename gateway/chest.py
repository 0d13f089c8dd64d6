"""What a radar that watches breath and pulse may be believed, and when somebody is there whose chest does not move. No I/O, no clock.

    pulse near breath    a pulse of at most 1.2 times the breath rate is the breath seen twice, or its harmonic: not believed
    chest still          somebody is there, moves little, breathed there in the last 5 min, and for 60 s no breath was seen: told once

Pulse and breath stand at about 4 to 1 at rest (pulse-respiration quotient: Scholkmann and Wolf, Front Physiol 10:371, 2019); 1.2 is far
below what sick people show: of the pairs charted in intensive care it would refuse fewer than one in a thousand
(tests/gateway/test_chest.py).

A breath that is not seen is not a breath that is missing: who turns the back or pulls up a quilt is out of the radar's sight. So the
signal is a question for somebody to ask, not an alarm by itself. An apnoea is a pause of 10 s (AASM Manual for the Scoring of Sleep); 60 s
is six times as long, because the radar itself averages over some 20 s (171 frames of warm-up, `radar_sy`).
"""

from collections.abc import Iterator

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.devices.driver import Reason, Signal

RATIO_MIN = 1.2
PAIR_S = 30.0
"""Pulse and breath belong together when they were told within this time."""
STILL_S = 60.0
SEEN_S = 300.0
MOVING_MIN = 20
"""Body movement, 0..100 on the radar's scale, from which on the chest cannot be seen for the rest of the body."""


class ChestWatch:
    """What one radar has told. Times in seconds, monotonic; None: never, or nobody is there."""

    def __init__(self) -> None:
        self._is_present = False
        self._breath: tuple[float, float] | None = None
        self._moved_s: float | None = None
        self._heard_s = 0.0
        self._is_told = False

    def take(self, quantity: QuantityName, value: float, now_s: float) -> Reason | None:
        """Take a plausible measurement. Returns why it is not to be believed after all."""
        self._heard_s = now_s
        if quantity is QuantityName.PRESENCE:
            self._come_or_go(bool(value), now_s)
        elif quantity is QuantityName.MOVEMENT and value >= MOVING_MIN:
            self._moved_s = now_s
        elif quantity is QuantityName.RESPIRATION_RATE:
            self._breath = (value, now_s)
            self._is_told = False
        elif quantity is QuantityName.HEART_RATE and self._breath is not None:
            breath, seen_s = self._breath
            if now_s - seen_s <= PAIR_S and value <= RATIO_MIN * breath:
                return Reason.IMPLAUSIBLE
        return None

    def tick(self, now_s: float) -> Iterator[Signal]:
        """What time alone brings: that a chest was still for STILL_S."""
        if self._is_told or not self._is_present or self._breath is None:
            return
        unseen_s = now_s - self._breath[1]
        moved_s = now_s if self._moved_s is None else now_s - self._moved_s
        is_silent = now_s - self._heard_s >= STILL_S  # a radar that says nothing is lost, which is told elsewhere
        if STILL_S <= unseen_s <= SEEN_S and moved_s >= STILL_S and not is_silent:
            self._is_told = True
            yield Signal(EventKind.CHEST_STILL, "", age_s=unseen_s)

    def _come_or_go(self, is_present: bool, now_s: float) -> None:
        if is_present is not self._is_present:
            self._breath = None
            self._moved_s = now_s
        self._is_present = is_present
