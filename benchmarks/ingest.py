"""A district on this machine: 100 000 homes send their minute through a real broker, ingest stores and judges, presses reach the page.

Everything runs here: Mosquitto, PostgreSQL, ingest, worker, web, the load, and a signed-in page's event stream. Beside it, in the same
run and on the same database: COPY of ready-made bytes alone, plain rows, and the broker with a C subscriber.

    JIAHU_BENCH_HOMES=100000         homes, each once a minute (the rate is homes / 60 batches a second)
    JIAHU_BENCH_TIMESCALEDB=1        on TimescaleDB (deploy/prepare-timescaledb.sh), else on the embedded PostgreSQL
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from backend.readings import segments
from benchmarks.district_load import CALM, LOG_ID, PER_BATCH, READINGS, STEP_S, Connection, publication
from contract import topics
from contract.topics import Leaf
from simulators.backend_processes import BackendProcesses, wait_ready
from simulators.demo.witness import Shown, Witness
from simulators.keeper import CHECKOUT, Program
from simulators.servers import Broker, BrokerKind, Database, installed_brokers

HOMES = 100_000
MINUTE_S = 60.0
PRESSES_PER_S = 10.0
GROUP_BATCHES = 250
LIMIT_S = 5.0
BROKER_MESSAGES = 30_000
MESSAGE_BYTES = 1_680
PLAIN_GROUPS = 20
PASSWORD = "benchmark"
PEOPLE = f"""
[[account]]
name = "operator"
role = "operator"
title = "operator"
password = "{PASSWORD}-operator"
"""
SETTINGS = ("shared_buffers = '1GB'", "max_wal_size = '8GB'", "checkpoint_timeout = '15min'", "wal_compression = 'on'")
"""As docs/operations.md advises for a district."""
FILL = f"""
INSERT INTO elder (id, name, sex, address) SELECT 'elder-' || n, 'elder ' || n, 'female', 'home ' || n FROM generate_series(0, %(last)s) n;
INSERT INTO gateway (id, elder_id) SELECT 'home-' || n, 'elder-' || n FROM generate_series(0, %(last)s) n;
INSERT INTO gateway_log (gateway_id, log_id) SELECT 'home-' || n, '{LOG_ID}' FROM generate_series(0, %(last)s) n;
INSERT INTO series (gateway_id, device_id, quantity, statistic, elder_id)
SELECT 'home-' || n, 'wearable-1', q, 'sample', 'elder-' || n
FROM generate_series(0, %(last)s) n, unnest(ARRAY[{", ".join(f"'{name}'" for name, *_ in CALM)}]) q;
"""
STORED = "SELECT coalesce(sum(readings), 0), coalesce(sum(repeats), 0) FROM gateway_log"
ALERTS = "SELECT count(*) FROM alert WHERE rule_id = 'sos'"
SIZE = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'segment'::regclass"
RULES = "SELECT count(DISTINCT id) FROM rule"


def measure(seconds: float) -> dict[str, float]:
    """The figures of the district, and of its limits."""
    if BrokerKind.MOSQUITTO not in installed_brokers():
        raise SystemExit("the district needs Mosquitto: apt install mosquitto mosquitto-clients")
    homes = int(os.environ.get("JIAHU_BENCH_HOMES", HOMES))
    accounts = {"backend": PASSWORD, "load": PASSWORD}
    with (
        tempfile.TemporaryDirectory(dir=".") as folder,
        _database() as database,
        Broker(accounts, loaders=["load"], kind=BrokerKind.MOSQUITTO) as broker,
    ):
        backend = _prepared(Path(folder).absolute(), database, broker, homes)
        found = _district(backend, database, broker, homes, seconds)
        found |= _broker_limit(broker)
        with psycopg.connect(database.url, autocommit=True) as conn:
            found |= _copy_limit(conn) | _plain_rows(conn)
    return found | {"ratio": found["readings_per_s"] / found["copy_limit_readings_per_s"]}


def _database() -> Database:
    if not os.environ.get("JIAHU_BENCH_TIMESCALEDB"):
        return Database()
    binaries = subprocess.run([CHECKOUT / "deploy/prepare-timescaledb.sh"], capture_output=True, text=True, check=True).stdout.strip()
    return Database(binaries=Path(binaries), preload="timescaledb")


def _prepared(folder: Path, database: Database, broker: Broker, homes: int) -> BackendProcesses:
    with psycopg.connect(database.url, autocommit=True) as conn:
        for setting in SETTINGS:
            conn.execute(f"ALTER SYSTEM SET {setting}".encode())
    database.restart()
    (folder / "people.toml").write_text(PEOPLE)
    backend = BackendProcesses(folder, password=PASSWORD)
    backend.prepare(database.url, broker, people=folder / "people.toml", rules=CHECKOUT / "backend/rules/defaults.toml")
    with psycopg.connect(database.url, autocommit=True) as conn:
        for statement in FILL.split(";")[:-1]:
            conn.execute(statement.encode(), {"last": homes - 1})
        conn.execute("VACUUM ANALYZE")
    return backend


# -- the district ------------------------------------------------------------------------------------------------------------------------


class _Arrivals:
    """When each home's press came through the operators' event stream."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.at: dict[str, datetime] = {}

    def take(self, shown: Shown) -> None:
        """From the witness's thread."""
        if shown.event == "alert" and shown.data["rule_id"] == "sos":
            with self._lock:
                self.at.setdefault(shown.data["gateway_id"], shown.at)


