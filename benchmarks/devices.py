"""Eight serial devices at one gateway at once: its memory and processor time, with a real broker and its outbox on a real disk."""

import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psutil

from simulators.instruments import INSTRUMENTS
from simulators.instruments.bench import Bench
from simulators.servers import Broker

TYPES = ("contec_v7", "contec_v5", "bci_oximeter", "nonin_serial", "radar_sy", "radar_tinyframe", "hlk_ld2410", "hlk_ld2450")
"""The busiest ones: 60, 60, 100, 75, 5, 10, 10 and 10 frames a second."""
SETTLE_S = 3.0
HEAD = """
gateway_id = "gw-1"
[broker]
host = "{host}"
port = {port}
protocol = "{protocol}"
[outbox]
path = "{folder}/outbox.sqlite"
"""
PORT = """
[[port]]
path = "{path}"
[[port.device]]
id = "{name}"
type = "{type}"
"""


def measure(seconds: float) -> dict[str, float]:
    """Resident memory in MB and processor time in percent of one core."""
    with tempfile.TemporaryDirectory(dir=".") as name, Bench() as bench:
        folder = Path(name).resolve()
        broker = Broker({"gw-1": "secret"})
        broker.start()
        values = {"host": broker.host, "port": broker.port, "protocol": broker.protocol, "folder": folder}
        ports = [
            PORT.format(path=bench.attach(folder / one, INSTRUMENTS[one]()).link, name=one.replace("_", "-"), type=one) for one in TYPES
        ]
        (folder / "gateway.toml").write_text(HEAD.format(**values) + "".join(ports), "utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", "--config", str(folder / "gateway.toml")],
            env={"JIAHU_BROKER_PASSWORD": "secret"},
            stderr=(folder / "log").open("wb"),
        )
        try:
            return _watch(psutil.Process(process.pid), seconds) | {"devices_heard": _count_devices(folder / "outbox.sqlite")}
        finally:
            process.terminate()
            process.wait(20)
            broker.stop()


def _count_devices(outbox: Path) -> float:
    """How many devices have readings in the outbox; nobody here answers `Stored`, so all are still there."""
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as db:
        return float(db.execute("SELECT count(DISTINCT device) FROM entry").fetchone()[0])


def _watch(process: psutil.Process, seconds: float) -> dict[str, float]:
    time.sleep(SETTLE_S)
    before, began_s = process.cpu_times(), time.perf_counter()
    time.sleep(seconds)
    after = process.cpu_times()
    used_s = after.user + after.system - before.user - before.system
    memory = process.memory_info().rss
    return {"cpu_percent_of_one_core": 100 * used_s / (time.perf_counter() - began_s), "resident_mb": memory / 1e6}
