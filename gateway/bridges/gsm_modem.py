"""A GSM modem on a serial port, in a thread of its own: sends messages, hears what became of them, and is asked each minute how it is.

The thread never gives up: a modem that is pulled out, silent or without a SIM is tried again for as long as it takes. Numbers and texts
are never logged.
"""

import logging
import queue
import random
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import serial

from gateway import sms_pdu
from gateway.bridges import at_dialogue
from gateway.bridges.at_dialogue import Answer, AtLine, Command, Dialogue, Readiness, report_of
from gateway.bridges.modem_fault import ModemFault, ModemTrouble

logger = logging.getLogger(__name__)

T = TypeVar("T")

READ_WAIT_S = 0.1
READ_BYTES_MAX = 4096
REOPEN_S = 0.2
REOPEN_MAX_S = 5.0
CHECK_S = 60.0
"""A modem is asked so often whether it is there: its faults are noticed before it is needed."""
RECHECK_S = 10.0
"""A modem that is not well is asked sooner, and a fault is told once it has lasted so long: joining the network takes a while."""
VALIDITY_MINUTES = 1440
"""So long the network tries to reach a phone that is switched off."""
TROUBLE = (serial.SerialException, OSError, termios.error)


@dataclass(frozen=True, slots=True)
class Sms:
    """One message. `plain` is its ASCII form for a modem that takes no other; `token` comes back with the result."""

    token: str
    number: str = field(repr=False)
    text: str = field(repr=False)
    plain: str = field(repr=False)
    withdrawn: threading.Event = field(default_factory=threading.Event, compare=False)
    """Set it, and the message is not sent unless it is on its way already."""


