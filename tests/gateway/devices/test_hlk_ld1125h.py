"""HLK-LD1125H: lines are whole or nothing, and silence means an empty room only with an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.driver import Alive, Command, Measurement, Output, Reason, Refusal
from gateway.devices.hlk_ld1125h import ASK_S, GET_ALL, HlkLd1125h, Packet, decode, reader
from simulators.instruments.hlk import Ld1125h

# Texts of the firmware: dm5tt/LD1125H_ReverseEngineering. The line with a strength: ekerstens/esphome_components.
STILL = b"occ, dis=3.62, str=61.93\r\n"
THERE, NOBODY = Measurement(QuantityName.PRESENCE, 1), Measurement(QuantityName.PRESENCE, 0)


def outputs(driver: HlkLd1125h, data: bytes, now_s: float = 0.0) -> list[Output]:
    return list(driver.feed(data, now_s))


@pytest.mark.parametrize(
    ("line", "packet"),
    [
        ("occ, dis=3.62, str=61.93", Packet("still", 362, 61.93)),
        ("mov, dis=1.23", Packet("moving", 123)),
        ("mov, dis=0.00", Packet("moving", None)),
        ("rmax is 6.00", Packet("setting")),
        ("mth1_mov is 60", Packet("setting")),
        ("mov, dis=1.2", Reason.FORMAT),
        ("mov, dis=-1.23", Reason.FORMAT),
        ("mov, dis=nan", Reason.FORMAT),
        ("ov, dis=1.23", Reason.FORMAT),
        ("mov, dis=1.23mov, dis=1.23", Reason.FORMAT),
        ("", Reason.FORMAT),
    ],
)
def test_a_line_counts_only_as_a_whole(line: str, packet: Packet | Reason) -> None:
    assert decode(line) == packet


@pytest.mark.parametrize("length", range(len(STILL) - 2))
def test_no_truncation_is_taken_for_a_line_and_the_next_one_is_whole(length: int) -> None:
    found = outputs(HlkLd1125h(), STILL[:length] + b"\r\n" + STILL)
    whole = [THERE, Measurement(QuantityName.DISTANCE, 362)]
    cut_at_a_place_that_is_an_end_too = STILL[:length] == b"occ, dis=3.62"
    assert found == whole * (1 + cut_at_a_place_that_is_an_end_too) or found == [Refusal(Reason.FORMAT), *whole]


def test_an_overlong_line_is_refused_and_costs_nothing_behind_it() -> None:
    assert outputs(HlkLd1125h(), b"x" * 1000 + b"\r\n" + STILL)[0] == Refusal(Reason.LENGTH)


def test_silence_is_an_empty_room_only_when_the_radar_answers() -> None:
    driver, radar = HlkLd1125h(), Ld1125h(is_present=False)
    assert list(driver.start(0.0)) == [Command(GET_ALL)]
    assert outputs(driver, radar.answer(GET_ALL, 0.0)) == [Alive()] * 3
    assert list(driver.tick(ASK_S - 0.1)) == []
    assert list(driver.tick(ASK_S)) == [Command(GET_ALL)]
    assert outputs(driver, radar.answer(GET_ALL, ASK_S), ASK_S) == [NOBODY, Alive(), Alive()]


def test_somebody_who_comes_before_the_answer_is_there() -> None:
    driver = HlkLd1125h()
    list(driver.tick(ASK_S))
    assert outputs(driver, b"mov, dis=0.00\r\nrmax is 6.00\r\n", ASK_S) == [THERE, Alive()]
    assert list(driver.tick(2 * ASK_S - 0.1)) == []


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_however_cut_give_the_same(stream: bytes, at: int) -> None:
    one, other = reader({}), reader({})
    assert [*one.feed(stream[:at]), *one.feed(stream[at:]), *one.end()] == [*other.feed(stream), *other.end()]


def test_it_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        HlkLd1125h().take(Frame(1, 1, 1, b""), 0.0)
