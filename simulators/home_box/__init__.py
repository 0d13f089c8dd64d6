"""A home's box that loses its disk, its room and its clock: faults for one process on this machine, which is told nothing of them.

The process runs with a library (its manual is `box.h`) that stands between it and the C library. It needs 64-bit Linux and a C compiler.

    box = HomeBox(disk, folder, library=build(folder))
    process = subprocess.Popen(command, env=os.environ | box.environment)
    box.set_clock(timedelta(days=400))
    box.limit_room(0)
    process.kill(); process.wait()
    lost = box.cut_power(random)
"""

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulators.home_box.operations import read_log
from simulators.home_box.power_cut import Disk, PowerCut

__all__ = ["HomeBox", "HomeBoxError", "PowerCut", "build"]

SOURCES = sorted(Path(__file__).parent.glob("*.[ch]"))
COMPILE = ("-std=c11", "-O2", "-fPIC", "-shared", "-pthread", "-U_FORTIFY_SOURCE")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Wswitch-enum", "-Werror")
COMPILE_DEADLINE_S = 60.0
MICROSECOND = timedelta(microseconds=1)


class HomeBoxError(Exception):
    """The box cannot be had here, or was asked for what it does not keep. The text says why."""


class Field(NamedTuple):
    """Where something stands in `struct control` of box.h."""

    form: str
    offset: int


CLOCKS = Field("=qq", 0)
LEFT_BYTES = Field("=q", 16)
ROOM = Field("=i", 24)
CONTROL_BYTES = 32


class Room(IntEnum):
    """As `enum room` in box.h."""

    FREE = 0
    NONE = 1
    LEFT = 2


class HomeBox:
    """The box around what lies below `disk`. The processes in it share its clock and room; at most one at a time should keep a log.

    `folder`, outside the disk and made when needed, holds the box's own files; it and `library` must be open to the user of the process.
    With `keeps_log` the disk is read into memory when the environment is first asked for, and so is its log when the power is cut.
    """

    def __init__(self, disk: Path, folder: Path, *, library: Path, keeps_log: bool = True) -> None:
        self._disk = disk
        self._folder = folder
        self._library = library
        self._keeps_log = keeps_log
        self._before: Disk | None = None

    @property
    def log(self) -> Path:
        """What the processes did to the disk, for `operations.read_log`."""
        return self._folder / "operations"

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the processes that run in the box. Ask before the first one starts."""
        disk, control = self._disk.absolute(), self._made_control().absolute()
        if self._keeps_log and self._before is None:
            self._begin_log()
        known = {"LD_PRELOAD": str(self._library.absolute()), "JIAHU_BOX_CONTROL": str(control), "JIAHU_BOX_DISK": str(disk.resolve())}
        return known | ({"JIAHU_BOX_LOG": str(self.log.absolute())} if self._keeps_log else {})

    def set_clock(self, offset: timedelta, *, uptime: timedelta = timedelta(0)) -> None:
        """From now on the clock is by `offset` ahead of the machine's, and the machine has been running by `uptime` longer than it has.

        The uptime is CLOCK_BOOTTIME; CLOCK_MONOTONIC, by which programs wait, goes on as it was.
        """
        self._tell(CLOCKS, offset // MICROSECOND * 1000, uptime // MICROSECOND * 1000)

    def limit_room(self, bytes_max: int | None) -> None:
        """From now on all files together may have so many bytes, even if they have more already. 0: nothing may grow; None: no limit.

        What a removed file had is free at once, even while it is open. A write that finds too little room writes nothing.
        """
        if bytes_max:
            self._tell(LEFT_BYTES, bytes_max - _size_of(self._disk))
        self._tell(ROOM, Room.FREE if bytes_max is None else Room.LEFT if bytes_max else Room.NONE)

    def begin_anew(self) -> None:
        """Take what is on the disk now for synced, and begin the log anew: after the disk was changed from outside. No process may run."""
        if self._before is not None:
            self._begin_log()

    def cut_power(self, random: np.random.Generator) -> PowerCut:
        """Leave on the disk what a power cut would, chosen by `random`, and begin the log anew. No process may run in the box.

        Raises HomeBoxError without a log.
        """
        if self._before is None:
            raise HomeBoxError("this box keeps no log, or was never used: nobody knows what a power cut would leave")
        for operation in read_log(self.log):
            self._before.apply(operation)
        cut = self._before.cut_power(random)
        cut.write_to(self._disk)
        self._begin_log()
        return cut

    def _made_control(self) -> Path:
        control = self._folder / "control"
        if not control.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            control.write_bytes(bytes(CONTROL_BYTES))
            control.chmod(0o666)  # a database runs as somebody else, and counts there what room is left
        return control

    def _tell(self, field: Field, *values: int) -> None:
        control = os.open(self._made_control(), os.O_WRONLY)
        os.pwrite(control, struct.pack(field.form, *values), field.offset)
        os.close(control)

    def _begin_log(self) -> None:
        """A new file, not the old one emptied: what was read of that is still in use."""
        self.log.unlink(missing_ok=True)
        self.log.touch()
        self._before = Disk(self._disk)


def build(folder: Path) -> Path:
    """Compile the library into `folder`, unless it is there already. Raises HomeBoxError: no Linux, no compiler, or what that says."""
    if sys.platform != "linux":
        raise HomeBoxError("the home box needs Linux: it stands between a program and its C library")
    compiler = shutil.which("cc")
    if compiler is None:
        raise HomeBoxError("the home box needs a C compiler named cc")
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()
    library = folder / f"home_box-{digest[:12]}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as workshop:
            _compile(
                [compiler, *COMPILE, *WARNINGS, "-o", f"{workshop}/box.so", *(str(source) for source in SOURCES if source.suffix == ".c")]
            )
            os.rename(f"{workshop}/box.so", library)
    return library


def _compile(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_DEADLINE_S, check=False)
    if done.returncode != 0:
        raise HomeBoxError(f"the home box cannot be compiled: {done.stderr.strip()}")


def _size_of(disk: Path) -> int:
    """Bytes of all files below. What goes away meanwhile is not counted."""
    total = 0
    for folder, _, names in os.walk(disk):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue
    return total
