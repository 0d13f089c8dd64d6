"""A serial line without hardware: a pseudo terminal under a stable link, for one thread.

It behaves as a UART does. Bytes that nobody has the port open for are lost. A reader that does not keep up loses the oldest whole frames.
Pulling the plug hangs up the port of whoever has it open; plugging in again gives a new port under the same link.
"""

import fcntl
import os
import select
import struct
import termios
import tty
from collections import deque
from dataclasses import dataclass
from pathlib import Path

BUFFER_BYTES_MAX = 4096
"""Twice a fall candidate with its window, so that one is never lost to itself. The kernel holds about 20 kB more for a slow reader."""
READ_BYTES_MAX = 4096
TERMIOS2 = struct.Struct("=4I B19s 2I")
GET_TERMIOS2 = 0x802C542A
"""Linux: four words of flags, line discipline, control characters, and the two rates; `termios` itself knows the standard rates only."""


@dataclass(slots=True)
class LineCounts:
    """Whole frames the kernel took, and those that were lost for want of a reader."""

    written: int = 0
    lost: int = 0


class SerialBridge:
    """The device's end of a serial line; `link` is the path that a gateway opens."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.counts = LineCounts()
        self._master: int | None = None
        self._is_heard = False
        self._part = b""
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0

    def plug(self) -> None:
        """Make a new pseudo terminal and point the link at it. Nothing changes when plugged in already. Raises OSError."""
        if self._master is not None:
            return
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        _point(self.link, os.ttyname(slave))
        # Only once its other end has been closed does a pseudo terminal tell that nobody has it open.
        os.close(slave)

    def unplug(self) -> None:
        """Close the line; whoever reads it sees it hang up. What was waiting is lost. The link stays and leads nowhere."""
        if self._master is None:
            return
        # The number of a closed terminal is soon another's: a link that still named it would lead a reader there.
        _point(self.link, f"{self.link}.unplugged")
        os.close(self._master)
        self._master = None
        self._is_heard = False
        self._lose_all()

    @property
    def is_plugged(self) -> bool:
        """True between `plug` and `unplug`."""
        return self._master is not None

    def is_heard(self) -> bool:
        """True while somebody has the port open. Also makes a port that was just opened raw."""
        if self._master is None:
            return False
        poll = select.poll()
        poll.register(self._master, 0)
        is_heard = not any(event & select.POLLHUP for _, event in poll.poll(0))
        if is_heard and not self._is_heard:
            # Before the first byte: an untouched terminal would echo and rewrite them.
            tty.setraw(self._master, termios.TCSANOW)
        self._is_heard = is_heard
        return is_heard

    def baud(self) -> int:
        """The rate that whoever has the port open has set. Raises ValueError when unplugged."""
        return int(TERMIOS2.unpack(fcntl.ioctl(self.fileno(), GET_TERMIOS2, bytes(TERMIOS2.size)))[-1])

    def fileno(self) -> int:
        """Descriptor to select on while `is_heard()`; unheard it is always ready. Raises ValueError when unplugged."""
        if self._master is None:
            raise ValueError(f"{self.link} is not plugged in")
        return self._master

    def write(self, frame: bytes) -> None:
        """Send one whole frame (or whatever must be kept or lost as a whole). Never blocks."""
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        while self._waiting_bytes > BUFFER_BYTES_MAX and len(self._waiting) > 1:
            self._waiting_bytes -= len(self._waiting.popleft())
            self.counts.lost += 1
        self.flush()

    def flush(self) -> None:
        """Give the kernel what it takes now. To be called now and then while nothing is written."""
        if not self.is_heard():
            self._lose_all()
        while self._part or self._waiting:
            if not self._part:
                self._part = self._waiting.popleft()
                self._waiting_bytes -= len(self._part)
            taken = self._offer(self._part)
            self._part = self._part[taken:]
            if self._part:
                return
            self.counts.written += 1

    def read(self) -> bytes:
        """What the other end has sent, at most READ_BYTES_MAX; empty when there is nothing or nobody. Never blocks."""
        if self._master is None or not self.is_heard():
            return b""
        try:
            return os.read(self._master, READ_BYTES_MAX)
        except OSError:
            # Nothing to read, or closed since the question: the same to a UART.
            return b""

    def _offer(self, data: bytes) -> int:
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:
            return 0

    def _lose_all(self) -> None:
        self.counts.lost += len(self._waiting) + bool(self._part)
        self._part = b""
        self._waiting.clear()
        self._waiting_bytes = 0


def _point(link: Path, target: str) -> None:
    """Make `link` a symbolic link to `target` in one step, whatever was there."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.fresh")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
