"""Messages of a broker in the home, such as those of zigbee2mqtt, as lines. The second paho user here: never the backend's broker.

`path` is `mqtt://[user@]host[:port]/filter`, e.g. `mqtt://127.0.0.1/zigbee2mqtt/#`; the password comes from JIAHU_HOME_BROKER_PASSWORD.
Each message becomes one line, and an empty line each BEAT_S says that the broker is there:

    {"topic": "zigbee2mqtt/0x00158d0001a2b3c4", "retained": false, "payload": {"contact": false}}

paho runs in our own thread, so that what a callback does wrong ends the daemon loudly instead of its thread silently.
"""

import contextlib
import json
import logging
import os
import queue
import random
import secrets
import threading
import time
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.bridges.serial_port import Chunk
from gateway.config import HOME_BROKER_PASSWORD

logger = logging.getLogger(__name__)

SCHEME = "mqtt://"
PORT = 1883
KEEPALIVE_S = 20
BEAT_S = 10.0
LOOP_WAIT_S = 0.2
AGAIN_S = 1.0
AGAIN_MAX_S = 30.0
PAYLOAD_BYTES_MAX = 60_000
"""A longer message is the list of all devices, which nobody here reads."""
QOS = 1


class MqttTopic:
    """A connection to a broker and the thread that keeps it."""

    def __init__(self, path: str, chunks: queue.Queue[Chunk], on_death: Callable[[BaseException], None], *, beat_s: float = BEAT_S) -> None:
        url = urlsplit(path)
        self.path = path
        self._host, self._port = url.hostname or "127.0.0.1", url.port or PORT
        self._user = unquote(url.username) if url.username else None
        self._filter = unquote(path.removeprefix(SCHEME).partition("/")[2]) or "#"
        self._chunks = chunks
        self._beat_s = beat_s
        self._on_death = on_death
        self._is_open = False
        self._complaint = ""
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"topic {self._filter}", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection and the thread."""
        self._is_stopping.set()
        self._thread.join(timeout=2)

    @property
    def is_open(self) -> bool:
        """True while the broker has us subscribed."""
        return self._is_open

    @property
    def is_running(self) -> bool:
        """False once its thread has ended: then nobody reads the device or comes back to it."""
        return self._thread.is_alive()

    def write(self, data: bytes) -> None:
        """Nothing: these devices are only listened to."""

    def _run(self) -> None:
        try:
            wait_s = AGAIN_S
            while not self._is_stopping.is_set():
                was_open = self._stay_connected()
                wait_s = AGAIN_S if was_open else min(2 * wait_s, AGAIN_MAX_S)
                self._is_stopping.wait(wait_s * random.uniform(0.8, 1.2))
        except BaseException as error:
            self._on_death(error)
            raise

    def _stay_connected(self) -> bool:
        """Connect once and stay for as long as it lasts. Returns whether it was of use."""
        client = self._make_client()
        try:
            client.connect(self._host, self._port, KEEPALIVE_S)
        except OSError as error:
            self._complain(f"cannot be reached: {error}")
            return False
        beat_s = time.monotonic()
        while not self._is_stopping.is_set() and client.loop(LOOP_WAIT_S) == mqtt.MQTT_ERR_SUCCESS:
            if self._is_open and time.monotonic() - beat_s >= self._beat_s:
                beat_s = time.monotonic()
                self._put(Chunk(self.path, b"\n"))
        was_open, self._is_open = self._is_open, False
        client.disconnect()
        if not self._is_stopping.is_set():
            self._complain("is lost")
        return was_open

    def _make_client(self) -> mqtt.Client:
        name = f"jiahu-{secrets.token_hex(4)}"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=True, protocol=mqtt.MQTTv311)
        client.username_pw_set(self._user, os.environ.get(HOME_BROKER_PASSWORD) or None)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: mqtt.Client, userdata: object, flags: object, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.is_failure:
            self._complain(f"refuses us: {reason}; check the user in [[port]] path and {HOME_BROKER_PASSWORD}")
        else:
            client.subscribe(self._filter, QOS)

    def _on_subscribe(
        self, client: mqtt.Client, userdata: object, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._complain(f"refuses {self._filter}")
            return
        self._is_open = True
        self._complaint = ""
        self._put(Chunk(self.path, b""))
        logger.info("listening to %s", self.path, extra={"event": "topic_open"})

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        if len(message.payload) <= PAYLOAD_BYTES_MAX:
            line = {"topic": message.topic, "retained": bool(message.retain), "payload": _payload(bytes(message.payload))}
            self._put(Chunk(self.path, json.dumps(line).encode() + b"\n"))

    def _complain(self, what: str) -> None:
        """One warning for each kind of trouble, and one word to the pipeline when it begins."""
        level = logging.DEBUG if what == self._complaint else logging.WARNING
        if not self._complaint:
            self._put(Chunk(self.path, b"", is_lost=True))
        self._complaint = what
        logger.log(level, "the broker at %s:%d %s", self._host, self._port, what, extra={"event": "topic_lost"})

    def _put(self, chunk: Chunk) -> None:
        """Wait for room in the queue, but not beyond the end."""
        while not self._is_stopping.is_set():
            with contextlib.suppress(queue.Full):
                self._chunks.put(chunk, timeout=LOOP_WAIT_S)
                return


def _payload(payload: bytes) -> object:
    """JSON where it is JSON, else its text."""
    text = payload.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
