"""All four devices of the firmware in one home: wearable, bed mat and pendant reach the gateway through the BLE-to-UART bridge.

    wearable_host     ~pty~ air ~pty~ \\
    bed_mat_host      ~pty~ air ~pty~  ble_bridge_host ~pty~ the home's line ~pty~ gateway
    sos_pendant_host  ~pty~ air ~pty~ /

The air is this process: it carries bytes between the terminals of a device and of its radio, both ways.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from simulators.bedside import MatLoad
from simulators.child_process import START_DEADLINE_S, wait_until
from simulators.firmware import FirmwareDevice, FirmwareWearable
from simulators.home import Placement, Samples, State
from simulators.serial_bridge import SerialBridge
from simulators.vitals import Vitals
from simulators.wearable import Sensed
from simulators.wire import Ack

PENDANT_RECORDS_PER_TICK = 10
_NO_BATTERY = 255
_LOAD = struct.Struct("<HB")


class FirmwareHome:
    """The programs of one home, fed every tenth of a second. For one thread. `addresses`: wearable, mat (None: no mat), pendant, bridge."""

    def __init__(
        self, programs: Path, folder: Path, addresses: tuple[int, int | None, int, int], *, boot: int, placement: Placement
    ) -> None:
        wearable, mat, pendant, bridge = addresses
        self._wearable = FirmwareWearable(
            programs / "wearable_host", SerialBridge(folder / "device"), wearable, boot=boot, placement=placement
        )
        self._pendant = FirmwareDevice(programs / "sos_pendant_host", SerialBridge(folder / "pendant"), pendant, boot=boot)
        self._mat = None if mat is None else FirmwareDevice(programs / "bed_mat_host", SerialBridge(folder / "mat"), mat, boot=boot)
        self._load = MatLoad()
        self._worn = [device for device in (self._wearable, self._pendant, self._mat) if device is not None]
        self._radios = [SerialBridge(folder / f"radio-{number}") for number in range(len(self._worn))]
        options = [word for radio in self._radios for word in ("--radio", str(radio.link))]
        self._bridge = FirmwareDevice(programs / "ble_bridge_host", SerialBridge(folder / "uart"), bridge, *options)

    @property
    def _all(self) -> list[FirmwareDevice]:
        return [*self._worn, self._bridge]

    def start(self) -> None:
        """Run all programs, the bridge first: what a device says once, at its start, is lost where no radio is open. Raises OSError."""
        for radio in self._radios:
            radio.plug()
        self._bridge.start()
        wait_until(lambda: all(radio.is_heard() for radio in self._radios), deadline_s=START_DEADLINE_S, what="the bridge's radios")
        for device in self._worn:
            device.start()

    def stop(self) -> None:
        """End all programs."""
        for device in self._all:
            device.stop()
        for radio in self._radios:
            radio.unplug()

    def feed(self, samples: Samples, sensed: Sensed) -> None:
        """What the wearable feels. Raises FirmwareError."""
        self._wearable.feed(samples, sensed)

    def press(self, *, is_pressed: bool, battery: int | None) -> None:
        """A tenth of a second of the pendant's button. Raises FirmwareError."""
        self._pendant.feed_records(bytes([_NO_BATTERY if battery is None else battery, is_pressed]) * PENDANT_RECORDS_PER_TICK)

    def lie(self, state: State, vitals: Vitals, battery: int | None) -> None:
        """A tenth of a second of the mat's load. Raises FirmwareError."""
        if self._mat is not None:
            self._mat.feed_records(_LOAD.pack(self._load.next(state, vitals), _NO_BATTERY if battery is None else battery))

    def take(self) -> list[bytes]:
        """Frames for the gateway since the last call, oldest first, after everything in the air has been carried on."""
        for device, radio in zip(self._worn, self._radios, strict=True):
            for frame in device.take():
                radio.write(frame)
            if back := radio.read():
                device.line.write(back)
            radio.flush()
            device.line.flush()
        self._bridge.line.flush()
        return self._bridge.take()

    def hear(self, data: bytes) -> list[Ack]:
        """Pass on bytes from the gateway. Returns the acknowledgements among them that were for the wearable."""
        if data:
            self._bridge.line.write(data)
        return self._wearable.acknowledgements(data)

    def filenos(self) -> Iterator[int]:
        """Descriptors that are ready when a device or a radio has sent something."""
        lines = (*(device.line for device in self._all), *self._radios)
        return (line.fileno() for line in lines if line.is_heard())
