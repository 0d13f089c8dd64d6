"""A device of the firmware as a running program, and the gateway's end of its line."""

import os
import pty
import select
import struct
import subprocess
import time
import tty
from collections.abc import Callable
from pathlib import Path

from gateway.bridges.framing import Frame, FrameReader, seal
from tests.firmware.board import ACK, ADDRESS, BOOT

DEADLINE_S = 30


class Line:
    """The gateway's end of a pty, reachable under a path that outlives it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames: list[Frame] = []
        self.plug()

    def plug(self) -> None:
        self._near, self._far = pty.openpty()
        tty.setraw(self._far)
        self._reader = FrameReader()
        self.path.symlink_to(os.ttyname(self._far))

    def unplug(self) -> None:
        self.path.unlink()
        os.close(self._near)
        os.close(self._far)

    def until(self, is_done: Callable[[list[Frame]], bool]) -> list[Frame]:
        """Read until the frames so far satisfy `is_done`; returns them."""
        deadline = time.monotonic() + DEADLINE_S
        while not is_done(self.frames):
            assert time.monotonic() < deadline, [hex(frame.type) for frame in self.frames]
            if select.select([self._near], [], [], 0.1)[0]:
                self.frames += [found for found in self._reader.feed(os.read(self._near, 4096)) if isinstance(found, Frame)]
        return self.frames

    def until_count(self, frame_type: int, count: int) -> list[Frame]:
        """Frames of a type, once there are so many."""
        return of(self.until(lambda frames: len(of(frames, frame_type)) >= count), frame_type)

    def say(self, data: bytes) -> None:
        os.write(self._near, data)

    def acknowledge(self, event: int, frame_type: int, *, address: int = ADDRESS, boot: int = BOOT) -> None:
        self.say(seal(Frame(ACK, address, 0, struct.pack("<HHB", boot, event, frame_type))))


def of(frames: list[Frame], *types: int) -> list[Frame]:
    return [frame for frame in frames if frame.type in types]


class Running:
    """The running program."""

    def __init__(self, program: Path, *options: str) -> None:
        self.process = subprocess.Popen([program, *options], stdin=subprocess.PIPE, stderr=subprocess.PIPE)

    def feed(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """End the input; returns the exit status and what the program said."""
        said = self.process.communicate(timeout=DEADLINE_S)[1]
        return self.process.returncode, said.decode()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
