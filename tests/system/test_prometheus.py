"""A real Prometheus with the shipped configuration: it scrapes every process, and the shipped rules do as they say. Skipped without one."""

import json
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from simulators.backend_processes import BackendProcesses, write_private
from simulators.child_process import wait_until
from simulators.keeper import CHECKOUT, Program
from simulators.serial_bridge import SerialBridge
from simulators.servers import Broker, free_port, installed_brokers
from tests.gateway.home import WEARABLE, toml

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not (shutil.which("prometheus") and shutil.which("promtool")), reason="Prometheus is not installed"),
]

DEPLOY = CHECKOUT / "deploy"
RULES = "prometheus.rules.yml"
DEADLINE_S = 90.0
JOBS = ("ingest", "worker", "web", "gateway")


def test_the_shipped_rules_do_what_they_say(tmp_path: Path) -> None:
    for file in (DEPLOY / RULES, Path(__file__).with_name("prometheus_rules.test.yml")):
        shutil.copy(file, tmp_path)
    check = subprocess.run(
        ["promtool", "test", "rules", "prometheus_rules.test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stdout + check.stderr


class Prometheus:
    """Started with the shipped file, its ports changed to those of this test."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        text = (DEPLOY / "prometheus.yml").read_text("utf-8").replace("  # - job_name: jiahu-gateway", "  - job_name: jiahu-gateway")
        text = re.sub(r"  #   (static_configs: .*9464)", r"    \1", text).replace("interval: 15s", "interval: 1s")
        for shipped, job in zip((9461, 9462, 9463, 9464), JOBS, strict=True):
            text = text.replace(f"127.0.0.1:{shipped}", f"127.0.0.1:{ports[job]}")
        (folder / "prometheus.yml").write_text(text, "utf-8")
        shutil.copy(DEPLOY / RULES, folder)
        self._folder, self._port = folder, free_port()

    @contextmanager
    def running(self) -> Iterator["Prometheus"]:
        """Until the end of the context."""
        command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{self._port}"]
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        try:
            yield self
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_S)

    def ask(self, what: str, **parameters: str) -> Any:
        """An answer of its API; None while it does not answer."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/{what}?{query}", timeout=10) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def value(self, query: str) -> float | None:
        """Of a query with one sample."""
        found = self.ask("query", query=query)
        return float(found["result"][0]["value"][1]) if found and found["result"] else None


@pytest.mark.parametrize("broker", installed_brokers()[:1], indirect=True)
def test_prometheus_scrapes_every_process_and_no_rule_fires(tmp_path: Path, database_url: str, broker: Broker) -> None:
    ports = {job: free_port() for job in JOBS}
    more = "[metrics]\n" + "".join(f"{job}_port = {ports[job]}\n" for job in JOBS[:3])
    backend = BackendProcesses(tmp_path, password=broker.accounts["backend"], more=more)
    backend.prepare(database_url, broker, people=people(tmp_path), rules=CHECKOUT / "backend/rules/defaults.toml")
    line = SerialBridge(tmp_path / "bridge")
    line.plug()
    gateway = gateway_program(tmp_path, broker, line, ports["gateway"])
    with ExitStack() as stack:
        stack.callback(line.unplug)
        start(stack, backend.program("ingest"), backend.program("web"), gateway)
        wait_until(lambda: is_heard(database_url), deadline_s=DEADLINE_S, what="the gateway's first status")
        start(stack, backend.program("worker"))  # it counts the gateways when it starts, and then each 30 s
        prometheus = stack.enter_context(Prometheus(tmp_path, ports).running())
        wait_until(lambda: prometheus.value('count(up{job=~"jiahu-.*"} == 1)') == 4, deadline_s=DEADLINE_S, what="four processes scraped")
        wait_until(lambda: prometheus.value("min(jiahu_condition_holds)") == 1, deadline_s=DEADLINE_S, what="readiness of all")
        wait_until(lambda: prometheus.value('jiahu_gateways{state="online"}') == 1, deadline_s=DEADLINE_S, what="the gateway's status")
        wait_until(lambda: prometheus.value("jiahu_gateway_connected") == 1, deadline_s=DEADLINE_S, what="the gateway's connection")
        assert prometheus.value('jiahu_cases_oldest_unanswered_seconds{priority="high"}') == 0
        assert [one["labels"]["alertname"] for one in prometheus.ask("alerts")["alerts"] if one["state"] == "firing"] == []


def start(stack: ExitStack, *programs: Program) -> None:
    """Start programs, to be stopped at the end."""
    for program in programs:
        program.start()
        stack.callback(program.stop)


def is_heard(database_url: str) -> bool:
    """True once a gateway has told its status."""
    with psycopg.connect(database_url) as conn:
        return conn.execute("SELECT FROM gateway WHERE online").fetchone() is not None


def people(folder: Path) -> Path:
    """One operator is enough for a backend."""
    return write_private(
        folder / "people.toml", '[[account]]\nname = "wang"\nrole = "operator"\ntitle = "王"\npassword = "a long password"\n'
    )


def gateway_program(folder: Path, broker: Broker, line: SerialBridge, port: int) -> Program:
    settings: dict[str, Any] = {
        "gateway_id": "gw-1",
        "broker": {"host": broker.host, "port": broker.port, "protocol": broker.protocol},
        "outbox": {"path": str(folder / "outbox.sqlite")},
        "metrics": {"port": port},
        "port": [{"path": str(line.link), "device": [WEARABLE]}],
    }
    config = write_private(folder / "gateway.toml", toml(settings))
    environment = {"JIAHU_BROKER_PASSWORD": broker.accounts["gw-1"]}
    return Program(["gateway", "run", "--config", str(config)], folder / "gateway.log", environment)
