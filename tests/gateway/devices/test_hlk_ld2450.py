"""LD2450 radars: sign and size, plus when the bit is set; an empty slot is nobody and not somebody at 0 mm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import Measurement, Reason
from gateway.devices.hlk_ld2450 import HlkLd2450, Packet, Target, reader

# The vendor's example, and two targets of esphome/esphome:tests/integration/fixtures/uart_mock_ld2450.yaml.
EXAMPLE = bytes.fromhex("aaff03000e03b186100040010000000000000000000000000000000055cc")
TWO = bytes.fromhex("aaff0300f401e88305004001c880f48100006400000000000000000055cc")
NOBODY = bytes.fromhex("aaff030000000000000000000000000000000000000000000000000055cc")


def items(stream: bytes) -> list[Packet | Reason]:
    one = reader({})
    return [*one.feed(stream), *one.end()]


def test_signs_are_those_of_the_vendor() -> None:
    assert items(EXAMPLE) == [Packet((Target(-782, 1713, -16, 320),))]
    assert items(TWO) == [Packet((Target(-500, 1000, -5, 320), Target(200, 500, 0, 100)))]


@pytest.mark.parametrize("at", [28, 29])
def test_a_frame_without_its_end_is_refused(at: int) -> None:
    wrong = EXAMPLE[:at] + b"\0" + EXAMPLE[at + 1 :]
    assert items(wrong) == [Reason.FORMAT]


@pytest.mark.parametrize("length", range(1, len(EXAMPLE)))
def test_no_truncation_is_taken_for_a_frame_and_the_next_one_is_whole(length: int) -> None:
    assert [item for item in items(EXAMPLE[:length] + TWO) if isinstance(item, Packet)] == items(TWO)


@given(st.binary(max_size=200))
def test_noise_never_costs_the_frame_behind_it(noise: bytes) -> None:
    assert items(noise + TWO)[-1] == items(TWO)[0]


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (NOBODY, {QuantityName.PRESENCE: 0}),
        (EXAMPLE, {QuantityName.PRESENCE: 1, QuantityName.DISTANCE: 188.3}),
        (TWO, {QuantityName.PRESENCE: 1, QuantityName.DISTANCE: 53.9}),
    ],
)
def test_the_nearest_counts(stream: bytes, wanted: dict[QuantityName, float]) -> None:
    heard = HlkLd2450().feed(stream, 0.0)
    assert {one.quantity: round(one.value, 1) for one in heard if isinstance(one, Measurement)} == wanted


def test_a_radar_says_everything_by_itself_and_owns_its_port() -> None:
    radar = HlkLd2450()
    assert list(radar.feed(EXAMPLE[:9], 0.0)) == list(radar.start(0.0)) == list(radar.tick(1.0)) == []
    with pytest.raises(NotImplementedError):
        radar.take(Frame(1, 1, 1, b""), 0.0)
