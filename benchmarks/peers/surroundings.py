"""What stands around a gateway on the bench: a broker without rules, and a disk whose power can fail."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

from simulators.child_process import ChildProcess, unprivileged
from simulators.servers import free_port


class OpenBroker:
    """A Mosquitto for the peer, which knows nothing of our accounts and topics; it drops nothing."""

    def __init__(self) -> None:
        self.port = free_port()
        self._child = ChildProcess(owner=unprivileged(), orphan_signal=signal.SIGTERM)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._child.remove()

    def start(self) -> None:
        """Start, with nothing retained from before."""
        lines = (f"listener {self.port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0", "max_inflight_messages 1000")
        program = mosquitto()
        assert program is not None, "the peer is measured only where Mosquitto is"
        command = [program, "-c", str(self._child.write("conf", "\n".join(lines) + "\n"))]
        self._child.start(command, is_ready=self._is_ready)

    def stop(self) -> None:
        """End it as an administrator would."""
        self._child.stop(signal.SIGTERM)

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def mosquitto() -> str | None:
    """The program, where it is installed."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")


class CutDisk:
    """A disk of its own in a file: copied at the moment of a power cut, it holds what had reached the disk, and nothing that waited in
    memory. Linux and root only. (Caches inside a drive are not modelled.)
    """

    SIZE_MB = 192

    def __init__(self, folder: Path) -> None:
        self.mount = folder / "disk"
        self._image = folder / "disk.img"

    def __enter__(self) -> Self:
        self.mount.mkdir()
        _run("truncate", "-s", f"{self.SIZE_MB}M", self._image)
        _run("mkfs.ext4", "-qF", self._image)
        _run("mount", "-o", "loop", self._image, self.mount)
        return self

    def __exit__(self, *_: object) -> None:
        _run("umount", self.mount)

    def copy(self) -> Path:
        """The disk as a power cut at this moment would leave it."""
        cut = self._image.with_name("cut.img")
        _run("cp", "--sparse=always", self._image, cut)
        return cut

    def become(self, cut: Path) -> None:
        """From now on this is the disk. Nothing may have it open."""
        _run("umount", self.mount)
        self._image = cut
        _run("mount", "-o", "loop", cut, self.mount)

    @staticmethod
    def is_possible() -> bool:
        """Root on Linux may mount."""
        return sys.platform == "linux" and os.geteuid() == 0 and all(map(shutil.which, ("mkfs.ext4", "mount")))


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
