"""What was really done to the homes: every frame and event, every end of a gateway, every step of a clock. Times are seconds since 1970."""

from dataclasses import dataclass, field

from simulators.faults.evidence import StoredReading


@dataclass(slots=True)
class FrameSent:
    """One frame of measured values. `written_at` is when the kernel took it, or when nobody had the port open; then it is unheard."""

    home: str
    device: str
    number: int
    written_at: float
    is_heard: bool
    is_sick: bool = False


@dataclass(slots=True)
class EventSent:
    """A press or a fall. `happened_at` is when the device first said it; `acked_at` when it heard that it may stop, None: never."""

    home: str
    device: str
    kind: str
    boot: int
    event: int
    happened_at: float
    acked_at: float | None = None
    sendings: int = 0

    @property
    def key(self) -> str:
        """How a stored event's name begins, after the device: the number of the device's start and its count since (contract/events.py)."""
        return f"{self.boot:04x}-{self.event}"


@dataclass(frozen=True, slots=True)
class End:
    """A gateway was dead from `at` on. `was_asked`: by a fault, and not of its own accord.

    `is_gentle`: it was only asked to end at `at`, and was deaf from the moment it left its port.
    """

    home: str
    at: float
    was_asked: bool
    is_gentle: bool = False


@dataclass(frozen=True, slots=True)
class ClockStep:
    """From `at` on a home's clock shows the true time plus `leap_s` plus `error_s`.

    A leap moves the machine's count of seconds too: time itself. An error is a clock that is wrong.
    """

    at: float
    leap_s: float = 0.0
    error_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outage:
    """A home's network was away from `cut_at` to `restored_at`. `is_day`: for 24 hours of the home's time."""

    home: str
    cut_at: float
    restored_at: float
    is_day: bool = False
    sos: EventSent | None = None


@dataclass(frozen=True, slots=True)
class FullDisk:
    """A gateway's disk was full; `shed` is how many readings it said it gave up; `alarm` was pressed meanwhile."""

    home: str
    from_at: float
    until_at: float
    shed: int
    alarm: EventSent


@dataclass(frozen=True, slots=True)
class Damage:
    """A gateway's outbox was damaged while it was dead: `waiting` are the readings that stood in it."""

    home: str
    at: float
    waiting: tuple[StoredReading, ...]
    set_aside: int = 0


@dataclass(frozen=True, slots=True)
class Sickness:
    """A home's wearable said low SpO2 from `from_at` to `until_at`. `is_late`: during an outage of a day."""

    home: str
    from_at: float
    until_at: float
    is_late: bool


@dataclass(slots=True)
class Ledger:
    """All of it. Lists only grow, so that any thread may add to them. `ports`: when somebody opened (True) or left a home's port.

    `last_words`: of gateways that ended of their own accord.
    """

    frames: list[FrameSent] = field(default_factory=list)
    events: list[EventSent] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    last_words: list[str] = field(default_factory=list)
    ports: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    clocks: dict[str, list[ClockStep]] = field(default_factory=dict)
    outages: list[Outage] = field(default_factory=list)
    full_disks: list[FullDisk] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    sicknesses: list[Sickness] = field(default_factory=list)
