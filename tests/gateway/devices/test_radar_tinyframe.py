"""TinyFrame radars: both checksums decide, one number does not mean the same in both models, and one fall is one event."""

import math
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import JSON, Alive, Command, Measurement, Options, Output, Reason, Refusal, Signal
from gateway.devices.radar_tinyframe import COMMANDS, RadarTinyFrame, describe, frame, reader, set_height, set_threshold

# Captured: Love4yzp/seeed-mmWave-demos:prase_code/heart_breath.py. The fall: vendor's document, protocol V1.3.
HEART_76 = bytes.fromhex("01428000040a15270000984225")
DISTANCE = bytes.fromhex("01427f00080a16d701000000ae478542d0")
FALL = bytes.fromhex("01000000010e02f301fe")
DEBUG_TEXT = b"\r\n it's working!!!!\r\n"


def f32(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def told(stream: bytes, model: str | None = "heart") -> list[dict[str, JSON] | Reason]:
    one = reader({"model": model} if model else {})
    return [item if isinstance(item, Reason) else describe(item) for item in [*one.feed(stream), *one.end()]]


def driver(model: str | None = "heart") -> RadarTinyFrame:
    return RadarTinyFrame(Options({"model": model} if model else {}))


def outputs(stream: bytes, model: str | None = "heart") -> list[Output]:
    return list(driver(model).feed(stream, 0.0))


def kinds(items: Iterable[Output]) -> list[EventKind]:
    return [item.kind for item in items if isinstance(item, Signal)]


# By plain arithmetic from the layout.
@pytest.mark.parametrize(
    ("model", "kind", "data", "wanted"),
    [
        ("heart", 0x0A14, f32(0), {"resp_rate_bpm": None}),
        ("heart", 0x0A15, f32(0), {"heart_rate_bpm": None}),
        ("heart", 0x0A15, f32(61.5), {"heart_rate_bpm": 61.5}),
        ("heart", 0x0A16, b"\0\0\0\0" + f32(66), {"distance_cm": None}),
        ("heart", 0x0A17, f32(0.5, -1.25, 2), {"x_m": 0.5, "y_m": -1.25, "z_m": 2.0}),
        ("heart", 0x0F09, b"\0\0", {"present": False}),
        ("heart", 0x0A04, b"\0\0\0\0", {"targets": []}),
        ("fall", 0x0A13, b"\xf4\1\0\0", {"sleep_ms": 500}),
        ("fall", 0x0A14, b"\1", {"is_awake": True}),
        ("fall", 0x0A0A, struct.pack("<4I", 1, 0, 0, 1), {"zones": [True, False, False, True]}),
        ("fall", 0x0E04, b"\1", {"ok": True}),
        ("fall", 0x0E0A, b"", {"acknowledged": True}),
        (
            "fall",
            0x0E06,
            struct.pack("<ffIffff", 2.5, 0.5, 10, 0.5, 0.5, 0.75, 0.5),
            {"height_m": 2.5, "threshold_m": 0.5, "sensitivity": 10, "left_m": 0.5, "right_m": 0.5, "front_m": 0.75, "back_m": 0.5},
        ),
    ],
)
def test_every_frame_says_what_its_layout_says(model: str, kind: int, data: bytes, wanted: dict[str, JSON]) -> None:
    assert told(frame(kind, data, 7), model) == [{"id": 7, "type": f"{kind:04x}", **wanted}]


def test_targets_are_listed() -> None:
    data = struct.pack("<i", 2) + struct.pack("<fffii", 0.5, 1, 2, -3, 4) + struct.pack("<fffii", 1, 2, 3, 0, 5)
    target = {"x_m": 0.5, "y_m": 1.0, "z_m": 2.0, "speed_index": -3, "cluster": 4}
    (item,) = told(frame(0x0A04, data), "fall")
    assert isinstance(item, dict)
    assert isinstance(item["targets"], list)
    assert item["targets"][0] == target
    assert told(frame(0x0A04, data[:-1]), "fall") == [Reason.LENGTH]


@pytest.mark.parametrize(("kind", "data"), [(0x0A13, f32(1, 2, 3)), (0x0A13, b"\xf4\1\0\0"), (0x0A14, f32(14)), (0x0A14, b"\1")])
def test_a_number_with_two_meanings_is_refused_while_the_model_is_not_known(kind: int, data: bytes) -> None:
    assert told(frame(kind, data), None) == [Reason.DIALECT]


def test_a_number_with_one_meaning_is_read_whatever_the_model() -> None:
    assert told(HEART_76, None) == [{"id": 17024, "type": "0a15", "heart_rate_bpm": 76.0}]
    assert told(HEART_76, "fall") == [Reason.UNKNOWN_TYPE]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0])
@pytest.mark.parametrize("kind", [0x0A14, 0x0A15])
def test_what_is_no_number_is_refused(kind: int, value: float) -> None:
    assert told(frame(kind, f32(value))) == [Reason.IMPLAUSIBLE]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("01428000040a15260000984225", Reason.HEADER_CHECKSUM),
        ("01428000040a15270000984224", Reason.DATA_CHECKSUM),
        ("014200ffff0a15a3", Reason.LENGTH),
        ("01000000040e0afb01000000fe", Reason.HEADER_CHECKSUM),
    ],
)
def test_a_frame_that_is_not_right_gives_its_reason_and_no_value(text: str, reason: Reason) -> None:
    items = told(bytes.fromhex(text))
    assert items[0] is reason
    assert not any(isinstance(item, dict) for item in items)


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (0x0A15, b"\0\0", Reason.LENGTH),
        (0x1234, b"\0", Reason.UNKNOWN_TYPE),
        (0x0E02, b"\2", Reason.IMPLAUSIBLE),
        (0x1234, b"", Reason.UNKNOWN_TYPE),
    ],
)
def test_a_whole_frame_that_no_layout_describes_is_refused(kind: int, data: bytes, reason: Reason) -> None:
    assert told(frame(kind, data)) == [reason]


