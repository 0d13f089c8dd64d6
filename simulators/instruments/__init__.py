"""Simulated serial devices, as they are sold. `python -m simulators instruments FOLDER` puts one of each on a pseudo terminal."""

from collections.abc import Callable
from datetime import datetime

from simulators.instruments.cuffs import Bm65, CuffReading, Visomat
from simulators.instruments.hlk import Ld1125h, Ld2410, Ld2450
from simulators.instruments.instrument import Instrument
from simulators.instruments.oximeters import Bci, Contec5, Contec7, Nonin
from simulators.instruments.radar_sy import RadarSy
from simulators.instruments.radar_tinyframe import RadarTinyFrame
from simulators.instruments.receivers import EnoceanReceiver, RflinkReceiver, RfxtrxReceiver

_RECORD = CuffReading(datetime(2026, 3, 1, 7, 30), 132, 84, 71)

INSTRUMENTS: dict[str, Callable[[], Instrument]] = {
    "bci_oximeter": Bci,
    "bp_beurer_bm65": lambda: Bm65([_RECORD]),
    "bp_visomat": lambda: Visomat([_RECORD]),
    "contec_v5": Contec5,
    "contec_v7": Contec7,
    "enocean_esp3": EnoceanReceiver,
    "hlk_ld1125h": Ld1125h,
    "hlk_ld2410": Ld2410,
    "hlk_ld2450": Ld2450,
    "nonin_serial": Nonin,
    "radar_sy": RadarSy,
    "radar_tinyframe": RadarTinyFrame,
    "rflink": RflinkReceiver,
    "rfxtrx": RfxtrxReceiver,
}
"""Device type of the gateway's file -> a device of it. Cuffs hold one record; receivers say only what they are made to hear."""
