"""Contec's protocol V5: live packets in any stream, recorded points that are never taken for live values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.contec_v5 import ContecV5, Packet, Point, Reader, decode, decode_point
from gateway.devices.driver import Alive, Measurement, Output, Reason, Refusal
from simulators.instruments.oximeters import Contec5

GOOD = bytes.fromhex("8833064161")  # 65 /min, 97 %: by arithmetic from the vendor's protocol V5.0A
VALUES = [Measurement(QuantityName.SPO2, 97), Measurement(QuantityName.HEART_RATE, 65)]
POINT = bytes.fromhex("f0c161")


def items(stream: bytes) -> list[Packet | Point | Reason]:
    reader = Reader()
    return [*reader.feed(stream), *reader.end()]


def outputs(*pieces: bytes) -> list[Output]:
    driver = ContecV5()
    return [output for piece in pieces for output in driver.feed(piece, 0.0)]


# Flags as stated by atbrask/CMS50Dplus:unittests.py; values by arithmetic.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("8833064161", VALUES),
        ("8720440260", [Measurement(QuantityName.SPO2, 96), Measurement(QuantityName.HEART_RATE, 130)]),
        ("883306417f", [Measurement(QuantityName.HEART_RATE, 65)]),
        ("8833467f61", [Measurement(QuantityName.SPO2, 97)]),
        ("8833060000", [Refusal(Reason.SEARCHING)]),
        ("9833064161", [Refusal(Reason.SEARCHING)]),
        ("8833264161", [Refusal(Reason.SEARCHING)]),
        ("8833164161", [Refusal(Reason.NO_CONTACT)]),
        ("8000100000", [Refusal(Reason.NO_CONTACT)]),
    ],
)
def test_what_has_no_value_gives_its_reason_instead(text: str, wanted: list[Output]) -> None:
    assert outputs(bytes.fromhex(text)) == wanted


@pytest.mark.parametrize("length", range(1, 5))
def test_no_truncation_is_taken_for_a_packet_and_the_next_one_is_whole(length: int) -> None:
    assert outputs(GOOD[:length] + GOOD) == [Refusal(Reason.TRUNCATED), *VALUES]
    assert items(GOOD[:length]) == [Reason.TRUNCATED]


@pytest.mark.parametrize(("text", "reason"), [("", Reason.LENGTH), ("0833064161", Reason.SYNC), ("88330641e1", Reason.SYNC)])
def test_what_is_no_packet_is_refused(text: str, reason: Reason) -> None:
    assert decode(bytes.fromhex(text)) is reason


@pytest.mark.parametrize("text", ["f04161", "f2c161", "f0c1e1"])
def test_what_is_no_point_is_refused(text: str) -> None:
    assert decode_point(bytes.fromhex(text)) is Reason.SYNC
    assert decode_point(bytes.fromhex(text)[:2]) is Reason.LENGTH


def test_recorded_points_follow_each_other_and_none_is_a_value_of_now() -> None:
    stream = POINT + bytes.fromhex("f18260") + bytes.fromhex("f08000")
    assert items(stream) == [Point(65, 97), Point(130, 96), Point(None, None)]
    assert outputs(stream + POINT) == [Alive()] * 3


def test_a_live_packet_cut_off_after_f0_is_no_point() -> None:
    assert items(b"\xf0" + GOOD + GOOD) == [Reason.TRUNCATED, decode(GOOD), decode(GOOD)]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_however_cut_give_the_same(stream: bytes, at: int) -> None:
    reader = Reader()
    assert [*reader.feed(stream[:at]), *reader.feed(stream[at:]), *reader.end()] == items(stream)


@given(st.binary(max_size=300))
def test_noise_never_costs_the_packet_behind_it(noise: bytes) -> None:
    assert items(noise + GOOD)[-1] == decode(GOOD)


def test_a_simulated_one_is_understood() -> None:
    oximeter = Contec5(pulse=140, spo2=94)
    assert outputs(oximeter.write(0.0)) == [Measurement(QuantityName.SPO2, 94), Measurement(QuantityName.HEART_RATE, 140)]
    assert outputs(Contec5(None, None).write(0.0)) == [Refusal(Reason.NO_CONTACT)]


def test_an_oximeter_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        ContecV5().take(Frame(1, 1, 1, b""), 0.0)
    assert [*ContecV5().start(0.0), *ContecV5().tick(1e9)] == []
