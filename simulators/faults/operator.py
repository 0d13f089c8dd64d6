"""The people of a run: elders who press and fall, and an operator who takes and closes their cases through the public HTTP API."""

import threading
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import httpx

from simulators.demo.witness import signed_in
from simulators.faults.devices import Devices

LOOK_S = 0.3
CALLS = ("sos", "fall")
"""Rules whose cases the operator closes, so that most calls open one of their own."""
BETWEEN_CALLS_S = (0.8, 2.4)
FALLS = 1 / 3


class Operator:
    """One account at work until stopped, however often the web process dies."""

    def __init__(self, url: str, login: tuple[str, str]) -> None:
        self._url = url
        self._login = login
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operator", daemon=True)
        self.closed = 0

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Go home."""
        self._is_stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                with signed_in(self._url, *self._login) as client:
                    while not self._is_stopping.wait(LOOK_S):
                        self._look(client)
            except (httpx.HTTPError, ValueError):
                self._is_stopping.wait(LOOK_S)

    def _look(self, client: httpx.Client) -> None:
        for case in _open_cases(client):
            if not any(one["rule_id"] in CALLS for one in case["about"]):
                continue
            if case["state"] == "new":
                _ask(client.post(f"/api/cases/{case['id']}/take"))
            self.closed += _ask(client.post(f"/api/cases/{case['id']}/close", json={"disposition": "real", "text": "已处理 done"}))


class Elders:
    """They press and fall, one after the other, in an order that the seed gives, until stopped."""

    def __init__(self, homes: Sequence[Devices], *, seed: int) -> None:
        self._homes = homes
        self._random = Random(f"{seed}/elders")
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="elders", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Nothing more happens to anybody."""
        self._is_stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping.wait(self._random.uniform(*BETWEEN_CALLS_S)):
            devices = self._random.choice(self._homes)
            if self._random.random() < FALLS:
                devices.fall()
            else:
                devices.press()


def _open_cases(client: httpx.Client) -> Iterator[dict[str, Any]]:
    """All open cases, page after page."""
    path: str | None = "/api/cases"
    while path is not None:
        answer = client.get(path).raise_for_status()
        yield from answer.json()
        path = answer.links.get("next", {}).get("url")


def _ask(answer: httpx.Response) -> bool:
    """False where the case has changed in the meantime: it is looked at again."""
    if answer.status_code in (httpx.codes.CONFLICT, httpx.codes.NOT_FOUND):
        return False
    answer.raise_for_status()
    return True
