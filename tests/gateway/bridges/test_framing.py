"""Frames on a noisy serial line: whatever is sealed is found, however it is cut; what was damaged is never taken for a frame."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridges.framing import (
    CONTENT_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    WIRE_BYTES_MAX,
    Frame,
    FrameFault,
    FrameReader,
    checksum,
    open_sealed,
    seal,
)

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(1, 65535), st.integers(0, 65535), st.binary(max_size=PAYLOAD_BYTES_MAX))
NOISE = st.binary(max_size=600)
SAMPLES = [
    Frame(1, 7, 1, bytes.fromhex("4861320000005501")),
    Frame(4, 65535, 65535, b""),
    Frame(3, 1, 256, bytes(PAYLOAD_BYTES_MAX)),
    Frame(3, 1, 0, bytes([0xFF]) * PAYLOAD_BYTES_MAX),
    Frame(0x10, 513, 77, random.Random(1).randbytes(60)),
]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def read(*pieces: bytes) -> list[Frame | FrameFault]:
    reader = FrameReader()
    return [item for piece in pieces for item in reader.feed(piece)]


def frames_in(*pieces: bytes) -> list[Frame]:
    return [item for item in read(*pieces) if isinstance(item, Frame)]


def test_the_checksum_is_the_one_of_the_manual() -> None:
    assert checksum(b"123456789") == 0x29B1


def test_a_frame_on_the_wire_is_as_the_manual_draws_it() -> None:
    # Version 1, type 4, address 7, counter 0; the CRC is that of 01 04 07 00 00 00.
    content = bytes.fromhex("010407000000")
    crc = checksum(content).to_bytes(2, "little")
    assert seal(Frame(4, 7, 0, b"")) == bytes.fromhex("00 04010407 01 01 03") + crc + b"\0"


@given(FRAMES)
def test_whatever_is_sealed_can_be_opened(frame: Frame) -> None:
    sealed = seal(frame)
    assert len(sealed) <= WIRE_BYTES_MAX
    assert sealed.count(0) == 2
    assert read(sealed) == [frame]


def test_a_payload_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="247 bytes; at most 246"):
        seal(Frame(1, 1, 0, bytes(PAYLOAD_BYTES_MAX + 1)))


@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(0, 2000), max_size=12))
def test_any_cut_of_the_stream_gives_the_same_frames(frames: list[Frame], places: list[int]) -> None:
    stream = b"".join(map(seal, frames))
    assert read(*cut(stream, places)) == frames


@given(st.lists(FRAMES, max_size=3))
def test_frames_come_byte_by_byte(frames: list[Frame]) -> None:
    stream = b"".join(map(seal, frames))
    assert read(*(bytes([byte]) for byte in stream)) == frames


@given(FRAMES, NOISE, st.lists(st.integers(0, 2000), max_size=8))
def test_noise_in_front_never_costs_the_frame_behind_it(frame: Frame, noise: bytes, places: list[int]) -> None:
    assert frames_in(*cut(noise + seal(frame), places))[-1] == frame


@given(FRAMES, NOISE, FRAMES)
def test_noise_between_two_frames_costs_neither(first: Frame, noise: bytes, second: Frame) -> None:
    found = frames_in(seal(first) + noise + seal(second))
    assert (found[0], found[-1]) == (first, second)


@given(NOISE, st.lists(st.integers(0, 2000), max_size=8))
def test_any_cut_of_noise_gives_the_same_faults(noise: bytes, places: list[int]) -> None:
    assert read(*cut(noise, places)) == read(noise)


@given(st.binary(max_size=CONTENT_BYTES_MAX + 10))
def test_no_bytes_at_all_can_stop_the_reader(stuffed: bytes) -> None:
    assert isinstance(open_sealed(stuffed), Frame | FrameFault)


@pytest.mark.parametrize("frame", SAMPLES)
def test_no_truncation_is_taken_for_a_frame(frame: Frame) -> None:
    sealed = seal(frame)
    for length in range(1, len(sealed) - 1):
        assert frames_in(sealed[:length] + b"\0") == []


@pytest.mark.parametrize("frame", SAMPLES)
def test_no_flipped_bit_yields_a_wrong_frame(frame: Frame) -> None:
    sealed = seal(frame)
    for bit in range(8, 8 * (len(sealed) - 1)):
        damaged = bytearray(sealed)
        damaged[bit // 8] ^= 1 << bit % 8
        assert frames_in(bytes(damaged)) == []


@pytest.mark.parametrize("frame", SAMPLES)
def test_after_a_flipped_bit_the_next_frame_is_whole(frame: Frame) -> None:
    sealed = seal(frame)
    for bit in range(8 * len(sealed)):
        damaged = bytearray(sealed)
        damaged[bit // 8] ^= 1 << bit % 8
        assert frames_in(bytes(damaged) + sealed)[-1] == frame


def sealed_content(content: bytes) -> bytes:
    """Content of our choice with a right checksum, in one COBS block of zero-free bytes."""
    whole = content + checksum(content).to_bytes(2, "little")
    return b"".join(bytes([len(run) + 1]) + run for run in whole.split(b"\0"))


@pytest.mark.parametrize(
    ("stuffed", "fault"),
    [
        (b"", FrameFault.LENGTH),
        (b"\x01", FrameFault.LENGTH),
        (b"\x01" * 9, FrameFault.CHECKSUM),
        (b"\x05ab", FrameFault.COBS),
        (b"\x00", FrameFault.COBS),
        (b"\x02a\x00", FrameFault.COBS),
        (b"\x01" * (CONTENT_BYTES_MAX + 2), FrameFault.LENGTH),
        (sealed_content(b"\x01\x01\x07\x00\x00"), FrameFault.LENGTH),
        (sealed_content(b"\x02\x01\x07\x00\x00\x00"), FrameFault.VERSION),
        (sealed_content(b"\x01\x01\x00\x00\x00\x00"), FrameFault.ADDRESS),
        (sealed_content(b"\x01\x01\x07\x00\x00\x00")[:-1] + b"\xee", FrameFault.CHECKSUM),
    ],
)
def test_every_fault_has_its_name(stuffed: bytes, fault: FrameFault) -> None:
    assert open_sealed(stuffed) is fault


@pytest.mark.parametrize("length", [CONTENT_BYTES_MAX + 2, 1000, 100_000])
def test_what_is_too_long_is_one_fault_and_is_not_kept(length: int) -> None:
    frame = SAMPLES[0]
    pieces = [b"\x01" * 100 for _ in range(length // 100)] + [b"\x01" * (length % 100)]
    assert read(*pieces, seal(frame)) == [FrameFault.LENGTH, frame]


def test_many_delimiters_are_nothing() -> None:
    assert read(bytes(1000)) == []
