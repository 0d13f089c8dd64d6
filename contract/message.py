"""The base of every message on the wire, and the identifiers that all of them share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

SEQUENCE_MAX = 2**62
"""Sequences fit PostgreSQL's int8 with room for an exclusive upper bound."""

DeviceId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""Name of a device inside one home, e.g. `wearable-1`."""

GatewayId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""Name of a gateway, unique in the whole system; also its MQTT user name and client id."""

LogId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""Random name of one outbox file. A gateway that had to begin a new file begins a new log, so its sequences may start at 1 again."""

Sequence = Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]


Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""Text without NUL, which PostgreSQL cannot store."""

BluetoothAddress = Annotated[str, Field(pattern=r"^[0-9A-F]{2}(:[0-9A-F]{2}){5}$")]
"""Six bytes, as a device's label shows them."""

INSTANT_MIN = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_MAX = datetime(2200, 1, 1, tzinfo=UTC)
"""A gateway whose clock was never set says 1970; beyond 2200 only broken bytes lie."""


def _to_utc(at: datetime) -> datetime:
    if not INSTANT_MIN <= at < INSTANT_MAX:
        raise ValueError("an instant must lie between 1970 and 2200")
    return at.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""ISO 8601 with zone on the wire, aware UTC in Python."""


class Message(BaseModel):
    """A frozen message. Unknown keys are ignored, so that a newer gateway can talk to an older backend and the reverse."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
