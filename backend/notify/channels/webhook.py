"""Channel `webhook`: POST the message as JSON to a URL, e.g. of the centre's own software.

A crash between the receiver's answer and our writing it down sends the same request again: its `Idempotency-Key` is the same, so that a
receiver which keeps keys takes it once.
"""

from email.utils import parsedate_to_datetime

import httpx

from backend.config import NotifyConfig
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import Message

TIMEOUT_S = 10
"""Far below the lease of the outbox, so that no row is sent by two workers."""
FINAL = frozenset(range(400, 500)) - {408, 425, 429}
"""Client errors are final, except time-out, too early and too many."""
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What happens before anything was handed over; after any other failure the receiver may have it."""


def send(message: Message, settings: NotifyConfig, *, timeout_s: float = TIMEOUT_S) -> None:
    """POST with an idempotency key. Raises NotDelivered: final for a client error or a bad URL, else with the wait asked for."""
    try:
        response = httpx.post(message.address, json=message.body, headers={"Idempotency-Key": message.key}, timeout=timeout_s)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise NotDelivered(f"not a usable URL: {error}", is_final=True) from error
    except httpx.HTTPError as error:
        raise NotDelivered(f"{type(error).__name__}: {error}", is_final=False, is_in_doubt=not isinstance(error, UNSENT)) from error
    if not response.is_success:
        code = response.status_code
        raise NotDelivered(f"answered {code}", is_final=code in FINAL, retry_after_s=asked_s(response))


def asked_s(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header: a number, or a date by the receiver's own clock (RFC 9110, 10.2.3). None where none can be read."""
    said = response.headers.get("Retry-After", "")
    if said.strip().isdigit():
        return float(said)
    try:
        wait = parsedate_to_datetime(said) - parsedate_to_datetime(response.headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())
