"""Carries out a plan: each fault in its lane, so that some follow each other and the rest mix."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from random import Random

import numpy as np

from simulators.faults.chain import Chain, Home
from simulators.faults.episodes import Episodes
from simulators.faults.ledger import Damage, Ledger, Outage
from simulators.faults.minder import Minder
from simulators.faults.outbox_file import count_events, damage, readings_in, set_aside
from simulators.faults.plan import Injection, Kind
from simulators.network import Direction

RUNNING_S = 8.0
"""So long a fault waits for its victim to run."""
DAMAGE_TRIES = 5
PAUSE_S = 0.3
LANES_END_S = 90.0
OF_A_MACHINE = frozenset({Kind.POWER_CUT, Kind.OUTBOX_DAMAGED, Kind.DISK_FULL, Kind.CLOCK_JUMP, Kind.OUTAGE_DAY})
"""One of these at a time in a home."""


class Injector:
    """Lanes are threads: one for the database, one for the broker, one for each home and each home's network, one for what is quick."""

    def __init__(self, chain: Chain, ledger: Ledger, episodes: Episodes, stopping: threading.Event) -> None:
        self._chain = chain
        self._ledger = ledger
        self._episodes = episodes
        self._stopping = stopping
        self.done: Counter[Kind] = Counter()
        self._lanes: dict[str, queue.SimpleQueue[Injection | None]] = {}
        self._threads: list[threading.Thread] = []
        self._acts: dict[Kind, Callable[[Injection], bool]] = {
            Kind.KILL_GATEWAY: lambda one: _kill(self._home(one).gateway),
            Kind.KILL_INGEST: lambda one: self._of_backend(lambda: _kill(chain.minders["ingest"])),
            Kind.KILL_WORKER: lambda one: _kill(chain.minders["worker"]),
            Kind.KILL_WEB: lambda one: _kill(chain.minders["web"]),
            Kind.KILL_BROKER: lambda one: self._of_backend(lambda: _kill(chain.minders["broker"])),
            Kind.KILL_DATABASE: lambda one: self._of_backend(lambda: _kill(chain.minders["database"])),
            Kind.BROKER_RESTARTED: lambda one: self._of_backend(lambda: _shut(chain.minders["broker"])),
            Kind.DATABASE_RESTARTED: lambda one: self._of_backend(lambda: _shut(chain.minders["database"])),
            Kind.DATABASE_REFUSES: lambda one: self._of_backend(lambda: self._database_refuses(one)),
            Kind.DATABASE_FULL: lambda one: self._of_backend(lambda: self._database_full(one)),
            Kind.NETWORK_CUT: self._network_cut,
            Kind.NETWORK_SLOW: self._network_slow,
            Kind.NETWORK_ONE_WAY: self._network_one_way,
            Kind.STORED_LOST: self._stored_lost,
            Kind.STORED_REPEATED: self._stored_repeated,
            Kind.POWER_CUT: self._power_cut,
            Kind.OUTBOX_DAMAGED: self._outbox_damaged,
            Kind.DISK_FULL: lambda one: episodes.disk_full(self._home(one), one.lasts_s),
            Kind.CLOCK_JUMP: self._clock_jump,
            Kind.OUTAGE_DAY: lambda one: episodes.outage_day(self._home(one)),
        }

    def run(self, plan: Sequence[Injection], seconds: float) -> None:
        """Inject until `seconds` have passed; then the lanes finish what they do, and whatever kind never came yet."""
        started_s = time.monotonic()
        for one in plan:
            if self._stopping.wait(max(0.0, started_s + one.at_s - time.monotonic())):
                break
            self._lane(one).put(one)
        self._stopping.wait(max(0.0, started_s + seconds - time.monotonic()))
        self._is_over = True
        for lane in self._lanes.values():
            lane.put(None)
        deadline_s = time.monotonic() + LANES_END_S
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                raise TimeoutError(f"the fault lane {thread.name!r} does not end within {LANES_END_S:.0f} s")

    _is_over = False

    def _lane(self, one: Injection) -> "queue.SimpleQueue[Injection | None]":
        name = _lane_of(one)
        if name not in self._lanes:
            lane = self._lanes[name] = queue.SimpleQueue()
            thread = threading.Thread(target=self._serve, args=[lane], name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return self._lanes[name]

    def _serve(self, lane: "queue.SimpleQueue[Injection | None]") -> None:
        while (one := lane.get()) is not None and not self._stopping.is_set():
            if self._is_over and self.done[one.kind]:
                continue
            with self._episodes.machine(self._home(one)) if one.kind in OF_A_MACHINE else nullcontext():
                self.done[one.kind] += self._acts[one.kind](one)

    def _home(self, one: Injection) -> Home:
        return self._chain.homes[one.target]

    def _of_backend(self, act: Callable[[], bool]) -> bool:
        """Not while a home's first words after an outage are being judged."""
        while self._episodes.needs_calm and not self._stopping.wait(PAUSE_S):
            continue
        return act()

    # -- the database --------------------------------------------------------------------------------------------------------------------

    def _database_refuses(self, one: Injection) -> bool:
        assert self._chain.database_proxy is not None
        self._chain.database_proxy.cut()
        self._stopping.wait(one.lasts_s)
        self._chain.database_proxy.restore()
        return True

    def _database_full(self, one: Injection) -> bool:
        assert self._chain.database_box is not None
        self._chain.database_box.limit_room(0)
        self._stopping.wait(one.lasts_s)
        self._chain.database_box.limit_room(None)
        return True

    # -- a home's network ----------------------------------------------------------------------------------------------------------------

    def _network_cut(self, one: Injection) -> bool:
        home = self._home(one)
        with self._episodes.network(home):
            cut_at = time.time()
            home.proxy.cut()
            self._stopping.wait(one.lasts_s)
            home.proxy.restore()
            self._ledger.outages.append(Outage(home.name, cut_at, time.time()))
        return True

    def _network_slow(self, one: Injection) -> bool:
        home = self._home(one)
        with self._episodes.network(home):
            home.proxy.slow(one.amount)
            self._stopping.wait(one.lasts_s)
            home.proxy.restore()
        return True

    def _network_one_way(self, one: Injection) -> bool:
        home = self._home(one)
        with self._episodes.network(home):
            home.proxy.one_way(Direction.UP if one.amount else Direction.DOWN)
            self._stopping.wait(one.lasts_s)
            home.proxy.restore()
        return True

    def _stored_lost(self, one: Injection) -> bool:
        self._home(one).tap.lose(round(one.amount))
        return True

    def _stored_repeated(self, one: Injection) -> bool:
        self._home(one).tap.repeat(round(one.amount))
        return True

    # -- a home's machine ----------------------------------------------------------------------------------------------------------------

    def _power_cut(self, one: Injection) -> bool:
        home = self._home(one)
        assert home.box is not None
        with home.gateway.held_down():
            home.box.cut_power(np.random.default_rng(one.seed))
            self._stopping.wait(one.lasts_s)
        return True

    def _outbox_damaged(self, one: Injection) -> bool:
        """Between two events: one that stands in a damaged file only is not asked of anybody."""
        home = self._home(one)
        for _ in range(DAMAGE_TRIES):
            self._episodes.until(lambda: home.gateway.is_running and not count_events(home.outbox))
            if self._damage(home, Random(one.seed)):
                return True
            if self._stopping.wait(PAUSE_S):
                break
        return False

    def _damage(self, home: Home, random: Random) -> bool:
        before = len(set_aside(home.outbox))
        with home.gateway.held_down():
            at = time.time()
            waiting = readings_in(home.outbox)
            if waiting is not None:
                damage(home.outbox, random)
            if home.box is not None:
                home.box.begin_anew()
        if waiting is None:
            return False
        self._episodes.until(lambda: home.devices.is_heard)
        self._ledger.damages.append(Damage(home.name, at, waiting, set_aside=len(set_aside(home.outbox)) - before))
        return True

    def _clock_jump(self, one: Injection) -> bool:
        home = self._home(one)
        error = max(timedelta(hours=one.amount), timedelta(seconds=60 - time.time()))
        home.set_clock(error=error)
        self._stopping.wait(one.lasts_s)
        home.set_clock()
        return True


def _lane_of(one: Injection) -> str:
    match one.kind:
        case Kind.KILL_DATABASE | Kind.DATABASE_RESTARTED | Kind.DATABASE_REFUSES | Kind.DATABASE_FULL:
            return "database"
        case Kind.KILL_BROKER | Kind.BROKER_RESTARTED:
            return "broker"
        case Kind.NETWORK_CUT | Kind.NETWORK_SLOW | Kind.NETWORK_ONE_WAY:
            return f"network {one.target}"
        case kind if kind in OF_A_MACHINE:
            return f"machine {one.target}"
        case Kind.KILL_GATEWAY:
            return f"kills {one.target}"
        case _:
            return "quick"


def _wait_for(minder: Minder, stopping: threading.Event) -> bool:
    deadline_s = time.monotonic() + RUNNING_S
    while not minder.is_running and time.monotonic() < deadline_s:
        if stopping.wait(PAUSE_S):
            return False
    return minder.is_running


def _kill(minder: Minder) -> bool:
    return _wait_for(minder, threading.Event()) and minder.kill()


def _shut(minder: Minder) -> bool:
    return _wait_for(minder, threading.Event()) and minder.shut()
