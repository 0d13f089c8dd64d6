"""Keeps programs running: what dies, by somebody's `kill -9` or by itself, is started again, and said aloud."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from simulators.child_process import ServerError, ending_with_starter

CHECK_S = 0.25
RESTART_S = 0.5
STOP_S = 10.0
CHECKOUT = Path(__file__).resolve().parents[1]


class ProgramError(Exception):
    """A program failed or does not get ready; the text says why and where to look."""


class Kept(Protocol):
    """Something that can be started again."""

    @property
    def is_running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Program:
    """One `python -m ...` with its log file."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: dict[str, str]) -> None:
        self._command = [sys.executable, "-m", *arguments]
        self._log = log
        self._environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"} | environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running or last process; 0 before the first start."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """False before `start` and after the end."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; the log goes on."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=ending_with_starter(signal.SIGTERM),
            )

    def stop(self) -> None:
        """Ask it to end, and wait; after STOP_S it is killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End it at once, with all it has started, and wait."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def run(self) -> None:
        """Run it to its end. Raises ProgramError when it fails."""
        self.start()
        assert self._process is not None
        if self._process.wait() != 0:
            raise ProgramError(f"{' '.join(self._command[2:4])} failed: {self.last_words()}")

    def last_words(self) -> str:
        """The last line of the log."""
        lines = self._log.read_text("utf-8", "replace").strip().splitlines() if self._log.exists() else []
        return lines[-1] if lines else "it said nothing"


class Keeper:
    """All programs, by name, in the order they were added."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._kept: dict[str, Kept] = {}
        self._starts: dict[str, int] = {}
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="keeper", daemon=True)

    def add(self, name: str, kept: Kept) -> None:
        """Start it now, and again whenever it ends."""
        kept.start()
        self._starts[name] = 1
        self._kept[name] = kept

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, then stop everything, the last added first."""
        self._is_stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for kept in reversed(self._kept.values()):
            kept.stop()

    def restarts(self) -> dict[str, int]:
        """How often each program had to be started again; those that never had are absent."""
        return {name: count - 1 for name, count in self._starts.items() if count > 1}

    def _watch(self) -> None:
        while not self._is_stopping.wait(CHECK_S):
            for name, kept in list(self._kept.items()):
                if not kept.is_running and not self._is_stopping.is_set():
                    self._start_again(name, kept)

    def _start_again(self, name: str, kept: Kept) -> None:
        self._say(f"{name} has ended; it is started again")
        time.sleep(RESTART_S)
        try:
            kept.start()
        except (ServerError, OSError) as error:
            self._say(f"{name} does not start yet: {error}")
        self._starts[name] += 1


def stop_on_signals(stopping: threading.Event) -> None:
    """Ctrl-C and SIGTERM end a run in good order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
