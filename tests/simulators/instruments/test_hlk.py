"""The simulated Hi-Link radars say what stated frames say, and their drivers understand them."""

import pytest

from contract.quantities import QuantityName
from gateway.devices.driver import Measurement
from gateway.devices.hlk_ld2410 import COMMANDS, HlkLd2410
from gateway.devices.hlk_ld2450 import HlkLd2450
from simulators.instruments.hlk import Ld2410, Ld2450
from tests.simulators.instruments.conversation import converse


def test_frames_are_those_of_the_vendor() -> None:
    assert Ld2450().write(0.0).hex() == "aaff03000e03b186100040010000000000000000000000000000000055cc"
    assert Ld2410(is_present=False).write(0.0).hex() == "f4f3f2f10d0002aa0000000000000000005500f8f7f6f5"


@pytest.mark.parametrize("is_moving", [True, False])
def test_somebody_is_there_at_a_distance(is_moving: bool) -> None:
    heard = converse(HlkLd2410(), Ld2410(is_moving=is_moving), 5.0)
    assert heard == [Measurement(QuantityName.PRESENCE, 1), Measurement(QuantityName.DISTANCE, 140)] * (len(heard) // 2)
    assert len(heard) > 90


def test_nobody_is_there() -> None:
    assert set(converse(HlkLd2410(), Ld2410(is_present=False), 1.0)) == {Measurement(QuantityName.PRESENCE, 0)}
    assert set(converse(HlkLd2450(), Ld2450([]), 1.0)) == {Measurement(QuantityName.PRESENCE, 0)}


def test_the_nearest_of_three_counts() -> None:
    heard = converse(HlkLd2450(), Ld2450([(300, 400, 0), (-3000, 4000, 5), (0, 6000, -1)]), 1.0)
    assert set(heard) == {Measurement(QuantityName.PRESENCE, 1), Measurement(QuantityName.DISTANCE, 50.0)}


def test_commands_are_acknowledged() -> None:
    radar = Ld2410()
    assert radar.answer(COMMANDS["enable_config"][:9], 0.0) == b""
    assert radar.answer(COMMANDS["enable_config"][9:], 0.0).hex() == "fdfcfbfa0400ff01000004030201"
