"""What the Bluetooth radio keeps on disk, in one file that only its owner may read: identity, enrolled devices, bonds, what was read.

    {"irk": HEX32, "address": "C1:22:33:44:55:66", "devices": {ID: {"address": ..., "passkey": ..., "bond": {...}, "last": 42, ...}}}

The file is replaced in one step and synced at every change. It is locked while it is used: the gateway and `python -m gateway pair` cannot
both talk to one controller.
"""

import fcntl
import json
import logging
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.errors import BadInput

logger = logging.getLogger(__name__)

MODE = 0o600
STATIC_BITS = 0xC0
"""The two highest bits of a static random address (Bluetooth Core Specification, Vol 6, Part B, 1.3.2.1)."""


@dataclass(slots=True)
class Known:
    """What is kept of one device.

    `address`: as it was enrolled. `passkey`: 6 digits that stand on it. `bond`: the keys as bumble writes them, and under "names" the
    addresses the device goes by. `last`: number of the last stored record that is on our disk. `trouble`: why it cannot be paired with.
    `is_enrolled`: enrolled here, and not in the gateway's TOML file.
    """

    address: str
    passkey: str | None = None
    bond: dict[str, Any] | None = None
    last: int | None = None
    trouble: str = ""
    is_enrolled: bool = False


class Keyring:
    """The file, and what is in it. Every change is on disk when the call returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None
        self.irk = secrets.token_bytes(16)
        self.address = _static_address()
        self.devices: dict[str, Known] = {}

    def open(self) -> None:
        """Lock and read the file, or begin a new one. Raises BadInput while another program has it, or where it cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
            self._give(self._lock)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            why = f"{self._path} is in use: the gateway is running. Stop it first (systemctl stop gateway), or enrol from the console"
            self.close()
            raise BadInput(why) from error
        except OSError as error:
            self.close()
            raise BadInput(f"cannot use {self._path}: {error.strerror}; correct [bluetooth] keys") from error
        if not self._read():
            self.save()

    @property
    def is_open(self) -> bool:
        """True while the file is ours."""
        return self._lock is not None

    def close(self) -> None:
        """Let another program use the file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def known(self, device_id: str, address: str) -> Known:
        """What is kept of a device; a new entry where it is new, or where its address is another one than before."""
        found = self.devices.get(device_id)
        if found is None or found.address != address:
            found = self.devices[device_id] = Known(address)
        return found

    def forget(self, device_id: str) -> None:
        """Neither bond nor enrolment stay."""
        if self.devices.pop(device_id, None) is not None:
            self.save()

    def save(self) -> None:
        """Replace the file. A full disk is logged: the next change tries again."""
        fresh = self._path.with_name(f"{self._path.name}.fresh")
        whole = {"irk": self.irk.hex(), "address": self.address, "devices": {name: asdict(one) for name, one in self.devices.items()}}
        try:
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE), "w", encoding="utf-8") as file:
                self._give(file.fileno())
                json.dump(whole, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._path, error, extra={"event": "keys_unwritten"})

    def _give(self, descriptor: int) -> None:
        """What root makes with `pair` belongs to whom the folder belongs to: the user that the gateway runs as."""
        if os.geteuid() == 0:
            folder = self._path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)

    def _read(self) -> bool:
        """False where there is nothing that can be used; a damaged file is put aside, since its devices can be paired with again.

        Raises BadInput for a file that may not be read.
        """
        try:
            whole = read_file(self._path)
            irk, address = bytes.fromhex(whole["irk"]), str(whole["address"])
            self.devices = {str(name): Known(**one) for name, one in whole["devices"].items()}
        except FileNotFoundError:
            return False
        except OSError as error:
            self.close()
            raise BadInput(f"cannot read {self._path}: {error.strerror}; it must belong to the user that the gateway runs as") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            aside = self._path.with_name(f"{self._path.name}.damaged")
            logger.error(
                "%s cannot be read (%s) and goes to %s; pair every device again", self._path, error, aside, extra={"event": "keys_lost"}
            )
            self._path.replace(aside)
            return False
        self.irk, self.address = irk, address
        return True


def read_file(path: Path) -> dict[str, Any]:
    """The whole file, of which nobody else may read a word from now on. Raises OSError or ValueError."""
    if path.stat().st_mode & 0o077:
        logger.warning("%s could be read by others; it is closed to them now", path, extra={"event": "keys_open"})
        path.chmod(MODE)
    whole = json.loads(path.read_text("utf-8"))
    if not isinstance(whole, dict):
        raise ValueError("no JSON object")
    return whole


def enrolled_in(path: Path) -> dict[str, str]:
    """Address by id of the devices that were enrolled with `pair` or from the console; none where there is no such file."""
    try:
        return {str(name): str(one["address"]) for name, one in read_file(path)["devices"].items() if one.get("is_enrolled")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _static_address() -> str:
    first, *rest = secrets.token_bytes(6)
    return ":".join(f"{byte:02X}" for byte in (first | STATIC_BITS, *rest))
