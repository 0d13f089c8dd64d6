"""The simulated TinyFrame radar says what captured frames say, and the driver understands both models."""

import struct

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Options, Refusal, Signal
from gateway.devices.radar_tinyframe import RadarTinyFrame as Driver
from gateway.devices.radar_tinyframe import set_height
from simulators.instruments.radar_tinyframe import RadarTinyFrame, tiny_frame
from tests.simulators.instruments.conversation import converse


def test_frames_are_those_captured() -> None:
    assert tiny_frame(0x0A15, struct.pack("<f", 76), 0x4280).hex() == "01428000040a15270000984225"
    assert tiny_frame(0xFFFF, number=1).hex() == "0100010000ffffff"


def test_rates_are_understood_with_the_modules_text_between() -> None:
    heard = converse(Driver(Options({"model": "heart"})), RadarTinyFrame(), 20.0)
    assert {(one.quantity, one.value) for one in heard if isinstance(one, Measurement)} == {
        (QuantityName.HEART_RATE, 68.0),
        (QuantityName.RESPIRATION_RATE, 15.0),
        (QuantityName.DISTANCE, 120.0),
        (QuantityName.PRESENCE, 1),
    }
    assert not any(isinstance(one, Refusal) for one in heard)


def test_an_empty_room_has_no_rates() -> None:
    heard = converse(Driver(Options({"model": "heart"})), RadarTinyFrame(is_present=False), 20.0)
    late = {one.quantity for one in heard[20:] if isinstance(one, Measurement)}
    assert late == {QuantityName.PRESENCE}


def test_a_fall_is_one_event() -> None:
    radar = RadarTinyFrame("fall")

    def change(now_s: float) -> None:
        radar.is_fallen = 5 <= now_s < 40

    heard = converse(Driver(Options({"model": "fall"})), radar, 60.0, change)
    assert [one.kind for one in heard if isinstance(one, Signal)] == [EventKind.FALL]


def test_settings_are_acknowledged_and_kept() -> None:
    radar = RadarTinyFrame("fall")
    command = set_height(2.5)
    assert radar.answer(b"\x00\x01" + command[:5], 0.0) == b""
    assert radar.answer(command[5:], 0.0) == tiny_frame(0x0E04) + tiny_frame(0x0E04, b"\1")
    assert radar.settings == {0x0E04: struct.pack("<f", 2.5)}
