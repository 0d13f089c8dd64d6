"""The simulated "53 59" radar says what stated frames say, and the driver understands it in either dialect."""

import pytest

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Options, Reason, Refusal, Signal
from gateway.devices.radar_sy import RadarSy as Driver
from simulators.instruments.radar_sy import RadarSy, sy_frame
from tests.simulators.instruments.conversation import converse


def test_frames_are_those_of_the_vendor() -> None:
    assert sy_frame(0x85, 0x02, 65).hex() == "53598502000141755443"
    assert sy_frame(0x80, 0x04, 0, 35).hex() == "5359800400020023555443"


@pytest.mark.parametrize(("dialect", "options"), [(1, {"dialect": "1"}), (2, {"dialect": "2"}), (2, {})])
def test_rates_are_understood_in_either_dialect(dialect: int, options: dict[str, str]) -> None:
    heard = converse(Driver(Options(options)), RadarSy(dialect=dialect, heart_rate=71, respiration=13), 20.0)
    values = {(one.quantity, one.value) for one in heard if isinstance(one, Measurement)}
    assert values == {
        (QuantityName.HEART_RATE, 71),
        (QuantityName.RESPIRATION_RATE, 13),
        (QuantityName.MOVEMENT, 3),
        (QuantityName.DISTANCE, 120),
        (QuantityName.PRESENCE, 1),
        (QuantityName.BED_OCCUPIED, 1),
    }
    assert not any(isinstance(one, Refusal) for one in heard[20:])


def test_a_firmware_that_nobody_knows_gives_no_rates() -> None:
    heard = converse(Driver(), RadarSy(firmware=b"X1"), 5.0)
    rates = {QuantityName.HEART_RATE, QuantityName.RESPIRATION_RATE}
    assert {one.quantity for one in heard if isinstance(one, Measurement)} & rates == {QuantityName.HEART_RATE}
    assert Refusal(Reason.DIALECT) in heard


def test_a_night_with_a_fall_beside_the_bed() -> None:
    radar = RadarSy()

    def change(now_s: float) -> None:
        radar.is_in_bed = now_s < 10
        radar.is_fallen = 12 <= now_s < 40

    heard = converse(Driver(), radar, 60.0, change)
    assert [one.kind for one in heard if isinstance(one, Signal)] == [EventKind.BED_EXIT, EventKind.FALL]


def test_questions_cut_in_two_are_answered() -> None:
    radar = RadarSy()
    question = sy_frame(0x02, 0xA4, 0x0F)
    assert radar.answer(b"\x00" + question[:4], 0.0) == b""
    assert radar.answer(question[4:], 0.0) == sy_frame(0x02, 0xA4, *b"G60SM1SYv010009")
    assert radar.answer(question[:6] + b"\x0e" + question[7:], 0.0) == b""
