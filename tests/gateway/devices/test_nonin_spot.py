"""Nonin's format 13: one record for each result, those of its memory with their own time, and the commands."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import Alive, Command, Measurement, Output, Reason, Refusal, SetClock
from gateway.devices.nonin_spot import NoninSpot, Packet, record_cutter, select_format, set_time
from simulators.instruments.oximeters import nonin_result

AT = datetime(2026, 3, 14, 3, 12, 9)
RECORD = bytes.fromhex("0002000d000e20260314031209000000004800612403")  # 72 /min, 97 %: arithmetic from 6470-000-01


def items(stream: bytes) -> list[Packet | Reason]:
    cutter = record_cutter()
    return [*cutter.feed(stream), *cutter.end()]


def outputs(*pieces: bytes) -> list[Output]:
    driver = NoninSpot()
    return [output for piece in pieces for output in driver.feed(piece, 0.0)]


def test_the_simulated_record_is_the_documents() -> None:
    assert nonin_result(AT, 72, 97) == RECORD


@pytest.mark.parametrize("from_memory", [False, True])
def test_a_result_has_its_time_and_those_of_the_memory_are_history(from_memory: bool) -> None:
    assert outputs(nonin_result(AT, 300, 88, from_memory=from_memory)) == [
        Measurement(QuantityName.SPO2, 88, AT, is_history=from_memory),
        Measurement(QuantityName.HEART_RATE, 300, AT, is_history=from_memory),
    ]


@pytest.mark.parametrize(("pulse", "spo2", "wanted"), [(511, 127, Reason.SEARCHING), (0, 0, Reason.SEARCHING)])
def test_what_is_missing_is_no_value(pulse: int, spo2: int, wanted: Reason) -> None:
    assert outputs(nonin_result(AT, pulse, spo2)) == [Refusal(wanted)]


def test_no_measurement_is_no_value_whatever_the_numbers_say() -> None:
    record = bytearray(RECORD)
    record[14] |= 0x01
    record[-2] = (record[-2] + 1) & 0xFF
    assert outputs(bytes(record)) == [Refusal(Reason.NO_CONTACT)]


def test_a_time_that_is_none_is_no_time() -> None:
    assert outputs(RECORD.replace(bytes.fromhex("20260314"), bytes.fromhex("20261314")).replace(b"\x61\x24", b"\x61\x34")) == [
        Measurement(QuantityName.SPO2, 97),
        Measurement(QuantityName.HEART_RATE, 72),
    ]


@pytest.mark.parametrize("length", range(1, len(RECORD)))
def test_no_truncation_is_taken_for_a_record_and_the_next_one_is_whole(length: int) -> None:
    found = items(RECORD[:length] + RECORD)
    assert [one for one in found if isinstance(one, Packet)] == items(RECORD)


@pytest.mark.parametrize("at", range(6, len(RECORD)))
def test_no_damaged_record_is_believed_and_the_next_one_is_not_lost(at: int) -> None:
    damaged = bytearray(RECORD)
    damaged[at] ^= 0x04
    assert [one for one in items(bytes(damaged) + RECORD) if isinstance(one, Packet)] == items(RECORD)


@pytest.mark.parametrize("claimed", [b"\x00\x0d", b"\x00\x41", b"\xff\xff"])
def test_a_length_that_cannot_be_costs_nothing_behind_it(claimed: bytes) -> None:
    assert items(RECORD[:4] + claimed + RECORD)[-1] == items(RECORD)[0]


def test_a_record_whose_rest_does_not_come_is_given_up() -> None:
    driver = NoninSpot()
    assert list(driver.feed(RECORD[:10], 0.0)) == []
    assert list(driver.tick(2.0)) == [Refusal(Reason.TRUNCATED)]


def test_its_format_is_selected_and_its_clock_set_when_the_port_opens() -> None:
    selected, clock = NoninSpot().start(0.0)
    assert selected == Command(bytes.fromhex("027002020d03"))
    assert isinstance(clock, SetClock) and clock.build(datetime(2050, 12, 31, 14, 30, 15)) == bytes.fromhex("027206320c1f0e1e0f03")


@pytest.mark.parametrize("command", [select_format(8), set_time(AT), bytes.fromhex("02720003"), bytes.fromhex("02f2061a030e030c0903")])
def test_every_command_can_be_read_and_its_answer_is_a_sign_of_life(command: bytes) -> None:
    [packet] = items(command)
    assert isinstance(packet, Packet)
    assert outputs(command) == [Alive()]


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_however_cut_give_the_same(stream: bytes, at: int) -> None:
    cutter = record_cutter()
    assert [*cutter.feed(stream[:at]), *cutter.feed(stream[at:]), *cutter.end()] == items(stream)


def test_an_oximeter_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        NoninSpot().take(Frame(1, 1, 1, b""), 0.0)
