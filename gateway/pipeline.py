"""From bytes to readings and events: finds the device, asks its driver, stamps time, counts what is refused. No I/O, no clock."""

import logging
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contract.events import EventKind
from contract.message import INSTANT_MIN
from contract.quantities import QUANTITIES, QuantityName, Statistic
from contract.status import DeviceStatus
from gateway import fall
from gateway.bridges.framing import Frame, FrameReader
from gateway.bridges.serial_port import Chunk
from gateway.clock import MILLISECOND
from gateway.config import Config, DeviceConfig, PortConfig
from gateway.devices import DRIVERS
from gateway.devices.driver import Driver, Measurement, Output, Reason, Refusal, Signal
from gateway.outbox import REPEATS_FOR_S, Reading
from gateway.summary import Summarizer

logger = logging.getLogger(__name__)

SUMMARY_S = 5.0
"""Interval of fast devices unless configured otherwise."""
BACKSTEP_MAX = timedelta(seconds=1)
"""Readings of one series never share a millisecond; a clock set back by more than this is believed."""
SETTLED_MAX = 64
"""Signals remembered per device, so that a repeat of one already judged is only acknowledged again."""
ALIVE = (Reason.NO_CONTACT, Reason.SEARCHING, Reason.UNPLUGGED)
"""What a device refuses that works, but has nothing to measure."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event to be accepted. `acknowledgement` goes to `port` once it is on disk. `key`: its name without its time, where it has one."""

    event_id: str
    device: str
    kind: EventKind
    at: datetime
    confidence: float | None = None
    detail: str | None = None
    window_json: str | None = None
    key: str | None = None
    port: str = ""
    acknowledgement: bytes = b""


@dataclass(slots=True)
class Harvest:
    """What one step of the pipeline gave. `replies`: bytes for a port that need not wait for the disk."""

    readings: list[Reading] = field(default_factory=list)
    occurrences: list[Occurrence] = field(default_factory=list)
    replies: list[tuple[str, bytes]] = field(default_factory=list)


class _Device:
    """One configured device with its driver and its counters."""

    def __init__(self, config: DeviceConfig, port: str, lost_after_s: float, now_s: float) -> None:
        self.config = config
        self.port = port
        self.driver: Driver = DRIVERS[config.type]()
        self.lost_after_s = max(lost_after_s, self.driver.quiet_s)
        self.heard_s = now_s
        self.heard_at: datetime | None = None
        self.is_lost = False
        self.frames = 0
        self.rejects: Counter[str] = Counter()
        self.battery_percent: float | None = None
        self.summarizer = Summarizer(config.summary_s or SUMMARY_S) if self.driver.is_fast or config.summary_s else None
        self.last_at: dict[tuple[QuantityName, Statistic], datetime] = {}
        self.settled: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def status(self) -> DeviceStatus:
        """Row of GatewayStatus."""
        return DeviceStatus(
            id=self.config.id,
            type=self.config.type,
            is_lost=self.is_lost,
            heard_at=self.heard_at,
            frames=self.frames,
            rejects=dict(self.rejects),
            battery_percent=self.battery_percent,
        )


class _Line:
    """A port: either frames for several devices, or the bytes of one."""

    def __init__(self, config: PortConfig, devices: list[_Device]) -> None:
        self.devices = devices
        self.by_address = {device.config.address: device for device in devices if device.config.address is not None}
        self.reader = FrameReader() if self.by_address else None
        self.strangers: set[int] = set()


