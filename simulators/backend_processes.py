"""The backend on this machine: its configuration file, its prepared database, and its programs, for whoever plays a whole chain."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from simulators.keeper import Program, ProgramError
from simulators.servers import Broker, free_port

READY_S = 60.0
POLL_S = 0.1
PROCESSES = ("ingest", "worker", "web")
CONFIG = """
[database]
url = "{database}"
[broker]
host = "{host}"
port = {port}
[worker]
silence_tick_s = 2
[web]
port = {web}
{more}
"""


class BackendProcesses:
    """Ingest, worker and web with one configuration file in `folder`, where their logs are too. `port`: of the pages, 0 for any free one.

    `more` is added to the file: tables of it that the chain needs besides.
    """

    def __init__(self, folder: Path, *, password: str, port: int = 0, more: str = "") -> None:
        self.folder = folder
        self._password = password
        self._push_key = secrets.token_urlsafe(32)
        self._port = port or free_port()
        self._more = more
        self.url = f"http://127.0.0.1:{self._port}"

    def prepare(self, database_url: str, broker: Broker, *, people: Path, rules: Path) -> None:
        """Write the configuration for servers that run; make the tables; load people, and rules over the shipped ones.

        Raises ProgramError.
        """
        text = CONFIG.format(database=database_url, host=broker.host, port=broker.port, web=self._port, more=self._more)
        write_private(self.folder / "backend.toml", text)
        for step in (("migrate",), ("load", str(people)), ("rules", "store", str(rules))):
            self.program(*step).run()

    def program(self, command: str, *arguments: str) -> Program:
        """`python -m backend command`, not started yet."""
        config = str(self.folder / "backend.toml")
        environment = {"JIAHU_BROKER_PASSWORD": self._password, "JIAHU_VAPID_KEY": self._push_key}
        return Program(["backend", command, "--config", config, *arguments], self.folder / f"{command}.log", environment)

    def serves(self) -> bool:
        """Does the web process see the tables?"""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=1).is_success
        except httpx.HTTPError:
            return False


def write_private(path: Path, text: str) -> Path:
    """Write a file that only we can read, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
    return path


def wait_ready(condition: Callable[[], bool], what: str, log: Path) -> None:
    """Return once `condition` holds. Raises ProgramError, naming the log, after READY_S."""
    deadline_s = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise ProgramError(f"{what}: not within {READY_S:.0f} s; see {log}")
        time.sleep(POLL_S)
