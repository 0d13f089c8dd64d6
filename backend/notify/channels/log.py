"""Channel `log`: one line in the worker's log, for demos and for trying things out. Ids only, as in every log."""

import logging
from typing import Any

logger = logging.getLogger(__name__)


def send(address: str, body: dict[str, Any]) -> None:
    """Write the line. Never fails."""
    extra = {"event": "notification", "alert_id": body.get("alert_id"), "rule_id": body.get("rule_id")}
    logger.info("notification for alert %s", body.get("alert_id"), extra=extra)
