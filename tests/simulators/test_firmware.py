"""The C wearable through its program: the same reports as the Python one, whose code shares nothing with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gateway.bridges.framing import Frame, FrameReader, seal
from simulators.firmware import FirmwareError, FirmwareWearable, FrameCutter, find_program
from simulators.home import Doing, Elder, synthetic_fall
from simulators.serial_bridge import SerialBridge
from simulators.wearable import Sensed, Wearable
from simulators.wire import Ack, EventKey, FrameType, ack

Eventually = Callable[[Callable[[], bool]], None]

BOOT = 77
FRAMES = [seal(Frame(FrameType.SOS, 1, counter, bytes(range(counter, counter + 7)))) for counter in range(5)]


@pytest.fixture
def program() -> Path:
    """The C program; without it there is nothing to test."""
    found = find_program()
    if found is None:
        pytest.skip("firmware_stubs/build/wearable_host is not built: make -C firmware_stubs")
    return found


@pytest.fixture
def firmware(program: Path, tmp_path: Path) -> Iterator[FirmwareWearable]:
    wearable = FirmwareWearable(program, SerialBridge(tmp_path / "device"), 1, boot=BOOT, clock="samples")
    wearable.start()
    yield wearable
    wearable.stop()


def test_both_wearables_send_the_same_reports(firmware: FirmwareWearable, eventually: Eventually) -> None:
    """Walking, a press of 1.2 s, a fall, and repeats of both while nobody answers.

    Only the ages of repeats differ: the program waits 2 s from the end of a window, the other from its start.
    """
    eventually(lambda: firmware.fileno() is not None)
    python, elder = Wearable(1, boot=BOOT), Elder(5)
    elder.take_up(Doing.WALKING, 0.0)
    expected, sent = b"", b""
    for tick in range(200):
        if tick == 40:
            elder.drop(synthetic_fall(5), 4.0)
        samples = elder.feel(tick / 10, 5)
        sensed = Sensed(70, 97, 33.0, 80, is_pressed=20 <= tick < 32)
        python.feed(samples, sensed)
        firmware.feed(samples, sensed)
        expected += b"".join(python.take())
        sent += b"".join(firmware.take())

    def all_came() -> bool:
        nonlocal sent
        sent += b"".join(firmware.take())
        return first_reports(sent).keys() >= first_reports(expected).keys()

    eventually(all_came)
    assert first_reports(sent) == first_reports(expected)
    assert {FrameType.WEARABLE_VITALS, FrameType.SOS, FrameType.FALL_CANDIDATE, FrameType.PACKED_CHUNK} == {
        kind for kind, _ in first_reports(sent)
    }


def first_reports(stream: bytes) -> dict[tuple[int, bytes], bytes]:
    """For each event, chunk and kind of vitals the payload that came first."""
    reports: dict[tuple[int, bytes], bytes] = {}
    for frame in (item for item in FrameReader().feed(stream) if isinstance(item, Frame)):
        has_age = frame.type in (FrameType.SOS, FrameType.FALL_CANDIDATE)
        reports.setdefault((frame.type, frame.payload[:4] if has_age else frame.payload), frame.payload)
    return reports


def test_an_ack_reaches_the_program(firmware: FirmwareWearable, eventually: Eventually) -> None:
    eventually(lambda: firmware.fileno() is not None)
    quiet = np.tile(np.array([0, -1000, 0], np.int16), (50, 1))
    firmware.feed(quiet, Sensed(is_pressed=True))
    firmware.feed(quiet, Sensed())
    types: list[int] = []

    def saw(kind: FrameType, count: int) -> bool:
        frames = [item for item in FrameReader().feed(b"".join(firmware.take())) if isinstance(item, Frame)]
        types.extend(frame.type for frame in frames)
        return types.count(kind) >= count

    eventually(lambda: saw(FrameType.SOS, 1))
    answer = seal(Frame(FrameType.ACK, 1, 0, ack(EventKey(BOOT, 0), FrameType.SOS)))
    assert firmware.hear(answer) == [Ack(EventKey(BOOT, 0), FrameType.SOS)]
    firmware.hear(b"")
    for _ in range(10):
        firmware.feed(quiet, Sensed())
    eventually(lambda: saw(FrameType.WEARABLE_VITALS, 12))
    assert types.count(FrameType.SOS) <= 2


def test_a_program_that_has_ended_is_an_error(tmp_path: Path, eventually: Eventually) -> None:
    wearable = FirmwareWearable(Path("/bin/false"), SerialBridge(tmp_path / "device"), 1, boot=BOOT)
    wearable.start()

    def fails() -> bool:
        try:
            wearable.feed(np.zeros((5, 3), np.int16), Sensed())
        except FirmwareError as error:
            return "has ended with 1" in str(error)
        return False

    eventually(fails)
    wearable.stop()


def test_a_wearable_that_was_not_started_takes_no_samples(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match="not started"):
        FirmwareWearable(Path("/bin/true"), SerialBridge(tmp_path / "device"), 1, boot=BOOT).feed(np.zeros((5, 3), np.int16), Sensed())


@pytest.mark.parametrize("size", [1, 3, 17, 1000])
def test_a_stream_is_cut_into_whole_frames_however_it_comes(size: int) -> None:
    cutter, stream = FrameCutter(), b"".join(FRAMES)
    pieces = [piece for at in range(0, len(stream), size) for piece in cutter.feed(stream[at : at + size])]
    assert pieces == FRAMES


def test_what_is_longer_than_a_frame_is_passed_on_and_the_next_frame_survives() -> None:
    cutter = FrameCutter()
    pieces = cutter.feed(b"\x55" * 1000) + cutter.feed(FRAMES[0]) + cutter.feed(FRAMES[1])
    assert FRAMES[0] in pieces
    assert pieces[-1] == FRAMES[1]
