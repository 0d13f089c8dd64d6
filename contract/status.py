"""How a gateway and its devices are: retained on the broker, sent at birth, at intervals, on change, and as last will."""

from pydantic import Field

from contract.message import BluetoothAddress, DeviceId, Instant, LogId, Message, Text

DEVICES_MAX = 64
"""Devices of one gateway; a home has a few."""
NEARBY_MAX = 16
"""The street's devices are heard too."""
HEARTBEAT_S = 75
"""A gateway that has heard no answer for so long says that it lives: nobody who lives is silent for longer."""


class DeviceStatus(Message):
    """One device as its gateway sees it. Counted since the gateway started: `rejects` by reason, `frames`
    whatever else it said (frames of our own firmware, single values of other devices). `clock_off_s`: what its own clock was ahead of the
    gateway's when it last told; None for a device without a clock. `model`: maker and model, where the device says them itself. `address`:
    of a Bluetooth device.
    """

    id: DeviceId
    type: Text
    is_lost: bool
    heard_at: Instant | None = None
    frames: int = Field(default=0, ge=0)
    rejects: dict[Text, int] = Field(default_factory=dict)
    battery_percent: float | None = Field(default=None, ge=0, le=100)
    clock_off_s: float | None = None
    model: Text = ""
    address: BluetoothAddress | None = None


class Nearby(Message):
    """A Bluetooth health device that is heard in the home or beside it, and not enrolled; `services` are what it measures."""

    address: BluetoothAddress
    name: Text = ""
    services: list[Text] = Field(default_factory=list)
    heard_at: Instant


class GatewayStatus(Message):
    """State of a gateway at `at`, which is what the machine's own clock says, right or wrong.

    `live_until`: while it sends raw values for a live view, until when. The last will says only `online: false`; its `at` is the time of
    the connection it ends.
    """

    online: bool
    at: Instant
    version: Text = ""
    log_id: LogId | None = None
    started_at: Instant | None = None
    waiting: int = Field(default=0, ge=0)
    oldest_waiting_at: Instant | None = None
    shed: int = Field(default=0, ge=0)
    refused: int = Field(default=0, ge=0)
    commands_done: list[int] = Field(default_factory=list, max_length=100)
    devices: list[DeviceStatus] = Field(default_factory=list, max_length=DEVICES_MAX)
    live_until: Instant | None = None
    nearby: list[Nearby] = Field(default_factory=list, max_length=NEARBY_MAX)
