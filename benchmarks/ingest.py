"""A district on this machine: 100 000 homes send their minute through a real broker, ingest stores and judges, presses reach the page.

Everything runs here: Mosquitto, PostgreSQL with TimescaleDB, two ingests, worker, web, the load, and a signed-in page's event stream. One
after the other:

    district_...    the district's own rate, for --seconds, with presses at 10/s and each home's state every five minutes; meanwhile
                    the worker compacts what came before
    (no prefix)     the most it stores: the same batches from a recorded file, as fast as they are answered; with presses
    backlog_...     the same with five minutes a batch, as homes send that were without a network
    recovery_s      from kill -9 of an ingest, which is started again, until a press from one of its homes is on the page

Beside them, in the same run and on the same database: COPY of ready-made bytes alone, plain rows, and the broker with a C subscriber.

    JIAHU_BENCH_HOMES=100000         homes, each once a minute (the rate is homes / 60 batches a second)
    JIAHU_BENCH_TIMESCALEDB=0        on the embedded PostgreSQL; else on TimescaleDB where deploy/prepare-timescaledb.sh can make it
"""

import contextlib
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg

from backend.readings import segments
from benchmarks.district_load import CALM, LOG_ID, PER_BATCH, READINGS, STEP_S, Connection, publication
from contract import topics
from contract.events import Event, EventKind
from contract.topics import Leaf
from simulators.backend_processes import BackendProcesses, wait_ready, write_private
from simulators.demo.witness import Shown, Witness
from simulators.keeper import CHECKOUT, Program, ProgramError
from simulators.servers import Broker, BrokerKind, Database, installed_brokers

HOMES = 100_000
MINUTE_S = 60.0
PRESSES_PER_S = 10.0
STATE_EVERY_S = 300.0
"""As gateways do by default."""
FULL_S = 20.0
"""The longest that is recorded: each second takes some 20 MB of disk."""
FULL_BATCHES_PER_S = 15_000
BACKLOG_MINUTES = 5
BACKLOG_BATCHES_PER_S = 5_000
RECOVERIES = 5
RESEND_S = 0.5
"""A gateway repeats an unanswered event; and is told at once when somebody listens again."""
EARLIER_SEGMENTS = 20_000
COMPACTED = "SELECT coalesce(sum(readings), 0) FROM storage_job WHERE name = 'compaction'"
INGESTS = 2
"""One for each processor, each with half of the shards."""
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
    binaries = timescaledb()
    with (
        tempfile.TemporaryDirectory(dir=".") as folder,
        Database(binaries=binaries, preload="timescaledb" if binaries else "") as database,
        Broker(accounts, loaders=["load"], kind=BrokerKind.MOSQUITTO) as broker,
    ):
        backend = prepared(Path(folder).absolute(), database, broker, homes)
        found = _chain(backend, database, broker, homes, seconds)
        found |= _broker_limit(broker)
        with psycopg.connect(database.url, autocommit=True) as conn:
            found |= _copy_limit(conn) | _plain_rows(conn)
    for kind in ("", "district_", "backlog_"):
        found[f"{kind}ratio"] = found[f"{kind}readings_per_s"] / found["copy_limit_readings_per_s"]
    return found | {"on_timescaledb": float(binaries is not None)}


