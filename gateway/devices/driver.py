"""What every driver is: bytes in, measurements, signals and commands out, nothing else. No I/O, no clock."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import product
from typing import ClassVar, Literal, Protocol, TypeAlias, TypeVar

from contract.events import AccelerationWindow, EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None


class Reason(StrEnum):
    """Why bytes or a value were not taken."""

    LENGTH = "length"
    SYNC = "sync"
    TRUNCATED = "truncated"
    COBS = "cobs"
    CHECKSUM = "checksum"
    HEADER_CHECKSUM = "header_checksum"
    DATA_CHECKSUM = "data_checksum"
    VERSION = "version"
    ADDRESS = "address"
    FORMAT = "format"
    UNKNOWN_TYPE = "unknown_type"
    NO_CONTACT = "no_contact"
    SEARCHING = "searching"
    UNPLUGGED = "unplugged"
    IMPLAUSIBLE = "implausible"
    NOT_A_FALL = "not_a_fall"
    CLOCK = "clock"
    """The device's clock was never set, or is far off: the time of what it stored is not known."""
    DIALECT = "dialect"
    """The frame means two things, and which of them is not known yet."""
    UNRELIABLE = "unreliable"
    """The device itself says that this value is not to be trusted."""
    NOT_THE_PERSON = "not_the_person"
    """A demonstration, a test, or control solution."""
    STRANGER = "stranger"
    """A radio device that is heard, but not enrolled."""
    TEACH_IN = "teach_in"
    REFUSED = "refused"
    """The device did not do what a command asked for."""


ALIVE = frozenset(
    {
        Reason.NO_CONTACT,
        Reason.SEARCHING,
        Reason.UNPLUGGED,
        Reason.DIALECT,
        Reason.UNRELIABLE,
        Reason.NOT_THE_PERSON,
        Reason.STRANGER,
        Reason.TEACH_IN,
        Reason.CLOCK,
        Reason.REFUSED,
    }
)
"""What a device refuses, or is refused, that works but has nothing to measure: it is not silent."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number from a device, in the unit of its quantity. A missing value is never a Measurement.

    `measured_at`: the device's own clock, naive where it has no zone (then it is the home's time); None where it tells none.
    `is_history`: the device had stored it: it is given the time of the device, and as it was while nobody listened, it pages nobody.
    `new_within_s`: one that tells nothing but its memory means, with a record not older than this by its own clock, something new.
    `member`: id of the enrolled radio device that is meant; empty for the device that owns the port.
    `record`: None for one sample of many. A single result has a text, which is never thinned: the same in all that belongs to one record
    of a device, whenever it sends that record again; empty where it could not be told from another result.
    """

    quantity: QuantityName
    value: float
    measured_at: datetime | None = None
    is_history: bool = False
    new_within_s: float = 0.0
    member: str = ""
    record: str | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that happened at a device. `key` is unique per device and survives repeats and restarts: the same press has the same key.

    An empty key: the device numbers nothing, the event is named by its time, and the driver itself makes one of many frames (2 s).
    `age_s`: how long ago it happened. `acknowledgement`: bytes for the device once the signal is on disk (empty: it needs none).
    `is_candidate`: a FALL that the gateway judges by the window around the impact; `peak_index` is the impact's row in it.
    """

    kind: EventKind
    key: str
    age_s: float = 0.0
    acknowledgement: bytes = b""
    window: AccelerationWindow | None = None
    peak_index: int = 0
    detail: str | None = None
    member: str = ""
    is_candidate: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Bytes or a value that were not taken. `detail`: the address of a STRANGER, as enrolment wants it."""

    reason: Reason
    member: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Alive:
    """A whole frame that says nothing to keep: a sign of life."""

    member: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A Bluetooth health device that is not enrolled: what the console shows to whoever enrols it."""

    address: str
    name: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClockTold:
    """What a device's clock shows at this moment, naive local time; None where it was never set."""

    told_at: datetime | None
    member: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """Maker and model, as a device says it of itself."""

    name: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """Bytes for the device: start-up, keep-alive, question, acknowledgement."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SetClock:
    """Bytes for the device that set its clock; `build` makes them of the home's time, naive."""

    build: Callable[[datetime], bytes]


