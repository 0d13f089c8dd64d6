"""Cuts lines out of a stream of bytes: what drivers share whose devices speak text."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from gateway.devices.driver import Reason

PacketT = TypeVar("PacketT")


class LineReader(Generic[PacketT]):
    """Reader state: the line that has begun. A line ends at a line feed; a longer one than `line_bytes_max` is thrown away up to its end.

    `decode` gets a line of text without its end, and None from it is a line that says nothing. Empty lines are passed over.
    """

    def __init__(self, decode: Callable[[str], PacketT | Reason | None], *, line_bytes_max: int) -> None:
        self._decode = decode
        self._line_bytes_max = line_bytes_max
        self._part = bytearray()
        self._is_overlong = False

    def feed(self, data: bytes) -> Iterator[PacketT | Reason]:
        """Packets and reasons of the lines completed by these bytes; any cut gives the same."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._keep(piece)
            yield from self._take()
        self._keep(rest)

    def end(self) -> Iterator[PacketT | Reason]:
        """The last line, which need not have an end."""
        yield from self._take()

    def _keep(self, piece: bytes) -> None:
        if len(self._part) + len(piece) > self._line_bytes_max:
            self._is_overlong = True
            self._part.clear()
        if not self._is_overlong:
            self._part += piece

    def _take(self) -> Iterator[PacketT | Reason]:
        line, is_overlong = bytes(self._part).strip(), self._is_overlong
        self._part.clear()
        self._is_overlong = False
        if is_overlong:
            yield Reason.LENGTH
        elif line:
            packet = self._read(line)
            if packet is not None:
                yield packet

    def _read(self, line: bytes) -> PacketT | Reason | None:
        try:
            return self._decode(line.decode("utf-8"))
        except UnicodeDecodeError:
            return Reason.FORMAT
