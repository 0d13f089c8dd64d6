"""The devices that stay in the bedroom: a bed mat, and a finger oximeter that speaks the BCI protocol."""

import math

from simulators.home import RATE_HZ, State
from simulators.vitals import Vitals
from simulators.wire import BedMatState, OximeterState, bci_packet

OXIMETER_RATE_HZ = 2 * RATE_HZ
_MOVEMENT_PER_ACTIVITY = 100
_MOVEMENT_ASLEEP = 2


def mat_state(state: State, vitals: Vitals, battery: int | None) -> BedMatState:
    """What the mat feels: signs while somebody lies on it, none of an empty bed."""
    if not state.is_in_bed:
        return BedMatState(is_occupied=False, respiration_rate=None, heart_rate=None, movement=0, battery=battery)
    movement = _MOVEMENT_ASLEEP + round(_MOVEMENT_PER_ACTIVITY * state.exertion)
    return BedMatState(
        is_occupied=True,
        respiration_rate=round(vitals.respiration_rate),
        heart_rate=round(vitals.heart_rate),
        movement=movement,
        battery=battery,
    )


class Oximeter:
    """Draws the pulse wave, 100 packets a second, and keeps its place in the beat between calls."""

    def __init__(self) -> None:
        self._beat = 0.0

    def packets(self, vitals: Vitals, count: int) -> bytes:
        """The next `count` packets of 5 bytes, all with the same rounded pulse and SpO2."""
        pulse, spo2 = round(vitals.heart_rate), round(vitals.spo2)
        return b"".join(self._packet(pulse, spo2) for _ in range(count))

    def _packet(self, pulse: int, spo2: int) -> bytes:
        beat = self._beat + pulse / 60 / OXIMETER_RATE_HZ
        self._beat = beat % 1
        # A steep rise and a slower fall with a shoulder, 11..90.
        angle = 2 * math.pi * self._beat
        pleth = round(50 + 34 * math.sin(angle) + 9 * math.sin(2 * angle))
        return bci_packet(OximeterState(pulse, spo2, pleth, is_beat=beat >= 1))
