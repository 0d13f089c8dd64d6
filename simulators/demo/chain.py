"""The demo's chain: database, broker, the backend's three processes, twelve homes and their gateways, all in one temporary folder."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg

from simulators.fleet import BED_MAT_ADDRESS, BRIDGE, OXIMETER, WEARABLE_ADDRESS, Fleet, Home
from simulators.keeper import Keeper, Program, ProgramError
from simulators.network import TcpProxy
from simulators.scenario import Network, Scenario
from simulators.servers import Broker, Database, ExistingDatabase, free_port

HERE = Path(__file__).parent
READY_S = 60.0
POLL_S = 0.1
PASSWORD = "jiahu-demo"
"""Of every account in people.toml. They exist in the demo's throw-away database only, which listens on this machine alone."""
ONLINE = "SELECT count(*) FROM gateway WHERE online"

BACKEND = """
[database]
url = "{database}"
[broker]
host = "{host}"
port = {port}
protocol = "{protocol}"
[worker]
silence_tick_s = 2
[web]
port = {web}
{accounts}
"""
ACCOUNT = """
[[web.demo_accounts]]
name = "{name}"
password = "{password}"
title_zh = "{zh}"
title_en = "{en}"
home = "{home}"
"""
ACCOUNTS = (
    ("operator", "接警员", "Operator", "/operator"),
    ("doctor", "家庭医生（李医生）", "Family doctor (Dr Li)", "/doctor"),
    ("doctor2", "家庭医生（杨医生）", "Family doctor (Dr Yang)", "/doctor"),
    ("admin", "管理员", "Administrator", "/operator"),
)
GATEWAY = """
gateway_id = "{name}"
lost_after_s = 10
[broker]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
[outbox]
path = "{outbox}"
[send]
batch_interval_s = 2
{ports}
"""
BRIDGE_PORT = """
[[port]]
path = "{path}"
[[port.device]]
id = "wearable-1"
type = "jiahu_wearable"
address = {address}
placement = "{placement}"
"""
MAT_DEVICE = """
[[port.device]]
id = "bed-mat-1"
type = "jiahu_bed_mat"
address = {address}
"""
OXIMETER_PORT = """
[[port]]
path = "{path}"
[[port.device]]
id = "oximeter-1"
type = "bci_oximeter"
summary_s = 2
"""


class Chain:
    """Everything that runs. `folder` holds configuration, logs and outboxes. `port`: of the pages, 0 for any free one.

    `database_url`: a server to use instead of an embedded one.
    """

    def __init__(self, scenario: Scenario, folder: Path, say: Callable[[str], None], *, port: int, database_url: str | None) -> None:
        self.folder = folder
        self.keeper = Keeper(say)
        self._say = say
        self._secrets = {name: secrets.token_urlsafe(18) for name in ("backend", *(home.name for home in scenario.homes))}
        self.database = ExistingDatabase(database_url) if database_url else Database()
        self.broker = Broker(self._secrets)
        self.proxies: dict[str, TcpProxy] = {}
        cut = {step.home for step in scenario.steps if isinstance(step.action, Network)}
        self._cut_homes = sorted(cut)
        self._scenario = scenario
        self.fleet: Fleet | None = None
        self._web_port = port or free_port()
        self.url = f"http://127.0.0.1:{self._web_port}"

    def start(self) -> None:
        """Start everything, in order, and wait until every home is on line. Raises ProgramError, ServerError or OSError."""
        self.keeper.add("database", self.database)
        self.keeper.add("broker", self.broker)
        self._say(f"database (PostgreSQL) and broker ({self.broker.kind}) run on this machine only")
        self._prepare_database()
        for name in ("ingest", "worker", "web"):
            self.keeper.add(name, self._backend(name))
        self.keeper.start()
        _wait(self._serves, "the web process", self.folder / "web.log")
        self._start_homes()
        _wait(lambda: self._count_online() == len(self._scenario.homes), "all gateways on line", self.folder / "ingest.log")

    def stop_devices(self) -> None:
        """The devices fall silent; gateways go on to deliver what they hold."""
        if self.fleet is not None:
            self.fleet.stop()
            self.fleet = None

    def stop(self) -> None:
        """Stop everything that runs."""
        self.stop_devices()
        self.keeper.stop()
        for proxy in self.proxies.values():
            proxy.close()
        self.broker.close()
        self.database.close()

    @property
    def outboxes(self) -> list[Path]:
        """The gateways' files of readings and events that are not stored yet."""
        return [self.folder / home.name / "outbox.sqlite" for home in self._scenario.homes]

    def _prepare_database(self) -> None:
        accounts = "".join(ACCOUNT.format(name=name, password=PASSWORD, zh=zh, en=en, home=home) for name, zh, en, home in ACCOUNTS)
        text = BACKEND.format(
            database=self.database.url, host=self.broker.host, port=self.broker.port, protocol=self.broker.protocol,
            web=self._web_port, accounts=accounts,
        )  # fmt: skip
        self._write("backend.toml", text)
        for step, file in (("migrate", None), ("load", HERE / "people.toml"), ("rules", HERE / "rules.toml")):
            self._backend(step, *([str(file)] if file else [])).run()

    def _backend(self, command: str, *arguments: str) -> Program:
        config = str(self.folder / "backend.toml")
        environment = {"JIAHU_BROKER_PASSWORD": self._secrets["backend"]}
        return Program(["backend", command, "--config", config, *arguments], self.folder / f"{command}.log", environment)

    def _start_homes(self) -> None:
        for name in self._cut_homes:
            self.proxies[name] = TcpProxy(self.broker.host, self.broker.port)
            self.proxies[name].start()
        self.fleet = Fleet(self._scenario, self.folder, networks=self.proxies)
        self.fleet.start()
        for name, home in self.fleet.homes.items():
            config = self._write(f"{name}/gateway.toml", self._gateway_toml(name, home))
            environment = {"JIAHU_BROKER_PASSWORD": self._secrets[name]}
            self.keeper.add(
                f"gateway {name}", Program(["gateway", "run", "--config", str(config)], self.folder / name / "gateway.log", environment)
            )

    def _gateway_toml(self, name: str, home: Home) -> str:
        ports = BRIDGE_PORT.format(path=home.links[BRIDGE], address=WEARABLE_ADDRESS, placement=home.spec.placement)
        if home.spec.has_bed_mat:
            ports += MAT_DEVICE.format(address=BED_MAT_ADDRESS)
        if OXIMETER in home.links:
            ports += OXIMETER_PORT.format(path=home.links[OXIMETER])
        port = self.proxies[name].port if name in self.proxies else self.broker.port
        outbox = self.folder / name / "outbox.sqlite"
        return GATEWAY.format(name=name, port=port, protocol=self.broker.protocol, outbox=outbox, ports=ports)

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        return path

    def _serves(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=1).is_success
        except httpx.HTTPError:
            return False

    def _count_online(self) -> int:
        with psycopg.connect(self.database.url) as conn:
            row = conn.execute(ONLINE).fetchone()
        return int(row[0]) if row else 0


def _wait(condition: Callable[[], bool], what: str, log: Path) -> None:
    deadline_s = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise ProgramError(f"{what}: not within {READY_S:.0f} s; see {log}")
        time.sleep(POLL_S)
