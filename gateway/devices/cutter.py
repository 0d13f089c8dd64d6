"""Cuts frames out of a stream of bytes: what drivers share whose frames have a start that also occurs by chance.

After a false start the search goes on at the very next byte and not behind the length that the false start claims, so that it never costs
the frame behind it. A frame that has begun and whose rest does not come is given up after WAIT_S: with devices that only speak when
something happens, the fall report that follows a false start must not wait for bytes that never come.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from gateway.devices.driver import Reason

WAIT_S = 1.0
"""The longest frame of any device here, 1034 bytes at 115200 bit/s, takes 0.09 s; a USB adapter holds bytes back for at most 0.02 s."""

PacketT = TypeVar("PacketT")

Look = Callable[[bytearray], tuple[int, PacketT | Reason] | Reason | None]
"""Judges a buffer that begins with a start: None (more bytes are needed), why the start is false, or length and content of a frame."""


class Cutter(Generic[PacketT]):
    """Reader state: the bytes from the first possible start on, and since when their rest is awaited.

    `starts` are of one length. A frame that is whole, but not wanted (of an unknown type, say), is a Reason with its length.
    `chatter`: bytes that a healthy device prints between its frames; they are passed over and not counted.
    """

    def __init__(self, starts: tuple[bytes, ...], look: Look[PacketT], *, chatter: bytes = b"") -> None:
        self._starts = starts
        self._start_bytes = len(starts[0])
        self._look = look
        self._chatter = chatter
        self._buffer = bytearray()
        self._is_astray = False
        self._since_s = 0.0

    def feed(self, data: bytes, now_s: float = 0.0) -> Iterator[PacketT | Reason]:
        """Packets and reasons in these bytes, cut anywhere. SYNC stands once for each run of bytes that belongs to no frame."""
        if not self._buffer:
            self._since_s = now_s
        self._buffer += data
        for item in self._cut():
            self._since_s = now_s
            yield item

    def clear(self) -> None:
        """Forget a frame cut off: the port was opened again."""
        self._buffer.clear()
        self._is_astray = False

    def end(self) -> Iterator[PacketT | Reason]:
        """What is left when no more bytes will come: TRUNCATED for a frame cut off, and the frames that a false start had hidden."""
        while self._buffer:
            yield Reason.TRUNCATED
            yield from self._skip()

    def overdue(self, now_s: float) -> Iterator[PacketT | Reason]:
        """Give up a frame that has waited for its rest for WAIT_S, and go on behind its first byte."""
        if self._buffer and now_s - self._since_s >= WAIT_S:
            self._since_s = now_s
            yield Reason.TRUNCATED
            yield from self._skip()

    def _skip(self) -> Iterator[PacketT | Reason]:
        del self._buffer[0]
        self._is_astray = True
        yield from self._cut()

    def _cut(self) -> Iterator[PacketT | Reason]:
        while True:
            if at := self._next_start():
                is_noise = bool(self._buffer[:at].translate(None, self._chatter))
                del self._buffer[:at]
                if is_noise and not self._is_astray:
                    self._is_astray = True
                    yield Reason.SYNC
            if len(self._buffer) < self._start_bytes:
                return
            found = self._look(self._buffer)
            if found is None:
                return
            if isinstance(found, Reason):
                del self._buffer[0]
                self._is_astray = True
                yield found
            else:
                length, item = found
                del self._buffer[:length]
                self._is_astray = False
                yield item

    def _next_start(self) -> int:
        """Where the first start begins, whole or as far as bytes have come; else the length of the buffer."""
        whole = [at for start in self._starts if (at := self._buffer.find(start)) >= 0]
        if whole:
            return min(whole)
        tails = range(max(0, len(self._buffer) - self._start_bytes + 1), len(self._buffer))
        return next((at for at in tails if self._is_begin_of_start(self._buffer[at:])), len(self._buffer))

    def _is_begin_of_start(self, tail: bytearray) -> bool:
        return any(start.startswith(tail) for start in self._starts)
