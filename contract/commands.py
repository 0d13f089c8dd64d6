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


Command = Annotated[Speak | Report | Enrol | Dismiss, Field(discriminator="kind")]
COMMAND: TypeAdapter[Speak | Report | Enrol | Dismiss] = TypeAdapter(Command)
