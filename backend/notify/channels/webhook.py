"""Channel `webhook`: POST the message as JSON to a URL, e.g. a bot of DingTalk or WeCom behind an adapter."""

from typing import Any

import httpx

from backend.notify.channels.failure import NotDelivered

TIMEOUT_S = 10
"""Far below the lease of the outbox, so that no row is sent by two workers."""
FINAL = frozenset(range(400, 500)) - {408, 425, 429}
"""Client errors are final, except time-out, too early and too many."""


def send(address: str, body: dict[str, Any], *, timeout_s: float = TIMEOUT_S) -> None:
    """POST with an idempotency key of alert and step. Raises NotDelivered, final for a client error or a bad URL."""
    headers = {"Idempotency-Key": f"{body.get('alert_id')}:{body.get('step')}"}
    try:
        response = httpx.post(address, json=body, headers=headers, timeout=timeout_s)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise NotDelivered(f"not a usable URL: {error}", is_final=True) from error
    except httpx.HTTPError as error:
        raise NotDelivered(f"{type(error).__name__}: {error}", is_final=False) from error
    if not response.is_success:
        raise NotDelivered(f"answered {response.status_code}", is_final=response.status_code in FINAL)
