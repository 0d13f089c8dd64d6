"""RFXtrx receivers: packets are found by their lengths in any stream, and a panic is one event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, Alive, Command, Enrolled, Meaning, Measurement, Options, Output, Reason, Refusal, Signal
from gateway.devices.rfxtrx import Packet, Rfxtrx, command, decode, describe, reader

NORMAL = bytes.fromhex("0820004dd3dc540089")  # stated in Danielhiversen/pyRFXtrx:tests/test_security.py
PANIC = bytes.fromhex("0820024ed3dc540689")
END_PANIC = bytes.fromhex("0820024fd3dc540779")
STATUS = bytes.fromhex("0d01000102534500 0c2f01010000")  # stated in Danielhiversen/pyRFXtrx:tests/test_status.py
HOME = Options(
    enrolled=(
        Enrolled("pendant", "D3DC54", Meaning.SOS),
        Enrolled("front-door", "security1/010203", Meaning.DOOR),
        Enrolled("bell", "lighting4/a1b2c3", Meaning.BUTTON),
        Enrolled("cord", "lighting2/00112233/1", Meaning.SOS),
    )
)
CHARGE = {"pendant": Measurement(QuantityName.BATTERY, 100, member="pendant")}


def told(*pieces: bytes) -> list[dict[str, JSON] | Reason]:
    one = reader({})
    items = [item for piece in pieces for item in one.feed(piece)] + list(one.end())
    return [describe(item) if isinstance(item, Packet) else item for item in items]


def outputs(*packets: bytes) -> list[Output]:
    driver = Rfxtrx(HOME)
    return [found for packet in packets for found in driver.feed(packet, 0.0) if not isinstance(found, Alive)]


@pytest.mark.parametrize(
    ("packet", "wanted"),
    [
        (NORMAL, {"packet": "security1", "subtype": 0, "sequence": 77, "id": "d3dc54", "status": "normal", "battery": 9, "rssi": 8}),
        (PANIC, {"status": "panic", "tamper": False}),
        (bytes.fromhex("0820004dd3dc548489"), {"status": "motion", "tamper": True}),
        (bytes.fromhex("0820004dd3dc547f89"), {"status": None}),
        (STATUS, {"packet": "other", "type": "01", "subtype": 0, "sequence": 1}),
        (bytes.fromhex("0a520211700200a72d0089"), {"packet": "other", "type": "52"}),
        (command(0, 0), {"packet": "other", "type": "00", "direction": "to_device"}),
    ],
)
def test_a_packet_says_what_its_layout_says(packet: bytes, wanted: dict[str, JSON]) -> None:
    [found] = told(packet)
    assert isinstance(found, dict)
    assert {key: found[key] for key in wanted} == wanted
    assert told(*(bytes([byte]) for byte in packet)) == [found]


def test_the_commands_have_the_stated_bytes() -> None:
    assert command(0, 0) == b"\x0d" + bytes(13)
    assert command(2, 1) == bytes.fromhex("0d000001020000000000000000 00".replace(" ", ""))


@pytest.mark.parametrize("text", ["", "08", "0720004dd3dc540089", "0820004dd3dc5400", "0820004dd3dc54008900", "05200000"])
def test_a_wrong_length_is_refused(text: str) -> None:
    assert decode(bytes.fromhex(text)) is Reason.LENGTH


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (bytes.fromhex("0720004dd3dc540089"), Reason.LENGTH),
        (NORMAL[:-1], Reason.TRUNCATED),
        (b"\xff\xff" + NORMAL, Reason.SYNC),
        (b"\x20" + NORMAL, Reason.UNKNOWN_TYPE),
    ],
)
def test_what_is_no_packet_gives_its_reason(stream: bytes, reason: Reason) -> None:
    assert told(stream)[0] is reason


@pytest.mark.parametrize(
    ("packets", "wanted"),
    [
        ([PANIC] * 5 + [END_PANIC], [Signal(EventKind.SOS, "", member="pendant"), *[CHARGE["pendant"]] * 6]),
        ([NORMAL], [CHARGE["pendant"]]),
        (
            [bytes.fromhex("0820004a0102030260")],
            [Signal(EventKind.DOOR_OPENED, "", member="front-door"), Measurement(QuantityName.BATTERY, 10, member="front-door")],
        ),
        ([bytes.fromhex("09130000a1b2c3015e80")] * 3, [Signal(EventKind.BUTTON, "", member="bell")]),
        ([bytes.fromhex("0b11000100112233010100 80")], [Signal(EventKind.SOS, "", member="cord")]),
        ([bytes.fromhex("0b11000100112233010000 80")], []),
        ([bytes.fromhex("0820004dd3dc551689")], [Refusal(Reason.STRANGER, detail="security1/d3dc55")]),
        (
            [bytes.fromhex("0820004dd3dc541609")],
            [Measurement(QuantityName.BATTERY, 100, member="pendant"), Signal(EventKind.BATTERY_LOW, "", member="pendant")],
        ),
        ([bytes.fromhex("0a520211700200a72d0089")], []),
    ],
)
def test_what_was_enrolled_gives_events_once(packets: list[bytes], wanted: list[Output]) -> None:
    found = outputs(*packets)
    assert found == [output for output in wanted if isinstance(output, Signal | Refusal | Measurement)]


def test_the_start_is_a_reset_a_pause_and_a_question_until_it_is_answered() -> None:
    driver = Rfxtrx()
    assert list(driver.start(10.0)) == [Command(command(0, 0))]
    assert list(driver.tick(10.4)) == []
    assert list(driver.tick(10.5)) == [Command(command(2, 2))]
    assert list(driver.tick(11.4)) == []
    assert list(driver.tick(11.5)) == [Command(command(2, 3))]
    assert list(driver.feed(STATUS, 11.6)) == [Alive(), Command(command(7, 4))]
    assert list(driver.tick(71.5)) == []
    assert list(driver.tick(71.6)) == [Command(command(2, 5))]
    assert list(driver.feed(STATUS, 71.7)) == [Alive()]


def test_one_stray_byte_costs_no_packet() -> None:
    costly = [stray for stray in range(256) if told(bytes((stray,)) + PANIC * 5)[-5:] != told(PANIC * 5)]
    assert costly == []


def test_a_false_start_holds_up_no_press_for_longer_than_a_second() -> None:
    driver = Rfxtrx(HOME)
    assert list(driver.feed(b"\x28\x50" + PANIC, 0.0)) == []
    assert Signal(EventKind.SOS, "", member="pendant") in list(driver.tick(1.0))


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_cut_gives_the_same(stream: bytes, at: int) -> None:
    assert told(stream[:at], stream[at:]) == told(stream)


@given(st.binary(max_size=60))
def test_noise_is_over_after_the_pause_that_ends_it(noise: bytes) -> None:
    one = reader({})
    found = [*one.feed(noise), *one.end(), *one.feed(PANIC)]
    assert found[-1] == decode(PANIC)


def test_a_receiver_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        Rfxtrx().take(Frame(1, 1, 1, b""), 0.0)
