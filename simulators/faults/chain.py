"""Everything that runs: database, broker, the backend's processes, and homes with a gateway, a box, a network and devices each."""

import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from simulators.backend_processes import PROCESSES, BackendProcesses, wait_ready, write_private
from simulators.demo import chain as demo
from simulators.faults.devices import MAT_ADDRESS, WEARABLE_ADDRESS, Devices
from simulators.faults.ledger import ClockStep, End, Ledger
from simulators.faults.minder import Minder
from simulators.faults.stored_tap import StoredTap
from simulators.home_box import HomeBox, HomeBoxError, build
from simulators.keeper import Program, ProgramError
from simulators.network import TcpProxy
from simulators.servers import Broker, Database

UP_FOR = timedelta(days=4)
"""So long a home's machine has been running when the harness begins: hours that pass in it later must not lead before its start."""
OPERATOR = ("operator", demo.PASSWORD)
ONLINE = "SELECT count(*) FROM gateway WHERE online"
READY_S = 60.0
POLL_S = 0.1
GATEWAY = """
gateway_id = "{name}"
[broker]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
keepalive_s = 5
[outbox]
path = "{outbox}"
[send]
batch_interval_s = 0.5
resend_s = 3
resend_urgent_s = 5
status_interval_s = 5
[[port]]
path = "{link}"
[[port.device]]
id = "wearable-1"
type = "jiahu_wearable"
address = {wearable}
[[port.device]]
id = "bed-mat-1"
type = "jiahu_bed_mat"
address = {mat}
"""


class Home:
    """One home: devices, gateway, the box around the gateway (None: there is no compiler), its network and the answers on it."""

    def __init__(self, name: str, folder: Path, ledger: Ledger, *, seed: int, library: Path | None) -> None:
        self.name = name
        self.folder = folder / name
        self.disk = self.folder / "disk"
        self.outbox = self.disk / "outbox.sqlite"
        self.log = self.folder / "gateway.log"
        self.tap = StoredTap(seed)
        self.box = HomeBox(self.disk, self.folder / "box", library=library) if library else None
        self.devices = Devices(name, self.folder / "line", ledger, seed=seed)
        self._ledger = ledger
        self.proxy: TcpProxy
        self.program: Program
        self.gateway: Minder

    def start(self, broker: Broker, password: str) -> None:
        """Start network, devices and gateway. Raises OSError."""
        self.disk.mkdir(parents=True)
        self.proxy = TcpProxy(broker.host, broker.port, self.tap.make_filter)
        self.proxy.start()
        text = GATEWAY.format(
            name=self.name, port=self.proxy.port, protocol=broker.protocol, outbox=self.outbox, link=self.devices.link,
            wearable=WEARABLE_ADDRESS, mat=MAT_ADDRESS,
        )  # fmt: skip
        config = write_private(self.folder / "gateway.toml", text)
        environment = {"JIAHU_BROKER_PASSWORD": password} | (self.box.environment if self.box else {})
        self.set_clock()
        self.program = Program(["gateway", "run", "--config", str(config)], self.log, environment)
        self.gateway = Minder(f"gateway {self.name}", self.program, on_end=self._note_end)
        self.devices.start()
        self.gateway.start()

    def set_clock(self, *, leap: timedelta = timedelta(0), error: timedelta = timedelta(0)) -> None:
        """The home's time is the true one plus a leap, its clock wrong by an error; and that is written down."""
        if self.box is None:
            return
        step = ClockStep(time.time(), leap.total_seconds(), error.total_seconds())
        self._ledger.clocks.setdefault(self.name, []).append(step)
        self.box.set_clock(leap + error, uptime=UP_FOR + leap)

    @property
    def bytes_on_disk(self) -> int:
        """Size of all files of the gateway."""
        return sum(path.stat().st_size for path in self.disk.iterdir())

    def stop(self) -> None:
        """End all of it."""
        self.devices.stop()
        self.gateway.stop()
        self.proxy.close()

    def _note_end(self, at: float, was_asked: bool, is_gentle: bool) -> None:
        self._ledger.ends.append(End(self.name, at, was_asked, is_gentle))
        if not was_asked:
            self._ledger.last_words.append(f"{self.name} ended by itself: {self.program.last_words()}")


