"""Which presses and falls wait for the backend's answer, and for how long. Pure: takes what the outbox holds, and the time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contract.events import EventKind
from gateway.outbox import EventEntry
from gateway.stored_event import StoredEvent

AGE_SANE_MAX_S = 86_400.0
"""After a restart only the clock says how long an event has waited; a greater age is a clock that was set meanwhile."""
START_GRACE_S = 5.0
"""So long a gateway that has just started gives the backend to answer, however long the event has waited before."""
CALLS = frozenset({EventKind.SOS, EventKind.FALL})
TAKEN_BACK_BY = {EventKind.SOS: EventKind.SOS_CANCELLED, EventKind.FALL: EventKind.FALL_CANCELLED}


@dataclass(slots=True)
class Waiting:
    """A press or fall without an answer, `since_s` on the machine's count."""

    event_id: str
    kind: EventKind
    device: str
    at: datetime
    since_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the outbox shows: calls that have waited too long, and the ids of those taken back and of those unanswered."""

    due: list[Waiting]
    taken_back: frozenset[str]
    unanswered: frozenset[str]


@dataclass(slots=True)
class UrgentWatch:
    """All calls of one home that wait. `wait_s`: how long the backend has for its answer."""

    wait_s: float
    _waiting: dict[str, Waiting] = field(default_factory=dict)
    _taken_back: set[str] = field(default_factory=set)
    _refused: Counter[EventKind] = field(default_factory=Counter)
    _kept: set[str] = field(default_factory=set)
    _is_first: bool = True

    @property
    def is_idle(self) -> bool:
        """Nothing waits."""
        return not self._waiting

    def refuse(self, kind: EventKind) -> None:
        """The backend cannot read a call, so nobody there will act on it: it goes on waiting, though the outbox has let it go."""
        if kind in CALLS:
            self._refused[kind] += 1

    def look(self, entries: Sequence[EventEntry], *, now: datetime, now_s: float) -> Look:
        """Take the urgent events that the outbox holds now, in the order they were accepted. One that cannot be read is passed over."""
        held = [(entry, stored) for entry in entries if entry.is_urgent and (stored := _read(entry)) is not None]
        before = set(self._kept)
        for entry, stored in held:
            if stored.kind in CALLS:
                before.add(stored.event_id)
                self._add(entry, stored, now, now_s)
            else:
                self._taken_back |= {one for one in before if self._is_taken_back(one, entry.device, stored.kind)}
        self._is_first = False
        self._let_go({stored.event_id for _, stored in held})
        due = [one for one in self._waiting.values() if now_s - one.since_s >= self.wait_s and one.event_id not in self._taken_back]
        return Look(due, frozenset(self._taken_back), frozenset(self._waiting))

    def _add(self, entry: EventEntry, stored: StoredEvent, now: datetime, now_s: float) -> None:
        if stored.event_id not in self._waiting:
            since_s = now_s - self._age_s(entry.at, now) if self._is_first else now_s
            self._waiting[stored.event_id] = Waiting(stored.event_id, stored.kind, entry.device, entry.at, since_s)

    def _age_s(self, at: datetime, now: datetime) -> float:
        age_s = (now - at).total_seconds()
        return min(age_s, max(0.0, self.wait_s - START_GRACE_S)) if 0 <= age_s <= AGE_SANE_MAX_S else 0.0

    def _is_taken_back(self, event_id: str, device: str, kind: EventKind) -> bool:
        call = self._waiting[event_id]
        return call.device == device and TAKEN_BACK_BY[call.kind] is kind

    def _let_go(self, held: set[str]) -> None:
        for event_id in [one for one in self._waiting if one not in held and one not in self._kept]:
            kind = self._waiting[event_id].kind
            if self._refused[kind]:
                self._refused[kind] -= 1
                self._kept.add(event_id)
            else:
                del self._waiting[event_id]
                self._taken_back.discard(event_id)
        self._refused.clear()


def _read(entry: EventEntry) -> StoredEvent | None:
    try:
        return StoredEvent.model_validate_json(entry.body)
    except ValueError:
        return None
