"""A serial line without hardware behaves as a UART does."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serial import Serial, SerialException

from simulators.serial_bridge import BUFFER_BYTES_MAX, SerialBridge

OpenPort = Callable[[Path], Serial]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[SerialBridge]:
    line = SerialBridge(tmp_path / "ports" / "bridge")
    line.plug()
    yield line
    line.unplug()


def test_bytes_pass_both_ways_unchanged(bridge: SerialBridge, open_port: OpenPort, eventually: Eventually) -> None:
    port = open_port(bridge.link)
    every = bytes(range(256))
    bridge.write(every)
    assert port.read(256) == every
    port.write(every)
    heard = bytearray()

    def all_heard() -> bool:
        heard.extend(bridge.read())
        return len(heard) == 256

    eventually(all_heard)
    assert bytes(heard) == every


def test_bytes_that_nobody_has_the_port_open_for_are_lost(bridge: SerialBridge, open_port: OpenPort) -> None:
    bridge.write(b"early")
    port = open_port(bridge.link)
    bridge.write(b"late")
    assert port.read(4) == b"late"
    assert (bridge.counts.written, bridge.counts.lost) == (1, 1)


def test_a_port_can_be_closed_and_opened_again(bridge: SerialBridge, open_port: OpenPort) -> None:
    assert not bridge.is_heard()
    descriptor = os.open(bridge.link, os.O_RDWR | os.O_NOCTTY)
    assert bridge.is_heard()
    os.close(descriptor)
    assert not bridge.is_heard()
    port = open_port(bridge.link)
    bridge.write(b"again")
    assert port.read(5) == b"again"


def test_a_port_opened_without_any_setting_is_raw(bridge: SerialBridge) -> None:
    descriptor = os.open(bridge.link, os.O_RDWR | os.O_NOCTTY)
    bridge.write(b"\x03\x04\r\n\x7f")
    assert os.read(descriptor, 100) == b"\x03\x04\r\n\x7f"
    assert bridge.read() == b""
    os.close(descriptor)


def test_a_reader_who_does_not_keep_up_loses_the_oldest_whole_frames(bridge: SerialBridge, open_port: OpenPort) -> None:
    port = open_port(bridge.link)
    frames = [number.to_bytes(4, "big") * 25 for number in range(1000)]
    for frame in frames:
        bridge.write(frame)
    assert bridge.counts.lost > 0
    received = b""
    while bridge.counts.written + bridge.counts.lost < len(frames):
        received += port.read(100)
        bridge.flush()
    received += port.read(100 * bridge.counts.written - len(received))
    arrived = [received[at : at + 100] for at in range(0, len(received), 100)]
    assert [frame for frame in frames if frame in arrived] == arrived
    assert arrived[-1] == frames[-1]
    assert len(arrived) == bridge.counts.written


def test_what_waits_is_bounded(bridge: SerialBridge, open_port: OpenPort) -> None:
    open_port(bridge.link)
    offered = 0
    while bridge.counts.lost < 10:
        bridge.write(bytes(100))
        offered += 1
    waiting = offered - bridge.counts.written - bridge.counts.lost
    # One more has begun to leave.
    assert 0 < waiting <= BUFFER_BYTES_MAX // 100 + 1


def test_pulling_the_plug_hangs_up_the_port(bridge: SerialBridge, open_port: OpenPort) -> None:
    port = open_port(bridge.link)
    bridge.unplug()
    with pytest.raises(SerialException):
        port.read(1)
    bridge.write(b"lost")
    assert bridge.counts.lost == 1


def test_plugging_in_again_gives_a_new_port_under_the_same_link(bridge: SerialBridge, open_port: OpenPort) -> None:
    old = os.readlink(bridge.link)
    held = open_port(bridge.link)
    bridge.unplug()
    assert not bridge.is_plugged
    bridge.plug()
    assert bridge.is_plugged
    port = open_port(bridge.link)
    bridge.write(b"back")
    assert port.read(4) == b"back"
    assert os.readlink(bridge.link) != old
    with pytest.raises(SerialException):
        held.read(1)


def test_plugging_in_twice_changes_nothing(bridge: SerialBridge) -> None:
    target = os.readlink(bridge.link)
    bridge.plug()
    assert os.readlink(bridge.link) == target


def test_the_link_replaces_one_that_was_left_behind(tmp_path: Path) -> None:
    (tmp_path / "bridge").symlink_to("/nowhere")
    line = SerialBridge(tmp_path / "bridge")
    line.plug()
    assert (tmp_path / "bridge").resolve().exists()
    line.unplug()
