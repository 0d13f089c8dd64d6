"""The table of channels: a new one is a file beside this one and a row here."""

from collections.abc import Callable
from typing import Any

from backend.notify.channels import log, webhook

Send = Callable[[str, dict[str, Any]], None]
"""send(address, body): returns when the channel took the message; raises NotDelivered otherwise. May block; runs in a thread."""

CHANNELS: dict[str, Send] = {"log": log.send, "webhook": webhook.send}
