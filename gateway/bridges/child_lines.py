"""Lines of a program that runs as our child, such as rtl_433: its output is handed on, and when it ends it is started again.

`path` is `exec:` and the command, as in a shell, but without one: `exec:rtl_433 -F json -M time:iso`. While the program runs, an empty line
each BEAT_S says so: the air can be quiet for days. That it has ended is told at once, as a chunk with `is_lost`.
"""

import contextlib
import logging
import os
import queue
import random
import select
import shlex
import subprocess
import threading
import time
from collections.abc import Callable

from gateway.bridges.serial_port import Chunk

logger = logging.getLogger(__name__)

SCHEME = "exec:"
BEAT_S = 10.0
READ_WAIT_S = 0.2
READ_BYTES_MAX = 4096
AGAIN_S = 1.0
AGAIN_MAX_S = 60.0
"""A receiver that is not plugged in makes rtl_433 end at once: it is tried again each minute, for as long as it takes."""
STEADY_S = 60.0
"""A program that ran for so long is started again without waiting longer than at first."""
END_WAIT_S = 1.0


class ChildLines:
    """A program and the thread that reads it."""

    def __init__(self, path: str, chunks: queue.Queue[Chunk], on_death: Callable[[BaseException], None], *, beat_s: float = BEAT_S) -> None:
        self.path = path
        self._command = shlex.split(path.removeprefix(SCHEME))
        self._chunks = chunks
        self._beat_s = beat_s
        self._on_death = on_death
        self._child: subprocess.Popen[bytes] | None = None
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"child {self._command[0]}", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the program and the thread."""
        self._is_stopping.set()
        self._thread.join(timeout=2 * END_WAIT_S + 1)

    @property
    def is_open(self) -> bool:
        """True while the program runs."""
        return self._child is not None

    @property
    def is_running(self) -> bool:
        """False once its thread has ended: then nobody reads the device or comes back to it."""
        return self._thread.is_alive()

    def write(self, data: bytes) -> None:
        """Nothing: these programs only listen."""

    def _run(self) -> None:
        wait_s, level = AGAIN_S, logging.WARNING
        try:
            while not self._is_stopping.is_set():
                started_s = time.monotonic()
                why = self._run_child()
                if time.monotonic() - started_s > STEADY_S:
                    wait_s, level = AGAIN_S, logging.WARNING
                if not self._is_stopping.is_set():
                    logger.log(level, "%s %s; it is started again", self._command[0], why, extra={"event": "child_lost"})
                    self._put(Chunk(self.path, b"", is_lost=True))
                self._is_stopping.wait(wait_s * random.uniform(0.8, 1.2))
                wait_s, level = min(2 * wait_s, AGAIN_MAX_S), logging.DEBUG
        except BaseException as error:
            self._on_death(error)
            raise

    def _run_child(self) -> str:
        """Run the program once, from its start to its end. Returns how it ended, for people."""
        try:
            child = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            return f"cannot be run: {error}; install it or correct [[port]] path"
        self._child = child
        try:
            self._put(Chunk(self.path, b""))
            self._read(child)
        finally:
            self._child = None
            _end(child)
        return f"has ended with code {child.returncode}"

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        """Hand on what it says until it closes its output. A beat never cuts a line in two."""
        assert child.stdout is not None
        is_between_lines, heard_s = True, time.monotonic()
        while not self._is_stopping.is_set():
            if select.select([child.stdout], [], [], READ_WAIT_S)[0]:
                data = os.read(child.stdout.fileno(), READ_BYTES_MAX)
                if not data:
                    return
                self._put(Chunk(self.path, data))
                is_between_lines, heard_s = data.endswith(b"\n"), time.monotonic()
            elif is_between_lines and time.monotonic() - heard_s >= self._beat_s:
                self._put(Chunk(self.path, b"\n"))
                heard_s = time.monotonic()

    def _put(self, chunk: Chunk) -> None:
        """Wait for room in the queue, but not beyond the end."""
        while not self._is_stopping.is_set():
            with contextlib.suppress(queue.Full):
                self._chunks.put(chunk, timeout=READ_WAIT_S)
                return


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the program to end, then make it."""
    child.terminate()
    try:
        child.wait(END_WAIT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