def _district(backend: BackendProcesses, database: Database, broker: Broker, homes: int, seconds: float) -> dict[str, float]:
    programs = {name: backend.program(name) for name in ("ingest", "worker", "web")}
    arrivals = _Arrivals()
    witness = Witness(backend.url, "operator", f"{PASSWORD}-operator", on_shown=arrivals.take)
    for program in programs.values():
        program.start()
    try:
        wait_ready(backend.serves, "web", backend.folder / "web.log")
        witness.start()
        _play(backend.folder, broker, homes, seconds=5.0, first_minute=0)  # caches, plans and connections as on any other minute
        before = _stored(database)
        busy_s = _busy_s(programs)
        load = _play(backend.folder, broker, homes, seconds=seconds, first_minute=100)
        cores = {name: (now_s - busy_s[name]) / load["seconds"] for name, now_s in _busy_s(programs).items()}
        wait_ready(lambda: _count(database, ALERTS) >= len(load["presses"]), "an alert for each press", backend.folder / "ingest.log")
        time.sleep(1)
        stored = _stored(database)
        return _figures(load, arrivals, database) | {"stored_share": (stored[0] - before[0]) / (load["batches"] * PER_BATCH)} | cores
    finally:
        witness.stop()
        for program in programs.values():
            program.stop()


def _busy_s(programs: dict[str, Program]) -> dict[str, float]:
    """Seconds of processor time so far, of each program and of the whole machine."""
    times = {f"{name}_cores": sum(psutil.Process(program.pid).cpu_times()[:2]) for name, program in programs.items()}
    machine = psutil.cpu_times()
    return times | {"machine_cores": machine.user + machine.system}


def _play(folder: Path, broker: Broker, homes: int, *, seconds: float, first_minute: int) -> dict[str, Any]:
    settings = {
        "host": broker.host, "port": broker.port, "password": PASSWORD, "homes": homes, "minute_s": MINUTE_S, "seconds": seconds,
        "presses_per_s": PRESSES_PER_S if first_minute else 0.0, "first_minute": first_minute,
    }  # fmt: skip
    file = folder / "load.json"
    file.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "benchmarks.district_load", str(file)]
    found: dict[str, Any] = json.loads(subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout)
    return found


