"""A home for the Bluetooth tests: the real radio at the real pipeline, simulated devices behind a pseudo terminal that speaks HCI."""

import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from contract.events import EventKind
from gateway.bridges.bluetooth.keyring import Keyring, enrolled_in
from gateway.bridges.bluetooth.radio import Radio
from gateway.bridges.serial_port import Chunk
from gateway.config import RADIO, BluetoothDeviceConfig, Config
from gateway.harvest import Harvest
from gateway.outbox import Reading
from gateway.pipeline import Pipeline
from simulators.bluetooth.air import Air
from simulators.bluetooth.devices import Belt, Cuff
from tests.gateway.home import NOW, config, eventually

HOME = ZoneInfo("Asia/Shanghai")
LOCAL = datetime(2026, 3, 1, 11, 12)  # NOW at home
CUFF, CUFF_2, BELT = "C1:00:00:00:00:01", "C1:00:00:00:00:02", "C1:00:00:00:00:03"
QUICK = {"retry_s": 0.1, "retry_max_s": 0.2, "step_timeout_s": 2, "connect_timeout_s": 1, "pairing_timeout_s": 3, "records_every_s": 0.3}


def settings(folder: Path, *devices: dict[str, Any], **changes: Any) -> Config:
    """A gateway with a Bluetooth radio alone."""
    section = {"transport": f"serial:{folder / 'dongle'},115200", "device": list(devices)} | QUICK | changes
    return config(folder, port=[], bluetooth=section)


class BluetoothHome:
    """Does what the daemon does: chunks to the pipeline, replies back once all is kept. `is_disk_well` False: nothing is kept any more."""

    def __init__(self, home: Config, known: dict[str, Any] | None = None) -> None:
        assert home.bluetooth is not None
        self._began_s = time.monotonic()
        self.is_disk_well = True
        self.all = Harvest()
        self.deaths: list[BaseException] = []
        self._chunks: queue.Queue[Chunk] = queue.Queue(64)
        self._home = home
        self.pipeline = Pipeline(home, now_s=time.monotonic(), known=known)
        for device in home.bluetooth.device:
            self.pipeline.enrol(RADIO, device, now_s=time.monotonic())
        for device_id, address in enrolled_in(home.keys_path()).items():
            self.pipeline.enrol(RADIO, BluetoothDeviceConfig(id=device_id, address=address), now_s=time.monotonic())
        self.radio = Radio(home.bluetooth, home.keys_path(), self._chunks, self.deaths.append)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="home")

    def __enter__(self) -> Self:
        self.radio.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.radio.stop()
        self._is_over.set()
        self._thread.join()
        assert self.deaths == []

    def _run(self) -> None:
        while not self._is_over.is_set():
            harvest = Harvest()
            try:
                chunk = self._chunks.get(timeout=0.02)
                self.pipeline.feed(chunk, harvest, now=self.now(), now_s=time.monotonic())
            except queue.Empty:
                pass
            self.pipeline.tick(harvest, now=self.now(), now_s=time.monotonic())
            if self.is_disk_well:
                self.all.readings += harvest.readings
                self.all.occurrences += harvest.occurrences
                for _, reply in harvest.replies:
                    self.radio.write(reply)

    def now(self) -> datetime:
        """The home's time: NOW when the test began."""
        return NOW + timedelta(seconds=time.monotonic() - self._began_s)

    def values(self, device: str, quantity: str) -> list[float]:
        return [one.value for one in self.readings(device, quantity)]

    def readings(self, device: str, quantity: str) -> list[Reading]:
        return [one for one in self.all.readings if (one.device, one.quantity) == (device, quantity)]

    def kinds(self, device: str) -> list[EventKind]:
        return [one.kind for one in self.all.occurrences if one.device == device]

    def status(self, device: str) -> Any:
        return next(one for one in self.pipeline.status() if one.id == device)

    def expect(self, device: str, quantity: str, *values: float) -> None:
        eventually(lambda: set(values) <= set(self.values(device, quantity)), what=f"{quantity} {values} of {device}")

    def expect_event(self, device: str, kind: EventKind, times: int = 1) -> None:
        eventually(lambda: self.kinds(device).count(kind) >= times, what=f"{kind} of {device}")

    def keyring(self) -> Keyring:
        """What is on disk."""
        ring = Keyring(self._home.keys_path())
        ring._read()
        return ring


Begin = Callable[..., BluetoothHome]


def cuff_config(device_id: str = "cuff", address: str = CUFF, **more: Any) -> dict[str, Any]:
    return {"id": device_id, "address": address} | more


__all__ = ["BELT", "CUFF", "CUFF_2", "HOME", "LOCAL", "Air", "Belt", "BluetoothHome", "Cuff", "cuff_config", "settings"]
