"""The Python wearable: the same frames as the firmware's, from samples alone."""

import numpy as np
import pytest

from gateway.bridges.framing import Frame, FrameReader, seal
from simulators.home import Doing, Elder, Placement, Samples, synthetic_fall
from simulators.recording import find_fall_recording
from simulators.wearable import SENDINGS_SOON, WINDOW_SAMPLES, Sensed, Wearable, turn_degrees
from simulators.wire import EventKey, FrameType, ack, packed_chunks

BOOT = 0x4D
QUIET_SECOND: Samples = np.tile(np.array([0, -1000, 0], np.int16), (50, 1))


def lived(seed: int = 1, placement: Placement = Placement.WAIST) -> Samples:
    """Four seconds of walking, a fall, ten seconds on the floor."""
    elder = Elder(seed, placement=placement)
    elder.take_up(Doing.WALKING, 0.0)
    walking = elder.feel(0.0, 200)
    elder.drop(synthetic_fall(seed, placement), 4.0)
    return np.concatenate([walking, elder.feel(4.0, 500)])


def frames(wearable: Wearable, *kinds: FrameType) -> list[Frame]:
    """Whole frames taken from a wearable, of some types only."""
    items = list(FrameReader().feed(b"".join(wearable.take())))
    assert all(isinstance(item, Frame) for item in items)
    return [item for item in items if isinstance(item, Frame) and item.type in kinds]


def worn(samples: Samples, sensed: Sensed | None = None) -> Wearable:
    """A wearable that has lived through `samples`."""
    wearable = Wearable(1, boot=BOOT)
    wearable.feed(samples, sensed or Sensed())
    return wearable


def hold(wearable: Wearable, seconds: int, *, is_pressed: bool) -> None:
    for _ in range(seconds):
        wearable.feed(QUIET_SECOND, Sensed(is_pressed=is_pressed))


def test_vitals_go_out_every_second() -> None:
    wearable = worn(np.tile(QUIET_SECOND, (5, 1)), Sensed(70, 97, 33.0, 80))
    vitals = frames(wearable, FrameType.WEARABLE_VITALS)
    assert [frame.payload for frame in vitals] == [bytes.fromhex("46 61 e4 0c ff ff 50 01")] * 5
    assert [frame.counter for frame in vitals] == [0, 1, 2, 3, 4]


def test_the_same_samples_give_the_same_frames_however_they_are_cut() -> None:
    samples = lived()
    piecewise = Wearable(1, boot=BOOT)
    for at in range(0, len(samples), 7):
        piecewise.feed(samples[at : at + 7], Sensed())
    assert piecewise.take() == worn(samples).take()


@pytest.mark.parametrize("placement", list(Placement))
def test_every_synthetic_fall_is_a_candidate(placement: Placement) -> None:
    for seed in range(30):
        assert frames(worn(lived(seed, placement)), FrameType.FALL_CANDIDATE)


def test_a_candidate_comes_with_its_window() -> None:
    samples = lived()
    wearable = worn(samples)
    sent = frames(wearable, FrameType.FALL_CANDIDATE, FrameType.PACKED_CHUNK)[:15]
    size = np.linalg.norm(samples.astype(float), axis=1)
    impact = int(size.argmax())
    candidate, chunks = sent[0].payload, sent[1:]
    assert candidate[:6] == bytes([BOOT, 0, 0, 0]) + (2480).to_bytes(2, "little")
    assert int.from_bytes(candidate[6:8], "little") == pytest.approx(size[impact], abs=16)
    assert (candidate[9], candidate[10], int.from_bytes(candidate[11:], "little")) == (50, 14, 150)
    assert [chunk.payload for chunk in chunks] == packed_chunks(EventKey(BOOT, 0), samples[impact - 150 : impact + 125])


def test_an_impact_without_a_turn_is_no_candidate() -> None:
    samples = np.tile(QUIET_SECOND, (10, 1))
    samples[250] = (0, -3000, 0)
    assert not frames(worn(samples), FrameType.FALL_CANDIDATE)


def test_an_impact_right_after_the_start_is_a_candidate_of_unknown_turn() -> None:
    samples = np.tile(QUIET_SECOND, (5, 1))
    samples[10] = (0, -3000, 0)
    candidate = frames(worn(samples), FrameType.FALL_CANDIDATE)[0]
    assert (candidate.payload[8], candidate.payload[11]) == (255, 10)


@pytest.mark.parametrize(("degrees", "seen"), [(0, 0), (19, 19), (90, 90), (180, 180)])
def test_the_turn_is_the_angle_between_the_directions_before_and_after(degrees: int, seen: int) -> None:
    angle = np.radians(degrees)
    window = np.tile(np.array([0, -1000, 0]), (WINDOW_SAMPLES, 1))
    window[150:] = np.rint([10_000 * np.sin(angle), -10_000 * np.cos(angle), 0])
    turn = turn_degrees(window.astype(np.int16))
    assert turn is not None
    assert abs(turn - seen) <= 1


