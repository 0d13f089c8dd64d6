"""Whether the daemon does its work, for systemd, for Prometheus and for whoever asks: the main loop says so at every step.

Alive: the loop steps, and every port has its thread. Ready: besides, the outbox takes what it is given, which is tried when nothing else
has been written for a minute; so a dead disk is found before somebody presses the button.
"""

import json
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from gateway.metrics import State, render
from gateway.systemd import Systemd

logger = logging.getLogger(__name__)

STILL_MAX_S = 5.0
"""A step takes 0.05 s when all is quiet and some 0.1 s in a flood; five seconds is a disk or a machine in trouble."""
LOOK_S = 1.0
PROOF_S = 60.0
PROOF_AGE_MAX_S = 90.0
HALF_S = 30.0
"""The longest step is kept for the half minute that runs and the one before."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the vigil looks at: `writes` counts the outbox's writes, `prove` makes one, `look` is asked only on the loop's thread."""

    writes: Callable[[], int]
    prove: Callable[[], None]
    are_ports_read: Callable[[], bool]
    look: Callable[[float], State]


class Vigil:
    """Told of every step by the main loop; `answer` is for another thread. `clock_s` only grows."""

    def __init__(self, parts: Parts, systemd: Systemd, clock_s: Callable[[], float]) -> None:
        self._parts, self._systemd, self._clock_s = parts, systemd, clock_s
        self._stepped_s: float | None = None
        self._writes = -1
        self._wrote_s = 0.0
        self._looked_s = self._half_s = 0.0
        self._longest_s = [0.0, 0.0]
        self._state: State | None = None
        self.is_watched = False
        """Somebody may ask: keep the state up to date."""

    def begin(self) -> None:
        """Everything is open, and the first step follows."""
        self._stepped_s = self._wrote_s = self._half_s = self._clock_s()
        self._systemd.ready()

    def end(self) -> None:
        """The loop ends."""
        self._systemd.stopping()

    def step(self) -> None:
        """The loop has stepped. Raises StoreBroken when the outbox cannot be written."""
        now_s = self._clock_s()
        self._note_length(now_s)
        self._stepped_s = now_s
        if self._parts.are_ports_read():
            self._systemd.alive(now_s)
        self._note_writes(now_s)
        if self.is_watched and now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._state = self._parts.look(max(self._longest_s))

    def _note_length(self, now_s: float) -> None:
        if self._stepped_s is None:
            return
        if now_s - self._half_s >= HALF_S:
            self._half_s = now_s
            self._longest_s = [0.0, self._longest_s[0]]
        self._longest_s[0] = max(self._longest_s[0], now_s - self._stepped_s)

    def _note_writes(self, now_s: float) -> None:
        writes = self._parts.writes()
        if writes != self._writes:
            self._writes, self._wrote_s = writes, now_s
        elif now_s - self._wrote_s >= PROOF_S:
            self._parts.prove()

    # -- for another thread --------------------------------------------------------------------------------------------------------------

    def metrics(self) -> str | None:
        """The page for Prometheus; None before the first look."""
        state = self._state
        return render(state) if state is not None else None

    def alive(self) -> tuple[bool, str]:
        """(is it, JSON that says what is wrong)."""
        return self._say(self._alive())

    def ready(self) -> tuple[bool, str]:
        """(is it, JSON that says what is wrong). A gateway that has no connection is ready: that is what its outbox is for."""
        age_s = self._clock_s() - self._wrote_s
        outbox = None if age_s <= PROOF_AGE_MAX_S else f"no write for {age_s:.0f} s; {PROOF_AGE_MAX_S:g} s are allowed"
        return self._say(self._alive() | {"outbox": outbox})

    def _alive(self) -> dict[str, str | None]:
        stepped_s = self._stepped_s
        age_s = self._clock_s() - stepped_s if stepped_s is not None else None
        loop = None
        if age_s is None:
            loop = "not started yet"
        elif age_s > STILL_MAX_S:
            loop = f"no step for {age_s:.0f} s; {STILL_MAX_S:g} s are allowed"
        return {"main_loop": loop, "ports": None if self._parts.are_ports_read() else "the thread of a port has ended"}

    def _say(self, found: dict[str, str | None]) -> tuple[bool, str]:
        wrong = {name: fault for name, fault in found.items() if fault is not None}
        holds: Collection[str] = [name for name, fault in found.items() if fault is None]
        is_connected = self._state.is_connected if self._state is not None else False
        return not wrong, json.dumps({"ok": not wrong, "wrong": wrong, "holds": holds, "connected": is_connected})
