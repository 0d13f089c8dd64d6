"""The backend's answers to a gateway: these sequences are committed, or this message can never be."""

import hashlib
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from contract.message import Instant, LogId, Message, Sequence


class RefusedReason(StrEnum):
    """Why a message was set aside."""

    NOT_JSON = "not_json"
    NOT_VALID = "not_valid"
    TOO_LARGE = "too_large"
    NOT_STORED = "not_stored"


class Stored(Message):
    """Every sequence in first..last that the message carried is committed. Only now may the gateway forget it."""

    kind: Literal["stored"] = "stored"
    log_id: LogId
    first: Sequence
    last: Sequence
    at: Instant


class Refused(Message):
    """The backend keeps the bytes but cannot read them; sending them again is useless. `digest` names the payload (see `digest_of`)."""

    kind: Literal["refused"] = "refused"
    digest: str = Field(pattern=r"^[0-9a-f]{32}$")
    reason: RefusedReason
    detail: str = Field(default="", max_length=500)
    at: Instant


Answer = Annotated[Stored | Refused, Field(discriminator="kind")]
ANSWER: TypeAdapter[Stored | Refused] = TypeAdapter(Answer)


def digest_of(payload: bytes) -> str:
    """Name of a payload: the first 16 bytes of its SHA-256 in hex."""
    return hashlib.sha256(payload).hexdigest()[:32]