Output = Measurement | Signal | Refusal | Alive | Heard | ClockTold | Named | Command | SetClock

Parity: TypeAlias = Literal["N", "E", "O"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to set a serial line, always with 8 data bits."""

    baud: int
    parity: Parity
    stop_bits: int
    dtr: bool
    rts: bool


@dataclass(frozen=True, slots=True)
class Line:
    """Line settings with which a device is sold, the usual ones first: `probe` tries every baud rate with every parity.

    `dtr`, `rts`: levels while the port is open. Some boards take DTR for a reset, some adapters feed their device from RTS.
    """

    bauds: tuple[int, ...]
    parities: tuple[Parity, ...] = ("N",)
    stop_bits: int = 1
    dtr: bool = True
    rts: bool = True

    def settings(self) -> list[Setting]:
        """Every setting to try, the likeliest first."""
        return [Setting(baud, parity, self.stop_bits, self.dtr, self.rts) for baud, parity in product(self.bauds, self.parities)]


class Meaning(StrEnum):
    """What an enrolled radio device stands for. A number on the air does not say it: it is given when the device is installed."""

    SOS = "sos"
    DOOR = "door"
    MOTION = "motion"
    SMOKE = "smoke"
    GAS = "gas"
    WATER = "water"
    BUTTON = "button"
    CLIMATE = "climate"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A radio device that a receiver shall listen to. `address` as the receiver's protocol writes it; `eep`: EnOcean equipment profile.

    `quiet_s`: longest silence of a healthy one, seconds; None for one that only speaks when something happens.
    """

    id: str
    address: str
    meaning: Meaning
    quiet_s: float | None = None
    eep: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """What the configuration says about one device. `settings`: the driver's own words, e.g. `dialect`; `enrolled`: of a receiver."""

    settings: Mapping[str, str] = field(default_factory=dict)
    enrolled: tuple[Enrolled, ...] = ()


NO_OPTIONS = Options()

PacketT = TypeVar("PacketT", covariant=True)


class Reader(Protocol[PacketT]):
    """Finds and decodes packets in a stream."""

    def feed(self, data: bytes) -> Iterator[PacketT | Reason]:
        """Packets in these bytes, cut anywhere, in order, with a reason for what belongs to none."""
        ...

    def end(self) -> Iterator[PacketT | Reason]:
        """What the end of the input brings: the last packet, or TRUNCATED for one that is cut off."""
        ...


class Driver(Protocol):
    """One device's protocol. `now_s` is a monotonic time in seconds, given by the caller.

    The constructor takes Options and raises ValueError, with a sentence for the installer, for settings that it cannot use.
    """

    is_framed: ClassVar[bool]
    """True: takes frames of our own bridge by address (`take`). False: owns its port and takes raw bytes (`feed`)."""
    is_fast: ClassVar[bool]
    """True: sends more than one value a second, so `gateway.summary` thins it."""
    quiet_s: ClassVar[float]
    """Longest silence of a healthy device, seconds; infinite for one that only speaks when it has something to say."""
    line: ClassVar[Line]
    """Settings of its serial line."""
    settings: ClassVar[frozenset[str]]
    """Names that `Options.settings` may have."""

    def __init__(self, options: Options = NO_OPTIONS) -> None: ...

    def start(self, now_s: float) -> Iterable[Output]:
        """What to say to the device when its port has just been opened; what came before is cut off."""
        ...

    def take(self, frame: Frame, now_s: float) -> Iterable[Output]:
        """Decode one frame of this device."""
        ...

    def feed(self, data: bytes, now_s: float) -> Iterable[Output]:
        """Decode bytes, cut anywhere."""
        ...

    def tick(self, now_s: float) -> Iterable[Output]:
        """What time alone brings: keep-alives, questions, the end of a window whose rest will not come."""
        ...