@dataclass(frozen=True, slots=True)
class SmsResult:
    """The network took the message (`references` of its parts), or why not; neither: it was withdrawn in time."""

    token: str
    references: tuple[int, ...] = ()
    fault: ModemFault | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the network says became of the message with this reference."""

    reference: int
    is_delivered: bool


@dataclass(frozen=True, slots=True)
class ModemState:
    """The modem is well (None), or has not been for a while. Told on every change, the first time as soon as it is known."""

    fault: ModemFault | None


ModemReport = SmsResult | Delivery | ModemState


class GsmModem:
    """A modem and its thread."""

    def __init__(self, path: str, baud: int, on_death: Callable[[BaseException], None], *, recheck_s: float = RECHECK_S) -> None:
        self.path = path
        self._baud = baud
        self._on_death = on_death
        self._recheck_s = recheck_s
        self._jobs: queue.SimpleQueue[Sms] = queue.SimpleQueue()
        self._reports: queue.SimpleQueue[ModemReport] = queue.SimpleQueue()
        self._at = AtLine()
        self._ready: Readiness | None = None
        self._told: ModemState | None = None
        self._fault_s: float | None = None
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"modem {path}", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port."""
        self._is_stopping.set()
        self._thread.join(timeout=2)

    def send(self, sms: Sms) -> None:
        """Send a message once, as soon as those before it are done. Its SmsResult comes in `take`, however it ends."""
        self._jobs.put(sms)

    def take(self) -> list[ModemReport]:
        """What has happened since the last time."""
        reports = []
        while not self._reports.empty():
            reports.append(self._reports.get())
        return reports

    # -- the thread ----------------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._is_stopping.is_set():
                self._ready = None
                self._at = AtLine()
                with self._open() as line:
                    self._serve(line)
        except _Stopped:
            return
        except BaseException as error:
            self._on_death(error)
            raise

    def _open(self) -> serial.Serial:
        """Try for as long as it takes. Raises _Stopped."""
        wait_s, level = REOPEN_S, logging.WARNING
        while not self._is_stopping.is_set():
            try:
                line = serial.Serial(self.path, self._baud, timeout=READ_WAIT_S, write_timeout=1, exclusive=True)
            except (*TROUBLE, ValueError) as error:
                why = "modem %s cannot be opened: %s; plug it in or correct local_alarm.modem_path; trying again"
                logger.log(level, why, self.path, error, extra={"event": "modem_missing"})
                level = logging.DEBUG
                self._tell(ModemFault.PORT_LOST)
                self._refuse_jobs()
                self._is_stopping.wait(wait_s * random.uniform(0.8, 1.2))
                wait_s = min(wait_s * 2, REOPEN_MAX_S)
                continue
            logger.info("modem %s is open", self.path, extra={"event": "modem_open"})
            return line
        raise _Stopped

    def _refuse_jobs(self) -> None:
        while not self._jobs.empty():
            self._reports.put(SmsResult(self._jobs.get().token, fault=ModemFault.PORT_LOST))

    def _serve(self, line: serial.Serial) -> None:
        check_s = time.monotonic()
        try:
            while True:
                if time.monotonic() >= check_s:
                    is_well = self._check(line)
                    check_s = time.monotonic() + (CHECK_S if is_well else self._recheck_s)
                if not self._jobs.empty():
                    self._do(line, self._jobs.get())
                self._hear(line)
        except TROUBLE as error:
            logger.warning("modem %s is lost: %s", self.path, error, extra={"event": "modem_lost"})
            self._tell(ModemFault.PORT_LOST)

    def _check(self, line: serial.Serial) -> bool:
        try:
            self._ready = self._play(line, at_dialogue.check(self._ready.is_text) if self._ready else at_dialogue.start_up())
        except ModemTrouble as trouble:
            self._ready = None
            self._tell(trouble.fault)
            return False
        self._tell(None)
        return True

    def _do(self, line: serial.Serial, sms: Sms) -> None:
        """One try. After a failure the next begins with the modem's start, whatever was wrong."""
        try:
            result = SmsResult(sms.token, self._send(line, sms))
        except ModemTrouble as trouble:
            self._ready = None
            result = SmsResult(sms.token, fault=trouble.fault)
            logger.warning("a message was not sent: %s", trouble, extra={"event": "sms_failed", "reason": trouble.fault})
        except TROUBLE:
            self._reports.put(SmsResult(sms.token, fault=ModemFault.PORT_LOST))
            raise
        self._reports.put(result)

    def _send(self, line: serial.Serial, sms: Sms) -> tuple[int, ...]:
        if self._ready is None:
            self._ready = self._play(line, at_dialogue.start_up())
        if sms.withdrawn.is_set():
            return ()
        if self._ready.is_text:
            return tuple(self._play(line, at_dialogue.send_text(sms.number, sms.plain)))
        parts = sms_pdu.encode(sms.number, sms.text, validity_minutes=VALIDITY_MINUTES, joint=random.randrange(256))
        return tuple(self._play(line, at_dialogue.send_parts(parts)))

    def _play(self, line: serial.Serial, dialogue: Dialogue[T]) -> T:
        """Carry a dialogue to its end. Raises ModemTrouble, or _Stopped."""
        try:
            command = next(dialogue)
            while True:
                command = dialogue.send(self._ask(line, command))
        except StopIteration as end:
            result: T = end.value
            return result

    def _ask(self, line: serial.Serial, command: Command) -> Answer:
        line.write(self._at.begin(command))
        deadline_s = time.monotonic() + command.wait_s
        while time.monotonic() < deadline_s:
            if (answer := self._hear(line)) is not None:
                return answer
        return self._at.give_up()

    def _hear(self, line: serial.Serial) -> Answer | None:
        """Read what there is, or for READ_WAIT_S; status reports may come at any time. Raises _Stopped."""
        if self._is_stopping.is_set():
            raise _Stopped
        data = line.read(1)
        answer = self._at.feed(data + line.read(min(line.in_waiting, READ_BYTES_MAX)) if data else b"")
        while self._at.notices:
            report = report_of(self._at.notices.pop(0))
            if report is not None and report.is_delivered is not None:
                self._reports.put(Delivery(report.reference, report.is_delivered))
        return answer

    def _tell(self, fault: ModemFault | None) -> None:
        """Report a change of state; a fault once it has lasted for a while."""
        now_s = time.monotonic()
        if fault is None:
            self._fault_s = None
        elif self._fault_s is None:
            self._fault_s = now_s
        has_lasted = self._fault_s is None or now_s - self._fault_s >= self._recheck_s * 0.9
        if has_lasted and self._told != ModemState(fault):
            self._told = ModemState(fault)
            self._reports.put(self._told)
            level = logging.INFO if fault is None else logging.WARNING
            logger.log(level, "modem %s: %s", self.path, fault or "well", extra={"event": "modem_state", "reason": fault})


class _Stopped(Exception):
    """The gateway ends."""
