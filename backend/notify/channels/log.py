"""Channel `log`: one line in the worker's log, for demos and for trying things out. Ids only, as in every log."""

import logging

from backend.config import NotifyConfig
from backend.notify.channels.message import Message

logger = logging.getLogger(__name__)


def send(message: Message, settings: NotifyConfig) -> None:
    """Write the line. Never fails."""
    about = {name: message.body.get(name) for name in ("alert_id", "case_id", "rule_id")}
    logger.info("notification for alert %s, case %s", about["alert_id"], about["case_id"], extra={"event": "notification"} | about)
