"""The simulated cuffs say what stated payloads say, and their drivers read the whole memory once."""

from datetime import datetime

import pytest

from contract.quantities import QuantityName
from gateway.devices.bp_beurer_bm65 import BpBeurerBm65
from gateway.devices.bp_visomat import BpVisomat
from gateway.devices.driver import Driver, Measurement, Output
from simulators.instruments.cuffs import Bm65, CuffReading, Visomat
from simulators.instruments.instrument import Instrument
from tests.simulators.instruments.conversation import converse

OLD = CuffReading(datetime(2026, 3, 14, 7, 5), 142, 88, 77)
NEW = CuffReading(datetime(2026, 3, 15, 8, 0), 131, 80, 66)


def systolic(heard: list[Output]) -> list[tuple[float, bool]]:
    return [(one.value, one.is_history) for one in heard if isinstance(one, Measurement) and one.quantity is QuantityName.SYSTOLIC]


def test_answers_are_those_of_the_layout() -> None:
    assert Visomat([OLD]).answer(b"\2R00\3", 0.0) == b"\2M10126031407050142088077M2001\3"
    assert Bm65([CuffReading(datetime(2026, 3, 14, 7, 5), 132, 84, 71)]).answer(b"\xa3\x01", 0.0).hex() == "ac6b3b47030e07051a"
    assert Bm65([None]).answer(b"\xa3\x01\xa3\x02\xaa", 0.0) == b"\xa9\xa9\x55"


def test_requests_cut_in_two_are_answered() -> None:
    visomat, bm65 = Visomat(), Bm65([OLD])
    assert visomat.answer(b"\2R0", 0.0) == bm65.answer(b"\xa3", 0.0) == b""
    assert visomat.answer(b"0\3", 0.0) == b"\2M1001M2001\3"
    assert len(bm65.answer(b"\x01", 0.0)) == 9


@pytest.mark.parametrize(("driver", "cuff"), [(BpVisomat(), Visomat([OLD])), (BpBeurerBm65(), Bm65([None, OLD]))])
def test_the_memory_is_history_and_a_measurement_meanwhile_is_not(driver: Driver, cuff: Instrument) -> None:
    def change(now_s: float) -> None:
        if now_s == 90.0 and isinstance(cuff, Visomat):
            cuff.second.append(NEW)
        if now_s == 90.0 and isinstance(cuff, Bm65):
            cuff.readings.insert(0, NEW)

    assert systolic(converse(driver, cuff, 200.0, change)) == [(142, True), (131, False)]
