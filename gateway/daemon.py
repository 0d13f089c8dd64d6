"""One home's daemon: port threads fill a queue, the main loop decodes, keeps on disk, acknowledges, and sends."""

import logging
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from contract.commands import Command, Speak
from contract.events import URGENT, EventKind
from contract.message import INSTANT_MAX, INSTANT_MIN
from contract.status import GatewayStatus
from gateway.bridges.serial_port import Chunk
from gateway.config import Config
from gateway.marks import read_marks, write_marks
from gateway.outbox import MILLISECOND, Outbox
from gateway.pipeline import Harvest, Occurrence, Pipeline
from gateway.publisher import Publisher, Refusal
from gateway.sources import make_source
from gateway.stored_event import StoredEvent

logger = logging.getLogger(__name__)

QUEUE_MAX = 1024
"""Chunks between the port threads and the main loop; a full queue makes the threads wait, and the kernel's buffers after them."""
WAIT_S = 0.05
CHUNKS_AT_ONCE = 256
COMMANDS_REMEMBERED = 100
STATE_CHANGES = (EventKind.DEVICE_LOST, EventKind.DEVICE_FOUND)
DETAIL_MAX = 200


class Daemon:
    """Runs until `stop`, or until something breaks that only a restart can mend."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._chunks: queue.Queue[Chunk] = queue.Queue(QUEUE_MAX)
        self._ports = {port.path: make_source(port, self._chunks, self._die) for port in config.port}
        self._outbox = Outbox(config.outbox.path, config.outbox.rows_max)
        self._marks_path = config.outbox.path.with_name(f"{config.outbox.path.name}.records")
        self._marks = read_marks(self._marks_path)
        self._pipeline = Pipeline(config, now_s=time.monotonic(), known=self._marks)
        self._started_at = _now()
        self._publisher = Publisher(config, self._outbox, self._status, now=self._started_at)
        self._commands_done: deque[int] = deque(maxlen=COMMANDS_REMEMBERED)
        self._is_stopping = threading.Event()
        self._cause: BaseException | None = None

    def run(self) -> None:
        """Open everything and loop. Raises what killed a port thread, or StoreBroken."""
        self._outbox.open()
        self._publisher.start()
        for port in self._ports.values():
            port.start()
        try:
            while not self._is_stopping.is_set():
                self._step()
        finally:
            self._close()
        if self._cause is not None:
            raise RuntimeError("a port thread died") from self._cause

    def stop(self) -> None:
        """Ask the loop to end; safe in a signal handler."""
        self._is_stopping.set()

    def _die(self, cause: BaseException) -> None:
        self._cause = cause
        self._is_stopping.set()

    def _close(self) -> None:
        for port in self._ports.values():
            port.stop()
        try:
            self._publisher.stop(_now())
        finally:
            self._outbox.close()

    def _step(self) -> None:
        harvest = Harvest()
        for chunk in self._next_chunks():
            self._pipeline.feed(chunk, harvest, now=_now(), now_s=time.monotonic())
        now, now_s = _now(), time.monotonic()
        self._pipeline.tick(harvest, now=now, now_s=now_s)
        self._accept(harvest)
        commands, refusals = self._publisher.pump(now=now, now_s=now_s)
        self._report_refusals(refusals, now)
        self._report_damage(now)
        for command in commands:
            self._carry_out(command, now)

    def _next_chunks(self) -> Iterable[Chunk]:
        """Wait for the first chunk, then take those that have come meanwhile: one disk commit serves them all."""
        try:
            yield self._chunks.get(timeout=WAIT_S)
            for _ in range(CHUNKS_AT_ONCE):
                yield self._chunks.get_nowait()
        except queue.Empty:
            return

    def _accept(self, harvest: Harvest) -> None:
        """Put the harvest on disk, events first and one by one; only then do devices hear that they may stop repeating."""
        for occurrence in harvest.occurrences:
            self._accept_event(occurrence)
        if harvest.readings:
            self._outbox.append_readings(harvest.readings)
        if (marks := self._pipeline.known()) != self._marks:
            self._marks = marks
            write_marks(self._marks_path, marks)
        for port, reply in harvest.replies:
            self._ports[port].write(reply)

    def _accept_event(self, occurrence: Occurrence) -> None:
        body = StoredEvent(
            event_id=occurrence.event_id,
            kind=occurrence.kind,
            confidence=occurrence.confidence,
            detail=occurrence.detail,
            window_json=occurrence.window_json,
        )
        text = body.model_dump_json(exclude_none=True)
        is_urgent = occurrence.kind in URGENT
        is_new = self._outbox.append_event(occurrence.event_id, occurrence.at, occurrence.device, text, is_urgent=is_urgent)
        if occurrence.acknowledgement:
            self._ports[occurrence.port].write(occurrence.acknowledgement)
        if is_new:
            logger.info("%s at %s", occurrence.kind, occurrence.device, extra={"event": occurrence.kind, "event_id": occurrence.event_id})
            self._publisher.notice_event()
        if occurrence.kind in STATE_CHANGES:
            self._publisher.ask_for_status()

    def _report_refusals(self, refusals: list[Refusal], now: datetime) -> None:
        for refusal in refusals:
            if refusal.kind is not EventKind.BATCH_REFUSED:
                self._accept_event(
                    Occurrence(f"gateway:refused-{refusal.digest}", "gateway", EventKind.BATCH_REFUSED, now, detail=refusal.reason)
                )

    def _report_damage(self, now: datetime) -> None:
        if self._outbox.damaged is not None:
            aside, self._outbox.damaged = self._outbox.damaged, None
            self._accept_event(
                Occurrence(f"gateway:outbox{aside.suffix}", "gateway", EventKind.OUTBOX_DAMAGED, now, detail=aside.name[-DETAIL_MAX:])
            )

    def _carry_out(self, command: Command, now: datetime) -> None:
        if isinstance(command, Speak) and command.id not in self._commands_done and command.until > now:
            self._speak(command.text)
        if command.id not in self._commands_done:
            self._commands_done.append(command.id)
        self._publisher.ask_for_status()

    def _speak(self, text: str) -> None:
        logger.info("speak", extra={"event": "speak"})
        if not self._config.player:
            return
        try:
            player = subprocess.Popen(self._config.player, stdin=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            logger.error("cannot run the player %s: %s", self._config.player[0], error, extra={"event": "player_failed"})
            return
        threading.Thread(target=player.communicate, args=(text.encode(),), daemon=True).start()

    def _status(self, now: datetime) -> GatewayStatus:
        return GatewayStatus(
            online=True,
            at=now,
            version=_version(),
            log_id=self._outbox.log_id,
            started_at=self._started_at,
            waiting=self._outbox.waiting,
            oldest_waiting_at=self._outbox.oldest_at(),
            shed=self._outbox.shed,
            refused=self._publisher.refused,
            commands_done=list(self._commands_done),
            devices=self._pipeline.status(),
        )


def _now() -> datetime:
    """The wall clock, held within what the contract can say: a clock gone mad must not make what cannot be sent."""
    return min(max(datetime.now(UTC), INSTANT_MIN), INSTANT_MAX - MILLISECOND)


def _version() -> str:
    try:
        return version("jiahu")
    except PackageNotFoundError:
        return "0+checkout"
