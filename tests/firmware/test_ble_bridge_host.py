"""The BLE-to-UART bridge as a program: devices on ptys as its air, the gateway's end of its UART, and the gateway's drivers."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame, seal
from gateway.devices.driver import Measurement
from gateway.devices.jiahu_ble_bridge import BleBridge
from gateway.devices.jiahu_ble_device import BleDevice
from tests.firmware.board import ACK, BOOT, SOS
from tests.firmware.program import Line, Running, of

ADDRESS, PENDANT, BELT = 20, 9, 21
NOTIFICATION, STATUS = 0x20, 0x21
MAC = "C0:FF:EE:00:00:01"


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[tuple[Line, Line, Line]]:
    """The gateway's port, and two devices on the air."""
    lines = Line(tmp_path / "port"), Line(tmp_path / "air-0"), Line(tmp_path / "air-1")
    yield lines
    for line in lines:
        line.unplug()


@pytest.fixture
def bridge(build: Path, lines: tuple[Line, Line, Line]) -> Iterator[Running]:
    port, *air = lines
    radios = [word for line in air for word in ("--radio", str(line.path))]
    bridge = Running(build / "ble_bridge_host", "--port", str(port.path), "--address", str(ADDRESS), "--bond", f"{MAC}={BELT}", *radios)
    yield bridge
    bridge.kill()


def notification(value: str, *, characteristic: int = 0x2A37, mac: str = MAC) -> bytes:
    data = bytes.fromhex(value)
    return bytes.fromhex(mac.replace(":", "")) + struct.pack("<HB", characteristic, len(data)) + data.ljust(64, b"\0")


def test_frames_pass_as_they_were(bridge: Running, lines: tuple[Line, Line, Line]) -> None:
    port, one, other = lines
    sent = [Frame(0x01, 7, 300, bytes(8)), Frame(SOS, PENDANT, 65535, bytes(7)), Frame(0xEE, 8, 0, bytes(range(246)))]
    one.say(seal(sent[0]) + b"\x55noise\0" + seal(sent[1]))
    other.say(seal(sent[2]))
    passed = of(port.until(lambda frames: len(of(frames, 0x01, SOS, 0xEE)) == 3), 0x01, SOS, 0xEE)
    assert sorted(passed, key=lambda frame: frame.type) == sent


def test_an_acknowledgement_goes_to_the_device_it_is_for_and_to_no_other(bridge: Running, lines: tuple[Line, Line, Line]) -> None:
    port, one, other = lines
    one.say(seal(Frame(SOS, PENDANT, 0, struct.pack("<HHHB", BOOT, 0, 0, 1))))
    other.say(seal(Frame(0x01, 7, 0, bytes(8))))
    port.until(lambda frames: len(of(frames, SOS, 0x01)) == 2)
    port.acknowledge(0, SOS, address=PENDANT)
    port.acknowledge(3, SOS, address=7)
    assert of(one.until_count(ACK, 1), ACK) == [Frame(ACK, PENDANT, 0, struct.pack("<HHB", BOOT, 0, SOS))]
    assert of(other.until_count(ACK, 1), ACK) == [Frame(ACK, 7, 0, struct.pack("<HHB", BOOT, 3, SOS))]


def test_a_bonded_belt_is_a_device_of_its_own_and_a_stranger_is_none(bridge: Running, lines: tuple[Line, Line, Line]) -> None:
    port, *_ = lines
    bridge.feed(notification("06 48", mac="C0:FF:EE:00:00:02") + notification("06 48"))
    [notified] = port.until_count(NOTIFICATION, 1)
    assert notified.address == BELT
    assert list(BleDevice().take(notified, 0.0)) == [Measurement(QuantityName.HEART_RATE, 72)]
    status, said = bridge.end()
    assert (status, "strangers=1" in said) == (0, True)


def test_it_says_that_it_lives(bridge: Running, lines: tuple[Line, Line, Line]) -> None:
    [status] = lines[0].until_count(STATUS, 1)
    assert (status.address, len(list(BleBridge().take(status, 0.0)))) == (ADDRESS, 1)
