"""`python -m simulators replay`: a recording through a wearable on a port."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from serial import Serial

from gateway.bridges.framing import Frame, FrameReader, seal
from simulators.home import Doing, Elder, Samples, synthetic_fall
from simulators.replay import Player, main
from simulators.serial_bridge import SerialBridge
from simulators.wire import FrameType, ack, parse_event_key

OpenPort = Callable[[Path], Serial]
Eventually = Callable[[Callable[[], bool]], None]


def walk_and_fall() -> Samples:
    elder = Elder(3)
    elder.take_up(Doing.WALKING, 0.0)
    return np.concatenate([elder.feel(0.0, 200), synthetic_fall(3)])


def answer_falls(port: Serial) -> list[int]:
    """Answer each candidate as a gateway does, until the line hangs up. Returns the types heard."""
    reader, heard = FrameReader(), []
    while data := port.read(1):
        for frame in [item for item in reader.feed(data) if isinstance(item, Frame)]:
            heard.append(frame.type)
            key = parse_event_key(frame)
            if frame.type == FrameType.FALL_CANDIDATE and key is not None:
                port.write(seal(Frame(FrameType.ACK, 1, 0, ack(key, FrameType.FALL_CANDIDATE))))
                return heard
    return heard


def test_a_replayed_fall_is_sent_and_its_ack_is_told(tmp_path: Path, open_port: OpenPort) -> None:
    line = SerialBridge(tmp_path / "wearable")
    line.plug()
    gateway = threading.Thread(target=answer_falls, args=[open_port(line.link)])
    gateway.start()
    told = list(Player(line, speed=20).play(walk_and_fall()))
    gateway.join()
    line.unplug()
    assert any("sent FALL_CANDIDATE 0: peak" in text for text in told)
    assert any("ACK for event 0 of type 0x02" in text for text in told)


def test_the_command_waits_for_a_gateway_and_then_plays(
    tmp_path: Path, open_port: OpenPort, eventually: Eventually, capsys: pytest.CaptureFixture[str]
) -> None:
    file, link, codes = tmp_path / "own.npz", tmp_path / "wearable", list[int]()
    np.savez(file, acc=walk_and_fall() / 1000, fs=50)
    command = threading.Thread(target=lambda: codes.append(main([str(file), "--port", str(link), "--speed", "20"])))
    command.start()
    eventually(link.exists)
    assert answer_falls(open_port(link)).count(FrameType.FALL_CANDIDATE) == 1
    command.join()
    assert codes == [0]
    printed = capsys.readouterr().out
    assert str(link) in printed
    assert "ACK for event 0" in printed


@pytest.mark.parametrize(("name", "told"), [("absent.csv", "No such file"), ("own.txt", "neither .npz nor .csv")])
def test_a_bad_file_is_one_line_and_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, told: str) -> None:
    assert main([str(tmp_path / name)]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("speed", ["0", "-1", "1000", "nan", "fast"])
def test_an_impossible_speed_is_refused(speed: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["own.csv", "--speed", speed])
    assert refused.value.code == 2
