"""The devices that stay in the bedroom: a bed mat, and a finger oximeter that speaks the BCI protocol."""

import math
from random import Random

from simulators.home import RATE_HZ, State
from simulators.vitals import Vitals
from simulators.wire import BedMatState, OximeterState, bci_packet

OXIMETER_RATE_HZ = 2 * RATE_HZ
LOAD_RATE_HZ = 10
_EMPTY_LOAD, _BODY_LOAD, _CHEST_LOAD, _RESTLESS_LOAD = 400, 1400, 10, 300
"""Counts of a 12-bit ADC: the empty bed, a body, what breathing adds at its top, and what a restless body adds or takes."""
_RESTLESS_EXERTION = 0.15
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


class MatLoad:
    """What the mat's load sensor counts, LOAD_RATE_HZ times a second; keeps its place in the breath between calls."""

    def __init__(self) -> None:
        self._breath = 0.0
        self._noise = Random(1)

    def next(self, state: State, vitals: Vitals) -> int:
        """The next load, ADC counts: the empty bed, or a body whose chest moves it."""
        self._breath = (self._breath + vitals.respiration_rate / 60 / LOAD_RATE_HZ) % 1
        noise = self._noise.gauss(0, 1)
        if not state.is_in_bed:
            return round(_EMPTY_LOAD + noise)
        restless = self._noise.uniform(-1, 1) * _RESTLESS_LOAD if state.exertion > _RESTLESS_EXERTION else 0
        return round(_EMPTY_LOAD + _BODY_LOAD + _CHEST_LOAD * math.sin(2 * math.pi * self._breath) + noise + restless)


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
