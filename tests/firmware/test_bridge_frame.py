"""bridge_frame.c beside framing.py: the same bytes out, the same frames and faults in."""

import ctypes
import random

import pytest

from gateway.bridges import framing
from gateway.bridges.framing import PAYLOAD_BYTES_MAX, WIRE_BYTES_MAX, Frame, FrameFault, FrameReader
from tests.firmware import library as c

SEED = 20240511
VITALS = Frame(0x01, 7, 300, bytes.fromhex("48 61 7a 0d ff ff 5a 01"))


def random_frames(count: int) -> list[Frame]:
    dice = random.Random(SEED)
    lengths = [0, 1, 245, 246, *(dice.randrange(247) for _ in range(count))]
    alphabets = [bytes(256), bytes(range(256)), bytes(range(1, 256)), b"\0\1\xff"]
    return [
        Frame(dice.randrange(256), dice.randrange(1, 65536), dice.randrange(65536), bytes(dice.choices(dice.choice(alphabets), k=length)))
        for length in lengths
    ]


def reference(line: bytes) -> list[Frame | FrameFault]:
    return list(FrameReader().feed(line))


def test_the_checksum_has_the_published_check_value(library: ctypes.CDLL) -> None:
    assert library.bridge_frame_checksum(b"123456789", 9) == 0x29B1


def test_frames_are_sealed_to_the_same_bytes(library: ctypes.CDLL) -> None:
    frames = random_frames(500)
    assert [c.seal(library, frame) for frame in frames] == [framing.seal(frame) for frame in frames]


def test_what_python_seals_is_read(library: ctypes.CDLL) -> None:
    frames = random_frames(500)
    assert c.read(library, b"".join(framing.seal(frame) for frame in frames)) == frames


def test_a_payload_over_the_limit_is_refused(library: ctypes.CDLL) -> None:
    assert c.seal(library, Frame(1, 1, 0, bytes(PAYLOAD_BYTES_MAX + 1))) == c.ERROR_LENGTH


def test_address_0_is_refused(library: ctypes.CDLL) -> None:
    assert c.seal(library, Frame(1, 0, 0, b"")) == c.ERROR_ADDRESS


@pytest.mark.parametrize("length", [0, 8, PAYLOAD_BYTES_MAX])
def test_one_byte_too_little_space_is_refused(library: ctypes.CDLL, length: int) -> None:
    frame = Frame(1, 1, 0, bytes(length))
    wire_bytes = len(framing.seal(frame))
    assert c.seal(library, frame, space=wire_bytes - 1) == c.ERROR_SPACE
    assert c.seal(library, frame, space=wire_bytes) == framing.seal(frame)


def test_every_truncation_is_read_alike(library: ctypes.CDLL) -> None:
    wire = framing.seal(VITALS)
    for end in range(len(wire)):
        cut = wire[:end] + b"\0" + wire
        assert c.read(library, cut) == reference(cut)


def test_every_wrong_byte_is_read_alike(library: ctypes.CDLL) -> None:
    wire = framing.seal(VITALS)
    for at in range(len(wire)):
        for change in (0x01, 0x80, 0xFF):
            broken = wire[:at] + bytes([wire[at] ^ change]) + wire[at + 1 :] + wire
            assert c.read(library, broken) == reference(broken)


def test_noise_in_front_does_not_cost_the_frame_behind(library: ctypes.CDLL) -> None:
    assert c.read(library, b"\x55\xaa\x01" + framing.seal(VITALS))[-1] == VITALS


def test_zeros_between_frames_are_no_news(library: ctypes.CDLL) -> None:
    assert c.read(library, b"\0\0\0" + framing.seal(VITALS) + b"\0\0") == [VITALS]


@pytest.mark.parametrize("length", [255, 256, 257, 1000])
def test_overlong_bytes_are_one_fault_and_the_next_frame_is_read(library: ctypes.CDLL, length: int) -> None:
    line = b"\xff" * length + framing.seal(VITALS)
    found = c.read(library, line)
    assert found == reference(line)
    assert found[-1] == VITALS


def test_another_version_and_address_0_are_named(library: ctypes.CDLL) -> None:
    contents = (bytes.fromhex("02 01 07 00 00 00"), bytes.fromhex("01 01 00 00 00 00"))
    sealed = [content + framing.checksum(content).to_bytes(2, "little") for content in contents]
    line = b"".join(b"\0" + b"".join(bytes([len(run) + 1]) + run for run in content.split(b"\0")) + b"\0" for content in sealed)
    assert c.read(library, line) == [FrameFault.VERSION, FrameFault.ADDRESS]


def test_random_noise_is_read_alike(library: ctypes.CDLL) -> None:
    dice = random.Random(SEED)
    common = bytes([0, 0, 1, 2, 3, 8, 9, 255]) + bytes(range(256))
    frames = [framing.seal(frame) for frame in random_frames(200)]
    pieces = [dice.choice(frames) if dice.random() < 0.3 else bytes(dice.choices(common, k=dice.randrange(300))) for _ in range(1000)]
    line = b"".join(pieces)
    assert c.read(library, line) == reference(line), f"seed {SEED}"


def test_the_longest_frame_fills_the_wire(library: ctypes.CDLL) -> None:
    sealed = c.seal(library, Frame(3, 1, 0, b"\x55" * PAYLOAD_BYTES_MAX))
    assert isinstance(sealed, bytes)
    assert len(sealed) == WIRE_BYTES_MAX
