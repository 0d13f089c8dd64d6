"""A running ingest process, and a gateway that talks to it through a real broker."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import BaseModel

from backend.config import BROKER_PASSWORD
from contract import topics
from contract.stored import ANSWER, Refused, Stored
from contract.topics import Leaf
from simulators.child_process import wait_until
from simulators.servers import Broker

CHECKOUT = Path(__file__).resolve().parents[3]
DEADLINE_S = 30.0
RESEND_S = 3.0
CONFIG = """
[database]
url = "{database}"
connect_timeout_s = {connect_timeout_s}
[broker]
host = "{host}"
port = {port}
protocol = "{protocol}"
"""


class Ingest:
    """`python -m backend ingest` as a child process; its log is a file."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        broker: Broker,
        *,
        password: str | None = None,
        connect_timeout_s: float = 5,
        more: str = "",
    ) -> None:
        self.log = folder / "ingest.log"
        self._config = folder / "backend.toml"
        self._environment = os.environ | {BROKER_PASSWORD: password or broker.accounts["backend"]}
        self._process: subprocess.Popen[bytes] | None = None
        self._connections = 0
        text = CONFIG.format(
            database=database_url, host=broker.host, port=broker.port, protocol=broker.protocol, connect_timeout_s=connect_timeout_s
        )
        self._config.write_text(text + more)

    def spawn(self) -> None:
        """Start without waiting."""
        command = [sys.executable, "-m", "backend", "ingest", "--config", str(self._config)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=CHECKOUT, env=self._environment, stdout=log, stderr=log)

    def start(self) -> None:
        """Start, and wait until it has subscribed."""
        self.spawn()
        self._connections += 1
        wait_until(lambda: self.text.count("connected to the broker") == self._connections, deadline_s=DEADLINE_S, what=self.text)

    @property
    def text(self) -> str:
        """Everything it has written."""
        return self.log.read_text("utf-8")

    def kill(self) -> None:
        """End it without any chance to tidy up."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Wait for its end by itself; its exit code."""
        assert self._process is not None
        return self._process.wait(DEADLINE_S)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


class Gateway:
    """What a gateway is to the backend: publishes under its name and hears the answers."""

    def __init__(self, client: mqtt.Client, name: str) -> None:
        self._client = client
        self._name = name
        self._last: mqtt.MQTTMessageInfo | None = None
        self.answers: list[Stored | Refused] = []
        self.times_told = 0
        """How often the backend said to everybody that it listens."""
        client.on_message = self._on_message

    def send(self, leaf: Leaf, message: BaseModel | bytes, *, retain: bool = False) -> bytes:
        """Publish; returns the payload."""
        payload = message if isinstance(message, bytes) else message.model_dump_json().encode()
        self._last = self._client.publish(topics.build(self._name, leaf), payload, qos=1, retain=retain)
        return payload

    def flush(self) -> None:
        """Wait until the broker has what was sent last."""
        assert self._last is not None
        self._last.wait_for_publish(DEADLINE_S)

    def deliver(self, leaf: Leaf, messages: Mapping[int, BaseModel]) -> None:
        """As a gateway does: send, by first sequence, whatever is not answered, again and again. A broker may lose what it acknowledged."""
        for _ in range(int(DEADLINE_S / RESEND_S)):
            for first in messages.keys() - self.stored():
                self.send(leaf, messages[first])
            with suppress(TimeoutError):
                wait_until(lambda: self.stored() >= messages.keys(), deadline_s=RESEND_S, what="every answer")
                return
        raise TimeoutError(f"{len(messages.keys() - self.stored())} messages were not answered within {DEADLINE_S:g} s")

    def insist(self, leaf: Leaf, message: bytes) -> Stored | Refused:
        """Send one message again and again until there is an answer, as `deliver` does. Returns the first."""
        for _ in range(int(DEADLINE_S / RESEND_S)):
            self.send(leaf, message)
            with suppress(TimeoutError):
                wait_until(lambda: bool(self.answers), deadline_s=RESEND_S, what="an answer")
                return self.answers[0]
        raise TimeoutError(f"no answer within {DEADLINE_S:g} s")

    def stored(self) -> set[int]:
        """First sequences of everything that was answered as stored."""
        return {answer.first for answer in self.answers if isinstance(answer, Stored)}

    def wait_for_answers(self, count: int) -> list[Stored | Refused]:
        """Wait until at least `count` answers have come."""
        wait_until(lambda: len(self.answers) >= count, deadline_s=DEADLINE_S, what=f"{count} answers")
        return self.answers

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == topics.listening(topics.shard_of(self._name)):
            self.times_told += 1
        else:
            self.answers.append(ANSWER.validate_json(message.payload))


@contextmanager
def connected(broker: Broker, name: str = "gw-1") -> Iterator[Gateway]:
    """A gateway that is connected and subscribed."""
    is_new = broker.protocol == "5"
    options: dict[str, Any] = {} if is_new else {"clean_session": True}
    protocol = mqtt.MQTTv5 if is_new else mqtt.MQTTv311
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol, **options)
    client.username_pw_set(name, broker.accounts[name])
    gateway = Gateway(client, name)
    subscribed: list[int] = []
    client.on_subscribe = lambda *_: subscribed.append(1)
    client.connect(broker.host, broker.port, keepalive=30)
    client.loop_start()
    try:
        wait_until(client.is_connected, deadline_s=DEADLINE_S, what="connection of the gateway")
        client.subscribe([(topics.build(name, Leaf.STORED), 1), (topics.listening(topics.shard_of(name)), 1)])
        wait_until(lambda: bool(subscribed), deadline_s=DEADLINE_S, what="subscription of the gateway")
        yield gateway
    finally:
        client.disconnect()
        client.loop_stop()
