"""A port is read for as long as it takes: bytes pass unchanged, a lost port comes back, a missing one is said once. Real ptys."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.bridges.serial_port import Chunk, SerialPort, open_line, stable_name
from gateway.devices.driver import Setting
from simulators.serial_bridge import SerialBridge
from tests.gateway.home import WAIT_S, eventually

StartPort = Callable[[Path], SerialPort]


class Reader:
    """What a port has handed over."""

    def __init__(self) -> None:
        self.chunks: queue.Queue[Chunk] = queue.Queue(1024)
        self.deaths: list[BaseException] = []

    def until(self, count: int) -> bytes:
        """The next `count` bytes, or more; chunks that tell of an opened port are passed over."""
        heard = b""
        while len(heard) < count:
            heard += self.chunks.get(timeout=WAIT_S).data
        return heard


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[SerialBridge]:
    line = SerialBridge(tmp_path / "port")
    line.plug()
    yield line
    line.unplug()


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def start_port(reader: Reader) -> Iterator[StartPort]:
    ports: list[SerialPort] = []

    def start(path: Path) -> SerialPort:
        ports.append(SerialPort(str(path), Setting(115_200, "N", 1, True, True), reader.chunks, reader.deaths.append))
        ports[-1].start()
        return ports[-1]

    yield start
    for port in ports:
        port.stop()


def thread_of(port: SerialPort) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"port {port.path}"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_opened_port_is_told_before_its_first_bytes(bridge: SerialBridge, reader: Reader, start_port: StartPort) -> None:
    start_port(bridge.link)
    assert reader.chunks.get(timeout=WAIT_S) == Chunk(str(bridge.link), b"")
    eventually(bridge.is_heard)
    bridge.write(b"first")
    assert reader.until(5) == b"first"


def test_every_byte_passes_unchanged(bridge: SerialBridge, reader: Reader, start_port: StartPort) -> None:
    port = start_port(bridge.link)
    eventually(lambda: port.is_open and bridge.is_heard())
    every = bytes(range(256)) * 8
    bridge.write(every)
    assert reader.until(len(every)) == every


def test_what_is_written_reaches_the_device(bridge: SerialBridge, start_port: StartPort) -> None:
    port = start_port(bridge.link)
    eventually(lambda: port.is_open and bridge.is_heard())
    port.write(bytes(range(256)))
    heard = bytearray()

    def is_whole() -> bool:
        heard.extend(bridge.read())
        return len(heard) >= 256

    eventually(is_whole)
    assert bytes(heard) == bytes(range(256))


def test_writing_to_a_port_that_is_not_there_is_no_trouble(tmp_path: Path, start_port: StartPort) -> None:
    port = start_port(tmp_path / "nowhere")
    port.write(b"ack")
    assert not port.is_open


def test_an_unplugged_port_is_opened_again_under_its_link(
    bridge: SerialBridge, reader: Reader, start_port: StartPort, caplog: pytest.LogCaptureFixture
) -> None:
    port = start_port(bridge.link)
    for number in range(3):
        eventually(lambda: port.is_open and bridge.is_heard())
        bridge.write(bytes([number + 1]))
        assert reader.until(1) == bytes([number + 1])
        bridge.unplug()
        eventually(lambda: not port.is_open)
        bridge.plug()
    assert sum("is lost" in line for line in warnings(caplog)) == 3
    assert reader.deaths == []


def test_writing_while_the_plug_is_pulled_never_fails(bridge: SerialBridge, reader: Reader, start_port: StartPort) -> None:
    port = start_port(bridge.link)

    def is_lost_while_writing() -> bool:
        port.write(b"x")
        return not port.is_open

    for _ in range(5):
        eventually(lambda: port.is_open)
        bridge.unplug()
        eventually(is_lost_while_writing)
        bridge.plug()
    assert reader.deaths == []


def test_a_missing_port_is_said_once_and_tried_on(
    bridge: SerialBridge, reader: Reader, start_port: StartPort, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bridge.unplug()
    port = start_port(bridge.link)
    eventually(lambda: len(caplog.records) >= 3)
    [line] = warnings(caplog)
    assert f"port {bridge.link} cannot be opened" in line
    assert "plug the device in or correct [[port]] path" in line
    bridge.plug()
    eventually(lambda: port.is_open and bridge.is_heard())
    bridge.write(b"late")
    assert reader.until(4) == b"late"


@pytest.mark.parametrize("path", ["/dev/null", "/etc/hostname", "/"])
def test_what_is_no_serial_port_is_said_and_kills_nothing(
    path: str, reader: Reader, start_port: StartPort, caplog: pytest.LogCaptureFixture
) -> None:
    port = start_port(Path(path))
    eventually(lambda: warnings(caplog))
    assert f"port {path} cannot be opened" in warnings(caplog)[0]
    assert (port.is_open, reader.deaths) == (False, [])


def test_stop_ends_the_thread_and_closes_the_port(bridge: SerialBridge, start_port: StartPort) -> None:
    port = start_port(bridge.link)
    eventually(lambda: port.is_open and bridge.is_heard())
    port.stop()
    assert (thread_of(port), port.is_open, bridge.is_heard()) == ([], False, False)


def test_stop_ends_the_thread_of_a_missing_port(tmp_path: Path, start_port: StartPort) -> None:
    port = start_port(tmp_path / "nowhere")
    port.stop()
    assert thread_of(port) == []


def test_a_port_is_ours_alone(bridge: SerialBridge, reader: Reader, start_port: StartPort, caplog: pytest.LogCaptureFixture) -> None:
    first = start_port(bridge.link)
    eventually(lambda: first.is_open)
    second = start_port(bridge.link)
    eventually(lambda: warnings(caplog))
    assert "cannot be opened" in warnings(caplog)[0]
    assert not second.is_open


def test_a_port_that_is_not_there_or_goes_is_told_once(bridge: SerialBridge, reader: Reader, start_port: StartPort) -> None:
    bridge.unplug()
    port = start_port(bridge.link)
    lost, opened = Chunk(str(bridge.link), b"", is_lost=True), Chunk(str(bridge.link), b"")
    assert reader.chunks.get(timeout=WAIT_S) == lost
    bridge.plug()
    assert reader.chunks.get(timeout=WAIT_S) == opened
    eventually(lambda: port.is_open and bridge.is_heard())
    bridge.unplug()
    assert reader.chunks.get(timeout=WAIT_S) == lost


@pytest.mark.parametrize("setting", [Setting(19_200, "O", 1, True, True), Setting(1_382_400, "N", 1, False, True)])
def test_a_port_is_opened_as_its_device_needs_it(bridge: SerialBridge, setting: Setting) -> None:
    with open_line(str(bridge.link), setting) as line:
        assert (line.baudrate, line.parity, line.stopbits, line.dtr, line.rts) == (
            setting.baud,
            setting.parity,
            setting.stop_bits,
            setting.dtr,
            setting.rts,
        )


def test_a_port_is_named_by_what_stays(bridge: SerialBridge, tmp_path: Path) -> None:
    folder = tmp_path / "by-id"
    assert stable_name(str(bridge.link), folder) == str(bridge.link)
    folder.mkdir()
    (folder / "usb-oximeter").symlink_to(bridge.link)
    (folder / "usb-other").symlink_to("/dev/null")
    for name in (bridge.link, bridge.link.resolve(), folder / "usb-oximeter"):
        assert stable_name(str(name), folder) == str(folder / "usb-oximeter")
