"""An alert as the store hands it out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.alerts.lifecycle import Condition, State


@dataclass(frozen=True, slots=True)
class Alert:
    """The row of one open alert, locked by the transaction that loaded it."""

    id: int
    rule_id: str
    priority: str
    level: str
    state: State
    condition: Condition
    opened_at: datetime
    last_at: datetime
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an alert is about: an elder, or a home whose gateway was never enrolled."""

    elder_id: str | None
    gateway_id: str

    @property
    def key(self) -> str:
        """The same text that the unique index `alert_one_open` uses."""
        return self.elder_id or f"gateway:{self.gateway_id}"
