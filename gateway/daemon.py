"""One home's daemon: port threads fill a queue, the main loop decodes, keeps on disk, acknowledges, and sends."""

import logging
import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from contract.commands import LIVE_S_MAX, Command, Dismiss, Enrol, LiveView, Report, Speak
from contract.events import URGENT, EventKind
from contract.status import DEVICES_MAX, GatewayStatus
from gateway.bridges.bluetooth import words
from gateway.bridges.serial_port import Chunk
from gateway.clock import STEP_MIN, HomeClock, offset_of, read_boot, read_uptime_s, sendable
from gateway.config import RADIO, BluetoothDeviceConfig, Config
from gateway.fall_watch import FallWatch, Outcome, body_of
from gateway.harvest import Harvest, Occurrence
from gateway.marks import read_marks, write_marks
from gateway.metrics import State
from gateway.metrics_server import MetricsServer
from gateway.outbox import Outbox
from gateway.pipeline import Pipeline
from gateway.publisher import Publisher, Refusal
from gateway.sources import make_source
from gateway.systemd import Systemd
from gateway.vigil import Parts, Vigil

if TYPE_CHECKING:
    from gateway.local_alarm import LocalAlarm

logger = logging.getLogger(__name__)

QUEUE_MAX = 64
"""Chunks between the port threads and the main loop, at most 32 kB; a full queue makes the threads wait, and the kernel's buffers after
them. A longer one would keep a press waiting behind a flood, and lose more of what is not on disk yet when the power fails."""
WAIT_S = 0.05
CHUNKS_AT_ONCE = 256
STEP_BYTES_MAX = 8 * 1024
"""Taken in one step: some 400 frames, on disk within tens of milliseconds. A press waits for no more than that and the queue."""
COMMANDS_REMEMBERED = 100
LIVE_BATCH_S = 1.0
LIVE_WAITING_MAX = 10_000
"""Readings that wait on disk beyond which nobody is shown live values: they would come late, and lengthen the queue."""
STATE_CHANGES = (EventKind.DEVICE_LOST, EventKind.DEVICE_FOUND)
DETAIL_MAX = 200


