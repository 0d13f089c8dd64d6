"""Channel `service`: chat bots (DingTalk, WeCom, Feishu), SMS and voice services, by the addresses of the library apprise.

apprise speaks a hundred services but says only whether one took a message: no status, no Retry-After. So a failure is always worth another
try, with our own back-off, and its own retries are left off. These services know no idempotency key: a crash between their answer and our
writing it down sends the message twice. The second says that it may be a repeat, has the same confirming link, and operators see it.
"""

import apprise

from backend.config import NotifyConfig
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import Message

TIMEOUT_S = 10


def send(message: Message, settings: NotifyConfig) -> None:
    """Send by the service of the address. Raises NotDelivered, final when the address is none that apprise knows."""
    asset = apprise.AppriseAsset(async_mode=False, app_id="Jiahu", app_desc="家护", secure_logging=True)
    service = apprise.Apprise.instantiate(
        f"{message.address}{'&' if '?' in message.address else '?'}cto={TIMEOUT_S}&rto={TIMEOUT_S}", asset=asset
    )
    if service is None:
        raise NotDelivered("not an address that apprise knows", is_final=True)
    if not service.notify(title=message.title, body=message.text):
        raise NotDelivered("the service did not take it, or its answer was lost", is_final=False, is_in_doubt=True)
