"""A server as a child process: started, waited for, stopped, killed; it ends with the thread that started it.

As root such a server can run as `nobody`: PostgreSQL refuses root, and Mosquitto turns into a user who could not read its own files.
"""

import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

START_DEADLINE_S = 60.0  # room for PostgreSQL's recovery after a kill, on a busy two-core machine
STOP_DEADLINE_S = 20.0
LOG_TAIL_CHARS = 2000
MEMORY = Path("/dev/shm")  # of Linux
MEMORY_FREE_MIN = 4 * 2**30  # bytes; a server of the tests holds some 300 MB, log included
KEPT = "jiahu-server-"
"""Directories of this name are locked while their server, or who started it, lives."""
_POLL_S = 0.02
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ServerError(Exception):
    """A server cannot run here, did not get ready or ended. The text says why, with the end of its log."""


def wait_until(condition: Callable[[], bool], *, deadline_s: float, what: str) -> None:
    """Return once `condition` holds. Raises TimeoutError, naming `what`, after `deadline_s`."""
    ends_at = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > ends_at:
            raise TimeoutError(f"{what}: not within {deadline_s:g} s")
        time.sleep(_POLL_S)


def unprivileged() -> pwd.struct_passwd | None:
    """Whom a server runs as that refuses or leaves root: `nobody` when we are root, else None, which means ourselves."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def everyone_enters(path: Path) -> bool:
    """May any user walk to this directory?"""
    return all(directory.stat().st_mode & 0o001 for directory in (path, *path.parents))


def memory_temp(memory: Path = MEMORY) -> Path | None:
    """Where files live in memory, if there is room for those of a few servers. What killed processes have left there is removed."""
    if not (memory.is_dir() and everyone_enters(memory) and os.access(memory, os.W_OK | os.X_OK)):
        return None
    if shutil.disk_usage(memory).free < MEMORY_FREE_MIN:
        return None
    for path in memory.glob(f"{KEPT}*"):
        if (lock := _lock(path)) is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)
    return memory


def _lock(directory: Path) -> int | None:
    """Hold a directory of ours as long as this descriptor is open, here or in a child. None: a stranger's, or a living process holds it.

    Numbers of processes would not do: another container that shares the memory has its own.
    """
    try:
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    owner = unprivileged()
    try:
        if os.fstat(lock).st_uid in {os.geteuid(), owner.pw_uid if owner else os.geteuid()}:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
    except BlockingIOError:
        pass  # it is in use
    os.close(lock)
    return None


def public_temp() -> Path:
    """A temporary directory that any user can walk to: $TMPDIR may be a private one."""
    candidates = (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))
    return next(path.resolve() for path in candidates if everyone_enters(path.resolve()))


def ending_with_starter(number: signal.Signals) -> Callable[[], None]:
    """For Popen's `preexec_fn`: the kernel sends `number` to the child once the thread that starts it has ended (Linux only)."""

    def ask_kernel() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, number)

    return ask_kernel


class ChildProcess:
    """One server: its directory, its log, and its process while it runs. `owner` None means that it runs as ourselves.

    What is volatile need not outlive the machine: its files are kept in memory where there is room.
    """

    def __init__(self, *, owner: pwd.struct_passwd | None, orphan_signal: signal.Signals, is_volatile: bool = False) -> None:
        self._owner = owner
        self._is_volatile = is_volatile
        self._orphan_signal = orphan_signal
        self.environment: dict[str, str] = {}
        """Variables of the server besides ours."""
        self._directory: Path | None = None
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process; 0 when there is none."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """False before `start`, and once the process has ended by itself or by force."""
        return self._process is not None and self._process.poll() is None

    @property
    def directory(self) -> Path:
        """A temporary directory that only the server's user can enter, made when it is first asked for."""
        if self._directory is None:
            place = (memory_temp() if self._is_volatile else None) or (public_temp() if self._owner else None)
            new = Path(tempfile.mkdtemp(prefix="jiahu-", dir=place))
            self._lock = _lock(new)
            self._directory = new.rename(new.with_name(KEPT + new.name.removeprefix("jiahu-")))  # locked before anybody looks at it
            self._hand_over(self._directory)
        return self._directory

    def write(self, name: str, text: str) -> Path:
        """Write a file that only the server's user can read."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        self._hand_over(path)
        return path

    def run(self, command: Sequence[str]) -> None:
        """Run a preparing program to its end. Raises ServerError."""
        if self._spawn(command).wait() != 0:
            raise ServerError(f"{Path(command[0]).name} failed: {self._log_tail()}")

    def start(self, command: Sequence[str], *, is_ready: Callable[[], bool]) -> None:
        """Start the server and wait until it is ready. Raises ServerError when it ends instead, takes too long or runs already."""
        if self._process and self._process.poll() is None:
            raise ServerError(f"{Path(command[0]).name} runs already")
        process = self._process = self._spawn(command)
        try:
            wait_until(lambda: process.poll() is not None or is_ready(), deadline_s=START_DEADLINE_S, what=command[0])
        except TimeoutError as error:
            self.kill()
            raise ServerError(f"{error}: {self._log_tail()}") from error
        if process.poll() is not None:
            raise ServerError(f"{Path(command[0]).name} ended with code {process.returncode}: {self._log_tail()}")

    def stop(self, number: signal.Signals) -> None:
        """Ask the server to end and wait for it; after STOP_DEADLINE_S it is killed."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Kill the server and all its children at once. PostgreSQL's have process groups of their own, so the group is not enough."""
        if self._process and self._process.poll() is None:
            server = psutil.Process(self._process.pid)
            server.suspend()  # so that it forks no more
            family = [server, *server.children(recursive=True)]
            for member in family:
                _kill(member)
            self._process.wait()
            wait_until(lambda: not any(map(_is_alive, family)), deadline_s=STOP_DEADLINE_S, what="end of killed processes")
        self._process = None

    def remove(self) -> None:
        """Remove the directory of a stopped server."""
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
            if self._lock is not None:
                os.close(self._lock)
            self._directory = self._lock = None

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[] if self._lock is None else [self._lock],
                start_new_session=True,
                preexec_fn=ending_with_starter(self._orphan_signal),
                user=self._owner.pw_uid if self._owner else None,
                group=self._owner.pw_gid if self._owner else None,
                extra_groups=[] if self._owner else None,
            )

    def _environment(self) -> dict[str, str]:
        """Ours without PostgreSQL's own variables, and with our packages, since the server runs in its own directory."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return kept | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])} | self.environment

    def _hand_over(self, path: Path) -> None:
        if self._owner:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _log_tail(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-LOG_TAIL_CHARS:].strip()


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _is_alive(process: psutil.Process) -> bool:
    """A zombie is dead: it only waits for whoever adopted it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
