"""What a home has done alone, on its disk: so that nothing is done twice, and nothing left out, when the gateway is killed in between."""

import logging
import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from contract.events import EventKind
from gateway.bridges.modem_fault import ModemFault

logger = logging.getLogger(__name__)

ACTIONS_MAX = 10
"""Ended actions kept, for reports of delivery that come late."""


class Result(StrEnum):
    """What became of one message. SENT: the network has it; DELIVERED: the telephone has."""

    WAITING = "waiting"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    NOT_SENT = "not_sent"


class SmsRecord(BaseModel):
    """One message. `contact` counts from 1; `references` are those whose delivery is not known yet."""

    contact: int
    result: Result = Result.WAITING
    reason: str = ""
    at: datetime | None = None
    references: list[int] = Field(default_factory=list)


class Action(BaseModel):
    """What was done for one press or fall, `event_id`. `ended`: why it is over, empty while it is not."""

    name: str
    event_id: str
    kind: EventKind
    device: str
    at: datetime
    begun_at: datetime
    siren: str
    contacts: int
    ended: str = ""
    sms: list[SmsRecord] = Field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Answered, or taken back."""
        return bool(self.ended)


class AloneRecord(BaseModel):
    """The whole file, oldest action first. `modem_fault`: what was last reported of the modem."""

    modem_fault: ModemFault | None = None
    actions: list[Action] = Field(default_factory=list)

    @property
    def open(self) -> list[Action]:
        """Actions whose call nobody has answered yet."""
        return [action for action in self.actions if not action.is_over]

    def find(self, event_id: str) -> Action | None:
        """The action for this press or fall."""
        return next((action for action in self.actions if action.event_id == event_id), None)

    def message(self, token: str) -> tuple[Action, SmsRecord] | None:
        """Inverse of `token_of`."""
        return next(((action, sms) for action in self.actions for sms in action.sms if token_of(action, sms) == token), None)

    def awaiting(self, reference: int) -> tuple[Action, SmsRecord] | None:
        """The newest message whose delivery under this reference is not known yet: networks use each of 256 again and again."""
        found = [(action, sms) for action in self.actions for sms in action.sms if reference in sms.references]
        return found[-1] if found else None

    def trim(self) -> None:
        """Forget the oldest actions that are over."""
        over = [action for action in self.actions if action.is_over][:-ACTIONS_MAX]
        self.actions = [action for action in self.actions if action not in over]


def token_of(action: Action, sms: SmsRecord) -> str:
    """Name of one message."""
    return f"{action.name}-sms-{sms.contact}"


def load(path: Path) -> AloneRecord:
    """Read the file; a new record where there is none. One that cannot be read counts as none: rather a call twice than never."""
    try:
        return AloneRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return AloneRecord()
    except (OSError, ValidationError) as error:
        logger.error("%s cannot be read: %s", path, type(error).__name__, extra={"event": "alone_record_damaged"})
        return AloneRecord()


def save(record: AloneRecord, path: Path) -> None:
    """Put the record on the disk before this returns. A disk that takes nothing does not keep the home from acting."""
    record.trim()
    fresh = path.with_name(f"{path.name}.fresh")
    try:
        with fresh.open("wb") as file:
            file.write(record.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        logger.error("%s cannot be written: %s", path, error, extra={"event": "alone_record_lost"})


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
