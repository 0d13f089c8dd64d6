"""A bench of simulated instruments, each at the far end of its own pseudo terminal, kept going by one thread."""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from simulators.instruments.instrument import Instrument
from simulators.serial_bridge import SerialBridge
from simulators.uart import heard

STEP_S = 0.01


class Bench:
    """`with Bench() as bench: bench.attach(link, instrument)`. An instrument speaks once somebody has its port open.

    `hold` keeps the thread from an instrument whose attributes are changed. A fault in one ends the thread and is raised by `stop`.
    """

    def __init__(self) -> None:
        self._pairs: list[tuple[SerialBridge, Instrument, int | None]] = []
        self._silent: set[SerialBridge] = set()
        self.hold = threading.RLock()
        self._fault: BaseException | None = None
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="instruments", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def attach(self, link: Path, instrument: Instrument, *, baud: int | None = None) -> SerialBridge:
        """Plug an instrument in under `link`; returns its end of the line, for pulling the plug.

        With a `baud`, both ends hear noise while the port is set to another rate.
        """
        line = SerialBridge(link)
        line.plug()
        with self.hold:
            self._pairs.append((line, instrument, baud))
        return line

    def mute(self, line: SerialBridge, *, is_mute: bool = True) -> None:
        """Make an instrument dumb and deaf, as one switched off on a cable that stays."""
        with self.hold:
            (self._silent.add if is_mute else self._silent.discard)(line)

    def stop(self) -> None:
        """End the thread and pull all plugs. Raises what went wrong in an instrument."""
        self._is_stopping.set()
        self._thread.join(timeout=5)
        for line, _, _ in self._pairs:
            line.unplug()
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        try:
            while not self._is_stopping.wait(STEP_S):
                with self.hold:
                    for line, instrument, baud in self._pairs:
                        if line not in self._silent:
                            _step(line, instrument, baud, time.monotonic())
        except BaseException as fault:
            self._fault = fault


def _step(line: SerialBridge, instrument: Instrument, baud: int | None, now_s: float) -> None:
    if not line.is_plugged or not line.is_heard():
        return
    theirs = line.baud()
    own = baud or theirs
    asked = heard(line.read(), sent_baud=theirs, read_baud=own)
    said = (instrument.answer(asked, now_s) if asked else b"") + instrument.write(now_s)
    said = heard(said, sent_baud=own, read_baud=theirs)
    if said:
        line.write(said)
    else:
        line.flush()
