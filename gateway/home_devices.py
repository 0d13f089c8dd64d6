"""What the pipeline knows of each configured device and of each port: its driver, its counters, what it said last."""

import math
from collections import Counter, OrderedDict
from datetime import datetime, timedelta

from contract.quantities import QuantityName, Statistic
from contract.status import DeviceStatus
from gateway import fall
from gateway.bridges.framing import FrameReader
from gateway.chest import ChestWatch
from gateway.config import Config, DeviceConfig, PortConfig
from gateway.devices import DRIVERS
from gateway.devices.driver import Driver, Signal
from gateway.history import ReadOut
from gateway.outbox import Reading
from gateway.summary import Summarizer, Summary

SUMMARY_S = 5.0
"""Interval of fast devices unless configured otherwise."""
CHEST_RADARS = frozenset({"radar_sy", "radar_tinyframe"})
"""Types that see a chest move."""
FALL_TYPES = frozenset({"jiahu_wearable"})
"""Types whose falls the gateway judges."""
SETTLED_MAX = 64
"""Signals remembered per device, so that a repeat of one already judged is only acknowledged again."""
UNPLACED_S = 20.0
"""No cuff measures twice within this time: of several results with times that cannot be, the first is taken, and the rest is its memory."""


class Device:
    """One configured device with its counters. `driver` is None for a radio device that another one, its receiver, hears."""

    def __init__(self, device_id: str, type_name: str, port: str, driver: Driver | None, now_s: float) -> None:
        self.id = device_id
        self.type = type_name
        self.port = port
        self.driver = driver
        self.placement: str = fall.DEFAULT_PLACEMENT
        self.lost_after_s = math.inf
        self.stream_quiet_s = math.inf
        self.heard_s = now_s
        self.heard_at: datetime | None = None
        self.is_lost = False
        self.frames = 0
        self.rejects: Counter[str] = Counter()
        self.battery_percent: float | None = None
        self.clock_off_s: float | None = None
        self.asked_off: timedelta | None = None
        self.result: tuple[str, float, bool] = ("", -math.inf, True)
        self.model = ""
        self.address: str | None = None
        self.summarizer: Summarizer | None = None
        self.past: ReadOut | None = None
        self.chest = ChestWatch() if type_name in CHEST_RADARS else None
        self.last_at: dict[tuple[QuantityName, Statistic], datetime] = {}
        self.settled: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def status(self) -> DeviceStatus:
        """Row of GatewayStatus."""
        return DeviceStatus(
            id=self.id,
            type=self.type,
            is_lost=self.is_lost,
            heard_at=self.heard_at,
            frames=self.frames,
            rejects=dict(self.rejects),
            battery_percent=self.battery_percent,
            clock_off_s=self.clock_off_s,
            model=self.model,
            address=self.address,
        )

    def is_first(self, record: str, now_s: float) -> bool:
        """True for a record that no other has come before for UNPLACED_S."""
        known, at_s, is_first = self.result
        if record != known:
            is_first = now_s - at_s >= UNPLACED_S
            self.result = (record, now_s, is_first)
        return is_first

    def reading(self, one: Summary, *, is_history: bool = True) -> Reading:
        """The reading that a summary becomes: of what the device had stored, unless it is said otherwise."""
        return Reading(self.id, one.quantity, one.statistic, one.at, one.value, is_history)

    def settle(self, signal: Signal, now_s: float) -> None:
        """Remember a signal that was judged."""
        if signal.key:
            self.settled[signal.key] = (now_s, signal.acknowledgement)
            while len(self.settled) > SETTLED_MAX:
                self.settled.popitem(last=False)


class Line:
    """A port: frames for several devices, or the bytes of one, which may be the receiver of others."""

    def __init__(self, config: PortConfig, devices: list[Device], members: list[Device]) -> None:
        self.devices = devices
        self.by_address = {one.address: device for one, device in zip(config.device, devices, strict=True) if one.address is not None}
        self.members = {device.id: device for device in members}
        self.reader = FrameReader() if self.by_address else None
        self.strangers: set[str] = set()

    def is_new_stranger(self, address: str) -> bool:
        """True once for each address, and for so many only: the log is not for the neighbours."""
        if address in self.strangers or len(self.strangers) >= SETTLED_MAX:
            return False
        self.strangers.add(address)
        return True


def own(config: DeviceConfig, port: str, home: Config, now_s: float) -> Device:
    """A device with a line of its own, or a part of one."""
    driver = DRIVERS[config.type](config.options())
    device = Device(config.id, config.type, port, driver, now_s)
    device.placement = config.placement or fall.DEFAULT_PLACEMENT
    if config.type in FALL_TYPES:
        fall.prepare(device.placement)
    device.lost_after_s = max(home.lost_after_s, driver.quiet_s)
    device.summarizer = Summarizer(config.summary_s or SUMMARY_S) if driver.is_fast or config.summary_s else None
    return device


def member(device_id: str, type_name: str, quiet_s: float | None, port: str, now_s: float) -> Device:
    """A radio device that the receiver at `port` hears."""
    device = Device(device_id, type_name, port, None, now_s)
    device.lost_after_s = math.inf if quiet_s is None else quiet_s
    return device
