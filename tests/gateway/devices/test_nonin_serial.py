"""Nonin's streams, formats 2, 7 and 8: a packet is whole or nothing, and a display value is never a measurement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import Command, Measurement, Options, Output, Reason, Refusal
from gateway.devices.nonin_serial import NoninSerial, describe, reader
from gateway.devices.nonin_spot import Packet
from simulators.instruments.oximeters import Nonin

# Packet of 72 /min, 97 %, stated by pez-globo/pufferfish-software:.../Nonin/TestPacketReceiver.cpp.
STATED = bytes.fromhex(
    "018101008301800148ca01800161e301800130b2018001008201800100820180010082018001008201800161e301800161e301800161e301800100820180010082"
    "018001008201800148ca01800161e301800161e301800100820180010082018001008201800148ca018001008201800148ca01800100820180010082"
)
VALUES = [Measurement(QuantityName.SPO2, 97), Measurement(QuantityName.HEART_RATE, 72)]


def items(stream: bytes, number: str = "2") -> list[Packet | Reason]:
    one = reader({"format": number})
    return [*one.feed(stream), *one.end()]


def outputs(stream: bytes, number: str = "2") -> list[Output]:
    return list(NoninSerial(Options({"format": number})).feed(stream, 0.0))


def packet_of(nonin: Nonin, number: str) -> bytes:
    """Two seconds."""
    nonin.data_format = int(number)
    return b"".join(nonin.write(step / 10) for step in range(21))


def test_a_stated_packet_gives_the_stated_values() -> None:
    assert outputs(STATED) == VALUES


@pytest.mark.parametrize("number", ["2", "7", "8"])
@pytest.mark.parametrize(("pulse", "spo2"), [(72, 97), (140, 88), (300, 80)])
def test_every_format_gives_the_plain_values(number: str, pulse: int, spo2: int) -> None:
    wanted = [Measurement(QuantityName.SPO2, spo2), Measurement(QuantityName.HEART_RATE, pulse)]
    heard = [one for one in outputs(packet_of(Nonin(pulse, spo2), number), number) if one != Refusal(Reason.SYNC)]
    assert heard[:2] == wanted and len(heard) >= 4


@pytest.mark.parametrize("number", ["2", "7", "8"])
def test_without_a_finger_there_is_no_value(number: str) -> None:
    assert not any(isinstance(one, Measurement) for one in outputs(packet_of(Nonin(None, None), number), number))


def test_the_display_values_that_stand_after_the_finger_is_out_are_not_believed() -> None:
    frames = [bytearray(STATED[at : at + 5]) for at in range(0, len(STATED), 5)]
    for frame in frames:
        frame[1] |= 0x08
        frame[4] = sum(frame[:4]) & 0xFF
    stream = b"".join(frames)
    assert outputs(stream) == [Refusal(Reason.NO_CONTACT)]
    [packet] = items(stream)
    assert isinstance(packet, Packet) and describe(packet)["sensor_alarm"] is True


@pytest.mark.parametrize("length", [1, 5, 7, 60, 120, 124])
def test_no_truncation_is_taken_for_a_packet_and_the_next_one_is_whole(length: int) -> None:
    found = items(STATED[:length] + STATED)
    assert [one for one in found if isinstance(one, Packet)] == items(STATED)


@pytest.mark.parametrize("at", range(len(STATED)))
def test_no_packet_with_a_damaged_byte_is_believed(at: int) -> None:
    damaged = bytearray(STATED)
    damaged[at] ^= 0x10
    found = items(bytes(damaged) + STATED)
    assert [one for one in found if isinstance(one, Packet)] == items(STATED)
    assert any(isinstance(one, Reason) for one in found)


def test_a_second_sync_bit_begins_a_packet_anew() -> None:
    assert items(STATED[:50] + STATED) == [Reason.TRUNCATED, *items(STATED)]


@given(st.binary(max_size=200), st.integers(0, 200), st.sampled_from(["2", "7", "8"]))
def test_any_bytes_however_cut_give_the_same(stream: bytes, at: int, number: str) -> None:
    one = reader({"format": number})
    assert [*one.feed(stream[:at]), *one.feed(stream[at:]), *one.end()] == items(stream, number)


def test_the_format_is_selected_when_the_port_opens() -> None:
    driver, nonin = NoninSerial(Options({"format": "8"})), Nonin(data_format=13)
    [command] = driver.start(0.0)
    assert command == Command(bytes.fromhex("027002020803"))
    assert (nonin.answer(bytes.fromhex("027002020803"), 0.0), nonin.data_format) == (b"\x06", 8)


@pytest.mark.parametrize("number", ["13", "9", ""])
def test_a_format_that_does_not_stream_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="format is 2, 7 or 8"):
        NoninSerial(Options({"format": number}))
    if number != "13":
        with pytest.raises(ValueError, match="format is 2, 7, 8 or 13"):
            reader({"format": number})


def test_an_oximeter_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        NoninSerial().take(Frame(1, 1, 1, b""), 0.0)
    assert list(NoninSerial().tick(1e9)) == []
