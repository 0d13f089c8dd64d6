""" "53 59" radars: frames are found in any stream, two dialects are never mixed up, and one fall is one event."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, Alive, Command, Measurement, Options, Output, Reason, Refusal, Signal
from gateway.devices.radar_sy import COMMANDS, RadarSy, describe, dialect_of, frame, reader

# Vendor's sample, and a frame of the same shape in a capture of the firmware of 2022 (vladkozlov69/MR60BHA1:dump.txt).
HEART_65 = bytes.fromhex("53598502000141755443")
CAPTURED_HEART_60 = bytes.fromhex("535981020001 3c6c 5443")
FALL, NO_FALL = bytes.fromhex("53598301000101325443"), bytes.fromhex("53598301000100315443")
FIRMWARE = bytes.fromhex("535902a4000f473234564431535956303031303036025443")  # G24VD1SYV001006, bruno00o/kazimo


def told(stream: bytes, dialect: str | None = "2") -> list[dict[str, JSON] | Reason]:
    one = reader({"dialect": dialect} if dialect else {})
    return [item if isinstance(item, Reason) else describe(item) for item in [*one.feed(stream), *one.end()]]


def driver(dialect: str | None = "2") -> RadarSy:
    return RadarSy(Options({"dialect": dialect} if dialect else {}))


def outputs(stream: bytes, dialect: str | None = "2") -> list[Output]:
    return list(driver(dialect).feed(stream, 0.0))


def kinds(items: Iterable[Output]) -> list[EventKind]:
    return [item.kind for item in items if isinstance(item, Signal)]


# By plain arithmetic from the layout, but for those with a source above.
@pytest.mark.parametrize(
    ("ctrl", "cmd", "data", "wanted"),
    [
        (0x80, 0x01, "01", {"type": "presence", "present": True}),
        (0x80, 0x81, "00", {"type": "presence", "present": False}),
        (0x80, 0x02, "01", {"type": "motion", "motion": "still"}),
        (0x80, 0x04, "0123", {"type": "distance", "distance_cm": 291}),
        (0x80, 0x05, "801f 7fff ffff", {"type": "position", "x_cm": -31, "y_cm": 32767, "z_cm": -32767}),
        (0x81, 0x01, "04", {"type": "resp_state", "state": "none"}),
        (0x81, 0x02, "00", {"type": "resp_rate", "resp_rate_bpm": None}),
        (0x83, 0x05, "01", {"type": "long_stay", "staying": True}),
        (0x84, 0x01, "02", {"type": "bed", "bed": "none"}),
        (0x84, 0x02, "00", {"type": "sleep_stage", "stage": "deep"}),
        (0x84, 0x03, "01e0", {"type": "awake_duration", "minutes": 480}),
        (0x85, 0x02, "00", {"type": "heart_rate", "heart_rate_bpm": None}),
        (0x85, 0x05, "00 80 ff 7f 81", {"type": "heart_wave", "samples": [-128, 0, 127, -1, 1]}),
        (0x02, 0xA1, "4d523630", {"type": "model", "text": "MR60"}),
    ],
)
def test_every_frame_says_what_its_layout_says(ctrl: int, cmd: int, data: str, wanted: dict[str, JSON]) -> None:
    assert told(frame(ctrl, cmd, bytes.fromhex(data))) == [wanted]


@pytest.mark.parametrize(
    ("cmd", "data", "first", "second"),
    [
        (0x02, "46", {"type": "heart_rate", "heart_rate_bpm": 70}, {"type": "resp_rate", "resp_rate_bpm": 70}),
        (0x05, "0e", {"type": "resp_rate", "resp_rate_bpm": 14}, Reason.LENGTH),
        (0x03, "8080808081", {"type": "heart_wave", "samples": [0, 0, 0, 0, 1]}, Reason.UNKNOWN_TYPE),
        (0x04, "01", {"type": "resp_state_raw", "raw": 1, "value": 1}, Reason.UNKNOWN_TYPE),
        (0x07, "01", {"type": "location_anomaly", "raw": 1, "value": 1}, Reason.UNKNOWN_TYPE),
        (0x09, "0076", {"type": "angle", "raw": 118}, Reason.UNKNOWN_TYPE),
    ],
)
def test_a_frame_with_two_meanings_is_refused_until_the_dialect_is_known(
    cmd: int, data: str, first: dict[str, JSON], second: dict[str, JSON] | Reason
) -> None:
    whole = frame(0x81, cmd, bytes.fromhex(data))
    assert [told(whole, "1"), told(whole, "2"), told(whole, None)] == [[first], [second], [Reason.DIALECT]]


def test_a_known_firmware_settles_the_dialect_and_an_unknown_one_does_not() -> None:
    rate = frame(0x81, 0x02, b"\x0e")
    assert told(FIRMWARE + rate, None)[-1] == {"type": "resp_rate", "resp_rate_bpm": 14}
    assert told(frame(0x02, 0xA4, b"X99") + rate, None)[-1] is Reason.DIALECT
    assert dialect_of("G60SM1SYv010009") == 2


def test_the_configured_dialect_stands_whatever_the_firmware_says() -> None:
    assert told(FIRMWARE + CAPTURED_HEART_60, "1")[-1] == {"type": "heart_rate", "heart_rate_bpm": 60}


def test_a_dialect_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="dialect is 1"):
        driver("3")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("53598502000141005443", Reason.CHECKSUM),
        ("53598502000141755444", Reason.FORMAT),
        ("5359850200ff41755443", Reason.LENGTH),
        ("53598002000107365443", Reason.IMPLAUSIBLE),
        ("53598301000102335443", Reason.IMPLAUSIBLE),
        ("535985020002414278 b8 5443", Reason.CHECKSUM),
        ("53598502000241 42 b8 5443", Reason.LENGTH),
        ("53598577000141ea5443", Reason.UNKNOWN_TYPE),
    ],
)
def test_a_frame_that_is_not_right_gives_its_reason_and_no_value(text: str, reason: Reason) -> None:
    items = told(bytes.fromhex(text))
    assert items[0] is reason
    assert not any(isinstance(item, dict) for item in items)


@pytest.mark.parametrize("length", range(1, len(HEART_65)))
def test_no_truncation_is_taken_for_a_frame_and_the_next_one_is_whole(length: int) -> None:
    assert [item for item in told(HEART_65[:length] + FALL) if isinstance(item, dict)] == [{"type": "fall", "fallen": True}]


@given(st.binary(max_size=200))
def test_noise_never_costs_the_fall_behind_it(noise: bytes) -> None:
    assert {"type": "fall", "fallen": True} in told(noise + FALL)


@given(st.integers(0, 7), st.integers(0, len(HEART_65) - 1))
def test_a_flipped_bit_never_changes_a_value(bit: int, at: int) -> None:
    flipped = bytearray(HEART_65)
    flipped[at] ^= 1 << bit
    assert not any(isinstance(item, dict) for item in told(bytes(flipped)))


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (HEART_65, [Measurement(QuantityName.HEART_RATE, 65)]),
        (frame(0x85, 0x02, b"\0"), [Refusal(Reason.SEARCHING)]),
        (frame(0x81, 0x02, b"\x0e"), [Measurement(QuantityName.RESPIRATION_RATE, 14)]),
        (frame(0x80, 0x03, b"\x03"), [Measurement(QuantityName.MOVEMENT, 3)]),
        (frame(0x80, 0x04, b"\0\x23"), [Measurement(QuantityName.DISTANCE, 35)]),
        (frame(0x80, 0x01, b"\1"), [Measurement(QuantityName.PRESENCE, 1)]),
        (frame(0x80, 0x01, b"\0") + HEART_65, [Measurement(QuantityName.PRESENCE, 0), Refusal(Reason.NO_CONTACT)]),
        (frame(0x84, 0x01, b"\2"), [Alive()]),
        (frame(0x85, 0x05, bytes(5)), [Alive()]),
        (FIRMWARE, [Alive()]),
    ],
)
def test_what_a_frame_means_for_the_home(stream: bytes, wanted: list[Output]) -> None:
    assert outputs(stream) == wanted


def test_a_pulse_of_the_other_dialect_is_no_reading() -> None:
    assert outputs(CAPTURED_HEART_60, None) == [Refusal(Reason.DIALECT)]
    assert outputs(CAPTURED_HEART_60, "1") == [Measurement(QuantityName.HEART_RATE, 60)]


def test_a_fall_that_is_reported_again_and_again_is_one_event() -> None:
    radar = driver()
    heard = [output for second in range(60) for output in radar.feed(FALL, second)]
    assert kinds(heard) == [EventKind.FALL]
    assert kinds([*radar.feed(NO_FALL, 60.0), *radar.feed(FALL, 90.0)]) == [EventKind.FALL]


def test_a_fall_behind_a_false_start_waits_for_a_second_at_the_most() -> None:
    radar = driver()
    assert kinds(radar.feed(bytes.fromhex("535980050020") + FALL, 5.0)) == []
    assert kinds(radar.tick(6.0)) == [EventKind.FALL]


def test_getting_out_of_bed_is_one_event() -> None:
    stream = b"".join(frame(0x84, 0x01, bytes((bed,))) for bed in (1, 1, 2, 0, 0))
    assert kinds(outputs(stream)) == [EventKind.BED_EXIT]


def test_somebody_who_stays_long_is_one_event() -> None:
    assert kinds(outputs(frame(0x83, 0x05, b"\1") * 3)) == [EventKind.LONG_STAY]


def test_at_the_start_the_radar_is_asked_who_it_is() -> None:
    assert list(driver().start(0.0)) == [Command(COMMANDS[name]) for name in ("query_model", "query_firmware", "query_presence")]
    assert COMMANDS["query_firmware"].hex() == "535902a400010f625443"


def test_a_silent_radar_is_asked_for_a_sign_of_life_and_one_of_unknown_dialect_for_its_firmware() -> None:
    known, unknown = driver("2"), driver(None)
    for radar in (known, unknown):
        list(radar.start(0.0))
    assert [list(known.tick(3.0)), list(known.tick(4.0)), list(known.tick(5.0))] == [[], [Command(COMMANDS["query_heartbeat"])], []]
    assert list(unknown.tick(4.0)) == [Command(COMMANDS["query_firmware"])]
    assert list(unknown.feed(FIRMWARE, 5.0)) == [Alive()]
    assert list(unknown.tick(100.0)) == [Command(COMMANDS["query_heartbeat"])]


def test_a_fall_that_lasts_is_told_again_when_the_port_was_opened_again() -> None:
    radar = driver()
    assert kinds(radar.feed(FALL, 0.0)) == [EventKind.FALL]
    list(radar.start(60.0))
    assert kinds(radar.feed(FALL, 61.0)) == [EventKind.FALL]


def test_commands_are_read_as_commands() -> None:
    assert told(COMMANDS["query_presence"]) == [{"direction": "to_device", "command": "query_presence"}]
    assert COMMANDS["reset"].hex() == "5359010200010fbf5443"
    assert COMMANDS["sleep_mode"].hex() == "5359840f000101415443"


def test_a_radar_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        driver().take(Frame(1, 1, 1, b""), 0.0)