def timescaledb() -> Path | None:
    """Programs of a PostgreSQL with TimescaleDB, which are made on the first run; None where they cannot be had, or are not wanted."""
    if os.environ.get("JIAHU_BENCH_TIMESCALEDB") == "0":
        return None
    made = subprocess.run([CHECKOUT / "deploy/prepare-timescaledb.sh"], stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        print("TimescaleDB cannot be had here (see above): measured on the embedded PostgreSQL", file=sys.stderr)
        return None
    return Path(made.stdout.strip())


def prepared(folder: Path, database: Database, broker: Broker, homes: int) -> BackendProcesses:
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


class Arrivals:
    """When each home's press came through the operators' event stream."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.at: dict[str, datetime] = {}

    def take(self, shown: Shown) -> None:
        """From the witness's thread."""
        if shown.event == "alert" and shown.data["rule_id"] == "sos":
            with self._lock:
                self.at.setdefault(shown.data["gateway_id"], shown.at)


def _chain(backend: BackendProcesses, database: Database, broker: Broker, homes: int, seconds: float) -> dict[str, float]:
    _earlier(database, homes, seconds)
    ingests = {f"ingest-{number}": one_ingest(backend, number) for number in range(INGESTS)}
    programs = ingests | {name: backend.program(name) for name in ("worker", "web")}
    arrivals = Arrivals()
    witness = Witness(backend.url, "operator", f"{PASSWORD}-operator", on_shown=arrivals.take)
    for program in programs.values():
        program.start()
    try:
        wait_ready(backend.serves, "web", backend.folder / "web.log")
        witness.start()
        chain = Chain(backend, database, broker, programs, arrivals, {"homes": homes, "minute_s": MINUTE_S})
        chain.play({"seconds": 5.0, "first_minute": 0, "presses_per_s": 0.0})  # caches, plans and connections as on any other minute
        record = {"recorded": str(backend.folder / "recorded"), "first_press_home": homes // 2, "seconds": min(seconds, FULL_S)}
        backlog = {"recorded_per_s": BACKLOG_BATCHES_PER_S, "minutes_per_batch": BACKLOG_MINUTES, "presses_per_s": 0.0}
        found = _named("district", chain.measure({"seconds": seconds, "first_minute": 100, "state_every_s": STATE_EVERY_S}))
        found |= chain.measure(record | {"first_minute": 100_000, "recorded_per_s": FULL_BATCHES_PER_S})
        found |= _named("backlog", chain.measure(record | backlog | {"first_minute": 200_000}))
        found |= {"recovery_s": statistics.median(chain.recover(f"ingest-{INGESTS - 1}", number) for number in range(RECOVERIES))}
        return found | {"rules": _count(database, RULES), "bytes_per_reading": _count(database, SIZE) / _stored(database)[0]}
    finally:
        witness.stop()
        for program in programs.values():
            program.stop()


def _earlier(database: Database, homes: int, seconds: float) -> None:
    """What the same homes sent in as many seconds before, received half an hour ago and not compacted yet: the worker's work meanwhile."""
    received_at = datetime.now(UTC) - timedelta(minutes=30)
    offsets = [row * STEP_S * 1000 for row in range(READINGS)]
    with psycopg.connect(database.url, autocommit=True) as conn:
        last = _count(database, "SELECT max(id) FROM series")
        for minute in range(max(1, round(seconds / MINUTE_S))):
            start_at = received_at - timedelta(minutes=minute + 1)
            for first in range(1, last + 1, EARLIER_SEGMENTS):
                some = range(first, min(first + EARLIER_SEGMENTS, last + 1))
                rows = [(number, start_at, offsets, [60.0 + (number + minute + row) % 30 for row in range(READINGS)]) for number in some]
                _copy(conn, segments.COPY, segments.encode(rows, received_at=received_at))
        conn.execute("VACUUM ANALYZE segment")


def _named(load: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{load}_{name}": value for name, value in figures.items()}


def one_ingest(backend: BackendProcesses, number: int) -> Program:
    """One of INGESTS, with its share of the shards."""
    share = topics.SHARD_COUNT // INGESTS
    more = f"[ingest]\nfirst_shard = {number * share}\nlast_shard = {(number + 1) * share - 1}\n"
    config = backend.folder / f"ingest-{number}.toml"
    write_private(config, (backend.folder / "backend.toml").read_text() + more)
    environment = {"JIAHU_BROKER_PASSWORD": PASSWORD}
    return Program(["backend", "ingest", "--config", str(config)], backend.folder / f"ingest-{number}.log", environment)


@dataclass(frozen=True)
class Chain:
    """All that runs, and how to load it."""

    backend: BackendProcesses
    database: Database
    broker: Broker
    programs: dict[str, Program]
    arrivals: Arrivals
    district: dict[str, Any]

    def play(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Run the load. Returns what it says."""
        whole = {"host": self.broker.host, "port": self.broker.port, "password": PASSWORD, "presses_per_s": PRESSES_PER_S, **self.district}
        file = self.backend.folder / "load.json"
        file.write_text(json.dumps(whole | settings))
        command = [sys.executable, "-m", "benchmarks.district_load", str(file)]
        found: dict[str, Any] = json.loads(subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True).stdout)
        return found

    def measure(self, settings: dict[str, Any]) -> dict[str, float]:
        """Run the load, wait until all is stored and shown. Returns its figures."""
        self.arrivals.at.clear()
        before, busy_s, alerts = _stored(self.database), self._busy_s(), _count(self.database, ALERTS)
        compacted = _count(self.database, COMPACTED)
        load = self.play(settings)
        busy = {name: now_s - busy_s[name] for name, now_s in self._busy_s().items()}
        with contextlib.suppress(ProgramError):  # what is missing counts as lost below
            wait_ready(
                lambda: _count(self.database, ALERTS) - alerts >= len(load["presses"]), "an alert for each press", self.backend.folder
            )
        time.sleep(1)
        readings = PER_BATCH * settings.get("minutes_per_batch", 1)
        stored, repeats = (now - then for now, then in zip(_stored(self.database), before, strict=True))
        batches_per_s = min(load["answered_in_time"], load["batches"]) / load["seconds"]
        figures = {
            "batches_per_s": batches_per_s,
            "readings_per_s": batches_per_s * readings,
            "seconds": load["seconds"],
            "compacted_readings_per_s": (_count(self.database, COMPACTED) - compacted) / (load["seconds"] + load["drained_after_s"]),
            "stored_share": stored / (load["batches"] * readings),
            "repeats": float(repeats),
            "drained_after_s": load["drained_after_s"],
        }
        found = figures | self._waits(load["presses"]) | _cores(busy, load, readings)
        print(f"{settings['first_minute']}: {json.dumps(found)}", file=sys.stderr, flush=True)  # a run that is cut short has said this much
        return found

    def recover(self, name: str, number: int) -> float:
        """Seconds from kill -9 of a program, started again at once, until a press from a home that it serves is on the page."""
        own = [f"home-{home}" for home in range(self.district["homes"]) if topics.shard_of(f"home-{home}") == topics.SHARD_COUNT - 1]
        home = own[-1 - number]
        up = Connection(self.broker.host, self.broker.port, "load", PASSWORD)
        self.programs[name].kill()
        began_s, now = time.monotonic(), datetime.now(UTC)
        self.programs[name].start()
        event = Event(
            log_id=LOG_ID, sequence=2 * 10**9 + number, floor=1, event_id=f"wearable-1:recovery-{number}", device="wearable-1",
            kind=EventKind.SOS, at=now, sent_at=now,
        )  # fmt: skip
        packet = publication(topics.build(home, Leaf.EVENT), event.model_dump_json(exclude_none=True).encode(), packet=1)
        while home not in self.arrivals.at and time.monotonic() - began_s < 60:
            up.send(packet)
            until_s = time.monotonic() + RESEND_S
            while home not in self.arrivals.at and time.monotonic() < until_s:
                time.sleep(0.005)
        return time.monotonic() - began_s

    def _waits(self, presses: list[tuple[str, float]]) -> dict[str, float]:
        if not presses:
            return {}
        at = self.arrivals.at
        waits_ms = sorted((at[home].timestamp() - pressed) * 1000 if home in at else float("inf") for home, pressed in presses)
        return {
            "sos_p50_ms": waits_ms[len(waits_ms) // 2],
            "sos_p99_ms": waits_ms[int(len(waits_ms) * 0.99)],
            "sos_lost": float(sum(wait == float("inf") for wait in waits_ms)),
        }

    def _busy_s(self) -> dict[str, float]:
        """Seconds of processor time so far, of each program and of the whole machine."""
        times = {name: _own_s(psutil.Process(program.pid)) for name, program in self.programs.items()}
        server = psutil.Process(self.database.pid)
        times["postgres"] = sum(_own_s(one) for one in [server, *server.children()])
        times["mosquitto"] = _own_s(psutil.Process(self.broker.pid))
        machine = psutil.cpu_times()
        return times | {"machine": machine.user + machine.system}


def _own_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def _cores(busy_s: dict[str, float], load: dict[str, Any], readings: int) -> dict[str, float]:
    """Processors busy, from the first batch to the last answer, and what one of them does when it does nothing but ingest."""
    seconds = load["seconds"] + load["drained_after_s"]
    ingest_s = sum(value for name, value in busy_s.items() if name.startswith("ingest"))
    others = {name: value for name, value in busy_s.items() if not name.startswith("ingest")}
    cores = {f"{name}_cores": value / seconds for name, value in {"ingest": ingest_s, **others}.items()}
    return cores | {"readings_per_s_per_ingest_core": load["answered"] * readings / ingest_s}


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
