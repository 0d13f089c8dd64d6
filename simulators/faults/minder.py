"""Keeps one process running, at once again after each of its ends, unless a fault holds it down; and remembers each end."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from simulators.child_process import ServerError

LOOK_S = 0.05
AGAIN_S = 0.5
"""After a start that failed."""


class Mortal(Protocol):
    """Something that runs, and can be killed and started again."""

    @property
    def is_running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


class Minder:
    """One process in the care of a thread, which must outlive it: the kernel ends a child with the thread that started it.

    `on_end` is told when the process was killed or found dead, in seconds since 1970, whether by a fault, and whether it was only asked.
    """

    def __init__(self, name: str, process: Mortal, *, on_end: Callable[[float, bool, bool], None] | None = None) -> None:
        self.name = name
        self._process = process
        self._on_end = on_end
        self._lock = threading.RLock()
        self._was_running = False
        self._holds = 0
        self._is_stopping = threading.Event()
        self.starts = 0
        self.unasked_ends = 0
        self._thread = threading.Thread(target=self._run, name=f"minder {name}", daemon=True)

    def start(self) -> None:
        """Start the process in the background, and again whenever it ends."""
        self._thread.start()

    def stop(self, *, is_gentle: bool = False) -> None:
        """End the process for good."""
        self._is_stopping.set()
        with self._lock:
            self._process.stop() if is_gentle else self._process.kill()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_running(self) -> bool:
        """True while the process lives."""
        return self._process.is_running

    def kill(self) -> bool:
        """Kill -9. False when there was nothing to kill."""
        with self._lock:
            return self._end(self._process.kill)

    def shut(self) -> bool:
        """Ask the process to end, and wait for it. False when there was nothing to end."""
        with self._lock:
            return self._end(self._process.stop, is_gentle=True)

    @contextmanager
    def held_down(self) -> Iterator[None]:
        """Kill -9, and no start until the block is left."""
        with self._lock:
            self._holds += 1
            self._end(self._process.kill)
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1

    def _end(self, act: Callable[[], None], *, is_gentle: bool = False) -> bool:
        if not self._process.is_running:
            return False
        at = time.time()
        act()
        self._was_running = False
        self._tell(at, was_asked=True, is_gentle=is_gentle)
        return True

    def _run(self) -> None:
        while not self._is_stopping.wait(LOOK_S):
            with self._lock:
                self._look()

    def _look(self) -> None:
        if self._process.is_running or self._is_stopping.is_set():
            return
        if self._was_running:
            self._was_running = False
            self.unasked_ends += 1
            self._tell(time.time(), was_asked=False)
        if self._holds:
            return
        try:
            self._process.start()
        except (ServerError, OSError):
            self._is_stopping.wait(AGAIN_S)
            return
        self.starts += 1
        self._was_running = True

    def _tell(self, at: float, *, was_asked: bool, is_gentle: bool = False) -> None:
        if self._on_end is not None:
            self._on_end(at, was_asked, is_gentle)
