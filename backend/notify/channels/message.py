"""What a channel is given: the same at every try, so that a receiver can know a repeat by its key."""

from dataclasses import dataclass
from typing import Any

from backend.config import NotifyConfig

REPEAT = "（可能是重复发送 This may be a repeat）"
"""Heads a message that may have gone out before: not every service can be told by a key."""


@dataclass(frozen=True, slots=True)
class Message:
    """`key`: the message's own, at every try. `title` and `text` are for people, `body` is for programs; no name, no vital value."""

    address: str
    key: str
    title: str
    text: str
    body: dict[str, Any]


def compose(row: dict[str, Any], settings: NotifyConfig) -> Message:
    """A claimed row as a message. The link, where there is a public address, leads to the page where the receiver says that it was read."""
    body, key = row["body"], str(row["key"])
    title = " ".join(filter(None, [body.get("title_zh"), body.get("title_en")])) or "家护 Jiahu"
    lines = [title, body.get("at", "")]
    if row["doubts"]:
        lines.insert(0, REPEAT)
    if settings.public_url:
        lines.append(f"收到请点击 Please confirm: {settings.public_url.rstrip('/')}/receipts/{key}")
    return Message(row["address"], key, f"家护 Jiahu: {title}", "\n".join(filter(None, lines)), body)