class Pipeline:
    """All ports and devices of one home."""

    def __init__(self, config: Config, *, now_s: float) -> None:
        self._lines: dict[str, _Line] = {}
        for port in config.port:
            devices = [_Device(device, port.path, config.lost_after_s, now_s) for device in port.device]
            self._lines[port.path] = _Line(port, devices)
        self._devices = [device for line in self._lines.values() for device in line.devices]

    def feed(self, chunk: Chunk, harvest: Harvest, *, now: datetime, now_s: float) -> None:
        """Decode bytes of one port into `harvest`. `now` is the wall clock, `now_s` a monotonic one."""
        line = self._lines[chunk.port]
        if not chunk.data:
            self._begin_anew(line)
        elif line.reader is None:
            self._take_raw(line.devices[0], chunk.data, harvest, now, now_s)
        else:
            for item in line.reader.feed(chunk.data):
                self._take_framed(line, item, harvest, now, now_s)

    def tick(self, harvest: Harvest, *, now: datetime, now_s: float) -> None:
        """What time alone brings: ended intervals, windows given up, devices lost."""
        for device in self._devices:
            for output in device.driver.tick(now_s):
                self._put(device, output, harvest, now, now_s)
            if device.summarizer is not None:
                for summary in device.summarizer.tick(now):
                    self._add_reading(device, summary.quantity, summary.statistic, summary.at, summary.value, harvest)
            if not device.is_lost and now_s - device.heard_s > device.lost_after_s:
                device.is_lost = True
                harvest.occurrences.append(_state_change(device, EventKind.DEVICE_LOST, now))

    def status(self) -> list[DeviceStatus]:
        """All devices, in the order of the configuration."""
        return [device.status() for device in self._devices]

    def _begin_anew(self, line: _Line) -> None:
        """The port was opened again: a frame cut off by that will not be completed."""
        if line.reader is not None:
            line.reader = FrameReader()
        else:
            line.devices[0].driver = DRIVERS[line.devices[0].config.type]()

    def _take_framed(self, line: _Line, item: Frame | str, harvest: Harvest, now: datetime, now_s: float) -> None:
        """A whole frame is a sign of life, whatever it says."""
        if not isinstance(item, Frame):
            line.devices[0].rejects[item] += 1
            return
        device = line.by_address.get(item.address)
        if device is not None:
            self._hear(device, harvest, now, now_s)
            for output in device.driver.take(item, now_s):
                self._put(device, output, harvest, now, now_s)
        elif item.address not in line.strangers and len(line.strangers) < SETTLED_MAX:
            line.strangers.add(item.address)
            logger.warning("a device with address %d is heard, but not configured", item.address, extra={"event": "device_unknown"})

    def _take_raw(self, device: _Device, data: bytes, harvest: Harvest, now: datetime, now_s: float) -> None:
        for output in device.driver.feed(data, now_s):
            if not isinstance(output, Refusal) or output.reason in ALIVE:
                self._hear(device, harvest, now, now_s)
            self._put(device, output, harvest, now, now_s)

    def _hear(self, device: _Device, harvest: Harvest, now: datetime, now_s: float) -> None:
        device.heard_s = now_s
        device.heard_at = now
        device.frames += 1
        if device.is_lost:
            device.is_lost = False
            harvest.occurrences.append(_state_change(device, EventKind.DEVICE_FOUND, now))

    def _put(self, device: _Device, output: Output, harvest: Harvest, now: datetime, now_s: float) -> None:
        if isinstance(output, Refusal):
            device.rejects[output.reason] += 1
        elif isinstance(output, Signal):
            self._add_signal(device, output, harvest, now, now_s)
        elif not QUANTITIES[output.quantity].is_plausible(output.value):
            device.rejects[Reason.IMPLAUSIBLE] += 1
        else:
            self._measure(device, output, harvest, now)

    def _measure(self, device: _Device, output: Measurement, harvest: Harvest, now: datetime) -> None:
        if output.quantity is QuantityName.BATTERY:
            if output.value == device.battery_percent:
                return
            device.battery_percent = output.value
        at = now - timedelta(microseconds=now.microsecond % 1000)
        if device.summarizer is None or output.quantity is QuantityName.BATTERY:
            self._add_reading(device, output.quantity, Statistic.SAMPLE, at, output.value, harvest)
            return
        for summary in device.summarizer.add(output.quantity, at, output.value):
            self._add_reading(device, summary.quantity, summary.statistic, summary.at, summary.value, harvest)

    def _add_reading(
        self, device: _Device, quantity: QuantityName, statistic: Statistic, at: datetime, value: float, harvest: Harvest
    ) -> None:
        last = device.last_at.get((quantity, statistic))
        if last is not None and timedelta(0) <= last - at < BACKSTEP_MAX:
            at = last + MILLISECOND
        device.last_at[quantity, statistic] = at
        harvest.readings.append(Reading(device.config.id, quantity, statistic, at, value))

    def _add_signal(self, device: _Device, signal: Signal, harvest: Harvest, now: datetime, now_s: float) -> None:
        settled_s, acknowledgement = device.settled.get(signal.key, (now_s, b""))
        if now_s - settled_s < REPEATS_FOR_S and acknowledgement:
            harvest.replies.append((device.port, acknowledgement))
            return
        at = max(now - timedelta(seconds=signal.age_s), INSTANT_MIN)  # a clock that was never set says 1970
        name = f"{signal.key}-{at:%Y%m%d}" if signal.key else _name_by_time(signal.kind, at)
        verdict = fall.confirm(signal.window, signal.peak_index) if signal.kind is EventKind.FALL else None
        if verdict is not None and not verdict.is_fall:
            device.rejects[Reason.NOT_A_FALL] += 1
            self._settle(device, signal, now_s)
            harvest.replies.append((device.port, signal.acknowledgement))
            return
        harvest.occurrences.append(
            Occurrence(
                event_id=f"{device.config.id}:{name}",
                device=device.config.id,
                kind=signal.kind,
                at=at,
                confidence=verdict.confidence if verdict else None,
                detail=signal.detail,
                window_json=signal.window.model_dump_json() if signal.window else None,
                key=f"{device.config.id}:{signal.key}" if signal.key else None,
                port=device.port,
                acknowledgement=signal.acknowledgement,
            )
        )
        self._settle(device, signal, now_s)

    def _settle(self, device: _Device, signal: Signal, now_s: float) -> None:
        if signal.key:
            device.settled[signal.key] = (now_s, signal.acknowledgement)
            while len(device.settled) > SETTLED_MAX:
                device.settled.popitem(last=False)


def _state_change(device: _Device, kind: EventKind, now: datetime) -> Occurrence:
    return Occurrence(f"{device.config.id}:{_name_by_time(kind, now)}", device.config.id, kind, now)


def _name_by_time(kind: EventKind, at: datetime) -> str:
    return f"{kind}-{at:%Y%m%dT%H%M%S.%f}"
