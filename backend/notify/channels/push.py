"""Channel `push`: rings a browser whose page is closed (Web Push). The address is the browser's subscription.

The push service and the lock screen see no elder: the payload is encrypted for the browser, and says only what kind of message waits. A
message that is sent again after a crash replaces the first one, at the service (Topic, RFC 8030, 5.4) and on the screen (its tag).
"""

import json
from datetime import UTC, datetime

import httpx

from backend.config import VAPID_KEY, NotifyConfig, secret
from backend.errors import BadInput
from backend.notify import webpush
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import Message
from backend.notify.channels.webhook import FINAL, UNSENT, asked_s

TIMEOUT_S = 10
TTL_S = 600
"""An offer of ten minutes ago has gone to somebody else, or to the operators."""
GONE = frozenset({404, 410})
"""RFC 8030, 7.3: the subscription is no more, and never will be again."""


def public_key() -> str | None:
    """What browsers subscribe with (base64url); None where no key is set, and so no browser can be rung. Raises BadInput."""
    if (text := secret(VAPID_KEY)) is None:
        return None
    try:
        return webpush.encode(webpush.point_of(webpush.read_key(text)))
    except ValueError as error:
        raise BadInput(f"{VAPID_KEY} is not a key: make one with python -m backend push-key") from error


def send(message: Message, settings: NotifyConfig, *, timeout_s: float = TIMEOUT_S) -> None:
    """Send one message. Raises NotDelivered, `is_gone` for a browser that is no longer there."""
    if (text := secret(VAPID_KEY)) is None:
        raise NotDelivered(f"no key to sign with: set {VAPID_KEY}, see docs/visits.md", is_final=True)
    try:
        to = webpush.Subscription.read(message.address, tuple(settings.push_hosts))
        key = webpush.read_key(text)
    except ValueError as error:
        raise NotDelivered(str(error), is_final=True) from error
    headers = {
        "Authorization": webpush.authorization(to.endpoint, key, contact=f"mailto:{settings.smtp_from}", now=datetime.now(UTC)),
        "Content-Encoding": "aes128gcm",
        "TTL": str(TTL_S),
        "Urgency": "high",
        "Topic": message.key.replace("-", ""),
    }
    payload = json.dumps({"key": message.key, "title": message.title, "at": message.body.get("at", "")}, ensure_ascii=False)
    try:
        response = httpx.post(to.endpoint, content=webpush.encrypt(payload.encode(), to), headers=headers, timeout=timeout_s)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise NotDelivered(f"not a usable URL: {error}", is_final=True) from error
    except httpx.HTTPError as error:
        raise NotDelivered(f"{type(error).__name__}: {error}", is_final=False, is_in_doubt=not isinstance(error, UNSENT)) from error
    if not response.is_success:
        code = response.status_code
        raise NotDelivered(f"answered {code}", is_final=code in FINAL, retry_after_s=asked_s(response), is_gone=code in GONE)
