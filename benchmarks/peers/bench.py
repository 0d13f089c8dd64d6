"""One gateway on the bench: brokers, cloud, a network that can be cut, a load; and the eyes on its process."""

import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel

from benchmarks.peers.cloud import Plan as CloudPlan
from benchmarks.peers.gateways import CACHE, GATEWAY_ID, Gateway, ports
from benchmarks.peers.ledger import Ledger
from benchmarks.peers.load import Phase
from benchmarks.peers.load import Plan as LoadPlan
from benchmarks.peers.surroundings import CutDisk, OpenBroker
from simulators.child_process import ServerError, ending_with_starter, wait_until
from simulators.network import TcpProxy
from simulators.servers import Broker

WORK = CACHE / "work"
START_DEADLINE_S = 60.0
POLL_S = 0.05
STOP_S = 10.0
EVENTS_PER_S = 2.0


class Helper:
    """The load or the cloud: a module of this package with a plan; its input's end is its end."""

    def __init__(self, module: str, plan: BaseModel) -> None:
        self._last_words = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, plan.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=ending_with_starter(signal.SIGKILL),
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise ServerError(f"{module} does not get ready")

    def say(self, line: str) -> None:
        """One line for its input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def stop_sending(self) -> None:
        """For a load: no more messages from now on."""
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> str:
        """End it, if that was not done yet. Returns what it said last."""
        if self._process.poll() is None:
            try:
                self._last_words = self._process.communicate(timeout=STOP_S)[0]
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self._last_words


@dataclass(slots=True)
class Memory:
    """Resident memory of the gateway, MiB: before the load, and the most since."""

    idle_mib: float = 0.0
    peak_mib: float = 0.0


class Bench:
    """One gateway, started and greeted by its cloud, with a load that waits for `begin`."""

    def __init__(self, gateway: Gateway, phases: Sequence[Phase], *, can_cut: bool = False, disk: bool = False, settle_s: float) -> None:
        self._gateway = gateway
        self._phases = list(phases)
        self._can_cut = can_cut
        self._has_disk = disk
        self._settle_s = settle_s
        self._stack = ExitStack()
        self.memory = Memory()
        self.cpu_s = 0.0
        self._cpu_begin_s = 0.0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stack = stack
            self._set_up(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _set_up(self, stack: ExitStack) -> None:
        WORK.mkdir(parents=True, exist_ok=True)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=WORK, prefix=f"{self._gateway.name}-")))
        self._greeted = folder / "greeted"
        self.ledger = Ledger(folder / "ledger", sum(phase.count for phase in self._phases))
        seconds = sum(phase.seconds for phase in self._phases)
        self.events = Ledger(folder / "events", round(seconds * EVENTS_PER_S) + 1) if self._gateway.has_events else None
        self.disk = stack.enter_context(CutDisk(folder)) if self._has_disk else None
        store = self.disk.mount if self.disk else folder / "store"
        store.mkdir(exist_ok=True)
        password = secrets.token_hex(8)
        self.broker, sensor_port = self._start_brokers(stack, password)
        cloud_port = self.broker.port
        self._start_cloud(stack, folder, cloud_port, password)
        self.network = stack.enter_context(TcpProxy("127.0.0.1", cloud_port)) if self._can_cut else None
        self._start_load(stack, folder, sensor_port)
        reached = self.network.port if self.network else cloud_port
        self.process = self._gateway.make(folder, store, cloud_port=reached, password=password, sensor_port=sensor_port)
        stack.callback(self.process.kill)
        self.start()
        self.memory.idle_mib = self.memory.peak_mib = self.process.rss_mib

    def _start_brokers(self, stack: ExitStack, password: str) -> tuple[Broker | OpenBroker, int]:
        """The cloud's broker, and the port of the sensors', which only the peer has."""
        if self._gateway.kind == "jiahu":
            return stack.enter_context(Broker({GATEWAY_ID: password, "backend": password})), 0
        return stack.enter_context(OpenBroker()), stack.enter_context(OpenBroker()).port

    def _start_cloud(self, stack: ExitStack, folder: Path, port: int, password: str) -> None:
        is_ours = self._gateway.kind == "jiahu"
        plan = CloudPlan(
            kind=self._gateway.kind,
            port=port,
            user="backend" if is_ours else None,
            password=password if is_ours else None,
            ledger=folder / "ledger",
            events=folder / "events" if self.events else None,
            greeted=self._greeted,
        )
        cloud = Helper("benchmarks.peers.cloud", plan)
        stack.callback(cloud.end)

    def _start_load(self, stack: ExitStack, folder: Path, sensor_port: int) -> None:
        plan = LoadPlan(phases=self._phases, ledger=folder / "ledger")
        if self._gateway.kind == "jiahu":
            plan = plan.model_copy(update={"ports": ports(folder), "events": folder / "events", "events_per_s": EVENTS_PER_S})
        else:
            plan = plan.model_copy(update={"broker_port": sensor_port})
        self._load = Helper("benchmarks.peers.load", plan)
        stack.callback(self._load.end)

    # -- what a measurement does -----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the gateway, wait for its greeting, give it time to settle."""
        self._greeted.unlink(missing_ok=True)
        self.process.start()
        wait_until(self._greeted.exists, deadline_s=START_DEADLINE_S, what="the gateway's greeting")
        self.watch(lambda: False, self._settle_s)

    def begin(self) -> float:
        """Let the load begin. Returns when the first message was sent."""
        self._cpu_begin_s = self.process.cpu_s
        self._load.say("go")
        wait_until(lambda: bool(self.ledger.sent_s[0]), deadline_s=START_DEADLINE_S, what="the first message")
        return float(self.ledger.sent_s[0])

    def watch(self, is_over: Callable[[], bool], seconds_max: float) -> bool:
        """Look at the gateway's memory until `is_over`; False when that did not come true within the time."""
        end_s = time.monotonic() + seconds_max
        while not (over := is_over()) and time.monotonic() < end_s:
            self.memory.peak_mib = max(self.memory.peak_mib, self.process.rss_mib)
            time.sleep(POLL_S)
        self.cpu_s = self.process.cpu_s - self._cpu_begin_s
        return over

    def stop_load(self) -> None:
        """No more messages, and what is on the lines arrives."""
        self._load.stop_sending()

    def drain(self, quiet_s: float, seconds_max: float) -> None:
        """Wait until all that was accepted has come, or nothing has for `quiet_s`."""
        last, last_s = self.ledger.received, time.monotonic()

        def is_over() -> bool:
            nonlocal last, last_s
            if (now := self.ledger.received) != last:
                last, last_s = now, time.monotonic()
            return now >= self.ledger.accepted or time.monotonic() - last_s > quiet_s

        self.watch(is_over, seconds_max)

    def end_load(self) -> int:
        """End the load. Returns how many messages its lines lost because the gateway did not keep up."""
        return int(json.loads(self._load.end() or "{}").get("line_lost", 0))
