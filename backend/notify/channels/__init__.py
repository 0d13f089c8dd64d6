"""The table of channels: a new one is a file beside this one and a row here."""

from collections.abc import Callable

from backend.config import NotifyConfig
from backend.notify.channels import email, log, push, service, webhook
from backend.notify.channels.message import Message

Send = Callable[[Message, NotifyConfig], None]
"""send(message, settings): returns when the channel took the message; raises NotDelivered otherwise. May block; runs in a thread."""

CHANNELS: dict[str, Send] = {"log": log.send, "webhook": webhook.send, "email": email.send, "service": service.send, "push": push.send}
