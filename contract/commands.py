"""What the backend asks of a gateway."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from contract.message import BluetoothAddress, DeviceId, Instant, Message


class Speak(Message):
    """Say `text` in the home through the configured player, e.g. that help is being called. Worthless after `until`."""

    kind: Literal["speak"] = "speak"
    id: int = Field(ge=1)
    text: str = Field(min_length=1, max_length=200)
    until: Instant


class Report(Message):
    """Publish GatewayStatus now, without waiting for the next regular one."""

    kind: Literal["report"] = "report"
    id: int = Field(ge=1)


LIVE_S_MAX = 300
"""Seconds of one live view; a gateway shows no more for one command."""


class LiveView(Message):
    """Send values as devices say them, and every second, instead of summaries every few seconds.

    It ends by itself at `until`, or after 300 s; a later one replaces it. A gateway that has much waiting does nothing: that goes first.
    """

    kind: Literal["live_view"] = "live_view"
    id: int = Field(ge=1)
    until: Instant


class Enrol(Message):
    """Listen to this Bluetooth device from now on, and pair with it when it asks; also the way to pair again with one that forgot the home.

    `passkey`: the six digits that stand on it. Worthless after `until`.
    """

    kind: Literal["enrol"] = "enrol"
    id: int = Field(ge=1)
    device: DeviceId
    address: BluetoothAddress
    passkey: str | None = Field(default=None, pattern=r"^[0-9]{6}$")
    until: Instant


class Dismiss(Message):
    """Listen to a Bluetooth device no more, and forget its keys. Worthless after `until`."""

    kind: Literal["dismiss"] = "dismiss"
    id: int = Field(ge=1)
    device: DeviceId
    until: Instant


Command = Annotated[Speak | Report | LiveView | Enrol | Dismiss, Field(discriminator="kind")]
COMMAND: TypeAdapter[Speak | Report | LiveView | Enrol | Dismiss] = TypeAdapter(Command)
