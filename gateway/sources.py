"""Where bytes come from, chosen by the beginning of `[[port]] path`: a serial port, a program, a page, a broker in the home, or
the Bluetooth radio."""

import queue
from collections.abc import Callable
from typing import Protocol

from gateway.bridges.serial_port import Chunk, SerialPort
from gateway.config import RADIO, Config, PortConfig


class Source(Protocol):
    """Something that fills the queue of chunks from a thread of its own, and comes back by itself when it was lost."""

    path: str

    def start(self) -> None:
        """Begin in the background."""
        ...

    def stop(self) -> None:
        """End the thread."""
        ...

    def write(self, data: bytes) -> None:
        """Say something to the device, if it can be reached and listens at all."""
        ...

    @property
    def is_open(self) -> bool:
        """True while the device can be reached."""
        ...

    @property
    def is_running(self) -> bool:
        """False once its thread has ended: then nobody reads the device or comes back to it."""
        ...


def make_source(
    port: PortConfig, chunks: queue.Queue[Chunk], on_death: Callable[[BaseException], None], home: Config | None = None
) -> Source:
    """The source of one port of `home`; it is not started yet. `on_death` hears what only a restart can mend.

    What is not a serial port is imported only where it is configured: HTTP alone would cost every home 2 MB of memory.
    """
    if port.path == RADIO and home is not None and home.bluetooth is not None:
        from gateway.bridges.bluetooth.radio import Radio

        return Radio(home.bluetooth, home.keys_path(), chunks, on_death)
    if port.path.startswith("exec:"):
        from gateway.bridges.child_lines import ChildLines

        return ChildLines(port.path, chunks, on_death)
    if port.path.startswith("http://"):
        from gateway.bridges.http_poll import HttpPoll

        return HttpPoll(port.path, chunks, on_death)
    if port.path.startswith("mqtt://"):
        from gateway.bridges.mqtt_topic import MqttTopic

        return MqttTopic(port.path, chunks, on_death)
    return SerialPort(port.path, port.setting(), chunks, on_death)
