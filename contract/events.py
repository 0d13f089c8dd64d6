"""Things that happen: a press, a fall, a device that fell silent. One message each, never behind a backlog of readings."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contract.message import DeviceId, Instant, LogId, Message, Sequence, Text

WINDOW_SAMPLES_MAX = 2_000

Milligravity = Annotated[int, Field(ge=-32768, le=32767)]


class EventKind(StrEnum):
    """What happened."""

    SOS = "sos"
    SOS_CANCELLED = "sos_cancelled"
    FALL = "fall"
    FALL_CANCELLED = "fall_cancelled"
    FALL_ASKED = "fall_asked"
    """Perhaps a fall: the home is asked before it becomes a FALL."""
    FALL_ANSWERED = "fall_answered"
    """Perhaps a fall, but somebody in the home has answered that all is well. It holds the window."""
    FALL_CANDIDATE = "fall_candidate"
    """A movement that was judged and raises no alarm: it was rejected, or the gateway only watches. It holds the window."""
    BED_ENTRY = "bed_entry"
    BED_EXIT = "bed_exit"
    LONG_STAY = "long_stay"
    """Somebody lies or stands still in one place for long."""
    CHEST_STILL = "chest_still"
    """A radar sees somebody, and no longer sees the chest move."""
    DOOR_OPENED = "door_opened"
    DOOR_CLOSED = "door_closed"
    MOTION = "motion"
    BUTTON = "button"
    """A press that means no alarm."""
    SMOKE = "smoke"
    GAS = "gas"
    WATER = "water"
    ALARM_ENDED = "alarm_ended"
    """Smoke, gas or water is over; `detail` says which."""
    TAMPER = "tamper"
    BATTERY_LOW = "battery_low"
    DEVICE_LOST = "device_lost"
    DEVICE_FOUND = "device_found"
    OUTBOX_DAMAGED = "outbox_damaged"
    BATCH_REFUSED = "batch_refused"
    ACTED_ALONE = "acted_alone"
    ALONE_SMS = "alone_sms"
    MODEM_FAILED = "modem_failed"
    MODEM_WORKS = "modem_works"
    PAIRING_NEEDED = "pairing_needed"
    """A Bluetooth device that cannot be read until somebody pairs it again; `detail` says why."""
    PAIRED = "paired"


URGENT = frozenset(
    {
        EventKind.SOS,
        EventKind.SOS_CANCELLED,
        EventKind.FALL,
        EventKind.FALL_CANCELLED,
        EventKind.SMOKE,
        EventKind.GAS,
        EventKind.WATER,
    }
)
"""Kinds that a gateway sends before all others."""

ALONE = frozenset({EventKind.ACTED_ALONE, EventKind.ALONE_SMS})
"""Kinds that tell what a home did while the backend did not answer. Their `detail` is a remark whose `event` names the press or fall."""


def remark(**words: str | int) -> str:
    """`key=value` pairs for an event's `detail`; neither may hold a space."""
    return " ".join(f"{key}={word}" for key, word in words.items())


def read_remark(detail: str | None) -> dict[str, str]:
    """Inverse of `remark`; what is no pair is left out."""
    pairs = (word.partition("=") for word in (detail or "").split())
    return {key: value for key, separator, value in pairs if key and separator}


class AccelerationWindow(Message):
    """Raw acceleration around an impact: columns x, y, z of one length, in mg (0.001 g), `rate_hz` samples per second."""

    rate_hz: float = Field(gt=0, le=1000)
    x: list[Milligravity] = Field(max_length=WINDOW_SAMPLES_MAX)
    y: list[Milligravity] = Field(max_length=WINDOW_SAMPLES_MAX)
    z: list[Milligravity] = Field(max_length=WINDOW_SAMPLES_MAX)


class Event(Message):
    """One event. `event_id` is unique per gateway and survives restarts of gateway and device: the same press repeated is the same event.

    `at` is when it happened (home's clock), `confidence` 0..1 where a detector gave one, `detail` a short machine-readable remark:

    of `acted_alone`, `event` (whose press or fall), `siren` (on, failed, none) and `contacts` (how many messages are to be sent); of
    `alone_sms`, `event`, `contact` (its place in the home's file, from 1), `result` (sent, delivered, undelivered, failed, not_sent) and
    `reason`; of `modem_failed`, `reason`; of `fall`, `asked` (unanswered) where the home was asked first; of `fall_candidate`,
    `verdict` (fall, rejected), `peak_mg` and, where it is known, `turn_deg`; of `pairing_needed`, `reason` (bond_lost: the device has
    forgotten us; passkey_needed: its passkey must be typed; not_authenticated: it paired without the configured passkey; pairing_refused).
    No remark holds a name or a number of a telephone.
    """

    log_id: LogId
    sequence: Sequence
    floor: Sequence = 1
    event_id: str = Field(pattern=r"^[A-Za-z0-9_:.-]{1,100}$")
    device: DeviceId
    kind: EventKind
    at: Instant
    sent_at: Instant
    confidence: float | None = Field(default=None, ge=0, le=1)
    detail: Text | None = Field(default=None, max_length=200)
    window: AccelerationWindow | None = None
