"""The demo's chain: database, broker, the backend's three processes, twelve homes and their gateways, all in one temporary folder."""

import secrets
from collections.abc import Callable
from pathlib import Path

import psycopg

from simulators.backend_processes import PROCESSES, BackendProcesses, wait_ready, write_private
from simulators.fleet import BED_MAT_ADDRESS, BLE_BRIDGE_ADDRESS, BRIDGE, OXIMETER, PENDANT_ADDRESS, WEARABLE_ADDRESS, Fleet, Home
from simulators.keeper import Keeper, Program
from simulators.network import TcpProxy
from simulators.scenario import Network, Scenario
from simulators.servers import Broker, Database, ExistingDatabase

HERE = Path(__file__).parent
PASSWORD = "jiahu-demo"
"""Of every account in people.toml. They exist in the demo's throw-away database only, which listens on this machine alone."""
ONLINE = "SELECT count(*) FROM gateway WHERE online"

ACCOUNT = """
[[web.demo_accounts]]
name = "{name}"
password = "{password}"
title_zh = "{zh}"
title_en = "{en}"
home = "{home}"
"""
ACCOUNTS = (
    ("operator", "坐席", "Operator", "/operator"),
    ("doctor", "家庭医生（李医生）", "Family doctor (Dr Li)", "/doctor"),
    ("doctor2", "家庭医生（杨医生）", "Family doctor (Dr Yang)", "/doctor"),
    ("family", "家属（女儿李芳）", "Family (the daughter)", "/family"),
    ("lead", "医务主管（规则）", "Medical lead (rules)", "/rules"),
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
FIRMWARE_DEVICES = """
[[port.device]]
id = "pendant-1"
type = "jiahu_pendant"
address = {pendant}
[[port.device]]
id = "ble-bridge-1"
type = "jiahu_ble_bridge"
address = {bridge}
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
        accounts = "".join(ACCOUNT.format(name=name, password=PASSWORD, zh=zh, en=en, home=home) for name, zh, en, home in ACCOUNTS)
        self._backend = BackendProcesses(folder, password=self._secrets["backend"], port=port, more=accounts)
        self.url = self._backend.url

    def start(self) -> None:
        """Start everything, in order, and wait until every home is on line. Raises ProgramError, ServerError or OSError."""
        self.keeper.add("database", self.database)
        self.keeper.add("broker", self.broker)
        self._say(f"database (PostgreSQL) and broker ({self.broker.kind}) run on this machine only")
        self._backend.prepare(self.database.url, self.broker, people=HERE / "people.toml", rules=HERE / "rules.toml")
        self._backend.program("institutions", str(HERE / "institutions.csv")).run()
        for name in PROCESSES:
            self.keeper.add(name, self._backend.program(name))
        self.keeper.start()
        wait_ready(self._backend.serves, "the web process", self.folder / "web.log")
        self._start_homes()
        wait_ready(lambda: self._count_online() == len(self._scenario.homes), "all gateways on line", self.folder / "ingest.log")

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

    def _start_homes(self) -> None:
        for name in self._cut_homes:
            self.proxies[name] = TcpProxy(self.broker.host, self.broker.port)
            self.proxies[name].start()
        self.fleet = Fleet(self._scenario, self.folder, networks=self.proxies)
        self.fleet.start()
        for name, home in self.fleet.homes.items():
            config = write_private(self.folder / name / "gateway.toml", self._gateway_toml(name, home))
            environment = {"JIAHU_BROKER_PASSWORD": self._secrets[name]}
            self.keeper.add(
                f"gateway {name}", Program(["gateway", "run", "--config", str(config)], self.folder / name / "gateway.log", environment)
            )

    def _gateway_toml(self, name: str, home: Home) -> str:
        ports = BRIDGE_PORT.format(path=home.links[BRIDGE], address=WEARABLE_ADDRESS, placement=home.spec.placement)
        if home.spec.has_bed_mat:
            ports += MAT_DEVICE.format(address=BED_MAT_ADDRESS)
        if home.is_firmware:
            ports += FIRMWARE_DEVICES.format(pendant=PENDANT_ADDRESS, bridge=BLE_BRIDGE_ADDRESS)
        if OXIMETER in home.links:
            ports += OXIMETER_PORT.format(path=home.links[OXIMETER])
        port = self.proxies[name].port if name in self.proxies else self.broker.port
        outbox = self.folder / name / "outbox.sqlite"
        return GATEWAY.format(name=name, port=port, protocol=self.broker.protocol, outbox=outbox, ports=ports)

    def _count_online(self) -> int:
        with psycopg.connect(self.database.url) as conn:
            row = conn.execute(ONLINE).fetchone()
        return int(row[0]) if row else 0
