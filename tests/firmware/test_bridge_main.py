"""The poll loop on a board in memory."""

import ctypes
import struct
from collections.abc import Callable
from itertools import pairwise

import pytest

from gateway.bridges.framing import FrameFault
from tests.firmware import library as c
from tests.firmware import motion
from tests.firmware.board import ADDRESS, BOOT, CANDIDATE, CHUNK, SOS, VITALS, Board

PRESSED, CANCELLED = 1, 2
TRIES_SOON, TRIES_MAX = 90, 210
CHUNKS = 14


@pytest.fixture
def board(library: ctypes.CDLL) -> Board:
    return Board(library)


def unpack_sos(payload: bytes) -> tuple[int, int, int, int]:
    boot, event, age_ms, kind = struct.unpack("<HHHB", payload)
    return boot, event, age_ms, kind


def window_of(board: Board) -> list[tuple[int, int, int]]:
    return [c.unpack(packed) for chunk in board.sent(CHUNK) for (packed,) in struct.iter_unpack("<I", chunk.payload[6:])]


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (lambda board: board.start(address=0), c.ERROR_ADDRESS),
        (lambda board: board.start(rate_hz=24), c.ERROR_RATE),
        (lambda board: board.start(vitals_period_ms=0), c.ERROR_RATE),
        (lambda board: board.start(space_samples=274), c.ERROR_SPACE),
        (lambda board: board.start(placement=4), c.ERROR_PLACEMENT),
    ],
)
def test_a_bad_configuration_is_refused(board: Board, start: Callable[[Board], int], status: int) -> None:
    assert start(board) == status


def test_vitals_go_out_every_second(board: Board) -> None:
    board.move(motion.still(motion.STANDING, 10))
    assert [later - earlier for earlier, later in pairwise(board.sent_at(VITALS))] == [1000] * 9


def test_vitals_carry_the_newest_sample(board: Board) -> None:
    board.move([motion.STANDING])
    (vitals,) = board.sent(VITALS)
    assert (vitals.address, vitals.counter) == (ADDRESS, 0)
    assert struct.unpack("<BBhHBB", vitals.payload) == (72, 97, 3345, 0xFFFF, 90, 1)


def test_without_samples_there_are_no_vitals(board: Board) -> None:
    board.move([motion.STANDING])
    board.run(10)
    assert len(board.sent(VITALS)) == 1


def test_a_press_is_sent_at_once_with_its_age(board: Board) -> None:
    board.press(1.2)
    (sos,) = board.sent(SOS)
    assert unpack_sos(sos.payload) == (BOOT, 0, 0, PRESSED)


def test_a_press_is_repeated_every_2_s_with_a_growing_age(board: Board) -> None:
    board.press(1.2)
    board.run(6)
    assert [unpack_sos(sos.payload)[2] for sos in board.sent(SOS)] == [0, 2000, 4000, 6000]


def test_an_acknowledgement_stops_the_repeats(board: Board) -> None:
    board.press(1.2)
    board.acknowledge(0, SOS)
    board.run(60)
    assert len(board.sent(SOS)) == 1
    assert board.is_idle()


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda board: board.acknowledge(1, SOS), id="event"),
        pytest.param(lambda board: board.acknowledge(0, CANDIDATE), id="type"),
        pytest.param(lambda board: board.acknowledge(0, SOS, address=ADDRESS + 1), id="address"),
        pytest.param(lambda board: board.acknowledge(0, SOS, boot=BOOT + 1), id="boot"),
    ],
)
def test_an_acknowledgement_of_something_else_stops_nothing(board: Board, wrong: Callable[[Board], None]) -> None:
    board.press(1.2)
    wrong(board)
    board.run(10)
    assert len(board.sent(SOS)) == 6


def test_noise_before_an_acknowledgement_is_counted_and_does_not_hide_it(board: Board) -> None:
    board.press(1.2)
    board.received += bytes(range(1, 100))
    board.acknowledge(0, SOS)
    board.run(0.2)
    assert board.is_idle()
    assert board.bridge.link.frames_rejected == 1


def test_nobody_answering_slows_down_after_3_minutes_and_ends_after_an_hour_more(board: Board) -> None:
    board.press(1.2)
    board.run(3 * 60 + 60 * 60)
    gaps_ms = [later - earlier for earlier, later in pairwise(board.sent_at(SOS))]
    assert gaps_ms == [2000] * (TRIES_SOON - 1) + [30_000] * (TRIES_MAX - TRIES_SOON)
    assert not board.is_idle()
    board.run(60)
    assert board.bridge.events.given_up == 1
    assert board.is_idle()


