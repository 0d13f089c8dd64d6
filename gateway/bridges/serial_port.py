"""The only pyserial user: one blocking reader thread per port that hands bytes on, and reopens a lost port for as long as it takes.

A port is taken for this program alone: two readers would each get half of the bytes.
"""

import logging
import queue
import random
import termios
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import serial

from gateway.devices.driver import Setting

SerialLine: TypeAlias = serial.Serial
"""An open port, for those who may not import pyserial."""

logger = logging.getLogger(__name__)

BY_ID = Path("/dev/serial/by-id")
READ_WAIT_S = 0.2
READ_BYTES_MAX = 512
REOPEN_S = 0.2
REOPEN_MAX_S = 5.0
TROUBLE = (serial.SerialException, OSError, termios.error)
"""What a port that is pulled out, at whatever moment, makes pyserial raise."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they came from a port. Empty: the port was (re)opened, what came before is cut off; or, if `is_lost`, it is gone."""

    port: str
    data: bytes
    is_lost: bool = False


class SerialPort:
    """A port and its reader thread."""

    def __init__(self, path: str, setting: Setting, chunks: queue.Queue[Chunk], on_death: Callable[[BaseException], None]) -> None:
        self.path = path
        self._setting = setting
        self._chunks = chunks
        self._on_death = on_death
        self._line: serial.Serial | None = None
        self._writing = threading.Lock()
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"port {path}", daemon=True)

    def start(self) -> None:
        """Begin reading in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port."""
        self._is_stopping.set()
        self._thread.join(timeout=2)

    @property
    def is_open(self) -> bool:
        """True while the port can be read."""
        return self._line is not None

    @property
    def is_running(self) -> bool:
        """False once its thread has ended: then nobody reads or reopens the port any more."""
        return self._thread.is_alive()

    def write(self, data: bytes) -> None:
        """Write to the device if the port is open. What is lost here the device asks for again by repeating itself."""
        with self._writing:
            if self._line is None:
                return
            try:
                self._line.write(data)
            except TROUBLE as error:
                logger.debug("cannot write to %s: %s", self.path, error)

    def _run(self) -> None:
        try:
            while not self._is_stopping.is_set():
                self._line = self._open()
                if self._line is not None:
                    self._read_until_lost(self._line)
        except BaseException as error:
            self._on_death(error)
            raise

    def _open(self) -> serial.Serial | None:
        wait_s = REOPEN_S
        is_told = False
        level = logging.WARNING
        while not self._is_stopping.is_set():
            try:
                line = open_line(self.path, self._setting)
            except (*TROUBLE, ValueError) as error:
                why = "port %s cannot be opened: %s; plug the device in or correct [[port]] path; trying again"
                logger.log(level, why, self.path, error, extra={"event": "port_missing"})
                level = logging.DEBUG
                if not is_told:
                    is_told = True
                    self._chunks.put(Chunk(self.path, b"", is_lost=True))
                self._is_stopping.wait(wait_s * random.uniform(0.8, 1.2))
                wait_s = min(wait_s * 2, REOPEN_MAX_S)
                continue
            logger.info("port %s is open", self.path, extra={"event": "port_open"})
            self._chunks.put(Chunk(self.path, b""))
            return line
        return None

    def _read_until_lost(self, line: serial.Serial) -> None:
        try:
            while not self._is_stopping.is_set():
                data = line.read(1)
                if data:
                    data += line.read(min(line.in_waiting, READ_BYTES_MAX))
                    self._chunks.put(Chunk(self.path, data))
        except TROUBLE as error:
            logger.warning("port %s is lost: %s", self.path, error, extra={"event": "port_lost"})
            self._chunks.put(Chunk(self.path, b"", is_lost=True))
        finally:
            with self._writing:  # a write after the close could reach another file under the same number
                self._line = None
                line.close()
        self._is_stopping.wait(REOPEN_S)


def stable_name(path: str, folder: Path = BY_ID) -> str:
    """The name of a port in `folder`, which stays when devices are plugged in another order; the path itself where it has none there."""
    if Path(path).parent == folder:
        return path
    return next((str(link) for link in sorted(folder.glob("*")) if link.resolve() == Path(path).resolve()), path)


def open_line(path: str, setting: Setting) -> SerialLine:
    """Open a port for this program alone. Raises what is in TROUBLE, or ValueError for settings that no port has."""
    line = serial.Serial(
        baudrate=setting.baud,
        parity=setting.parity,
        stopbits=setting.stop_bits,
        timeout=READ_WAIT_S,
        write_timeout=1,
        exclusive=True,
    )
    line.dtr, line.rts = setting.dtr, setting.rts  # before opening: some boards take the edge of DTR for a reset
    line.port = path
    line.open()
    return line
