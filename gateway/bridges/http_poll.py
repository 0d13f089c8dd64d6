"""A device that answers over HTTP in place of a serial line: a thread asks for one page again and again, and hands its text on."""

import http.client
import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from gateway.bridges.serial_port import Chunk

logger = logging.getLogger(__name__)

PAGE_END = b"\x0c"
"""Put behind each page: the driver gets bytes that may be cut anywhere."""
POLL_S = 1.5
"""Emfit QS: every 1 to 2 s."""
ANSWER_S = 3.0
RETRY_MAX_S = 5.0
PAGE_BYTES_MAX = 65_536
TROUBLE = (OSError, http.client.HTTPException)


class HttpPoll:
    """An address and its polling thread; to the daemon it is a port. `path` is http://host[:port]/page."""

    def __init__(self, path: str, chunks: queue.Queue[Chunk], on_death: Callable[[BaseException], None], *, poll_s: float = POLL_S) -> None:
        self.path = path
        self._poll_s = poll_s
        self._chunks = chunks
        self._on_death = on_death
        self._is_answering = False
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"poll {path}", daemon=True)

    def start(self) -> None:
        """Begin asking in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._is_stopping.set()
        self._thread.join(timeout=ANSWER_S + 1)

    @property
    def is_open(self) -> bool:
        """True while the device answers."""
        return self._is_answering

    @property
    def is_running(self) -> bool:
        """False once its thread has ended: then nobody reads the device or comes back to it."""
        return self._thread.is_alive()

    def write(self, data: bytes) -> None:
        """Nothing can be said to a page; the drivers of such devices have no commands."""

    def _run(self) -> None:
        wait_s = 0.0
        level = logging.WARNING
        try:
            while not self._is_stopping.wait(wait_s):
                began_s = time.monotonic()
                try:
                    page = _get(self.path)
                except TROUBLE as error:
                    logger.log(level, "%s does not answer: %s; trying again", self.path, error, extra={"event": "page_missing"})
                    level = logging.DEBUG
                    self._lose()
                    wait_s = min(max(wait_s, self._poll_s) * 2, RETRY_MAX_S) * random.uniform(0.8, 1.2)
                    continue
                level = logging.WARNING
                self._hand_on(page)
                wait_s = max(0.0, began_s + self._poll_s - time.monotonic())
        except BaseException as error:
            self._on_death(error)
            raise

    def _hand_on(self, page: bytes) -> None:
        if not self._is_answering:
            self._is_answering = True
            logger.info("%s answers", self.path, extra={"event": "port_open"})
            self._chunks.put(Chunk(self.path, b""))
        self._chunks.put(Chunk(self.path, page + PAGE_END))

    def _lose(self) -> None:
        if self._is_answering:
            self._is_answering = False
            self._chunks.put(Chunk(self.path, b"", is_lost=True))


def _get(path: str) -> bytes:
    """The page. Raises one of TROUBLE, also for another status than 200 and for more than PAGE_BYTES_MAX."""
    address = urlsplit(path)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=ANSWER_S)
    try:
        connection.request("GET", address.path or "/", headers={"Connection": "close"})
        answer = connection.getresponse()
        page = answer.read(PAGE_BYTES_MAX + 1)
    finally:
        connection.close()
    if answer.status != http.client.OK or len(page) > PAGE_BYTES_MAX:
        raise http.client.HTTPException(f"status {answer.status}, {len(page)} bytes")
    return page
