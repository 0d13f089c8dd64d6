"""From bytes to readings and events: finds the device, asks its driver, stamps time, counts what is refused. No I/O, no clock."""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from contract.events import EventKind, remark
from contract.message import INSTANT_MIN
from contract.quantities import QUANTITIES, QuantityName, Statistic
from contract.status import DeviceStatus
from gateway import fall
from gateway.bridges.framing import Frame, FrameReader
from gateway.bridges.serial_port import Chunk
from gateway.clock import MILLISECOND, whole
from gateway.config import BluetoothDeviceConfig, Config
from gateway.daily import DEVICE_ID, SIGNS, DailyActivity, Told
from gateway.devices.driver import (
    ALIVE,
    Alive,
    ClockTold,
    Command,
    Heard,
    Measurement,
    Named,
    Output,
    Reason,
    Refusal,
    SetClock,
    Signal,
)
from gateway.harvest import Harvest, Occurrence
from gateway.history import CLOCK_OFF_MAX, Mark, ReadOut, place, shows_utc
from gateway.home_devices import SUMMARY_S, Device, Line, member, own
from gateway.nearby import NearbyDevices
from gateway.outbox import REPEATS_FOR_S, Reading
from gateway.summary import Summarizer, Summary

logger = logging.getLogger(__name__)

LIVE_INTERVAL_S = 0.25
"""Interval during a live view: what a device says up to four times a second comes as it is, and what it says more often is no flood."""
BACKSTEP_MAX = timedelta(seconds=1)
"""Readings of one series never share a millisecond; a clock set back by more than this is believed."""
STREAM_QUIET_S = 30.0
"""A Bluetooth device that sends a value a second is lost after so long a silence: a link that is bad for a moment comes back sooner."""
SILENT = (Command, SetClock, Heard)
"""Outputs that are no sign of life from the device: they are for it, or about another."""