def _figures(load: dict[str, Any], arrivals: _Arrivals, database: Database) -> dict[str, float]:
    waits_ms = sorted((arrivals.at[home].timestamp() - at) * 1000 if home in arrivals.at else float("inf") for home, at in load["presses"])
    answered_per_s = load["answered_in_time"] / load["seconds"]
    return {
        "offered_batches_per_s": load["batches"] / load["seconds"],
        "batches_per_s": min(answered_per_s, load["batches"] / load["seconds"]),
        "readings_per_s": min(answered_per_s, load["batches"] / load["seconds"]) * PER_BATCH,
        "drained_after_s": load["drained_after_s"],
        "rules": _count(database, RULES),
        "sos_p50_ms": waits_ms[len(waits_ms) // 2],
        "sos_p99_ms": waits_ms[int(len(waits_ms) * 0.99)],
        "sos_lost": sum(wait == float("inf") for wait in waits_ms),
        "bytes_per_reading": _count(database, SIZE) / _stored(database)[0],
    }


def _stored(database: Database) -> tuple[int, int]:
    with psycopg.connect(database.url) as conn:
        row = conn.execute(STORED).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])


def _count(database: Database, query: str) -> int:
    with psycopg.connect(database.url) as conn:
        row = conn.execute(query.encode()).fetchone()
        return int(row[0] or 0) if row else 0


# -- the limits --------------------------------------------------------------------------------------------------------------------------


def _copy_limit(conn: psycopg.Connection) -> dict[str, float]:
    """The same segments as ready-made bytes, in transactions of as many, and nothing else."""
    now = datetime.now(UTC)
    offsets = [row * STEP_S * 1000 for row in range(READINGS)]
    rows = [(number % 500_000 + 1, now, offsets, [97.0 + number % 3] * READINGS) for number in range(GROUP_BATCHES * len(CALM))]
    body = segments.encode(rows, received_at=now)
    per_s = _per_second(lambda: _copy(conn, segments.COPY, body), LIMIT_S)
    return {"copy_limit_readings_per_s": per_s * len(rows) * READINGS}


def _plain_rows(conn: psycopg.Connection) -> dict[str, float]:
    """One row a reading with a primary key, as ready-made bytes too."""
    conn.execute("CREATE TABLE plain (series_id int4, at timestamptz, value float4, PRIMARY KEY (series_id, at))")
    count = GROUP_BATCHES * PER_BATCH
    row = struct.Struct(">hiiiqif")
    bodies = [
        segments.HEADER
        + b"".join(row.pack(3, 4, one % 1250, 8, (number * count + one) * 1000, 4, 97.0) for one in range(count))
        + segments.TRAILER
        for number in range(PLAIN_GROUPS)
    ]
    began_s = time.perf_counter()
    for body in bodies:
        _copy(conn, "COPY plain FROM STDIN (FORMAT BINARY)", body)
    return {"plain_rows_per_s": PLAIN_GROUPS * count / (time.perf_counter() - began_s)}


def _copy(conn: psycopg.Connection, statement: str, body: bytes) -> None:
    with conn.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(body)


def _broker_limit(broker: Broker) -> dict[str, float]:
    """Messages of this size through the broker to a subscriber in C that does nothing with them."""
    program = shutil.which("mosquitto_sub")
    if program is None:
        return {}
    where = ["-h", broker.host, "-p", str(broker.port), "-u", "backend", "-P", PASSWORD, "-t", f"{topics.ROOT}/+/+/{Leaf.SERIES}"]
    counting = subprocess.Popen([program, *where, "-C", str(BROKER_MESSAGES)], stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    up = Connection(broker.host, broker.port, "load", PASSWORD)
    packets = publication(topics.build("home-1", Leaf.SERIES), bytes(MESSAGE_BYTES)) * 100
    began_s = time.perf_counter()
    while counting.poll() is None and time.perf_counter() - began_s < 60:
        up.send(packets)
    return {"broker_limit_messages_per_s": BROKER_MESSAGES / (time.perf_counter() - began_s)}


def _per_second(act: Any, seconds: float) -> float:
    count, began_s = 0, time.perf_counter()
    while (passed_s := time.perf_counter() - began_s) < seconds:
        act()
        count += 1
    return count / passed_s