def test_the_age_stops_at_its_largest_value(board: Board) -> None:
    board.press(1.2)
    board.run(80)
    assert unpack_sos(board.sent(SOS)[-1].payload)[2] == 65535


def test_a_cancellation_is_an_event_of_its_own(board: Board) -> None:
    board.press(1.2)
    board.press(3.2)
    first_of = {unpack_sos(sos.payload)[1]: unpack_sos(sos.payload)[3] for sos in board.sent(SOS)}
    assert first_of == {0: PRESSED, 1: CANCELLED}


def test_a_fifth_sos_event_is_counted_and_the_older_four_stay(board: Board) -> None:
    board.uart_space = 0
    for _ in range(3):
        board.press(1.2)
        board.press(3.2)
    assert (board.bridge.events.sos_count, board.bridge.events.dropped) == (4, 2)
    board.uart_space = 1000
    board.run(0.1)
    assert [unpack_sos(sos.payload)[1] for sos in board.sent(SOS)] == [0, 1, 2, 3]


def test_a_dropped_event_leaves_a_gap_in_the_numbers(board: Board) -> None:
    board.uart_space = 0
    for _ in range(3):
        board.press(1.2)
        board.press(3.2)
    board.uart_space = 1000
    for event in range(4):
        board.acknowledge(event, SOS)
    board.press(1.2)
    assert unpack_sos(board.sent(SOS)[-1].payload)[1] == 6


def test_a_fall_is_sent_as_a_candidate_and_its_whole_window(board: Board) -> None:
    samples = motion.fall(after_s=3)
    board.move(samples)
    impact = samples.index((0, 0, 3000))
    (candidate,) = board.sent(CANDIDATE)
    boot, event, age_ms, peak_mg, turn, rate_hz, chunks, peak_index = struct.unpack("<HHHHBBBH", candidate.payload)
    assert (boot, event, age_ms, rate_hz, chunks, peak_index) == (BOOT, 0, 2480, 50, CHUNKS, 150)
    assert peak_mg == pytest.approx(3000, abs=4)
    assert 89 <= turn <= 91
    assert [tuple(chunk.payload[:6]) for chunk in board.sent(CHUNK)] == [(7, 0xB0, 0, 0, index, CHUNKS) for index in range(CHUNKS)]
    assert window_of(board) == c.rounded(samples[impact - 150 : impact + 125])


def test_the_window_is_repeated_whole_until_it_is_acknowledged(board: Board) -> None:
    board.move(motion.fall(after_s=3))
    board.run(5)
    assert [frame.type for frame in board.sent(CANDIDATE, CHUNK)] == ([CANDIDATE] + [CHUNK] * CHUNKS) * 3
    board.acknowledge(0, CANDIDATE)
    board.run(10)
    assert len(board.sent(CANDIDATE)) == 3


def test_an_unanswered_fall_is_given_up_after_210_sets(board: Board) -> None:
    board.move(motion.fall(after_s=3))
    board.run(80 * 60)
    assert (len(board.sent(CANDIDATE)), len(board.sent(CHUNK))) == (TRIES_MAX, CHUNKS * TRIES_MAX)
    assert board.bridge.events.given_up == 1


def test_sampling_goes_on_while_a_window_waits_and_leaves_it_as_it_was(board: Board) -> None:
    samples = motion.fall(after_s=20)
    board.move(samples)
    impact = samples.index((0, 0, 3000))
    sets = [window_of(board)[start : start + 275] for start in range(0, 275 * 3, 275)]
    assert sets == [c.rounded(samples[impact - 150 : impact + 125])] * 3


def test_two_falls_wait_and_both_come_whole(board: Board) -> None:
    samples = motion.fall(after_s=5, peak_mg=3000) + motion.fall(after_s=5, peak_mg=4000)
    board.uart_space = 0
    board.move(samples)
    board.uart_space = 1000
    board.run(2)
    assert board.bridge.events.dropped == 0
    assert [frame.type for frame in board.sent(CANDIDATE, CHUNK)] == ([CANDIDATE] + [CHUNK] * CHUNKS) * 2
    first, second = samples.index((0, 0, 3000)), samples.index((0, 0, 4000))
    assert window_of(board) == c.rounded(samples[first - 150 : first + 125]) + c.rounded(samples[second - 150 : second + 125])