class Pipeline:
    """All ports and devices of one home. `known`: which stored records of a device are known, by device."""

    def __init__(self, config: Config, *, now_s: float, known: Mapping[str, Mark] | None = None) -> None:
        self._lines: dict[str, Line] = {}
        self._devices: list[Device] = []
        self._zone = ZoneInfo(config.timezone)
        self._fall = config.fall
        self._kept: Counter[date] = Counter()
        self.nearby = NearbyDevices()
        self._activity: DailyActivity | None = None
        for port in config.ports():
            devices = [own(device, port.path, config, now_s) for device in port.device]
            members = [member(one.id, device.type, one.quiet_s, port.path, now_s) for device in port.device for one in device.enrolled]
            self._lines[port.path] = Line(port, devices, members)
            self._devices += devices + members
        self._known = dict(known or {})
        for device in self._devices:
            device.past = ReadOut(self._known.get(device.id, Mark()), device.summarizer)

    def enrol(self, port: str, config: BluetoothDeviceConfig, *, now_s: float) -> None:
        """Take in a device that the radio at `port` hears; one that is known already stays as it is."""
        line = self._lines[port]
        if any(device.id == config.id for device in self._devices):
            return
        device = member(config.id, line.devices[0].type, config.quiet_s or None, port, now_s)
        device.stream_quiet_s = STREAM_QUIET_S if config.quiet_s is None else device.lost_after_s
        summary_s = SUMMARY_S if config.summary_s is None else config.summary_s
        device.summarizer = Summarizer(summary_s) if summary_s else None
        device.address = config.address
        device.past = ReadOut(self._known.get(device.id, Mark()), None)
        line.members[device.id] = device
        self._devices.append(device)

    def show_live(self, *, is_live: bool) -> None:
        """Thin fast series as little as LIVE_INTERVAL_S allows, or again as configured. The series stay the same: no rule begins anew."""
        for device in self._devices:
            if device.summarizer is not None:
                device.summarizer.hasten(LIVE_INTERVAL_S if is_live else None)

    def is_member(self, port: str, device_id: str) -> bool:
        """True for a device that the radio or receiver at `port` hears."""
        return device_id in self._lines[port].members

    def dismiss(self, port: str, device_id: str) -> None:
        """Forget a device that was enrolled."""
        device = self._lines[port].members.pop(device_id, None)
        if device is not None:
            self._devices.remove(device)

    @property
    def device_ids(self) -> list[str]:
        """All devices, in the order of the configuration."""
        return [device.id for device in self._devices]

    def feed(self, chunk: Chunk, harvest: Harvest, *, now: datetime, now_s: float) -> None:
        """Decode bytes of one port into `harvest`. `now` is the wall clock, `now_s` a monotonic one."""
        line = self._lines[chunk.port]
        if chunk.is_lost:
            self._lose(line, harvest, now)
        elif not chunk.data:
            self._begin_anew(line, harvest, now, now_s)
        elif line.reader is None:
            self._take_raw(line, line.devices[0], chunk.data, harvest, now, now_s)
        else:
            for item in line.reader.feed(chunk.data):
                self._take_framed(line, item, harvest, now, now_s)

    def tick(self, harvest: Harvest, *, now: datetime, now_s: float) -> None:
        """What time alone brings: ended intervals, windows given up, devices lost."""
        for line in self._lines.values():
            for device in line.devices:
                for output in device.driver.tick(now_s) if device.driver else ():
                    self._put(line, device, output, harvest, now, now_s)
                for signal in device.chest.tick(now_s) if device.chest else ():
                    self._put(line, device, signal, harvest, now, now_s)
        self._tell_activity(self._daily(now).tick(now.astimezone(self._zone)), harvest)
        for device in self._devices:
            if device.summarizer is not None:
                for summary in device.summarizer.tick(now):
                    self._add_reading(device, summary.quantity, summary.statistic, summary.at, summary.value, harvest)
            if device.past is not None:
                for summary in device.past.tick(now_s):
                    harvest.readings.append(device.reading(summary))
            if not device.is_lost and now_s - device.heard_s > device.lost_after_s:
                device.is_lost = True
                harvest.occurrences.append(_state_change(device, EventKind.DEVICE_LOST, now))

    def known(self) -> dict[str, Mark]:
        """Which stored records of each device are known; to be kept once the readings are on disk."""
        return {device.id: device.past.mark for device in self._devices if device.past is not None and device.past.mark != Mark()}

    def status(self) -> list[DeviceStatus]:
        """All devices, in the order of the configuration."""
        return [device.status() for device in self._devices]

    def _begin_anew(self, line: Line, harvest: Harvest, now: datetime, now_s: float) -> None:
        """The port was opened again: a frame cut off by that will not be completed. It is all that a device shows that is mostly silent."""
        if line.reader is not None:
            line.reader = FrameReader()
        for device in line.devices:
            if device.is_lost and math.isinf(device.lost_after_s):
                self._hear(device, harvest, now, now_s)
            for output in device.driver.start(now_s) if device.driver else ():
                self._put(line, device, output, harvest, now, now_s)

    def _lose(self, line: Line, harvest: Harvest, now: datetime) -> None:
        """The port is gone, or the program behind it. A device that speaks all the time has its quiet time; no other would be missed."""
        for device in (*line.devices, *line.members.values()):
            if device.past is not None:
                device.past.interrupt()
        for device in line.devices:
            if not device.is_lost and math.isinf(device.lost_after_s):
                device.is_lost = True
                harvest.occurrences.append(_state_change(device, EventKind.DEVICE_LOST, now))

    def _take_framed(self, line: Line, item: Frame | str, harvest: Harvest, now: datetime, now_s: float) -> None:
        """A whole frame is a sign of life, whatever it says."""
        if not isinstance(item, Frame):
            line.devices[0].rejects[item] += 1
            return
        device = line.by_address.get(item.address)
        if device is not None and device.driver is not None:
            self._hear(device, harvest, now, now_s)
            for output in device.driver.take(item, now_s):
                self._put(line, device, output, harvest, now, now_s)
        elif line.is_new_stranger(str(item.address)):
            logger.warning("a device with address %d is heard, but not configured", item.address, extra={"event": "device_unknown"})

    def _take_raw(self, line: Line, device: Device, data: bytes, harvest: Harvest, now: datetime, now_s: float) -> None:
        """What a receiver passes on is a sign of life from both."""
        for output in device.driver.feed(data, now_s) if device.driver else ():
            if not isinstance(output, SILENT) and (not isinstance(output, Refusal) or output.reason in ALIVE):
                self._hear(device, harvest, now, now_s)
                if output.member in line.members:
                    self._hear(line.members[output.member], harvest, now, now_s)
            self._put(line, device, output, harvest, now, now_s)

    def _hear(self, device: Device, harvest: Harvest, now: datetime, now_s: float) -> None:
        device.heard_s = now_s
        device.heard_at = now
        device.frames += 1
        if device.is_lost:
            device.is_lost = False
            harvest.occurrences.append(_state_change(device, EventKind.DEVICE_FOUND, now))

    def _put(self, line: Line, device: Device, output: Output, harvest: Harvest, now: datetime, now_s: float) -> None:
        if isinstance(output, Command):
            harvest.replies.append((device.port, output.data))
            return
        if isinstance(output, SetClock):
            harvest.replies.append((device.port, output.build(now.astimezone(self._zone).replace(tzinfo=None))))
            return
        if isinstance(output, Heard):
            self.nearby.note(output, now)
            return
        if output.member and output.member not in line.members:
            return  # dismissed while its value was on the way
        device = line.members[output.member] if output.member else device
        if isinstance(output, Refusal):
            device.rejects[output.reason] += 1
            self._report_stranger(line, output)
        elif isinstance(output, Signal):
            self._add_signal(device, output, harvest, now, now_s)
        elif isinstance(output, Alive):
            return
        elif isinstance(output, Named):
            device.model = output.name
        elif isinstance(output, ClockTold):
            self._note_clock(device, output, now)
        elif not QUANTITIES[output.quantity].is_plausible(output.value):
            device.rejects[Reason.IMPLAUSIBLE] += 1
        elif device.chest is not None and (reason := device.chest.take(output.quantity, output.value, now_s)) is not None:
            device.rejects[reason] += 1
        elif output.record is not None:
            self._add_result(device, output, harvest, now, now_s)
        elif output.is_history:
            self._add_history(device, output, harvest, now, now_s)
        else:
            if output.quantity is not QuantityName.BATTERY:
                device.lost_after_s = min(device.lost_after_s, device.stream_quiet_s)
            self._compare_clocks(device, output, now)
            self._measure(device, output, harvest, now)

    def _report_stranger(self, line: Line, refusal: Refusal) -> None:
        """The installer copies the address from this line; the neighbours' devices are heard too."""
        if refusal.reason in (Reason.STRANGER, Reason.TEACH_IN) and refusal.detail and line.is_new_stranger(refusal.detail):
            logger.info("a device with address %s is heard, but not enrolled", refusal.detail, extra={"event": "device_unknown"})

    def _daily(self, now: datetime) -> DailyActivity:
        """The watch of the day, begun when the home is first heard of."""
        if self._activity is None:
            self._activity = DailyActivity(now.astimezone(self._zone))
        return self._activity

    def _tell_activity(self, told: Iterable[Told], harvest: Harvest) -> None:
        for one in told:
            harvest.readings.append(Reading(DEVICE_ID, one.quantity, Statistic.SAMPLE, one.at.astimezone(UTC), one.hours))

    def _told_at(self, output: Measurement) -> datetime | None:
        """The device's clock as an instant; one without a zone shows the home's time."""
        told_at = output.measured_at
        return told_at if told_at is None or told_at.tzinfo else told_at.replace(tzinfo=self._zone)

    def _add_history(self, device: Device, output: Measurement, harvest: Harvest, now: datetime, now_s: float) -> None:
        told_at = self._told_at(output)
        if told_at is None or device.past is None:
            device.rejects[Reason.CLOCK] += 1
            return
        found = device.past.add(output.quantity, told_at, output.value, now=now, now_s=now_s)
        if isinstance(found, Reason):
            device.rejects[found] += 1
        else:
            is_history = (now - told_at).total_seconds() > output.new_within_s
            harvest.readings += [device.reading(one, is_history=is_history) for one in found]

    def _note_clock(self, device: Device, output: ClockTold, now: datetime) -> None:
        """The device was asked for its time; one that does not know it is counted, as one that is far off."""
        device.asked_off = output.told_at.replace(tzinfo=self._zone) - now if output.told_at is not None else None
        device.clock_off_s = round(device.asked_off.total_seconds(), 3) if device.asked_off is not None else None
        if device.asked_off is None or abs(device.asked_off) > CLOCK_OFF_MAX:
            device.rejects[Reason.CLOCK] += 1

    def _add_result(self, device: Device, output: Measurement, harvest: Harvest, now: datetime, now_s: float) -> None:
        """A single result: known records are passed over, old ones go where their time says."""
        name = f"{output.record}:{output.quantity}" if output.record else ""
        if device.past is None or (name and name in device.past.mark.records):
            return
        told_at = self._told_at(output)
        at: datetime | Reason | None = Reason.CLOCK if output.is_history else None
        if told_at is not None:
            is_first = device.is_first(output.record or "", now_s)
            at = self._place(told_at, now, device.asked_off, is_first=is_first)
        if isinstance(at, Reason):
            device.rejects[at] += 1
        elif at is not None:
            past = Summary(output.quantity, Statistic.SAMPLE, whole(at.astimezone(UTC)), output.value)
            harvest.readings.append(device.reading(past))
        else:
            self._add_reading(device, output.quantity, Statistic.SAMPLE, whole(now), output.value, harvest)
        if name:
            device.past.mark = device.past.mark.with_record(name)

    def _place(self, told_at: datetime, now: datetime, asked_off: timedelta | None, *, is_first: bool) -> datetime | Reason | None:
        """As `history.place`. Of a clock that cannot be asked, the first result of several shows whether it was never set, or shows UTC."""
        if asked_off is None and is_first and shows_utc(told_at, now, self._zone):
            return None
        at = place(told_at, now, asked_off)
        is_unplaced = at is None and asked_off is None and abs(told_at - now) > CLOCK_OFF_MAX
        return Reason.CLOCK if is_unplaced and not is_first else at

    def _compare_clocks(self, device: Device, output: Measurement, now: datetime) -> None:
        """A live value has the home's time whatever the device's clock says; how far that is off is told."""
        told_at = self._told_at(output)
        if told_at is None:
            return
        device.clock_off_s = round((told_at - now).total_seconds(), 3)
        if abs(told_at - now) > CLOCK_OFF_MAX:
            device.rejects[Reason.CLOCK] += 1
        elif device.past is not None:
            device.past.note(told_at)

    def _measure(self, device: Device, output: Measurement, harvest: Harvest, now: datetime) -> None:
        if output.quantity is QuantityName.BATTERY:
            if output.value == device.battery_percent:
                return
            device.battery_percent = output.value
        at = whole(now)
        if device.summarizer is None or output.quantity is QuantityName.BATTERY:
            self._add_reading(device, output.quantity, Statistic.SAMPLE, at, output.value, harvest)
            return
        for summary in device.summarizer.add(output.quantity, at, output.value):
            self._add_reading(device, summary.quantity, summary.statistic, summary.at, summary.value, harvest)

    def _add_reading(
        self, device: Device, quantity: QuantityName, statistic: Statistic, at: datetime, value: float, harvest: Harvest
    ) -> None:
        last = device.last_at.get((quantity, statistic))
        if last is not None and timedelta(0) <= last - at < BACKSTEP_MAX:
            at = last + MILLISECOND
        device.last_at[quantity, statistic] = at
        harvest.readings.append(Reading(device.id, quantity, statistic, at, value))

    def _add_signal(self, device: Device, signal: Signal, harvest: Harvest, now: datetime, now_s: float) -> None:
        settled_s, acknowledgement = device.settled.get(signal.key, (now_s, b""))
        if now_s - settled_s < REPEATS_FOR_S and acknowledgement:
            harvest.replies.append((device.port, acknowledgement))
            return
        at = max(now - timedelta(seconds=signal.age_s), INSTANT_MIN)  # a clock that was never set says 1970
        name = f"{signal.key}-{at:%Y%m%d}" if signal.key else _name_by_time(signal.kind, at)
        if signal.kind in SIGNS:
            self._tell_activity(self._daily(now).note(now.astimezone(self._zone)), harvest)
        happened = Occurrence(
            event_id=f"{device.id}:{name}",
            device=device.id,
            kind=signal.kind,
            at=at,
            detail=signal.detail,
            window_json=signal.window.model_dump_json() if signal.window else None,
            key=f"{device.id}:{signal.key}" if signal.key else None,
            port=device.port,
            acknowledgement=signal.acknowledgement,
        )
        occurrence = self._judge(device, signal, happened, now) if signal.is_candidate else happened
        if occurrence is not None:
            harvest.occurrences.append(occurrence)
        else:
            harvest.replies.append((device.port, signal.acknowledgement))
        device.settle(signal, now_s)

    def _judge(self, device: Device, signal: Signal, candidate: Occurrence, now: datetime) -> Occurrence | None:
        """What becomes of a fall candidate; None where it is only counted."""
        verdict = fall.confirm(signal.window, signal.peak_index, device.placement)
        said = "fall" if verdict.is_fall else "rejected"
        logger.info("a fall candidate of %s: %s, %.2f", device.id, said, verdict.confidence, extra={"event": "fall_judged"})
        if not verdict.is_fall:
            device.rejects[Reason.NOT_A_FALL] += 1
            if not self._may_keep(now):
                return None
        if not verdict.is_fall or self._fall.mode == "shadow":
            detail = remark(verdict=said, **_seen(verdict))
            return replace(candidate, kind=EventKind.FALL_CANDIDATE, confidence=verdict.confidence, detail=detail)
        is_doubtful = verdict.is_judged and verdict.confidence < self._fall.ask_below
        return replace(candidate, confidence=verdict.confidence, is_doubtful=is_doubtful)

    def _may_keep(self, now: datetime) -> bool:
        """Whether one more rejected candidate goes to the backend today."""
        today = now.astimezone(self._zone).date()
        self._kept[today] += 1
        for day in [day for day in self._kept if day != today]:
            del self._kept[day]
        return self._kept[today] <= self._fall.rejected_per_day_max


def _state_change(device: Device, kind: EventKind, now: datetime) -> Occurrence:
    return Occurrence(f"{device.id}:{_name_by_time(kind, now)}", device.id, kind, now)


def _seen(verdict: fall.Verdict) -> dict[str, int]:
    """What the window shows, in whole units."""
    peak = {} if verdict.peak_g is None else {"peak_mg": round(1000 * verdict.peak_g)}
    return peak if verdict.turn_deg is None else peak | {"turn_deg": round(verdict.turn_deg)}


def _name_by_time(kind: EventKind, at: datetime) -> str:
    return f"{kind}-{at:%Y%m%dT%H%M%S.%f}"
