"""Answers /metrics, /healthz and /readyz on a port of its own, from a thread of its own: it answers even when the event loop does not."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, Metric, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from backend.metrics.health import Health, answer

logger = logging.getLogger(__name__)

CONNECTIONS_MAX = 8
"""Prometheus, a probe and a curious person; more than that is not served, so that no stranger can fill the process with threads."""
REQUEST_S_MAX = 5.0
POLL_S = 0.2
JSON = "application/json; charset=utf-8"


def make_registry() -> CollectorRegistry:
    """The registry of one process: empty but for the process's own memory, processor time and files."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # twice as many lines, and nothing here asks for them
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


@contextmanager
def serving(host: str, port: int | None, registry: CollectorRegistry, health: Health) -> Iterator[None]:
    """Serve while the context lasts; `port` None serves nothing.

    A port that is taken is an error in the log and no more: homes must be served even where nobody can watch.
    """
    server = _open(host, port, registry, health) if port is not None else None
    if server is None:
        yield
        return
    registry.register(_Conditions(health))
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _open(host: str, port: int, registry: CollectorRegistry, health: Health) -> "_Server | None":
    try:
        server = _Server(host, port, registry, health)
    except OSError as error:
        why = "cannot serve metrics on %s:%d: %s. Change [metrics] host or the port; everything else goes on"
        logger.error(why, host, port, os.strerror(error.errno or 0), extra={"event": "metrics_not_served"})
        return None
    logger.info("metrics are served on %s:%d", host, port, extra={"event": "metrics_served"})
    return server


class _Conditions:
    """What /readyz says, for Prometheus, which reads no JSON."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """One sample for each condition."""
        family = GaugeMetricFamily("jiahu_condition_holds", "1 while it holds; all must for the process to be ready.", labels=["condition"])
        for condition in self._health.is_ready():
            family.add_metric([condition.name], condition.fault is None)
        yield family


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        self.registry, self.health = registry, health
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for the connection, or close it where there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The connection's thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left in the middle is no news; a figure that cannot be read is."""
        logger.warning("a request for metrics failed", exc_info=True, extra={"event": "metrics_request_failed"})


class _Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: _Server
    timeout = REQUEST_S_MAX

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("accept", ""))
            self._reply(200, encode(self.server.registry), content_type)
        elif path in ("/healthz", "/readyz"):
            health = self.server.health
            status, body = answer(health.is_alive() if path == "/healthz" else health.is_ready())
            self._reply(status, body, JSON)
        else:
            self._reply(404, b"/metrics, /healthz or /readyz\n", "text/plain; charset=utf-8")

    def _reply(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Of the software strangers learn only its name."""
        return "jiahu"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: a line for every look of Prometheus would bury the others."""
