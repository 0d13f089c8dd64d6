"""What all characteristics share: fields are read from a value in order, a value is whole or refused, and how the date is laid out.

A notification or indication is one value, never a part of a stream: it is decoded when it is complete.

    date and time   YY YY MM DD HH NN SS      little-endian year 1582..9999, 0 unknown; month and day 0 unknown

Source: Bluetooth SIG GATT Specification Supplement, Date Time.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Generic, TypeVar

from gateway.devices.driver import Reason

VALUE_BYTES_MAX = 512
"""Longest value of a characteristic (Bluetooth Core Specification, Vol 3, Part F, 3.2.9)."""

Packet = TypeVar("Packet")


class Cut(Exception):
    """A field lies beyond the end of the value."""


class Fields:
    """A value, read field by field from its beginning. All numbers are little-endian. Raises Cut past the end."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if self._at + count > len(self._value):
            raise Cut
        self._at += count
        return self._value[self._at - count : self._at]

    def u8(self) -> int:
        """Unsigned, one byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Unsigned, two bytes."""
        return int.from_bytes(self.take(2), "little")

    def s16(self) -> int:
        """Signed, two bytes."""
        return int.from_bytes(self.take(2), "little", signed=True)

    def u24(self) -> int:
        """Unsigned, three bytes."""
        return int.from_bytes(self.take(3), "little")

    def u32(self) -> int:
        """Unsigned, four bytes."""
        return int.from_bytes(self.take(4), "little")

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._value) - self._at


def date_time(fields: Fields) -> datetime | None:
    """The next seven bytes: local time of the device, without a zone. None where it is unknown or no date at all."""
    year, month, day, hour, minute, second = struct.unpack("<HBBBBB", fields.take(7))
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def clock_of(moment: datetime | None) -> str | None:
    """As the vectors write it."""
    return moment.isoformat() if moment else None


def parsed(value: bytes, parse: Callable[[Fields], Packet | Reason]) -> Packet | Reason:
    """What `parse` makes of a value; TRUNCATED where it ends too early, LENGTH where something is left over."""
    fields = Fields(value)
    try:
        packet = parse(fields)
    except Cut:
        return Reason.TRUNCATED
    return Reason.LENGTH if fields.left and not isinstance(packet, Reason) else packet


class ValueReader(Generic[Packet]):
    """Gathers the bytes of one value and decodes them at its end."""

    def __init__(self, decode: Callable[[bytes], Packet | Reason]) -> None:
        self._decode = decode
        self._value = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet | Reason]:
        """Nothing yet: only the end shows whether the value is whole. More than VALUE_BYTES_MAX + 1 bytes are not kept."""
        self._value += data[: VALUE_BYTES_MAX + 1 - len(self._value)]
        return iter(())

    def end(self) -> Iterator[Packet | Reason]:
        """The packet, or why there is none."""
        value = bytes(self._value)
        self._value.clear()
        yield Reason.LENGTH if len(value) > VALUE_BYTES_MAX else self._decode(value)


def reader_of(decoders: Mapping[str, Callable[[bytes], Packet | Reason]], context: Mapping[str, str]) -> ValueReader[Packet]:
    """Reader of the characteristic that `context` names by its 16-bit number, else of the first. Raises KeyError for one not known here."""
    return ValueReader(decoders[context.get("characteristic", next(iter(decoders))).lower()])
