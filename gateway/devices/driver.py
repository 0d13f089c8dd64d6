"""What every driver is: bytes in, measurements and signals out, nothing else. No I/O, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from contract.events import AccelerationWindow, EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame


class Reason(StrEnum):
    """Why bytes or a value were not taken."""

    LENGTH = "length"
    SYNC = "sync"
    COBS = "cobs"
    CHECKSUM = "checksum"
    VERSION = "version"
    ADDRESS = "address"
    FORMAT = "format"
    UNKNOWN_TYPE = "unknown_type"
    NO_CONTACT = "no_contact"
    SEARCHING = "searching"
    UNPLUGGED = "unplugged"
    IMPLAUSIBLE = "implausible"
    NOT_A_FALL = "not_a_fall"


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number from a device, in the unit of its quantity. A missing value is never a Measurement."""

    quantity: QuantityName
    value: float


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that happened at a device. `key` is unique per device and survives repeats and restarts: the same press has the same key.

    `age_s`: how long ago it happened. `acknowledgement`: bytes for the device once the signal is on disk (empty: it needs none).
    A fall candidate is a FALL with the window around the impact; `peak_index` is the impact's row in it.
    """

    kind: EventKind
    key: str
    age_s: float = 0.0
    acknowledgement: bytes = b""
    window: AccelerationWindow | None = None
    peak_index: int = 0
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Bytes or a value that were not taken."""

    reason: Reason


Output = Measurement | Signal | Refusal


class Driver(Protocol):
    """One device's protocol. `now_s` is a monotonic time in seconds, given by the caller."""

    is_framed: ClassVar[bool]
    """True: takes frames of our own bridge by address (`take`). False: owns its port and takes raw bytes (`feed`)."""
    is_fast: ClassVar[bool]
    """True: sends more than one value a second, so `gateway.summary` thins it."""
    quiet_s: ClassVar[float]
    """Longest silence of a healthy device, seconds."""

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Decode one frame of this device."""
        ...

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        ...

    def tick(self, now_s: float) -> Iterable[Output]:
        """What time alone brings to an end, e.g. a window whose rest will not come."""
        ...
