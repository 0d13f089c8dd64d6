"""One run: everything is started, things go wrong, everything is healed, what waits is delivered, and all of it is compared."""

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from random import Random

import psutil
import psycopg

from simulators.faults.chain import OPERATOR, Chain
from simulators.faults.compare import compare_events, compare_readings
from simulators.faults.episodes import Episodes
from simulators.faults.evidence import collect, work_done
from simulators.faults.injector import Injector
from simulators.faults.ledger import Ledger
from simulators.faults.operator import Elders, Operator
from simulators.faults.outbox_file import count_waiting, set_aside
from simulators.faults.plan import BOXED, Injection, Kind, make_plan
from simulators.faults.promises import judge, pace
from simulators.faults.report import Outcome
from simulators.servers import Database

DELIVERY_S = 150.0
"""At the end, when all is well again: an event that was just lost on the way is repeated within seconds, a backlog drains in seconds."""
QUIET_S = 1.5
LOOK_S = 0.2
SAY_S = 5.0
RSS_S = 1.0
SICK_RUN_S_MIN = 20.0
"""A shorter run has no time for an illness."""
MB = 1024 * 1024


class Stopped(Exception):
    """Somebody pressed Ctrl-C."""


class Run:
    """A run in `folder` with a database that is not started yet."""

    def __init__(self, folder: Path, database: Database, *, seed: int, homes: int, stopping: threading.Event) -> None:
        self._seed = seed
        self._stopping = stopping
        self._started_s = time.monotonic()
        self._ledger = Ledger()
        self._chain = Chain(folder, self._ledger, seed=seed, homes=homes, database=database, say=self.say)
        devices = [home.devices for home in self._chain.homes.values()]
        self._elders = Elders(devices, seed=seed)
        self._operator = Operator(self._chain.backend.url, OPERATOR)
        self._rss_mb_max: dict[str, float] = defaultdict(float)
        self._is_over = threading.Event()

    def say(self, text: str) -> None:
        """One line with the seconds since the start."""
        print(f"{time.monotonic() - self._started_s:7.1f} s  {text}", flush=True)

    def play(self, seconds: float, kinds: Collection[Kind], before_comparison: Callable[[str], None] | None) -> Outcome:
        """All of it. Raises TimeoutError when something hangs, Stopped, ProgramError, ServerError or OSError."""
        self.say(f"seed {self._seed}: starting everything")
        self._chain.start()
        wanted = [kind for kind in kinds if self._chain.has_box or kind not in BOXED]
        plan = make_plan(self._seed, seconds, list(self._chain.homes), wanted)
        self.say(f"{len(self._chain.homes)} homes are on line; {len(plan)} faults in {seconds:.0f} s")
        injector = self._inject(plan, seconds)
        self._deliver()
        if before_comparison is not None:
            before_comparison(self._chain.database.url)
        return self._compare(seconds, wanted, injector)

    def stop(self) -> None:
        """End everything that was started."""
        self._is_over.set()
        self._chain.stop()

    def _inject(self, plan: list[Injection], seconds: float) -> Injector:
        episodes = Episodes(self._chain, self._ledger, self._stopping)
        injector = Injector(self._chain, self._ledger, episodes, self._stopping)
        threading.Thread(target=self._watch_memory, name="memory", daemon=True).start()
        self._operator.start()
        self._elders.start()
        sick = threading.Thread(target=self._fall_ill, args=[plan, episodes, seconds], name="sick", daemon=True)
        sick.start()
        try:
            injector.run(plan, seconds)
            sick.join()
        finally:
            self._elders.stop()
        if self._stopping.is_set():
            raise Stopped
        return injector

    def _fall_ill(self, plan: list[Injection], episodes: Episodes, seconds: float) -> None:
        """Somebody falls ill where no day's outage comes first: there the illness is to be a late one."""
        away = next((one.target for one in plan if one.kind is Kind.OUTAGE_DAY), None)
        homes = [home for name, home in self._chain.homes.items() if name != away]
        if homes and seconds >= SICK_RUN_S_MIN:
            episodes.sick_live(Random(f"{self._seed}/sick").choice(homes))

    def _deliver(self) -> None:
        """Measure nothing more, heal everything, and wait until all that was said has arrived."""
        self.say("no more faults; everything is healed, and what waits is delivered")
        for home in self._chain.homes.values():
            home.devices.hush()
        self._chain.heal()
        deadline_s = time.monotonic() + DELIVERY_S
        said_s, quiet_s, work = time.monotonic(), time.monotonic(), -1
        while time.monotonic() - quiet_s < QUIET_S:
            if self._stopping.wait(LOOK_S):
                raise Stopped
            left, done = self._left(), self._work_done()
            if left or done is None or done != work:
                quiet_s, work = time.monotonic(), -1 if done is None else done
            if time.monotonic() - said_s > SAY_S:
                said_s = time.monotonic()
                self.say(f"on their way: {left or 'nothing, but the database is busy'}")
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"not delivered within {DELIVERY_S:.0f} s after all was healed: {left or 'the database is not quiet'}")
        self._operator.stop()

    def _left(self) -> str:
        """What has not arrived yet, in words; empty when nothing is left."""
        parts = []
        for name, home in self._chain.homes.items():
            try:
                waiting = count_waiting(home.outbox)
            except sqlite3.Error as error:
                parts.append(f"{name}: outbox cannot be read: {error}")
                continue
            if waiting or home.devices.unanswered:
                parts.append(f"{name}: {waiting} entries, {home.devices.unanswered} events not acknowledged")
        return "; ".join(parts)

    def _work_done(self) -> int | None:
        try:
            return work_done(self._chain.database.url)
        except psycopg.Error:
            return None

    def _compare(self, seconds: float, wanted: list[Kind], injector: Injector) -> Outcome:
        evidence = collect(self._chain.database.url)
        readings, events = compare_readings(self._ledger, evidence), compare_events(self._ledger, evidence)
        told = {name: set_aside(home.outbox) for name, home in self._chain.homes.items()}
        homes = self._chain.homes.values()
        return Outcome(
            seed=self._seed,
            seconds=seconds,
            faults=injector.done,
            wanted=wanted,
            has_box=self._chain.has_box,
            events=events,
            readings=readings,
            promises=judge(self._ledger, evidence, readings, events, told),
            pace=pace(self._ledger, evidence),
            rss_mb_max=self._rss_mb_max,
            unasked_ends={minder.name: minder.unasked_ends for minder in self._chain.minders.values() if minder.unasked_ends},
            last_words=self._ledger.last_words,
            answers_lost=sum(home.tap.lost for home in homes),
            answers_repeated=sum(home.tap.repeated for home in homes),
        )

    def _watch_memory(self) -> None:
        while not self._is_over.wait(RSS_S):
            for name, home in self._chain.homes.items():
                try:
                    rss = psutil.Process(home.program.pid).memory_info().rss / MB
                except psutil.Error:
                    continue
                self._rss_mb_max[name] = round(max(self._rss_mb_max[name], rss), 1)
