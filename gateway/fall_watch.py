"""What becomes of a fall that is not certain: the home is asked first, and only silence makes it an alarm. Nothing is lost meanwhile.

A confirmed fall of little confidence is held on disk, and the home hears "Are you all right?". A cancelling press, or a button of the home,
answers it: it is told to the backend and pages nobody. A call for help, or no answer within the configured wait, makes it the alarm that
it would have been. The question outlives a kill: the next gateway waits what is left of the time, and after a new start of the machine,
which has no count of it, it waits no more.

A fall that was an alarm at once is taken back by the same press, within CANCEL_WITHIN_S.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from contract.events import EventKind, remark
from gateway.config import FallConfig
from gateway.harvest import Occurrence
from gateway.outbox import Held, Outbox
from gateway.stored_event import StoredEvent

CANCEL_WITHIN_S = 120.0
"""A cancelling press so long after a fall is meant for it: the question (60 s at most), the button's own 30 s, and time to reach it."""
QUESTIONS_MAX = 4
"""Open at once; what comes on top is an alarm without a question."""
FOR_HELP = frozenset({EventKind.SOS, EventKind.FALL, EventKind.SMOKE, EventKind.GAS})
TAKES_BACK = frozenset({EventKind.SOS_CANCELLED, EventKind.FALL_CANCELLED})
QUESTION = {
    "zh": "您还好吗？没事请连按两下按钮。没有回应，我们马上叫人来帮您。",
    "en": "Are you all right? If you are, press the button twice. Without an answer we call for help.",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a question ended: `kind` is FALL or FALL_ANSWERED."""

    event_id: str
    kind: EventKind


class FallWatch:
    """The open questions of one home. Used by the daemon's thread; all times are on the machine's count, seconds."""

    def __init__(self, config: FallConfig, outbox: Outbox) -> None:
        self._config = config
        self._outbox = outbox
        self._open: list[Held] | None = None
        self._fell_s: dict[str, float] = {}

    @property
    def question(self) -> str:
        """What the home hears."""
        return QUESTION[self._config.language]

    @property
    def has_room(self) -> bool:
        """Whether the home can be asked about one more."""
        return len(self._held()) < QUESTIONS_MAX

    def hold(self, occurrence: Occurrence, now_s: float) -> bool:
        """Keep a fall on disk while the home is asked. False when it is known already."""
        is_new = self._outbox.hold_event(
            occurrence.event_id, occurrence.at, occurrence.device, body_of(occurrence), key=occurrence.key, uptime_s=now_s
        )
        self._open = None
        return is_new

    def asked(self, occurrence: Occurrence) -> Occurrence:
        """What tells the backend of the question."""
        return Occurrence(
            f"{occurrence.event_id}-asked", occurrence.device, EventKind.FALL_ASKED, occurrence.at, confidence=occurrence.confidence
        )

    def hear(self, occurrence: Occurrence, now_s: float) -> tuple[list[Outcome], list[Occurrence]]:
        """Before something that happened is accepted: which questions it ends, and what is to be accepted before it."""
        if occurrence.kind in FOR_HELP:
            if occurrence.kind is EventKind.FALL:
                self._fell_s[occurrence.device] = now_s
            return self._end(self._held(), EventKind.FALL), []
        if occurrence.kind is EventKind.BUTTON:
            return self._end(self._held(), EventKind.FALL_ANSWERED), []
        if occurrence.kind not in TAKES_BACK:
            return [], []
        mine = [one for one in self._held() if one.device == occurrence.device]
        taken_back = [] if mine or occurrence.kind is EventKind.FALL_CANCELLED else self._take_back(occurrence, now_s)
        return self._end(mine, EventKind.FALL_ANSWERED), taken_back

    def step(self, now_s: float) -> list[Outcome]:
        """Questions that nobody has answered in time."""
        due = [one for one in self._held() if not 0 <= now_s - one.since_s < self._config.ask_wait_s]
        for one in due:
            self._fell_s[one.device] = now_s
        return self._end(due, EventKind.FALL)

    def _held(self) -> list[Held]:
        if self._open is None:
            self._open = self._outbox.held()
        return self._open

    def _end(self, held: Iterable[Held], kind: EventKind) -> list[Outcome]:
        outcomes = []
        for one in held:
            stored = StoredEvent.model_validate_json(one.body)
            detail = remark(asked="unanswered") if kind is EventKind.FALL else None
            body = stored.model_copy(update={"kind": kind, "detail": detail}).model_dump_json(exclude_none=True)
            self._outbox.release_event(one.event_id, body, is_urgent=kind is EventKind.FALL)
            outcomes.append(Outcome(one.event_id, kind))
        if outcomes:
            self._open = None
        return outcomes

    def _take_back(self, press: Occurrence, now_s: float) -> list[Occurrence]:
        if now_s - self._fell_s.get(press.device, -CANCEL_WITHIN_S) >= CANCEL_WITHIN_S:
            return []
        return [Occurrence(f"{press.event_id}-fall", press.device, EventKind.FALL_CANCELLED, press.at)]


def body_of(occurrence: Occurrence) -> str:
    """The JSON that the outbox keeps of it."""
    return StoredEvent(
        event_id=occurrence.event_id,
        kind=occurrence.kind,
        confidence=occurrence.confidence,
        detail=occurrence.detail,
        window_json=occurrence.window_json,
    ).model_dump_json(exclude_none=True)
