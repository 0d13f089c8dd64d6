"""The siren: a command that runs for a limited time, under a small process of its own that outlives a gateway which is killed.

So it neither rings for ever nor falls silent because its gateway died. That process holds a file locked while it rings, and writes into it
for which call it rang and whether it came to its end: the next gateway finds it there, ends it once help is known to come, and goes on
with a call that was cut off, but never rings twice for one that had its time.
"""

import fcntl
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

logger = logging.getLogger(__name__)

POLL_S = 0.05
CALL_BYTES = 200
KILL_S = 2.0
"""So long the command may take to end when asked to; then it is killed."""
QUIET = signal.SIGUSR1
"""Asks a siren to end because it is no longer needed. Any other signal cuts it off."""


@dataclass(frozen=True, slots=True)
class Call:
    """What the file says: for whom the last siren rang, which process, and whether it had its time or was told to end."""

    name: str
    pid: int
    is_over: bool


class Siren:
    """The gateway's end. An empty command is a home without a siren."""

    def __init__(self, command: Sequence[str], file: Path) -> None:
        self._command = list(command)
        self._file = file
        self._guard: subprocess.Popen[bytes] | None = None

    def means(self) -> str:
        """`on` where it would ring, `none` where there is no siren, `failed` where its command is not on this machine."""
        if not self._command:
            return "none"
        return "on" if shutil.which(self._command[0]) else "failed"

    def ring(self, name: str, for_s: float) -> None:
        """Ring for call `name`, in place of any call before; without a siren, nothing."""
        if self.means() != "on":
            logger.log(logging.ERROR if self._command else logging.DEBUG, "there is no siren to ring", extra={"event": "siren_failed"})
            return
        self.end()
        guard = [sys.executable, "-m", "gateway.siren", str(self._file.absolute()), name, str(for_s), *self._command]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        self._guard = subprocess.Popen(guard, stdin=subprocess.DEVNULL, start_new_session=True, env=environment)
        logger.warning("the siren rings for at most %.0f s", for_s, extra={"event": "siren_on", "call": name})

    def end(self) -> None:
        """Silence, also of a siren that a gateway before this one has started."""
        if self._signal(QUIET):
            logger.info("the siren ends", extra={"event": "siren_off"})

    def cut_off(self) -> None:
        """Silence because the gateway ends; the next one goes on. Returns once it is silent, so that the next one sees it so."""
        self._signal(signal.SIGTERM)
        deadline_s = time.monotonic() + 2 * KILL_S
        while (self._is_running() or self._is_ringing()) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)

    def _signal(self, number: signal.Signals) -> bool:
        """To our own process, and to the one that a gateway before this one has left. False where there is neither."""
        pids = {self._guard.pid} if self._guard is not None and self._is_running() else set()
        call = self._last_call()
        if call is not None and not call.is_over and self._is_ringing():
            pids.add(call.pid)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return bool(pids)

    def _is_running(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    def reap(self) -> None:
        """Take leave of a siren that has ended by itself; to be called now and then."""
        if self._guard is not None and self._guard.poll() is not None:
            if self._guard.returncode > 0:
                logger.error("the siren ended with code %d", self._guard.returncode, extra={"event": "siren_failed"})
            self._guard = None

    def is_done(self, name: str) -> bool:
        """True when a siren rings for call `name`, or has rung for it to its end; false when it was cut off or never began."""
        call = self._last_call()
        return call is not None and call.name == name and (call.is_over or self._is_ringing())

    def _last_call(self) -> Call | None:
        try:
            return Call(**json.loads(self._file.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _is_ringing(self) -> bool:
        try:
            with self._file.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


# -- the process of its own --------------------------------------------------------------------------------------------------------------


class _Orders:
    """What the gateway, or whoever ends everything, has asked for."""

    def __init__(self) -> None:
        self.is_quiet = self.is_cut = False
        for number in (QUIET, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._take)

    @property
    def is_any(self) -> bool:
        """There is to be silence."""
        return self.is_quiet or self.is_cut

    def _take(self, number: int, frame: FrameType | None) -> None:
        if number == QUIET:
            self.is_quiet = True
        else:
            self.is_cut = True


def main(argv: Sequence[str]) -> int:
    """FILE NAME SECONDS COMMAND...: run the command, at most so long. Returns its code, 0 when it was ended."""
    path, name, for_s, *command = argv
    orders = _Orders()
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        while not _is_locked(file) and not orders.is_any:
            time.sleep(POLL_S)  # a siren of before may need a moment to end
        if orders.is_any:
            return 0
        _write(file, Call(name, os.getpid(), is_over=False))
        code = _run(command, float(for_s), orders)
        if not orders.is_cut:
            _write(file, Call(name, os.getpid(), is_over=True))
    return code


def _is_locked(file: TextIO) -> bool:
    """True once the file is ours."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _run(command: list[str], for_s: float, orders: _Orders) -> int:
    deadline_s = time.monotonic() + for_s
    siren = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    while siren.poll() is None and time.monotonic() < deadline_s and not orders.is_any:
        time.sleep(POLL_S)
    if siren.returncode is not None:
        return siren.returncode
    _end_group(siren)
    return 0


def _end_group(siren: subprocess.Popen[bytes]) -> None:
    """The command with everything it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(siren.pid, number)
        with suppress(subprocess.TimeoutExpired):
            siren.wait(KILL_S)
            return


def _write(file: TextIO, call: Call) -> None:
    """In one write of always the same length, so that a reader never sees half of it."""
    text = json.dumps({"name": call.name, "pid": call.pid, "is_over": call.is_over})
    os.pwrite(file.fileno(), text.ljust(CALL_BYTES).encode(), 0)
    os.fsync(file.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
