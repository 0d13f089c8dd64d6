"""What the pipeline makes of bytes and of time: readings, events, and answers for a port."""

from dataclasses import dataclass, field
from datetime import datetime

from contract.events import EventKind
from gateway.outbox import Reading


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event to be accepted. `acknowledgement` goes to `port` once it is on disk. `key`: its name without its time, where it has one.

    `is_doubtful`: the home is asked before it becomes an alarm.
    """

    event_id: str
    device: str
    kind: EventKind
    at: datetime
    confidence: float | None = None
    detail: str | None = None
    window_json: str | None = None
    key: str | None = None
    is_doubtful: bool = False
    port: str = ""
    acknowledgement: bytes = b""


@dataclass(slots=True)
class Harvest:
    """What one step of the pipeline gave. `replies`: bytes for a port that need not wait for the disk."""

    readings: list[Reading] = field(default_factory=list)
    occurrences: list[Occurrence] = field(default_factory=list)
    replies: list[tuple[str, bytes]] = field(default_factory=list)
