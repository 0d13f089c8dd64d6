"""What the outbox keeps of an event: everything but its sequence and the time it is sent."""

from pydantic import BaseModel, ConfigDict

from contract.events import EventKind


class StoredEvent(BaseModel):
    """JSON in the outbox's `body` column. `window_json` is the contract's AccelerationWindow, kept as text."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    kind: EventKind
    confidence: float | None = None
    detail: str | None = None
    window_json: str | None = None
