"""The two gateways as the judge sees them: a folder with their files, a store, a process that can be started, killed and measured."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import psutil

from benchmarks.peers.message import DEVICES
from gateway.config import BROKER_PASSWORD
from simulators.child_process import ServerError, ending_with_starter

PEER = "thingsboard-gateway"
PEER_VERSION = "3.8.5"
CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / "build" / "peers"
INSTALL_DEADLINE_S = 600.0
GATEWAY_ID = "bench"
PORTS = 4
BATCH_INTERVAL_S = 0.02
"""For readings that somebody watches: each step of 20 ms is one batch. The default of 5 s is for a slow or costly uplink."""
MIB = 1024 * 1024
UNLIMITED = "0:0,"
"""How the peer writes that there is no limit: otherwise it slows itself down to what a free account may send."""


class PeerMissing(Exception):
    """The peer cannot be installed or run here; the text says why."""


class Process:
    """A gateway's process."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._command = command
        self._folder = folder
        self._environment = os.environ | environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start; its log goes on."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=ending_with_starter(signal.SIGKILL),
            )

    def kill(self) -> None:
        """`kill -9`, and wait for the end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def cpu_s(self) -> float:
        """Processor time so far, user and system."""
        return sum(self._asked().cpu_times()[:2])

    @property
    def rss_mib(self) -> float:
        """Resident memory now. Raises ServerError when the gateway has died."""
        return float(self._asked().memory_info().rss) / MIB

    def _asked(self) -> psutil.Process:
        if self._process is None or self._process.poll() is not None:
            raise ServerError(f"the gateway has died; see {self._folder / 'log'}")
        return psutil.Process(self._process.pid)


class Gateway(Protocol):
    """What differs between the two."""

    name: ClassVar[str]
    kind: ClassVar[Literal["jiahu", "thingsboard"]]
    has_events: ClassVar[bool]

    def make(self, folder: Path, store: Path, *, cloud_port: int, password: str, sensor_port: int) -> Process:
        """Write the configuration into `folder` and give the process; what it keeps goes to `store`."""
        ...


class Jiahu:
    """Ours: 20 wearables on 4 serial lines, and on a fifth a button."""

    name: ClassVar[str] = "jiahu"
    kind: ClassVar[Literal["jiahu", "thingsboard"]] = "jiahu"
    has_events: ClassVar[bool] = True

    def __init__(self, protocol: str = "5") -> None:
        self._protocol = protocol

    def make(self, folder: Path, store: Path, *, cloud_port: int, password: str, sensor_port: int) -> Process:
        """As `Gateway`."""
        lines = [
            f'gateway_id = "{GATEWAY_ID}"',
            f'[broker]\nhost = "127.0.0.1"\nport = {cloud_port}\nprotocol = "{self._protocol}"',
            f'[outbox]\npath = "{store / "outbox.sqlite"}"',
            f"[send]\nbatch_interval_s = {BATCH_INTERVAL_S}",
        ]
        for number, path in enumerate(ports(folder)[:PORTS]):
            lines.append(f'[[port]]\npath = "{path}"')
            lines += [_wearable(device) for device in range(number, DEVICES, PORTS)]
        lines += [f'[[port]]\npath = "{ports(folder)[PORTS]}"', _wearable(DEVICES)]
        config = folder / "gateway.toml"
        config.write_text("\n".join(lines) + "\n")
        command = [sys.executable, "-m", "gateway", "run", "--config", str(config)]
        return Process(command, folder, {BROKER_PASSWORD: password, "PYTHONPATH": str(CHECKOUT)})


def ports(folder: Path) -> list[Path]:
    """Paths of the serial lines; the last is that of the button."""
    return [folder / f"line-{number}" for number in range(PORTS + 1)]


def _wearable(device: int) -> str:
    return f'[[port.device]]\nid = "wearable-{device}"\ntype = "jiahu_wearable"\naddress = {device + 1}'


class ThingsBoard:
    """The peer with its SQLite store: the one of its three that survives an outage of any length. Configured for speed, no limits."""

    name: ClassVar[str] = "thingsboard"
    kind: ClassVar[Literal["jiahu", "thingsboard"]] = "thingsboard"
    has_events: ClassVar[bool] = False

    def __init__(self, python: Path, store: str = "sqlite") -> None:
        self._python = python
        self._store = store

    def make(self, folder: Path, store: Path, *, cloud_port: int, password: str, sensor_port: int) -> Process:
        """As `Gateway`. What is not said here is as the package ships it."""
        shipped = self._shipped()
        general = json.loads((shipped / "tb_gateway.json").read_text())
        general["thingsboard"] |= _peer_cloud(cloud_port)
        general["storage"] |= _peer_store(self._store, store)
        general["connectors"] = [{"type": "mqtt", "name": "sensors", "configuration": "mqtt.json"}]
        (folder / "tb_gateway.json").write_text(json.dumps(general))
        (folder / "mqtt.json").write_text(json.dumps(_peer_sensors(sensor_port)))
        shutil.copy(shipped / "list.json", folder)
        (folder / "logs").mkdir()
        (folder / "logs.json").write_text((shipped / "logs.json").read_text().replace("./logs/", f"{folder}/logs/"))
        command = [str(self._python), "-m", "thingsboard_gateway.tb_gateway"]
        return Process(command, folder, {"TB_GW_CONFIG_DIR": f"{folder}/"})

    def _shipped(self) -> Path:
        found = subprocess.run(
            [self._python, "-c", "import thingsboard_gateway as it; print(list(it.__path__)[0])"],
            capture_output=True,
            text=True,
            check=True,
        )
        return Path(found.stdout.strip()) / "config"


def _peer_cloud(port: int) -> dict[str, Any]:
    limits = ("rateLimits", "dpRateLimits", "messagesRateLimits", "deviceMessagesRateLimits", "deviceRateLimits", "deviceDpRateLimits")
    return dict.fromkeys(limits, UNLIMITED) | {
        "host": "127.0.0.1",
        "port": port,
        "remoteConfiguration": False,
        "statistics": {"enable": False},
        "maxPayloadSizeBytes": 65536,
        "checkConnectorsConfigurationInSeconds": 3600,
        "security": {"type": "accessToken", "accessToken": "bench"},
    }


def _peer_store(kind: str, store: Path) -> dict[str, Any]:
    return {
        "type": kind,
        "data_folder_path": f"{store}/",
        "data_file_path": f"{store}/data.db",
        "read_records_count": 1_000,
        "max_read_records_count": 1_000,
        "max_records_count": 1_000_000,
        "max_file_count": 1_000,
    }


def _peer_sensors(port: int) -> dict[str, Any]:
    names = (("n", "integer"), ("hr", "integer"), ("spo2", "integer"))
    values = [{"key": key, "type": kind, "value": f"${{{key}}}", "tsField": "ts"} for key, kind in names]
    device = {
        "deviceNameExpressionSource": "topic",
        "deviceNameExpression": "(?<=sensor/)(.*?)(?=/data)",
        "deviceProfileExpressionSource": "constant",
        "deviceProfileExpression": "wearable",
    }
    converter = {"type": "json", "deviceInfo": device, "timeout": 60_000, "attributes": [], "timeseries": values}
    broker = {
        "host": "127.0.0.1",
        "port": port,
        "clientId": "peer",
        "version": 5,
        "maxMessageNumberPerWorker": 10,
        "maxNumberOfWorkers": 100,
        "security": {"type": "anonymous"},
    }
    mapping = [{"topicFilter": "sensor/+/data", "subscriptionQos": 1, "converter": converter}]
    return {"name": "sensors", "logLevel": "WARNING", "broker": broker, "mapping": mapping, "requestsMapping": {}}


def install_peer(cache: Path = CACHE) -> Path:
    """Python of a virtual environment of its own with the peer from the package index, kept for the next run. Raises PeerMissing."""
    home = cache / f"{PEER}-{PEER_VERSION}"
    python = home / "bin" / "python"
    if (home / "complete").exists():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True, capture_output=True, timeout=INSTALL_DEADLINE_S)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", f"{PEER}=={PEER_VERSION}"], check=True, capture_output=True, timeout=INSTALL_DEADLINE_S)
    except (subprocess.SubprocessError, OSError) as error:
        raise PeerMissing(f"{PEER} {PEER_VERSION} cannot be installed here: {error}") from error
    (home / "complete").touch()
    return python
