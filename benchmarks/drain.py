"""A home after a day without a network: how long until the backend has all of it, and what that costs the small machine.

A real gateway with a day's readings in its outbox (five quantities, one reading each five seconds), a real broker, and ingest with a real
database.
"""

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg

from benchmarks.district_load import CALM
from gateway.outbox import Outbox, Reading
from simulators.backend_processes import BackendProcesses, write_private
from simulators.keeper import CHECKOUT, Program
from simulators.serial_bridge import SerialBridge
from simulators.servers import Broker, Database

HOME = "home-1"
DAY_S, STEP_S = 86_400, 5
CHUNK = 5_000
DEADLINE_S = 300.0
PEOPLE = '[[account]]\nname = "wang"\nrole = "operator"\ntitle = "王"\npassword = "a long password"\n'
GATEWAY = """
gateway_id = "{home}"
[broker]
host = "{host}"
port = {port}
protocol = "{protocol}"
[outbox]
path = "{outbox}"
[[port]]
path = "{link}"
[[port.device]]
id = "wearable-1"
type = "jiahu_wearable"
address = 7
"""
STORED = "SELECT coalesce(sum(readings), 0)::bigint, coalesce(sum(repeats), 0)::bigint FROM gateway_log"


def measure(seconds: float) -> dict[str, float]:
    """Seconds from the gateway's start to the last reading in the database. `seconds` is not asked: a day is a day."""
    accounts = {"backend": "secret", HOME: "secret"}
    with tempfile.TemporaryDirectory(dir=".") as name, Database() as database, Broker(accounts) as broker:
        folder = Path(name).absolute()
        waiting = _fill(folder / "outbox.sqlite")
        backend = BackendProcesses(folder, password="secret")
        people = write_private(folder / "people.toml", PEOPLE)
        backend.prepare(database.url, broker, people=people, rules=CHECKOUT / "backend/rules/defaults.toml")
        line = SerialBridge(folder / "line")
        line.plug()
        text = GATEWAY.format(
            home=HOME, host=broker.host, port=broker.port, protocol=broker.protocol, outbox=folder / "outbox.sqlite", link=line.link
        )
        config = write_private(folder / "gateway.toml", text)
        gateway = Program(["gateway", "run", "--config", str(config)], folder / "gateway.log", {"JIAHU_BROKER_PASSWORD": "secret"})
        ingest = backend.program("ingest")
        ingest.start()
        gateway.start()
        try:
            return {"readings": float(waiting)} | _watch(database, gateway, waiting)
        finally:
            gateway.stop()
            ingest.stop()
            line.unplug()


def _fill(path: Path) -> int:
    """A day's readings, oldest first, as the gateway itself would have kept them. Returns how many."""
    outbox = Outbox(path, rows_max=10_000_000)
    outbox.open()
    begun_at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=DAY_S)
    steps = range(0, DAY_S, STEP_S)
    rows = [
        Reading("wearable-1", quantity, "sample", begun_at + timedelta(seconds=step), middle)
        for step in steps
        for quantity, middle, *_ in CALM
    ]
    for first in range(0, len(rows), CHUNK):
        outbox.append_readings(rows[first : first + CHUNK])
    outbox.close()
    return len(rows)


def _watch(database: Database, gateway: Program, waiting: int) -> dict[str, float]:
    began_s, process, memory = time.monotonic(), psutil.Process(gateway.pid), 0
    first_s: float | None = None
    with psycopg.connect(database.url, autocommit=True) as conn:
        while time.monotonic() - began_s < DEADLINE_S:
            row = conn.execute(STORED).fetchone()
            assert row is not None
            memory = max(memory, process.memory_info().rss)
            first_s = time.monotonic() - began_s if first_s is None and row[0] else first_s
            if row[0] >= waiting:
                break
            time.sleep(0.05)
    spent_s, busy_s = time.monotonic() - began_s, sum(process.cpu_times()[:2])
    return {
        "drained": float(row[0]),
        "repeats": float(row[1]),
        "first_reading_after_s": first_s or float("inf"),
        "drained_after_s": spent_s,
        "drained_per_s": row[0] / (spent_s - (first_s or 0.0)),
        "gateway_cpu_s": busy_s,
        "gateway_peak_mb": memory / 1e6,
    }
