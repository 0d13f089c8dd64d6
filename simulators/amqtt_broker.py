"""The broker that needs no installation: amqtt (MQTT 3.1.1) as a program of its own, under the project's topic rules.

    python -m simulators.amqtt_broker SETTINGS.json

    {"port": 21883, "passwords": {"backend": "...", "gw-1": "..."}, "backend_users": ["backend"]}

Unlike Mosquitto it refuses a subscription that is wider than what the client may read.
"""

import asyncio
import hmac
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from amqtt.broker import Broker
from amqtt.contexts import Action, BaseContext
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from simulators.broker_rules import may_read, may_write

KEEP_ALIVE_GRACE_S = 5  # amqtt cuts a client exactly at its keep-alive; MQTT 3.1.1 (3.1.2.10) grants half as much again


class Guard(BaseAuthPlugin, BaseTopicPlugin):
    """amqtt's plug-in for both questions: who is it, and may they use this topic."""

    @dataclass
    class Config:
        """What amqtt fills from the settings."""

        passwords: dict[str, str]
        backend_users: list[str]

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._rules = cast(Guard.Config, context.config)

    async def authenticate(self, *, session: Session) -> bool:
        """Known name, right password, and a last will only where the client may publish: amqtt itself does not check wills."""
        expected = self._rules.passwords.get(session.username or "")
        if expected is None or not hmac.compare_digest(expected.encode(), (session.password or "").encode()):
            return False
        return session.will_topic is None or self._allows(session, session.will_topic, Action.PUBLISH)

    async def topic_filtering(self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None) -> bool:
        """amqtt asks at each PUBLISH, at each SUBSCRIBE and at each delivery."""
        return session is not None and topic is not None and action is not None and self._allows(session, topic, action)

    def _allows(self, session: Session, topic: str, action: Action) -> bool:
        may = may_write if action is Action.PUBLISH else may_read
        return may(session.username or "", topic, backend_users=self._rules.backend_users)


class _OwnRetainedOnly(Broker):
    """amqtt 0.12 sends a connecting client the retained messages of every subscription it knows, other clients' too."""

    async def _publish_retained_messages_for_subscription(self, subscription: tuple[str, int], session: Session) -> None:
        if any(holder is session for holder, _ in self.subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)


async def serve(settings: Path) -> None:
    """Run the broker until SIGTERM or SIGINT. Raises amqtt's BrokerError when the port is taken."""
    wanted = json.loads(settings.read_text())
    rules = {"passwords": wanted["passwords"], "backend_users": wanted["backend_users"]}
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{wanted['port']}"}},
        "timeout_disconnect_delay": KEEP_ALIVE_GRACE_S,
        "plugins": {"simulators.amqtt_broker.Guard": rules},
    }
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    broker = _OwnRetainedOnly(config)
    await broker.start()
    await ended.wait()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
