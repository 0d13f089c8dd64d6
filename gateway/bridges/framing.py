"""Frames of our own firmware on a serial line: `seal` makes one, `FrameReader` finds them in a byte stream. No I/O.

    00 | COBS( VV TT AA AA NN NN payload.. CC CC ) | 00        multi-byte fields little-endian

    VV  version, 1                      NN  counter of the sender, wraps at 65535
    TT  frame type                      CC  CRC-16/CCITT-FALSE of everything before it: polynomial 0x1021, start 0xFFFF
    AA  device address, 1..65535        payload 0..246 bytes, so that the content (8..254) is one COBS block

The zero in front ends whatever noise came before, so noise never costs the frame behind it. `firmware_stubs/include/bridge_frame.h`
says the same for C. Sources: COBS: Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999; CRC: check value 0x29B1 for
"123456789".
"""

import binascii
import struct
from dataclasses import dataclass
from enum import StrEnum

VERSION = 1
PAYLOAD_BYTES_MAX = 246
CONTENT_BYTES_MIN = 8
CONTENT_BYTES_MAX = CONTENT_BYTES_MIN + PAYLOAD_BYTES_MAX
WIRE_BYTES_MAX = CONTENT_BYTES_MAX + 3
_HEADER = struct.Struct("<BBHH")
_CRC = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that passed its checksum."""

    type: int
    address: int
    counter: int
    payload: bytes


class FrameFault(StrEnum):
    """Why bytes between two delimiters are not a frame."""

    LENGTH = "length"
    COBS = "cobs"
    CHECKSUM = "checksum"
    VERSION = "version"
    ADDRESS = "address"


def seal(frame: Frame) -> bytes:
    """Bytes of a frame on the line, both delimiters included. Raises ValueError for a payload over PAYLOAD_BYTES_MAX."""
    if len(frame.payload) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"payload of {len(frame.payload)} bytes; at most {PAYLOAD_BYTES_MAX} fit one frame")
    content = _HEADER.pack(VERSION, frame.type, frame.address, frame.counter) + frame.payload
    return b"\0" + _stuff(content + _CRC.pack(checksum(content))) + b"\0"


def checksum(content: bytes) -> int:
    """CRC-16/CCITT-FALSE."""
    return binascii.crc_hqx(content, 0xFFFF)


def open_sealed(stuffed: bytes) -> Frame | FrameFault:
    """Frame inside the bytes between two delimiters, or what is wrong with them."""
    if len(stuffed) - 1 > CONTENT_BYTES_MAX:
        return FrameFault.LENGTH
    content = _unstuff(stuffed)
    if content is None:
        return FrameFault.COBS
    if len(content) < CONTENT_BYTES_MIN:
        return FrameFault.LENGTH
    if checksum(content[:-2]) != _CRC.unpack(content[-2:])[0]:
        return FrameFault.CHECKSUM
    version, kind, address, counter = _HEADER.unpack_from(content)
    if version != VERSION:
        return FrameFault.VERSION
    if address == 0:
        return FrameFault.ADDRESS
    return Frame(kind, address, counter, content[_HEADER.size : -2])


class FrameReader:
    """Cuts a byte stream at its delimiters. Keeps at most one frame's bytes; what is longer is thrown away up to the next delimiter."""

    def __init__(self) -> None:
        self._part = bytearray()
        self._is_overlong = False

    def feed(self, data: bytes) -> list[Frame | FrameFault]:
        """Frames and faults completed by `data`, in order. Any cut of the stream into calls gives the same result."""
        found: list[Frame | FrameFault] = []
        *ended, rest = data.split(b"\0")
        for piece in ended:
            self._keep(piece)
            stuffed, is_overlong = bytes(self._part), self._is_overlong
            self._part.clear()
            self._is_overlong = False
            if is_overlong:
                found.append(FrameFault.LENGTH)
            elif stuffed:
                found.append(open_sealed(stuffed))
        self._keep(rest)
        return found

    def _keep(self, piece: bytes) -> None:
        if len(self._part) + len(piece) > CONTENT_BYTES_MAX + 1:
            self._is_overlong = True
            self._part.clear()
        if not self._is_overlong:
            self._part += piece


def _stuff(content: bytes) -> bytes:
    """COBS of at most 254 bytes: each zero becomes the distance to the next one."""
    return b"".join(bytes([len(run) + 1]) + run for run in content.split(b"\0"))


def _unstuff(stuffed: bytes) -> bytes | None:
    """Inverse of `_stuff`; None where a distance is zero or points past the end."""
    runs = []
    at = 0
    while at < len(stuffed):
        end = at + stuffed[at]
        if end == at or end > len(stuffed):
            return None
        runs.append(stuffed[at + 1 : end])
        at = end
    return b"\0".join(runs)