@pytest.mark.parametrize(
    ("peaks_mg", "kept"),
    [
        pytest.param([3000, 4000, 2000], {0, 1}, id="the new one is the smallest"),
        pytest.param([2000, 4000, 3000], {1, 2}, id="the first one is"),
        pytest.param([4000, 2000, 3000], {0, 2}, id="the second one is"),
        pytest.param([3000, 3000, 3000], {0, 1}, id="of equal ones the older stay"),
    ],
)
def test_of_three_falls_that_wait_the_smallest_gives_way_and_is_counted(board: Board, peaks_mg: list[int], kept: set[int]) -> None:
    board.uart_space = 0
    board.move([sample for peak_mg in peaks_mg for sample in motion.fall(after_s=5, peak_mg=peak_mg)])
    board.uart_space = 1000
    board.run(2)
    assert board.bridge.events.dropped == 1
    assert {frame.payload[2] for frame in board.sent(CANDIDATE)} == kept


def test_a_fall_after_the_acknowledgement_is_sent_with_a_new_number(board: Board) -> None:
    board.move(motion.fall(after_s=5))
    board.acknowledge(0, CANDIDATE)
    board.move(motion.fall(after_s=5))
    assert [frame.payload[2] for frame in board.sent(CANDIDATE)][-1] == 1


def test_an_sos_overtakes_the_rest_of_a_window(board: Board) -> None:
    samples = motion.fall()
    candidate_at = samples.index((0, 0, 3000)) + 124
    pressed_at = candidate_at + 2 - 50
    board.move(samples[:pressed_at])
    board.is_pressed = True
    board.move(samples[pressed_at : candidate_at + 20])
    assert [frame.type for frame in board.sent(CANDIDATE, CHUNK, SOS)] == [CANDIDATE, CHUNK, SOS] + [CHUNK] * (CHUNKS - 1)


@pytest.mark.parametrize("space", [1, 7, 100, 256])
def test_a_uart_that_takes_few_bytes_gets_the_same_frames(board: Board, space: int) -> None:
    board.uart_space = space
    board.tick_ms = 1
    board.press(1.2)
    board.run(1)
    (sos,) = board.sent(SOS)
    assert unpack_sos(sos.payload) == (BOOT, 0, 0, PRESSED)


def test_while_the_uart_takes_nothing_no_try_is_counted(board: Board) -> None:
    board.uart_space = 0
    board.press(1.2)
    board.run(600)
    assert not board.is_idle()
    board.uart_space = 1000
    board.run(0.1)
    (sos,) = board.sent(SOS)
    assert unpack_sos(sos.payload) == (BOOT, 0, 65535, PRESSED)


def test_an_age_is_that_of_the_moment_the_frame_leaves(board: Board) -> None:
    board.uart_space = 0
    board.press(1.2)
    board.run(5)
    board.uart_space = 1000
    board.tick()
    assert unpack_sos(board.sent(SOS)[0].payload)[2] == pytest.approx(5300, abs=40)


def test_a_frame_that_stalls_half_sent_is_cut_off_and_the_event_is_sent_again(board: Board) -> None:
    board.uart_space = 5
    board.is_pressed = True
    board.tick(52)
    board.uart_space = 0
    board.run(5)
    board.uart_space = 1000
    board.run(0.1)
    assert board.bridge.link.frames_cut_off == 1
    assert [frame for _, frame in board.frames if isinstance(frame, FrameFault)]
    assert unpack_sos(board.sent(SOS)[0].payload)[2] > 5000


def test_frame_counters_have_no_gap(board: Board) -> None:
    board.move(motion.fall())
    board.uart_space = 0
    board.move(motion.still(motion.LYING, 3))
    board.uart_space = 1000
    board.move(motion.still(motion.LYING, 3))
    assert [frame.counter for frame in board.sent(VITALS, CANDIDATE, CHUNK)] == list(range(len(board.frames)))


def test_the_wrap_of_the_clock_changes_nothing(library: ctypes.CDLL) -> None:
    board = Board(library, start_ms=(1 << 32) - 12_000)
    board.move(motion.fall(after_s=3))
    board.run(5)
    (first, *_) = board.sent(CANDIDATE)
    assert struct.unpack_from("<H", first.payload, 4) == (2480,)
    assert len(board.sent(CANDIDATE)) == 3


def test_a_poll_says_whether_anything_moved(board: Board) -> None:
    assert not board.tick()
    board.samples.append(c.Sample())
    assert board.tick()
    assert not board.tick()
