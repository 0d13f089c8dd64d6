"""The demo's witness: a signed-in page without a screen, which writes down what the operators' event stream really shows, and when."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

RECONNECT_S = 0.5
READ_TIMEOUT_S = 12.0
"""The stream beats every 5 s; a silence of more than two beats means that it is dead."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One message of the stream."""

    at: datetime
    event: str
    data: dict[str, Any]


@contextmanager
def signed_in(url: str, name: str, password: str) -> Iterator[httpx.Client]:
    """A client with a session. Raises httpx.HTTPError when the web does not answer or refuses."""
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=READ_TIMEOUT_S) as client:
        client.post("/api/session", json={"name": name, "password": password}).raise_for_status()
        yield client


class Witness:
    """Listens until stopped; survives restarts of the web process."""

    def __init__(self, url: str, name: str, password: str, *, on_shown: Callable[[Shown], None]) -> None:
        self._url = url
        self._login = (name, password)
        self._on_shown = on_shown
        self._lock = threading.Lock()
        self._shown: list[Shown] = []
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)

    def start(self) -> None:
        """Begin to listen in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; what was seen stays."""
        self._is_stopping.set()

    def shown(self) -> list[Shown]:
        """Everything seen so far, oldest first."""
        with self._lock:
            return list(self._shown)

    def first_shown_at(self, alert_id: int) -> datetime | None:
        """When an alert first came through the stream."""
        return next((one.at for one in self.shown() if one.event == "alert" and one.data["id"] == alert_id), None)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                with signed_in(self._url, *self._login) as client, client.stream("GET", "/api/live") as response:
                    response.raise_for_status()
                    self._listen(response)
            except (httpx.HTTPError, ValueError):
                self._is_stopping.wait(RECONNECT_S)

    def _listen(self, response: httpx.Response) -> None:
        event, data = "", ""
        for line in response.iter_lines():
            if self._is_stopping.is_set():
                return
            name, _, value = line.partition(":")
            if name == "event":
                event = value.strip()
            elif name == "data":
                data += value.removeprefix(" ")
            elif not line and event:
                self._write_down(Shown(datetime.now(UTC), event, json.loads(data or "{}")))
                event, data = "", ""

    def _write_down(self, shown: Shown) -> None:
        if shown.event in ("alert", "visit"):
            with self._lock:
                self._shown.append(shown)
            self._on_shown(shown)
