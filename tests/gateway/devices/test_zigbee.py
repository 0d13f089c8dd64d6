"""Zigbee: the IAS zone's bytes, and zigbee2mqtt's messages, of which a retained one is no event."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, Alive, Enrolled, Meaning, Measurement, Options, Output, Reason, Refusal, Signal
from gateway.devices.zigbee import Message, Notification, Zigbee2Mqtt, decode, decode_message, describe, reader

IDLE = "096200300000170000"  # a Develco panic button, raw bytes in the log of Koenkk/zigbee2mqtt issue 13122
HOME = Options(
    enrolled=(
        Enrolled("pendant", "0x00158d0001a2b3c4", Meaning.SOS),
        Enrolled("front-door", "front door", Meaning.DOOR),
        Enrolled("hall", "hall", Meaning.MOTION),
        Enrolled("kitchen", "kitchen", Meaning.SMOKE),
        Enrolled("boiler", "boiler", Meaning.GAS),
        Enrolled("bath", "bath", Meaning.WATER),
    )
)


def line(device: str, payload: JSON, *, is_retained: bool = False) -> bytes:
    return json.dumps({"topic": f"zigbee2mqtt/{device}", "retained": is_retained, "payload": payload}).encode() + b"\n"


def outputs(*lines: bytes) -> list[Output]:
    driver = Zigbee2Mqtt(HOME)
    return [found for one in lines for found in driver.feed(one, 0.0) if not isinstance(found, Alive)]


@pytest.mark.parametrize(
    ("text", "status", "flags"),
    [
        (IDLE, 48, ["supervision_reports", "restore_reports"]),
        ("096300310000170000", 49, ["alarm_1", "supervision_reports", "restore_reports"]),
        ("19630000 02 00170000", 512, ["battery_defect"]),
        ("0963000000ff170000", 0, []),
    ],
)
def test_a_notification_says_what_its_layout_says(text: str, status: int, flags: list[str]) -> None:
    found = decode(bytes.fromhex(text))
    assert isinstance(found, Notification)
    assert (found.zone_status, found.flags, describe(found)["zone_id"]) == (status, flags, 23)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("096200300000", Reason.TRUNCATED),
        (IDLE + "00", Reason.LENGTH),
        ("096201300000170000", Reason.FORMAT),
        ("086200300000170000", Reason.FORMAT),
    ],
)
def test_what_is_no_notification_is_refused(text: str, reason: Reason) -> None:
    one = reader({})
    assert [*one.feed(bytes.fromhex(text)), *one.end()] == [reason]


@pytest.mark.parametrize("length", range(9))
def test_no_truncation_is_taken_for_a_notification(length: int) -> None:
    assert decode(bytes.fromhex(IDLE)[:length]) is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([line("0x00158d0001a2b3c4", {"action": "emergency"})] * 2, [Signal(EventKind.SOS, "", member="pendant")]),
        ([line("0x00158D0001A2B3C4", {"sos": True})], [Signal(EventKind.SOS, "", member="pendant")]),
        ([line("0x00158d0001a2b3c4", {"action": ""})], []),
        ([line("0x00158d0001a2b3c4", {"action": "emergency"}, is_retained=True)], []),
        (
            [line("my pendant", {"action": "panic", "device": {"ieeeAddr": "0x00158d0001a2b3c4"}})],
            [Signal(EventKind.SOS, "", member="pendant")],
        ),
        (
            [line("front door", {"contact": True}), line("front door", {"contact": False}), line("front door", {"contact": False})],
            [Signal(EventKind.DOOR_CLOSED, "", member="front-door"), Signal(EventKind.DOOR_OPENED, "", member="front-door")],
        ),
        ([line("hall", {"occupancy": True}), line("hall", {"occupancy": False})], [Signal(EventKind.MOTION, "", member="hall")]),
        (
            [line("kitchen", {"smoke": True, "tamper": True}), line("kitchen", {"smoke": False, "tamper": True})],
            [
                Signal(EventKind.SMOKE, "", member="kitchen"),
                Signal(EventKind.TAMPER, "", member="kitchen"),
                Signal(EventKind.ALARM_ENDED, "", detail="smoke", member="kitchen"),
            ],
        ),
        ([line("boiler", {"gas": False, "carbon_monoxide": True})], [Signal(EventKind.GAS, "", member="boiler")]),
        ([line("bath", {"water_leak": True})], [Signal(EventKind.WATER, "", member="bath")]),
        (
            [line("hall", {"battery": 91, "battery_low": True, "temperature": 19.5, "humidity": 40, "voltage": None})],
            [
                Signal(EventKind.BATTERY_LOW, "", member="hall"),
                Measurement(QuantityName.BATTERY, 91, member="hall"),
                Measurement(QuantityName.ROOM_TEMPERATURE, 19.5, member="hall"),
                Measurement(QuantityName.HUMIDITY, 40, member="hall"),
            ],
        ),
        ([line("neighbour", {"contact": True})], [Refusal(Reason.STRANGER, detail="neighbour")]),
        ([line("bridge/info", {"version": "1"}), line("hall/availability", {"state": "online"}), line("hall", "text")], []),
        ([b"no json\n", b'{"topic": 1, "retained": false, "payload": {}}\n', b"[]\n"], [Refusal(Reason.FORMAT)] * 3),
    ],
)
def test_what_was_enrolled_gives_events_once(lines: list[bytes], wanted: list[Output]) -> None:
    assert outputs(*lines) == wanted


@pytest.mark.parametrize(("gone", "back"), [("offline", "online"), ({"state": "offline"}, {"state": "online"})])
def test_a_beat_is_no_life_while_zigbee2mqtt_itself_is_gone(gone: JSON, back: JSON) -> None:
    driver = Zigbee2Mqtt(HOME)
    assert list(driver.feed(b"\n", 0.0)) == [Alive()]
    assert list(driver.feed(line("bridge/state", gone, is_retained=True), 1.0)) == []
    assert list(driver.feed(b"\n", 2.0)) == []
    assert list(driver.feed(line("bridge/state", back), 3.0)) == [Alive()]
    assert list(driver.start(4.0)) == [] == list(driver.tick(4.0))


_WORDS = st.text("emrgncy", max_size=9)
_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | _WORDS | st.dictionaries(_WORDS, _WORDS, max_size=2)


@given(
    st.sampled_from([one.address for one in HOME.enrolled]),
    st.dictionaries(st.sampled_from(["action", "contact", "battery", "device"]), _VALUES),
)
def test_any_state_is_taken(device: str, state: dict[str, JSON]) -> None:
    outputs(line(device, state))


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_cut_gives_the_same(stream: bytes, at: int) -> None:
    whole, cut = Zigbee2Mqtt(HOME), Zigbee2Mqtt(HOME)
    pieces = [*cut.feed(stream[:at], 0.0), *cut.feed(stream[at:], 0.0)]
    without_life = [found for found in pieces if not isinstance(found, Alive)]
    assert without_life == [found for found in whole.feed(stream, 0.0) if not isinstance(found, Alive)]


def test_a_message_of_zigbee2mqtt_itself_belongs_to_no_device() -> None:
    assert decode_message(line("bridge/state", "online").decode()) == Message("", {}, False, is_online=True)


def test_a_receiver_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        Zigbee2Mqtt().take(Frame(1, 1, 1, b""), 0.0)
