"""Answers /metrics, /healthz and /readyz from a thread of its own, one request after the other: on a home's box there are few.

Of HTTP it speaks what Prometheus and a probe need (RFC 9112): GET, one request per connection.
"""

import logging
import os
import socket
import socketserver
import threading
import time

from gateway.metrics import CONTENT_TYPE
from gateway.vigil import Vigil

logger = logging.getLogger(__name__)

REQUEST_BYTES_MAX = 8192
REQUEST_S_MAX = 2.0
"""From the first byte to the last: nobody can keep the next one waiting for longer."""
POLL_S = 0.5
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

Answer = tuple[int, str, str]
"""Status, content type, body."""


class MetricsServer:
    """The port and its thread."""

    def __init__(self, host: str, port: int, vigil: Vigil) -> None:
        self._host, self._port, self._vigil = host, port, vigil
        self._server: _Server | None = None

    def start(self) -> None:
        """Begin to answer. A port that is taken is an error in the log and no more: the home comes first."""
        try:
            self._server = _Server(self._host, self._port, self._vigil)
        except OSError as error:
            why = "cannot serve metrics on %s:%d: %s. Change [metrics] host or port; everything else goes on"
            logger.error(why, self._host, self._port, os.strerror(error.errno or 0), extra={"event": "metrics_not_served"})
            return
        self._vigil.is_watched = True
        threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="metrics", daemon=True).start()
        logger.info("metrics are served on %s:%d", self._host, self._port, extra={"event": "metrics_served"})

    def stop(self) -> None:
        """End the thread and close the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(socketserver.TCPServer):
    allow_reuse_address = True

    def __init__(self, host: str, port: int, vigil: Vigil) -> None:
        self.vigil = vigil
        super().__init__((host, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left in the middle is no news."""
        logger.debug("a request for metrics failed", exc_info=True)


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Answer one request."""
        status, content_type, body = answer(_read(self.request), self.server.vigil)
        data = body.encode()
        lines = (
            f"HTTP/1.1 {status} {REASONS[status]}",
            f"content-type: {content_type}",
            f"content-length: {len(data)}",
            "connection: close",
        )
        self.request.sendall("\r\n".join((*lines, "", "")).encode() + data)


def _read(connection: socket.socket) -> str:
    """First line of the request, read up to the end of its head. Raises TimeoutError."""
    ends_s = time.monotonic() + REQUEST_S_MAX
    head = b""
    while b"\r\n\r\n" not in head and len(head) < REQUEST_BYTES_MAX:
        connection.settimeout(max(0.001, ends_s - time.monotonic()))
        more = connection.recv(REQUEST_BYTES_MAX)
        if not more:
            break
        head += more
    return head.partition(b"\r\n")[0].decode("latin-1")


def answer(line: str, vigil: Vigil) -> Answer:
    """The answer to a request's first line."""
    method, _, rest = line.partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    if method != "GET":
        return 405, TEXT, "GET only\n"
    if path == "/metrics":
        page = vigil.metrics()
        return (200, CONTENT_TYPE, page) if page is not None else (503, TEXT, "not started yet\n")
    if path in ("/healthz", "/readyz"):
        is_well, body = vigil.alive() if path == "/healthz" else vigil.ready()
        return (200 if is_well else 503), JSON, body
    return 404, TEXT, "/metrics, /healthz or /readyz\n"
