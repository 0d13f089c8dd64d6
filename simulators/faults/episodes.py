"""The faults that are stories: a full disk with an alarm in it, and a day without network in which somebody falls ill."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg

from simulators.faults.chain import Chain, Home
from simulators.faults.ledger import EventSent, FullDisk, Ledger, Outage, Sickness
from simulators.faults.outbox_file import count_waiting, said_shed

DAY = timedelta(hours=24)
HOURS = 24
HOUR_LASTS_S = 0.2
"""What each hour of the outage is told in."""
SICK_LEAP = timedelta(seconds=8)
SICK_LEAPS = 10
"""80 s below the limit, more than the 60 s of the shipped rule, in steps that its run survives (max_gap_s 10 in the demo's rules)."""
SICK_LIVE_S = 14.0
"""The demo's rules hold for 10 s (simulators/demo/rules.toml)."""
BACKLOG_S = 1.0
HASTE = 5
"""Times as many readings in a second while a disk is full, so that in a few seconds some must give way."""
ANSWER_S = 25.0
CALM_S = 4.0
WAITING_ALWAYS = 100
"""Entries that a home which can send has waiting at most moments: two or three seconds' worth."""
POLL_S = 0.1
HEARD = "SELECT 1 FROM gateway WHERE heard_at > now() - interval '1 s' OR NOT %s"
"""Of one home alone nothing can be heard while its own network is away."""
EVENT = "SELECT 1 FROM event WHERE gateway_id = %s AND event_id LIKE %s"


class Episodes:
    """They take a home's network for themselves; while `needs_calm`, all others leave the backend alone."""

    def __init__(self, chain: Chain, ledger: Ledger, stopping: threading.Event) -> None:
        self._chain = chain
        self._ledger = ledger
        self._stopping = stopping
        self._networks = {name: threading.Lock() for name in chain.homes}
        self._machines = {name: threading.Lock() for name in chain.homes}
        self._were_sick: set[str] = set()
        self._calm = threading.Lock()

    @property
    def needs_calm(self) -> bool:
        """True while a home's first words after an outage are judged."""
        return self._calm.locked()

    @contextmanager
    def network(self, home: Home) -> Iterator[None]:
        """One fault of a home's network at a time."""
        with self._networks[home.name]:
            yield

    @contextmanager
    def machine(self, home: Home) -> Iterator[None]:
        """One fault of a home's machine, its disk or its clock at a time."""
        with self._machines[home.name]:
            yield

    def sick_live(self, home: Home) -> None:
        """Low SpO2 in a home whose network and clock are well, while processes die as ever; the rule must page."""
        with self.machine(home), self.network(home):
            self._were_sick.add(home.name)
            from_at = time.time()
            home.devices.is_sick = True
            self._stopping.wait(SICK_LIVE_S)
            home.devices.is_sick = False
            self._ledger.sicknesses.append(Sickness(home.name, from_at, time.time(), is_late=False))

    def disk_full(self, home: Home, lasts_s: float) -> bool:
        """Without network the disk is full, and once more when the gateway has given up its reserve; somebody presses.

        The network comes back before the room does. The gateway was started anew before, so that its file must soon grow.
        """
        assert home.box is not None
        with self.network(home):
            home.proxy.cut()
            cut_at = time.time()
            home.gateway.shut()
            self.until(lambda: home.devices.is_heard)
            self._stopping.wait(BACKLOG_S)
            log_bytes = home.log.stat().st_size
            home.box.limit_room(home.bytes_on_disk)
            home.devices.haste = HASTE
            from_at = time.time()
            self._stopping.wait(lasts_s / 2)
            home.box.limit_room(home.bytes_on_disk)
            alarm = home.devices.press()
            self._stopping.wait(lasts_s / 2)
            home.devices.haste = 1
            home.proxy.restore()
            self._ledger.outages.append(Outage(home.name, cut_at, time.time()))
            self.until(lambda: alarm.acked_at is not None and self._is_stored(alarm))
            home.box.limit_room(None)
        self._ledger.full_disks.append(FullDisk(home.name, from_at, time.time(), said_shed(home.log, log_bytes), alarm))
        return True

    def outage_day(self, home: Home) -> bool:
        """24 hours without network, each told in a fifth of a second; an SOS at their beginning, and the first time an illness."""
        with self.network(home):
            cut_at = time.time()
            home.proxy.cut()
            with home.gateway.held_down():
                home.set_clock(leap=-DAY)
            self.until(lambda: home.devices.is_heard)
            sos = home.devices.press()
            self.until(lambda: sos.acked_at is not None)
            left = self._fall_ill(home, DAY) if home.name not in self._were_sick else DAY
            for hour in range(HOURS, 0, -1):
                home.set_clock(leap=-left * hour / HOURS)
                self._stopping.wait(HOUR_LASTS_S)
            home.set_clock()
            self._return(home, cut_at, sos)
        return True

    def _fall_ill(self, home: Home, left: timedelta) -> timedelta:
        """Low SpO2 for SICK_LEAPS leaps. Returns what is left of the day."""
        self._were_sick.add(home.name)
        from_at = time.time()
        home.devices.is_sick = True
        for _ in range(SICK_LEAPS):
            left -= SICK_LEAP
            home.set_clock(leap=-left)
            self._stopping.wait(HOUR_LASTS_S)
        home.devices.is_sick = False
        self._ledger.sicknesses.append(Sickness(home.name, from_at, time.time(), is_late=True))
        return left

    def _return(self, home: Home, cut_at: float, sos: EventSent) -> None:
        """The network comes back while the backend is well; what is received first must be the SOS.

        Until the backlog is stored, nothing else happens to the home's machine: the lateness of what waits cannot be judged by a clock
        that was set wrong meanwhile, since what waits moves with the clock.
        """
        with self._calm:
            self._stopping.wait(CALM_S)
            self.until(self._is_well)
            restored_at = time.time()
            home.proxy.restore()
            self.until(lambda: self._is_stored(sos))
        self.until(lambda: self._is_delivered(home))
        self._ledger.outages.append(Outage(home.name, cut_at, restored_at, is_day=True, sos=sos))

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, but not for ever: what did not happen shows in the end."""
        deadline_s = time.monotonic() + ANSWER_S
        while not condition() and time.monotonic() < deadline_s and not self._stopping.wait(POLL_S):
            continue

    def _is_well(self) -> bool:
        """Are homes heard, and is what they say stored?"""
        try:
            with psycopg.connect(self._chain.database.url, connect_timeout=2) as conn:
                return conn.execute(HEARD, (len(self._networks) > 1,)).fetchone() is not None
        except psycopg.Error:
            return False

    def _is_delivered(self, home: Home) -> bool:
        try:
            return count_waiting(home.outbox) <= WAITING_ALWAYS
        except sqlite3.Error:
            return False

    def _is_stored(self, event: EventSent) -> bool:
        try:
            with psycopg.connect(self._chain.database.url, connect_timeout=2) as conn:
                return conn.execute(EVENT, (event.home, f"{event.device}:{event.key}-%")).fetchone() is not None
        except psycopg.Error:
            return False