def test_the_button_calls_after_a_second() -> None:
    wearable = Wearable(1, boot=BOOT)
    wearable.feed(QUIET_SECOND[:49], Sensed(is_pressed=True))
    assert not frames(wearable, FrameType.SOS)
    wearable.feed(QUIET_SECOND[:1], Sensed(is_pressed=True))
    assert [frame.payload for frame in frames(wearable, FrameType.SOS)] == [bytes([BOOT, 0, 0, 0, 0, 0, 1])]


def test_a_button_stuck_down_calls_once() -> None:
    wearable = Wearable(1, boot=BOOT)
    hold(wearable, 40, is_pressed=True)
    assert {frame.payload[2] for frame in frames(wearable, FrameType.SOS)} == {0}


def test_a_second_hold_of_three_seconds_takes_the_call_back() -> None:
    wearable = Wearable(1, boot=BOOT)
    hold(wearable, 1, is_pressed=True)
    hold(wearable, 1, is_pressed=False)
    hold(wearable, 3, is_pressed=True)
    assert {(frame.payload[2], frame.payload[6]) for frame in frames(wearable, FrameType.SOS)} == {(0, 1), (1, 2)}


def test_a_short_second_hold_does_nothing_within_30_s_and_calls_again_after() -> None:
    wearable = Wearable(1, boot=BOOT)
    for pause in (10, 25, 1):
        hold(wearable, 2, is_pressed=True)
        hold(wearable, pause, is_pressed=False)
    assert {(frame.payload[2], frame.payload[6]) for frame in frames(wearable, FrameType.SOS)} == {(0, 1), (1, 1)}


def test_an_event_is_repeated_every_2_s_with_its_age() -> None:
    wearable = Wearable(1, boot=BOOT)
    hold(wearable, 1, is_pressed=True)
    hold(wearable, 6, is_pressed=False)
    ages = [int.from_bytes(frame.payload[4:6], "little") for frame in frames(wearable, FrameType.SOS)]
    assert ages == [0, 2000, 4000, 6000]


def test_an_event_that_is_never_answered_is_sent_less_often_after_90_sendings() -> None:
    wearable = Wearable(1, boot=BOOT)
    hold(wearable, 1, is_pressed=True)
    hold(wearable, 200, is_pressed=False)
    assert len(frames(wearable, FrameType.SOS)) == SENDINGS_SOON
    hold(wearable, 39, is_pressed=False)
    assert len(frames(wearable, FrameType.SOS)) == 2


def test_an_answered_event_is_not_sent_again() -> None:
    wearable = Wearable(1, boot=BOOT)
    hold(wearable, 1, is_pressed=True)
    wearable.take()
    answer = seal(Frame(FrameType.ACK, 1, 0, ack(EventKey(BOOT, 0), FrameType.SOS)))
    assert [len(wearable.hear(answer[at : at + 1])) for at in range(len(answer))].count(1) == 1
    hold(wearable, 5, is_pressed=False)
    assert not frames(wearable, FrameType.SOS)


@pytest.mark.parametrize(
    ("address", "key", "kind"),
    [
        (2, EventKey(BOOT, 0), FrameType.SOS),
        (1, EventKey(BOOT + 1, 0), FrameType.SOS),
        (1, EventKey(BOOT, 1), FrameType.SOS),
        (1, EventKey(BOOT, 0), FrameType.FALL_CANDIDATE),
    ],
)
def test_an_answer_to_something_else_ends_no_event(address: int, key: EventKey, kind: FrameType) -> None:
    wearable = Wearable(1, boot=BOOT)
    hold(wearable, 1, is_pressed=True)
    wearable.hear(seal(Frame(FrameType.ACK, address, 0, ack(key, kind))))
    hold(wearable, 5, is_pressed=False)
    assert len(frames(wearable, FrameType.SOS)) == 3


def test_two_falls_wait_and_of_three_the_one_with_the_smallest_peak_gives_way() -> None:
    wearable = worn(np.concatenate([lived(1), lived(2), lived(3)]))
    sent = frames(wearable, FrameType.FALL_CANDIDATE)
    peaks = {frame.payload[2]: int.from_bytes(frame.payload[6:8], "little") for frame in sent}
    wearable.feed(np.tile(QUIET_SECOND, (3, 1)), Sensed())
    waiting = {frame.payload[2] for frame in frames(wearable, FrameType.FALL_CANDIDATE)}
    assert waiting == set(sorted(peaks, key=lambda event: peaks[event])[-2:])


def test_a_recorded_fall_is_a_candidate() -> None:
    recording = find_fall_recording()
    if recording is None:
        pytest.skip("no recordings in ../shared/data/falls")
    assert frames(worn(recording.samples), FrameType.FALL_CANDIDATE)
