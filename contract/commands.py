"""What the backend asks of a gateway."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from contract.message import Instant, Message


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


Command = Annotated[Speak | Report, Field(discriminator="kind")]
COMMAND: TypeAdapter[Speak | Report] = TypeAdapter(Command)
