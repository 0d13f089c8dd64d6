"""BCI oximeters: packets are found in any stream, and what has no value gives none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.bci_oximeter import BciOximeter, Packet, Reader, decode
from gateway.devices.driver import Measurement, Output, Reason, Refusal

# Bytes and values as stated in atick-faisal/berry-oximeter, tests/test_berry_oximeter.py.
STATED = [("8732054862", 72, 98), ("8828044b61", 75, 97)]
GOOD = bytes.fromhex("8732054862")


def packets(*pieces: bytes) -> list[Packet]:
    reader = Reader()
    return [item for piece in pieces for item in reader.feed(piece) if isinstance(item, Packet)]


def refusals(stream: bytes) -> list[Reason]:
    return [item for item in Reader().feed(stream) if isinstance(item, Reason)]


def outputs(*pieces: bytes) -> list[Output]:
    driver = BciOximeter()
    return [output for piece in pieces for output in driver.feed(piece, 0.0)]


@pytest.mark.parametrize(("text", "pulse", "spo2"), STATED)
def test_stated_packets_give_the_stated_values(text: str, pulse: int, spo2: int) -> None:
    assert outputs(bytes.fromhex(text)) == [Measurement(QuantityName.SPO2, spo2), Measurement(QuantityName.HEART_RATE, pulse)]


# By plain arithmetic from the layout, BCI Protocol V1.2.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("c65a470c60", [Measurement(QuantityName.SPO2, 96), Measurement(QuantityName.HEART_RATE, 140)]),
        ("8732057f62", [Measurement(QuantityName.SPO2, 98), Measurement(QuantityName.HEART_RATE, 127)]),
        ("873245007f", [Measurement(QuantityName.HEART_RATE, 128)]),
        ("8732457f62", [Measurement(QuantityName.SPO2, 98)]),
        ("8732050062", [Measurement(QuantityName.SPO2, 98)]),
        ("8732054800", [Measurement(QuantityName.HEART_RATE, 72)]),
        ("8732457f7f", [Refusal(Reason.SEARCHING)]),
        ("8732254862", [Refusal(Reason.SEARCHING)]),
        ("8732154862", [Refusal(Reason.NO_CONTACT)]),
        ("9732054862", [Refusal(Reason.NO_CONTACT)]),
        ("a732054862", [Refusal(Reason.UNPLUGGED)]),
        ("8000507f7f", [Refusal(Reason.NO_CONTACT)]),
        ("a000407f7f", [Refusal(Reason.UNPLUGGED)]),
    ],
)
def test_what_has_no_value_gives_its_reason_instead(text: str, wanted: list[Output]) -> None:
    assert outputs(bytes.fromhex(text)) == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.LENGTH),
        ("87320548", Reason.LENGTH),
        ("873205486200", Reason.LENGTH),
        ("0732054862", Reason.SYNC),
        ("87b2054862", Reason.SYNC),
        ("87320548e2", Reason.SYNC),
    ],
)
def test_what_is_no_packet_is_refused(text: str, reason: Reason) -> None:
    assert decode(bytes.fromhex(text)) is reason


@pytest.mark.parametrize("length", range(1, 5))
def test_no_truncation_is_taken_for_a_packet_and_the_next_one_is_whole(length: int) -> None:
    assert outputs(GOOD[:length] + GOOD) == [Refusal(Reason.TRUNCATED), *outputs(GOOD)]


@pytest.mark.parametrize(
    ("stream", "counted"),
    [
        (b"\x01\x02\x03" + GOOD, [Reason.SYNC]),
        (GOOD + b"\x01\x02\x03" + GOOD, [Reason.SYNC]),
        (GOOD[:3] + GOOD + b"\x01", [Reason.TRUNCATED, Reason.SYNC]),
        (b"\x87\x87\x87" + GOOD, [Reason.TRUNCATED] * 3),
        (b"\x01" * 500, [Reason.SYNC]),
    ],
)
def test_each_run_of_stray_bytes_and_each_cut_packet_is_counted_once(stream: bytes, counted: list[Reason]) -> None:
    assert refusals(stream) == counted


def test_a_packet_cut_off_by_the_end_is_said() -> None:
    reader = Reader()
    assert [*reader.feed(GOOD + GOOD[:2]), *reader.end()] == [decode(GOOD), Reason.TRUNCATED]
    assert [*reader.end()] == []


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_however_cut_give_the_same(stream: bytes, at: int) -> None:
    reader = Reader()
    assert [*reader.feed(stream[:at]), *reader.feed(stream[at:])] == [*Reader().feed(stream)]


@given(st.binary(max_size=300))
def test_noise_never_costs_the_packet_behind_it(noise: bytes) -> None:
    assert packets(noise + GOOD)[-1] == decode(GOOD)


def test_an_oximeter_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        BciOximeter().take(Frame(1, 1, 1, b""), 0.0)
    assert list(BciOximeter().tick(1e9)) == []
