"""All four devices of the firmware in one home, as programs, heard through their bridge and read by the gateway's drivers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.events import EventKind
from contract.quantities import QuantityName
from gateway.bridges.framing import Frame, FrameReader
from gateway.devices import DRIVERS
from gateway.devices.driver import Driver, Measurement, Output, Signal
from simulators.firmware import find_program
from simulators.firmware_home import FirmwareHome
from simulators.home import Elder, Placement
from simulators.wearable import Sensed

Eventually = Callable[[Callable[[], bool]], None]

TYPES = {1: "jiahu_wearable", 2: "jiahu_bed_mat", 3: "jiahu_pendant", 4: "jiahu_ble_bridge"}


class Gateway:
    """The gateway's drivers, one for each address, answering what they are told to acknowledge."""

    def __init__(self, home: FirmwareHome) -> None:
        self.heard: dict[int, list[Output]] = {address: [] for address in TYPES}
        self.drivers: dict[int, Driver] = {address: DRIVERS[name]() for address, name in TYPES.items()}
        self._home = home
        self._reader = FrameReader()

    def listen(self) -> None:
        for frame in self._reader.feed(b"".join(self._home.take())):
            assert isinstance(frame, Frame)
            for output in self.drivers[frame.address].take(frame, 0.0):
                self.heard[frame.address].append(output)
                if isinstance(output, Signal):
                    self._home.hear(output.acknowledgement)

    def events(self, address: int) -> list[EventKind]:
        return [one.kind for one in self.heard[address] if isinstance(one, Signal)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[FirmwareHome]:
    program = find_program()
    if program is None:
        pytest.skip("the programs of firmware_stubs are not built: make -C firmware_stubs")
    home = FirmwareHome(program.parent, tmp_path, (1, 2, 3, 4), boot=7, placement=Placement.WRIST)
    home.start()
    yield home
    home.stop()


def live(home: FirmwareHome, *, is_pressed: bool) -> None:
    """A tenth of a second of all devices."""
    elder = Elder(5, placement=Placement.WRIST)
    vitals = elder.vitals_at(0.0)
    home.feed(elder.feel(0.0, 5), Sensed(70, 97, 33.0, 80))
    home.press(is_pressed=is_pressed, battery=80)
    home.lie(elder.state_at(0.0), vitals, 80)


def test_every_device_reaches_its_driver_through_the_bridge(home: FirmwareHome, eventually: Eventually) -> None:
    gateway = Gateway(home)

    def all_speak() -> bool:
        live(home, is_pressed=False)
        gateway.listen()
        return all(gateway.heard.values()) and Measurement(QuantityName.BATTERY, 80) in gateway.heard[3]

    eventually(all_speak)
    assert Measurement(QuantityName.HEART_RATE, 70) in gateway.heard[1]


def test_a_press_on_the_pendant_crosses_the_air_and_its_answer_comes_back(home: FirmwareHome, eventually: Eventually) -> None:
    gateway = Gateway(home)

    def was_heard() -> bool:
        live(home, is_pressed=True)
        gateway.listen()
        return bool(gateway.events(3))

    eventually(was_heard)
    assert set(gateway.events(3)) == {EventKind.SOS}
    sent = len(gateway.events(3))

    def three_seconds_went_by() -> bool:
        live(home, is_pressed=False)
        gateway.listen()
        return sum(isinstance(one, Measurement) for one in gateway.heard[1]) > 4 * 6

    eventually(three_seconds_went_by)
    assert len(gateway.events(3)) <= sent + 1