class Chain:
    """The whole chain. `database` is started in it, under a box of its own where there is a compiler."""

    def __init__(self, folder: Path, ledger: Ledger, *, seed: int, homes: int, database: Database, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.database = database
        self._names = [f"home-{number:02}" for number in range(1, homes + 1)]
        self._secrets = {name: secrets.token_urlsafe(18) for name in ("backend", *self._names)}
        self.broker = Broker(self._secrets)
        self.backend = BackendProcesses(folder, password=self._secrets["backend"])
        self.say = say
        library = self._library()
        self.has_box = library is not None
        self.database_box = self._database_box(library)
        self.homes = {name: Home(name, folder, ledger, seed=seed + index, library=library) for index, name in enumerate(self._names)}
        self.minders: dict[str, Minder] = {}
        self.database_proxy: TcpProxy | None = None

    def start(self) -> None:
        """Start everything, in order, and wait until every home is on line. Raises ProgramError, ServerError or OSError."""
        self._mind("database", self.database)
        self._mind("broker", self.broker)
        self.say(f"database and broker ({self.broker.kind}) run on this machine only")
        self.database_proxy = TcpProxy("127.0.0.1", self.database.port)
        self.database_proxy.start()
        people, rules = demo.HERE / "people.toml", demo.HERE / "rules.toml"
        self.backend.prepare(_at_port(self.database.url, self.database_proxy.port), self.broker, people=people, rules=rules)
        for name in PROCESSES:
            self._mind(name, self.backend.program(name))
        wait_ready(self.backend.serves, "the web process", self.folder / "web.log")
        for home in self.homes.values():
            home.start(self.broker, self._secrets[home.name])
            self.minders[home.gateway.name] = home.gateway
        wait_ready(lambda: self._count_online() == len(self.homes), "all gateways on line", self.folder / "ingest.log")

    def heal(self) -> None:
        """Whatever a fault has left behind is well again."""
        if self.database_box is not None:
            self.database_box.limit_room(None)
        if self.database_proxy is not None:
            self.database_proxy.restore()
        for home in self.homes.values():
            home.proxy.restore()
            home.tap.heal()
            home.set_clock()
            if home.box is not None:
                home.box.limit_room(None)

    def stop(self) -> None:
        """Stop everything that runs, and remove what the servers kept."""
        for home in self.homes.values():
            if hasattr(home, "gateway"):
                home.stop()
        for minder in reversed(self.minders.values()):
            minder.stop()
        if self.database_proxy is not None:
            self.database_proxy.close()
        self.broker.close()
        self.database.close()

    def _mind(self, name: str, process: Program | Broker | Database) -> None:
        self.minders[name] = Minder(name, process)
        self.minders[name].start()
        deadline_s = time.monotonic() + READY_S
        while not self.minders[name].starts:
            if time.monotonic() > deadline_s:
                raise ProgramError(f"{name} does not start within {READY_S:.0f} s")
            time.sleep(POLL_S)

    def _library(self) -> Path | None:
        """The box's library, where the database's user can read it; None without a compiler, which is said."""
        try:
            return build(self.database.directory / "box")
        except HomeBoxError as error:
            self.say(f"left out are power cuts, full disks, clocks and outages of a day: {error}")
            return None

    def _database_box(self, library: Path | None) -> HomeBox | None:
        if library is None:
            return None
        box = HomeBox(self.database.directory / "data", library.parent / "database", library=library, keeps_log=False)
        self.database.run_in(box.environment)
        return box

    def _count_online(self) -> int:
        with psycopg.connect(self.database.url) as conn:
            row = conn.execute(ONLINE).fetchone()
        return int(row[0]) if row else 0


def _at_port(url: str, port: int) -> str:
    """The same database, reached at another port of this machine."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}"))
