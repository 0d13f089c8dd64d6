"""The firmware for a Cortex-M0: how much memory and time it takes, and the whole wearable, running under qemu, spoken to byte for byte."""

import ctypes
import os
import re
import select
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.bridges.framing import Frame, FrameReader, seal
from tests.firmware import motion
from tests.firmware.board import ACK, BOOT, CANDIDATE, CHUNK, SOS, Board
from tests.firmware.conftest import FIRMWARE

SAMPLES, COUNTED, ECHO = 0xF0, 0xF1, 0xF2
ADDRESS = 77
SAMPLES_PER_FRAME = 35
DEADLINE_S = 60
FLASH_MAX, RAM_MAX = 24 * 1024, 4 * 1024
INSTRUCTIONS_PER_TICK = 62.5  # -icount shift=0 makes an instruction a nanosecond; a tick is 1/16 us
INSTRUCTIONS_MAX = 150  # of a sample in the mean, the timer's reading among them; cycles: firmware_stubs/arm/cycles.py


@pytest.fixture(scope="module")
def sizes(build: Path) -> str:
    if not shutil.which("arm-none-eabi-gcc"):
        pytest.skip("arm-none-eabi-gcc is not installed (Debian: gcc-arm-none-eabi)")
    made = subprocess.run(
        ["make", "-s", "-C", str(FIRMWARE), f"BUILD={build}", "arm"], capture_output=True, text=True, timeout=120, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


def test_the_wearable_fits_24_kib_of_flash_and_4_kib_of_ram_with_its_stack(sizes: str) -> None:
    print(sizes)
    match = re.search(r"^wearable +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", sizes, re.MULTILINE)
    assert match is not None
    flash, detector, static, stack, ram = map(int, match.groups())
    assert (flash <= FLASH_MAX, ram <= RAM_MAX, ram == static + stack) == (True, True, True)
    assert detector <= 4 * 1024  # its code
    assert stack > 200  # so that a call graph that was not read is no success


class Emulated:
    """The image on qemu's micro:bit, its UART a pipe."""

    def __init__(self, image: Path) -> None:
        command = ["qemu-system-arm", "-machine", "microbit", "-display", "none", "-monitor", "none", "-serial", "stdio"]
        self.process = subprocess.Popen([*command, "-icount", "shift=0", "-kernel", image], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.frames: list[Frame] = []
        self.raw = b""
        self._reader = FrameReader()

    def say(self, frame: Frame) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(seal(frame))
        self.process.stdin.flush()

    def ask(self, frame: Frame, answer: int) -> Frame:
        """Say a frame; returns the next one of the type that answers it."""
        assert self.process.stdout is not None
        before = self.count(answer)
        self.say(frame)
        deadline = time.monotonic() + DEADLINE_S
        while self.count(answer) == before:
            assert time.monotonic() < deadline, [hex(one.type) for one in self.frames]
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                data = os.read(self.process.stdout.fileno(), 4096)
                self.raw += data
                found = self._reader.feed(data)
                self.frames += [one for one in found if isinstance(one, Frame)]
                assert all(isinstance(one, Frame) for one in found)
        return next(one for one in reversed(self.frames) if one.type == answer)

    def count(self, frame_type: int) -> int:
        return sum(frame.type == frame_type for frame in self.frames)

    def live(self, samples: motion.Samples, *, is_pressed: bool = False) -> tuple[int, int]:
        """Let it feel samples; returns ticks in the detector and samples, since its start."""
        said = b""
        for at in range(0, len(samples), SAMPLES_PER_FRAME):
            part = samples[at : at + SAMPLES_PER_FRAME]
            payload = b"".join(struct.pack("<hhhB", *axes, is_pressed) for axes in part)
            said = self.ask(Frame(SAMPLES, 1, at & 0xFFFF, payload), COUNTED).payload
        ticks, count = struct.unpack("<II", said)
        return ticks, count


@pytest.fixture
def emulated(build: Path, sizes: str) -> Iterator[Emulated]:
    if not shutil.which("qemu-system-arm"):
        pytest.skip("qemu-system-arm is not installed (Debian: qemu-system-arm)")
    emulated = Emulated(build / "arm" / "wearable.elf")
    yield emulated
    emulated.process.kill()
    emulated.process.communicate()


@pytest.mark.parametrize("payload", [b"", b"\0", b"hello\0world", bytes(range(246)), bytes(246), b"\xff" * 246])
def test_a_frame_comes_back_byte_for_byte(emulated: Emulated, payload: bytes) -> None:
    frame = Frame(ECHO, 65535, 300, payload)
    assert emulated.ask(frame, ECHO) == frame
    assert emulated.raw == seal(frame)


def test_noise_before_a_frame_does_not_hide_it(emulated: Emulated) -> None:
    assert emulated.process.stdin is not None
    emulated.process.stdin.write(bytes(range(1, 256)) * 3)
    assert emulated.ask(Frame(ECHO, 1, 1, b"x"), ECHO).payload == b"x"


def test_the_m0_sends_the_frames_that_this_machine_sends(emulated: Emulated, library: ctypes.CDLL) -> None:
    """A fall and a press, both answered: candidates, chunks and presses are the same bytes, for the clock is that of the samples."""
    samples = motion.fall(after_s=3)
    board = Board(library)
    board.move(samples)
    emulated.live(samples)
    events = [frame for frame in emulated.frames if frame.type in (CANDIDATE, CHUNK)]
    assert [(frame.type, frame.payload) for frame in events[:15]] == [
        (frame.type, frame.payload) for frame in board.sent(CANDIDATE, CHUNK)
    ][:15]
    emulated.say(Frame(ACK, ADDRESS, 0, struct.pack("<HHB", BOOT, 0, CANDIDATE)))
    emulated.live([motion.LYING] * 70, is_pressed=True)
    presses = [frame for frame in emulated.frames if frame.type == SOS]
    assert struct.unpack("<HHHB", presses[0].payload) == (BOOT, 1, 0, 1)
    answered = emulated.count(CANDIDATE)
    emulated.live([motion.LYING] * 350)
    assert emulated.count(CANDIDATE) == answered


def test_a_sample_costs_what_it_may(emulated: Emulated) -> None:
    """A minute of walking: instructions, the timer's reading included."""
    ticks, count = emulated.live(motion.walking(60, swing_mg=600))
    per_sample = ticks * INSTRUCTIONS_PER_TICK / count
    print(f"{per_sample:.0f} instructions for a sample")
    assert per_sample < INSTRUCTIONS_MAX
