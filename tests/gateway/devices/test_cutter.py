"""Frames are found in any stream: a false start never costs the frame behind it, and none is waited for without end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.devices.cutter import WAIT_S, Cutter
from gateway.devices.driver import Reason

# A frame for these tests: 'AB', the length of the text, the text, in which there is no 'AB', and '!'.
START = b"AB"
FRAME = b"AB\x03abc!"


def look(buffer: bytearray) -> tuple[int, bytes | Reason] | Reason | None:
    if len(buffer) < 3:
        return None
    end = 3 + buffer[2]
    if len(buffer) <= end:
        return None
    if buffer[end] != ord("!") or START in buffer[3:end]:
        return Reason.FORMAT
    text = bytes(buffer[3:end])
    return end + 1, Reason.UNKNOWN_TYPE if text == b"?" else text


def cutter() -> Cutter[bytes]:
    return Cutter((START,), look)


@pytest.mark.parametrize(
    ("stream", "items"),
    [
        (FRAME, [b"abc"]),
        (FRAME * 2, [b"abc", b"abc"]),
        (b"noise" + FRAME, [Reason.SYNC, b"abc"]),
        (b"A" + FRAME, [Reason.SYNC, b"abc"]),
        (FRAME + b"noise" + FRAME + b"A noise", [b"abc", Reason.SYNC, b"abc", Reason.SYNC]),
        (b"AB\x03ab" + FRAME, [Reason.FORMAT, b"abc"]),
        (b"AB\x01?!" + FRAME, [Reason.UNKNOWN_TYPE, b"abc"]),
    ],
)
def test_frames_and_reasons_come_in_order(stream: bytes, items: list[bytes | Reason]) -> None:
    assert list(cutter().feed(stream)) == items


@pytest.mark.parametrize("length", range(1, len(FRAME)))
def test_a_frame_cut_off_is_told_at_the_end_of_the_input(length: int) -> None:
    reader = cutter()
    assert list(reader.feed(FRAME[:length])) == []
    assert next(reader.end()) is Reason.TRUNCATED


@pytest.mark.parametrize("step", [1, 3, 100])
def test_what_a_healthy_device_prints_between_its_frames_is_not_counted(step: int) -> None:
    reader = Cutter((START,), look, chatter=b"ok\r\n")
    stream = b"ok\r\n" + FRAME + b"ok\r\n" + FRAME + b"ko!" + FRAME
    items = [item for at in range(0, len(stream), step) for item in reader.feed(stream[at : at + step])]
    assert items == [b"abc", b"abc", Reason.SYNC, b"abc"]


def test_a_frame_that_a_false_start_has_hidden_comes_at_the_end_of_the_input() -> None:
    reader = cutter()
    assert list(reader.feed(b"AB\xff" + FRAME)) == []
    assert list(reader.end()) == [Reason.TRUNCATED, b"abc"]


def test_a_frame_that_a_false_start_has_hidden_waits_for_a_second_only() -> None:
    reader = cutter()
    assert list(reader.feed(b"AB\xff" + FRAME, 10.0)) == []
    assert list(reader.overdue(10.0 + WAIT_S / 2)) == []
    assert list(reader.overdue(10.0 + WAIT_S)) == [Reason.TRUNCATED, b"abc"]
    assert list(reader.overdue(99.0)) == []


def test_a_frame_that_comes_slowly_is_not_given_up() -> None:
    reader = cutter()
    heard = [item for at, byte in enumerate(FRAME) for item in [*reader.overdue(at * 0.1), *reader.feed(bytes((byte,)), at * 0.1)]]
    assert heard == [b"abc"]


def test_what_was_cut_off_before_the_port_was_opened_again_is_forgotten() -> None:
    reader = cutter()
    assert list(reader.feed(FRAME[:4])) == []
    reader.clear()
    assert list(reader.feed(FRAME)) == [b"abc"]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_however_cut_give_the_same(stream: bytes, at: int) -> None:
    once, twice = cutter(), cutter()
    whole = [*once.feed(stream), *once.end()]
    assert [*twice.feed(stream[:at]), *twice.feed(stream[at:]), *twice.end()] == whole


@given(st.lists(st.sampled_from([b"A", b"B", b"AB", b"AB\x05", b"\xff!", FRAME[:4]]), max_size=30))
def test_noise_never_costs_the_frame_behind_it(noise: list[bytes]) -> None:
    reader = cutter()
    assert b"abc" in [*reader.feed(b"".join(noise) + FRAME), *reader.end()]