class Daemon:
    """Runs until `stop`, or until something breaks that only a restart can mend."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._chunks: queue.Queue[Chunk] = queue.Queue(QUEUE_MAX)
        self._ports = {port.path: make_source(port, self._chunks, self._die, config) for port in config.ports()}
        self._outbox = Outbox(config.outbox.path, config.outbox.rows_max)
        self._clock = HomeClock()
        self._boot = read_boot()
        self._offset: timedelta | None = None
        self._marks_path = config.outbox.path.with_name(f"{config.outbox.path.name}.records")
        self._marks = read_marks(self._marks_path)
        self._pipeline = Pipeline(config, now_s=read_uptime_s(), known=self._marks)
        self._enrol_known()
        self._started_at = self._now(read_uptime_s())
        self._publisher = Publisher(config, self._outbox, self._status, now=self._started_at)
        self._local_alarm = self._make_local_alarm()
        self._falls = FallWatch(config.fall, self._outbox)
        self._live: tuple[float, datetime] | None = None
        self._commands_done: deque[int] = deque(maxlen=COMMANDS_REMEMBERED)
        parts = Parts(lambda: self._outbox.writes, self._outbox.prove, self._are_ports_read, self._look)
        self._vigil = Vigil(parts, Systemd(os.environ), read_uptime_s)
        self._metrics_server = MetricsServer(config.metrics.host, config.metrics.port, self._vigil) if config.metrics else None
        self._is_stopping = threading.Event()
        self._cause: BaseException | None = None

    def _make_local_alarm(self) -> "LocalAlarm | None":
        """Imported only where it is configured: siren, modem and text messages would cost every other home 1.5 MB of memory."""
        config = self._config.local_alarm
        if config is None:
            return None
        from gateway.bridges.gsm_modem import GsmModem
        from gateway.local_alarm import LocalAlarm

        modem = GsmModem(config.modem_path, config.modem_baud, self._die) if config.modem_path else None
        return LocalAlarm(config, self._config.timezone, self._outbox, self._config.outbox.path, modem)

    def _enrol_known(self) -> None:
        """Bluetooth devices of the configuration, and those enrolled since, which stand in the file of the keys."""
        if self._config.bluetooth is None:
            return
        from gateway.bridges.bluetooth.keyring import enrolled_in

        for device in self._config.bluetooth.device:
            self._pipeline.enrol(RADIO, device, now_s=read_uptime_s())
        for device_id, address in enrolled_in(self._config.keys_path()).items():
            if device_id not in self._pipeline.device_ids:
                self._pipeline.enrol(RADIO, BluetoothDeviceConfig(id=device_id, address=address), now_s=read_uptime_s())

    def run(self) -> None:
        """Open everything and loop. Raises what killed a port thread, or StoreBroken."""
        self._outbox.open()
        self._publisher.start()
        for port in self._ports.values():
            port.start()
        if self._local_alarm is not None:
            self._local_alarm.start()
        if self._metrics_server is not None:
            self._metrics_server.start()
        self._vigil.begin()
        try:
            while not self._is_stopping.is_set():
                self._step()
                self._vigil.step()
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
        self._vigil.end()
        if self._metrics_server is not None:
            self._metrics_server.stop()
        for port in self._ports.values():
            port.stop()
        if self._local_alarm is not None:
            self._local_alarm.stop()
        try:
            self._publisher.stop(self._now(read_uptime_s()))
        finally:
            self._outbox.close()

    def _step(self) -> None:
        harvest = Harvest()
        for chunk in self._next_chunks():
            now_s = read_uptime_s()
            self._pipeline.feed(chunk, harvest, now=self._now(now_s), now_s=now_s)
        now_s = read_uptime_s()
        now = self._now(now_s)
        self._watch_clock(now, now_s)
        self._pipeline.tick(harvest, now=now, now_s=now_s)
        self._accept(harvest, now_s)
        for outcome in self._falls.step(now_s):
            self._announce(outcome)
        heard = self._publisher.pump(now=now, now_s=now_s)
        for word in heard.words:
            self._clock.take(word)
        self._report_refusals(heard.refusals, now)
        self._report_damage(now)
        self._act_alone(now, now_s)
        for command in heard.commands:
            self._carry_out(command, now, now_s)
        if self._live is not None and now_s >= self._live[0]:
            self._end_live_view()

    def _now(self, now_s: float) -> datetime:
        return self._clock.now(datetime.now(UTC), now_s)

    def _watch_clock(self, now: datetime, now_s: float) -> None:
        """A step of the clock moves what waits since the machine's start, so that all of it is right once the clock is."""
        offset = offset_of(now, now_s)
        if self._offset is None or abs(offset - self._offset) >= STEP_MIN:
            if self._offset is not None:
                logger.warning("the clock was set by %+.0f s", (offset - self._offset).total_seconds(), extra={"event": "clock_set"})
                self._publisher.ask_for_status()
            self._outbox.set_clock(self._boot, offset)
            self._offset = offset

    def _next_chunks(self) -> Iterable[Chunk]:
        """Wait for the first chunk, then take those that have come meanwhile: one disk commit serves them all."""
        try:
            chunk = self._chunks.get(timeout=0.001 if self._publisher.has_more else WAIT_S)
            yield chunk
            left = STEP_BYTES_MAX - len(chunk.data)
            for _ in range(CHUNKS_AT_ONCE):
                if left <= 0:
                    return
                chunk = self._chunks.get_nowait()
                yield chunk
                left -= len(chunk.data)
        except queue.Empty:
            return

    def _accept(self, harvest: Harvest, now_s: float) -> None:
        """Put the harvest on disk, events first and one by one; only then do devices hear that they may stop repeating."""
        for occurrence in harvest.occurrences:
            self._accept_home_event(occurrence, now_s)
        if harvest.readings:
            self._outbox.append_readings(harvest.readings)
        if (marks := self._pipeline.known()) != self._marks:
            self._marks = marks
            write_marks(self._marks_path, marks)
        for port, reply in harvest.replies:
            self._ports[port].write(reply)

    def _accept_home_event(self, occurrence: Occurrence, now_s: float) -> None:
        """A doubtful fall waits on disk for what the home answers; whatever else happens may be that answer."""
        if occurrence.is_doubtful and self._falls.has_room:
            is_new = self._falls.hold(occurrence, now_s)
            self._acknowledge(occurrence)
            if is_new:
                self._accept_event(self._falls.asked(occurrence), now_s)
                self._speak(self._falls.question, is_public=True)
            return
        outcomes, before = self._falls.hear(occurrence, now_s)
        for outcome in outcomes:
            self._announce(outcome)
        for one in (*before, occurrence):
            self._accept_event(one, now_s)

    def _accept_event(self, occurrence: Occurrence, now_s: float = 0.0) -> None:
        is_new = self._outbox.append_event(
            occurrence.event_id,
            occurrence.at,
            occurrence.device,
            body_of(occurrence),
            is_urgent=occurrence.kind in URGENT,
            key=occurrence.key,
            uptime_s=now_s,
        )
        self._acknowledge(occurrence)
        if is_new:
            self._announce(Outcome(occurrence.event_id, occurrence.kind))
        if occurrence.kind in STATE_CHANGES:
            self._publisher.ask_for_status()

    def _acknowledge(self, occurrence: Occurrence) -> None:
        if occurrence.acknowledgement:
            self._ports[occurrence.port].write(occurrence.acknowledgement)

    def _announce(self, outcome: Outcome) -> None:
        """An event is on disk, to be sent."""
        logger.info("%s %s", outcome.kind, outcome.event_id, extra={"event": outcome.kind, "event_id": outcome.event_id})
        self._publisher.notice_event()
        if outcome.kind in URGENT and self._local_alarm is not None:
            self._local_alarm.notice()

    def _report_refusals(self, refusals: list[Refusal], now: datetime) -> None:
        for refusal in refusals:
            if refusal.kind is not None and self._local_alarm is not None:
                self._local_alarm.refuse(refusal.kind)
            if refusal.kind is not EventKind.BATCH_REFUSED:
                self._accept_event(
                    Occurrence(f"gateway:refused-{refusal.digest}", "gateway", EventKind.BATCH_REFUSED, now, detail=refusal.reason)
                )

    def _report_damage(self, now: datetime) -> None:
        if (aside := self._outbox.take_damaged()) is not None:
            self._accept_event(
                Occurrence(f"gateway:outbox{aside.suffix}", "gateway", EventKind.OUTBOX_DAMAGED, now, detail=aside.name[-DETAIL_MAX:])
            )

    def _act_alone(self, now: datetime, now_s: float) -> None:
        """After what was heard, so that an answer that has come counts."""
        if self._local_alarm is not None:
            for occurrence in self._local_alarm.step(now, now_s):
                self._accept_event(occurrence, now_s)

    def _carry_out(self, command: Command, now: datetime, now_s: float) -> None:
        if isinstance(command, LiveView) and command.id not in self._commands_done and command.until > now:
            self._begin_live_view(command, now, now_s)
        elif not isinstance(command, Report | LiveView) and command.id not in self._commands_done and command.until > now:
            self._obey(command)
        if command.id not in self._commands_done:
            self._commands_done.append(command.id)
        self._publisher.ask_for_status()

    def _begin_live_view(self, command: LiveView, now: datetime, now_s: float) -> None:
        """By the monotonic clock from here on, so that it ends whatever becomes of the other one."""
        if self._outbox.waiting > LIVE_WAITING_MAX:
            logger.warning("no live view: %d readings wait and go first", self._outbox.waiting, extra={"event": "live_view_refused"})
            return
        for_s = min((command.until - now).total_seconds(), LIVE_S_MAX)
        self._live = now_s + for_s, now + timedelta(seconds=for_s)
        self._pipeline.show_live(is_live=True)
        self._publisher.hasten(LIVE_BATCH_S)
        logger.info("live view for %.0f s", for_s, extra={"event": "live_view"})

    def _end_live_view(self) -> None:
        self._live = None
        self._pipeline.show_live(is_live=False)
        self._publisher.hasten(None)
        self._publisher.ask_for_status()
        logger.info("the live view is over", extra={"event": "live_view_over"})

    def _obey(self, command: Speak | Enrol | Dismiss) -> None:
        if isinstance(command, Speak):
            self._speak(command.text)
        elif RADIO not in self._ports:
            logger.error("there is no [bluetooth] here, so %s cannot be enrolled", command.device, extra={"event": "no_bluetooth"})
        elif isinstance(command, Dismiss):
            self._dismiss(command.device)
        else:
            self._enrol(command)

    def _enrol(self, command: Enrol) -> None:
        """A name that is another device's already is refused: the two could not be told apart."""
        assert self._config.bluetooth is not None
        named = next((one for one in self._config.bluetooth.device if one.id == command.device), None)
        is_new = command.device not in self._pipeline.device_ids
        is_other = not is_new and not self._pipeline.is_member(RADIO, command.device)
        if is_other or (named is not None and named.address != command.address):
            logger.error("%s is another device of this home", command.device, extra={"event": "enrol_refused"})
            return
        if is_new and len(self._pipeline.device_ids) >= DEVICES_MAX:
            logger.error("%d devices are as many as one gateway serves", DEVICES_MAX, extra={"event": "enrol_refused"})
            return
        if is_new:
            self._pipeline.enrol(RADIO, BluetoothDeviceConfig(id=command.device, address=command.address), now_s=read_uptime_s())
        self._pipeline.nearby.forget(command.address)
        passkey = named.passkey.get_secret_value() if named is not None and named.passkey is not None else command.passkey
        self._ports[RADIO].write(words.line(enrol=command.device, address=command.address, passkey=passkey))

    def _dismiss(self, device_id: str) -> None:
        """Those that the file names stay: only who writes the file can take them out."""
        assert self._config.bluetooth is not None
        if all(device_id != one.id for one in self._config.bluetooth.device):
            self._pipeline.dismiss(RADIO, device_id)
            self._ports[RADIO].write(words.line(dismiss=device_id))

    def _speak(self, text: str, *, is_public: bool = False) -> None:
        """Through the player. Where there is none, a text that is the same in every home (`is_public`) is printed; others hold names."""
        logger.info("speak", extra={"event": "speak"})
        if not self._config.player:
            if is_public:
                print(text, flush=True)
            return
        try:
            player = subprocess.Popen(self._config.player, stdin=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            logger.error("cannot run the player %s: %s", self._config.player[0], error, extra={"event": "player_failed"})
            return
        threading.Thread(target=player.communicate, args=(text.encode(),), daemon=True).start()

    def _are_ports_read(self) -> bool:
        return all(port.is_running for port in self._ports.values())

    def _look(self, step_s_max: float) -> State:
        now = self._now(read_uptime_s())
        ports = {path: port.is_open for path, port in self._ports.items()}
        return State(now, self._status(now), self._publisher.is_connected, self._publisher.in_flight, step_s_max, ports)

    def _status(self, now: datetime) -> GatewayStatus:
        return GatewayStatus(
            online=True,
            at=sendable(datetime.now(UTC)),
            version=_version(),
            log_id=self._outbox.log_id,
            started_at=self._started_at,
            waiting=self._outbox.waiting,
            oldest_waiting_at=self._outbox.oldest_at(),
            shed=self._outbox.shed,
            refused=self._publisher.refused,
            commands_done=list(self._commands_done),
            live_until=sendable(self._live[1]) if self._live is not None else None,
            devices=self._pipeline.status(),
            nearby=self._pipeline.nearby.fresh(now),
        )


@cache
def _version() -> str:
    try:
        return version("jiahu")
    except PackageNotFoundError:
        return "0+checkout"