@pytest.mark.parametrize("length", range(1, len(HEART_76)))
def test_no_truncation_is_taken_for_a_frame_and_the_next_one_is_whole(length: int) -> None:
    heard = [item for item in told(HEART_76[:length] + FALL) if isinstance(item, dict)]
    assert heard == [{"id": 0, "type": "0e02", "fallen": True}]


@given(st.binary(max_size=200))
def test_noise_never_costs_the_fall_behind_it(noise: bytes) -> None:
    assert {"id": 0, "type": "0e02", "fallen": True} in told(noise + FALL)


@given(st.integers(0, 7), st.integers(0, len(HEART_76) - 1))
def test_a_flipped_bit_never_changes_a_value(bit: int, at: int) -> None:
    flipped = bytearray(HEART_76)
    flipped[at] ^= 1 << bit
    assert not any(isinstance(item, dict) for item in told(bytes(flipped)))


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (HEART_76, [Measurement(QuantityName.HEART_RATE, 76.0)]),
        (frame(0x0A15, f32(0)), [Refusal(Reason.SEARCHING)]),
        (frame(0x0A14, f32(14.5)), [Measurement(QuantityName.RESPIRATION_RATE, 14.5)]),
        (frame(0x0F09, b"\0\0") + HEART_76, [Measurement(QuantityName.PRESENCE, 0), Refusal(Reason.NO_CONTACT)]),
        (frame(0x0A13, f32(1, 2, 3)), [Alive()]),
        (frame(0x0A16, bytes(8)), [Alive()]),
        (frame(0xFFFF, b"1.6.10"), [Alive()]),
        (DEBUG_TEXT + HEART_76 + DEBUG_TEXT, [Measurement(QuantityName.HEART_RATE, 76.0)]),
        (b"\xff" + DEBUG_TEXT + HEART_76, [Refusal(Reason.SYNC), Measurement(QuantityName.HEART_RATE, 76.0)]),
    ],
)
def test_what_a_frame_means_for_the_home(stream: bytes, wanted: list[Output]) -> None:
    assert outputs(stream) == wanted


def test_the_distance_is_in_centimetres() -> None:
    (output,) = outputs(DISTANCE)
    assert isinstance(output, Measurement)
    assert output.quantity is QuantityName.DISTANCE
    assert output.value == pytest.approx(66.64)


def test_a_failed_setting_is_said() -> None:
    assert outputs(frame(0x0E04, b"\0"), "fall") == [Refusal(Reason.REFUSED)]


def test_a_fall_that_is_reported_again_and_again_is_one_event() -> None:
    radar = driver("fall")
    assert kinds(output for tenth in range(600) for output in radar.feed(FALL, tenth / 10)) == [EventKind.FALL]


def test_a_fall_is_told_by_a_radar_whose_model_is_not_configured() -> None:
    assert kinds(outputs(FALL, None)) == [EventKind.FALL]


def test_a_fall_behind_a_false_header_of_a_thousand_bytes_waits_for_a_second_at_the_most() -> None:
    radar = driver("fall")
    false_header = frame(0x0A08, bytes(1024))[:8]
    assert kinds(radar.feed(false_header + FALL, 5.0)) == []
    assert kinds(radar.tick(6.0)) == [EventKind.FALL]


def test_a_silent_radar_is_asked_for_a_sign_of_life() -> None:
    radar = driver("fall")
    assert list(radar.start(0.0)) == [Command(COMMANDS["query_firmware"])]
    assert [list(radar.tick(2.0)), list(radar.tick(2.5)), list(radar.tick(3.0))] == [[], [Command(COMMANDS["query_firmware"])], []]


def test_commands_are_those_of_the_document() -> None:
    assert set_height(2.5).hex() == "01000000040e04f0000020409f"
    assert set_threshold(0.6).hex() == "01000000040e08fc9a99193fda"
    assert COMMANDS["read_parameters"].hex() == "01000000000e06f6"
    assert told(COMMANDS["query_firmware"], "fall") == [{"id": 1, "type": "ffff", "direction": "to_device"}]


def test_the_radar_is_told_how_it_hangs() -> None:
    radar = RadarTinyFrame(Options({"model": "fall", "height_m": "2.5", "threshold_m": "0.6"}))
    assert list(radar.start(0.0)) == [Command(COMMANDS["query_firmware"]), Command(set_height(2.5)), Command(set_threshold(0.6))]


@pytest.mark.parametrize("settings", [{"height_m": "0.9"}, {"height_m": "nan"}, {"height_m": "high"}, {"threshold_m": "2"}])
def test_what_the_radar_does_not_take_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        RadarTinyFrame(Options(settings))


def test_a_model_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="model is heart"):
        driver("kitchen")


def test_a_radar_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        driver().take(Frame(1, 1, 1, b""), 0.0)
