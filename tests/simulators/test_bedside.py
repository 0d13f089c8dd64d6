"""The bed mat and the oximeter of a simulated bedroom."""

from simulators.bedside import Oximeter, mat_state
from simulators.home import state_at
from simulators.vitals import Vitals
from simulators.wire import BedMatState

VITALS = Vitals(heart_rate=60.2, respiration_rate=14.4, spo2=96.6, skin_temperature=33.0)


def test_the_mat_feels_a_sleeper() -> None:
    assert mat_state(state_at(1, 3600.0), VITALS, 80) == BedMatState(True, 14, 60, 2, 80)


def test_an_empty_bed_has_no_signs() -> None:
    assert mat_state(state_at(1, 9 * 3600.0), VITALS, 80) == BedMatState(False, None, None, 0, 80)


def test_a_block_of_packets_carries_the_rounded_values() -> None:
    packets = Oximeter().packets(VITALS, 10)
    assert len(packets) == 50
    assert {packets[at + 3 : at + 5] for at in range(0, 50, 5)} == {bytes((60, 97))}


def test_the_wave_beats_once_a_second_at_60_whatever_the_blocks() -> None:
    oximeter, whole = Oximeter(), Oximeter().packets(VITALS, 1050)
    assert b"".join(oximeter.packets(VITALS, 10) for _ in range(105)) == whole
    assert sum(byte >> 6 & 1 for byte in whole[::5]) == 10


def test_the_wave_stays_inside_its_field() -> None:
    pleths = Oximeter().packets(VITALS, 1000)[1::5]
    assert 1 <= min(pleths) < 20
    assert 80 < max(pleths) <= 100
