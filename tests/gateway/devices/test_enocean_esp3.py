"""EnOcean receivers: frames are found in any stream, and the call button that was enrolled calls once for each press."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, Alive, Command, Enrolled, Meaning, Measurement, Options, Output, Reason, Refusal, Signal
from gateway.devices.enocean_esp3 import RADIO, EnoceanEsp3, Packet, checksum, command, describe, reader, seal

# Frames as stated in kipe/enocean's tests.
OPEN = bytes.fromhex("55000707017ad50801825dab0001ffffffff360053")
CLOSED = bytes.fromhex("55000707017ad50901825dab0001ffffffff3600c7")
PRESSED = bytes.fromhex("55000707017af650002989793001ffffffff37009d")
RELEASED = bytes.fromhex("55000707017af600002989792002ffffffff4a0003")
WARM = bytes.fromhex("55000a0701eba5000055080181b7440001ffffffff2d0075")
LEARN = bytes.fromhex("55000a0701eba50828468001 8a7b300001ffffffff490026")
OUTPUT = bytes.fromhex("5500090701 56 d20400640194e3b90001ffffffff4000e4")
EVENT = bytes.fromhex("5500010004770107")
BASE_ID = bytes.fromhex("5500050002ce00ff87ca00a3")
WITH_SYNC_INSIDE = bytes.fromhex("5500050102db00ff9e55000a79")
HOME = Options(
    enrolled=(
        Enrolled("pendant", "00298979", Meaning.SOS, eep="F6-02-02"),
        Enrolled("front-door", "01825DAB", Meaning.DOOR, eep="D5-00-01"),
        Enrolled("bedroom", "0181b744", Meaning.CLIMATE, eep="A5-02-05"),
    )
)


def told(*pieces: bytes, eep: str = "") -> list[dict[str, JSON] | Reason]:
    one = reader({"eep": eep})
    items = [item for piece in pieces for item in one.feed(piece)] + list(one.end())
    return [describe(item) if isinstance(item, Packet) else item for item in items]


def packets(stream: bytes) -> list[Packet]:
    one = reader({})
    return [item for item in [*one.feed(stream), *one.end()] if isinstance(item, Packet)]


def outputs(*frames: tuple[float, bytes]) -> list[Output]:
    driver = EnoceanEsp3(HOME)
    return [found for at_s, frame in frames for found in driver.feed(frame, at_s) if not isinstance(found, Alive)]


def test_the_checksum_is_the_one_of_the_document() -> None:
    assert checksum(bytes.fromhex("00010005")) == 0x70
    assert command(0x08).hex() == "5500010005700838"


@pytest.mark.parametrize(
    ("frame", "eep", "wanted"),
    [
        (PRESSED, "F6-02-02", {"rorg": "f6", "sender": "00298979", "button": "BI", "pressed": True, "second_button": None}),
        (RELEASED, "F6-02-02", {"button": None, "pressed": False, "dbm": -74, "subtelegrams": 2}),
        (OPEN, "", {"contact": "open", "teach_in": False}),
        (WARM, "A5-02-05", {"temperature_c": 26.7}),
        (LEARN, "", {"teach_in_eep": "A5-02-05", "manufacturer": 70}),
        (OUTPUT, "D2-01-01", {"output_pct": 100}),
        (EVENT, "", {"packet_type": 4, "event": 1}),
        (BASE_ID, "", {"return_code": 0, "base_id": "ff87ca00"}),
        (WITH_SYNC_INSIDE, "", {"return_code": 0, "data_length": 5, "optional_length": 1}),
    ],
)
def test_a_frame_says_what_the_source_says(frame: bytes, eep: str, wanted: dict[str, JSON]) -> None:
    [found] = told(frame, eep=eep)
    assert isinstance(found, dict)
    assert {key: found[key] for key in wanted} == wanted
    assert told(*(bytes([byte]) for byte in frame), eep=eep) == [found]


# By plain arithmetic from the equipment profiles.
@pytest.mark.parametrize(
    ("payload", "eep", "wanted"),
    [
        ("a50000ff08", "A5-02-01", {"temperature_c": -40.0}),
        ("a500000008", "A5-02-1B", {"temperature_c": 130.0}),
        ("a500fa7d0a", "A5-04-01", {"humidity_pct": 100.0, "temperature_c": 20.0}),
        ("a5007d7d08", "A5-04-02", {"humidity_pct": 50.0}),
        ("a500fb7d0a", "A5-04-01", {}),
        ("a500005508", "A5-02-zz", {}),
        ("a500005500", "A5-02-05", {"teach_in": True, "teach_in_eep": None}),
        ("d500", "", {"contact": None, "teach_in": True}),
        ("d204007f", "D2-01-01", {"output_pct": None}),
        ("f611", "F6-05-01", {"pressed": True, "button": None, "second_button": None}),
        ("f637", "F6-02-02", {"pressed": True, "button": "AO", "second_button": "BO"}),
    ],
)
def test_a_profile_gives_its_values_and_nothing_else(payload: str, eep: str, wanted: dict[str, JSON]) -> None:
    [found] = told(seal(RADIO, bytes.fromhex(payload) + bytes.fromhex("0102030430")), eep=eep)
    assert isinstance(found, dict)
    assert {key: value for key, value in found.items() if key not in told_of_every_telegram()} == wanted


def told_of_every_telegram() -> set[str]:
    return {"packet_type", "data_length", "optional_length", "rorg", "sender", "status"}


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (OPEN[:-1] + b"\x54", Reason.DATA_CHECKSUM),
        (OPEN[:5] + b"\x1b" + OPEN[6:], Reason.HEADER_CHECKSUM),
        (OPEN[:3], Reason.TRUNCATED),
        (b"\x00" + OPEN, Reason.SYNC),
        (seal(RADIO, b"\xf6\x50\x00\x29\x89"), Reason.FORMAT),
        (seal(RADIO, b""), Reason.FORMAT),
        (seal(2, b""), Reason.FORMAT),
        (b"\x55" + b"\xff\xff\x07\x01" + bytes((checksum(b"\xff\xff\x07\x01"),)), Reason.LENGTH),
    ],
)
def test_what_is_no_frame_gives_its_reason(stream: bytes, wanted: Reason) -> None:
    assert told(stream)[0] is wanted


@pytest.mark.parametrize("length", range(1, len(PRESSED)))
def test_no_truncation_is_taken_for_a_frame_and_the_next_one_is_whole(length: int) -> None:
    assert packets(PRESSED[:length]) == []
    assert packets(PRESSED[:length] + OPEN) == packets(OPEN)


@given(st.binary(max_size=100))
def test_noise_never_costs_the_frame_behind_it(noise: bytes) -> None:
    assert packets(noise + PRESSED)[-1] == packets(PRESSED)[0]


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_cut_gives_the_same(stream: bytes, at: int) -> None:
    assert told(stream[:at], stream[at:]) == told(stream)


def test_one_press_is_one_event_and_a_release_none() -> None:
    assert outputs((0.0, PRESSED), (0.05, PRESSED), (0.3, RELEASED)) == [Signal(EventKind.SOS, "", member="pendant")]


def test_a_door_tells_its_changes_only() -> None:
    found = outputs((0, OPEN), (1, OPEN), (900, OPEN), (901, CLOSED))
    assert found == [Signal(EventKind.DOOR_OPENED, "", member="front-door"), Signal(EventKind.DOOR_CLOSED, "", member="front-door")]


def test_a_room_sensor_measures_by_its_profile() -> None:
    assert outputs((0, WARM)) == [Measurement(QuantityName.ROOM_TEMPERATURE, 26.7, member="bedroom")]


def test_strangers_and_lessons_are_counted_with_the_address_and_change_nothing() -> None:
    driver = EnoceanEsp3()
    assert list(driver.feed(PRESSED + LEARN, 0.0)) == [
        Alive(),
        Refusal(Reason.STRANGER, detail="00298979"),
        Alive(),
        Refusal(Reason.TEACH_IN, detail="018a7b30"),
    ]


def test_a_false_start_holds_up_no_press_for_longer_than_a_second() -> None:
    driver = EnoceanEsp3(HOME)
    false_start = seal(RADIO, bytes(200))[:6]
    assert list(driver.feed(false_start + PRESSED, 10.0)) == []
    assert Signal(EventKind.SOS, "", member="pendant") in list(driver.tick(11.0))


def test_the_receiver_is_asked_at_the_start_and_each_minute() -> None:
    driver = EnoceanEsp3()
    assert list(driver.start(100.0)) == [Command(command(0x08)), Command(command(0x03))]
    assert list(driver.tick(159.0)) == []
    assert list(driver.tick(160.0)) == [Command(command(0x03))]
    assert list(driver.feed(BASE_ID, 161.0)) == [Alive()]


def test_a_frame_cut_off_by_a_pulled_plug_is_forgotten() -> None:
    driver = EnoceanEsp3(HOME)
    list(driver.feed(PRESSED[:10], 0.0))
    list(driver.start(5.0))
    assert Signal(EventKind.SOS, "", member="pendant") in list(driver.feed(PRESSED, 5.0))


def test_a_receiver_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        EnoceanEsp3().take(Frame(1, 1, 1, b""), 0.0)


def test_a_room_sensor_without_a_known_profile_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="bedroom needs the eep of a room sensor"):
        EnoceanEsp3(Options(enrolled=(Enrolled("bedroom", "0181b744", Meaning.CLIMATE),)))
