"""`python -m simulators replay FILE`: play a recording through a wearable on a pseudo terminal, and show what it says and hears."""

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gateway.bridges.framing import Frame, FrameReader
from simulators.firmware import FirmwareError, FirmwareWearable, find_program
from simulators.home import RATE_HZ, Samples, resting_direction, to_samples
from simulators.recording import RecordingError, load_recording
from simulators.serial_bridge import SerialBridge
from simulators.wearable import WINDOW_SAMPLES, Sensed, Wearable
from simulators.wire import Ack, FrameType, parse_event_key

ADDRESS = 1
BLOCK_SAMPLES = 5
AFTER_S = 10.0
"""Lying on as the recording ends: 2.5 s until a candidate can be judged, then time for its acknowledgement and some repeats."""
OPEN_POLL_S = 0.1
QUIET = {FrameType.WEARABLE_VITALS, FrameType.PACKED_CHUNK}


class Player:
    """A wearable on a line that a gateway opens. For one thread."""

    def __init__(self, line: SerialBridge, *, speed: float) -> None:
        """`speed` times as fast as it was recorded. The wearable's clock is that of the recording."""
        self._line = line
        self._speed = speed
        boot = secrets.randbelow(1 << 16)
        program = find_program()
        self._firmware: FirmwareWearable | None = None
        if program is not None:
            device = SerialBridge(line.link.with_name(f"{line.link.name}.device"))
            self._firmware = FirmwareWearable(program, device, ADDRESS, boot=boot, clock="samples")
        self._worn = self._firmware or Wearable(ADDRESS, boot=boot)
        self._reader = FrameReader()

    def play(self, samples: Samples) -> Iterator[str]:
        """Feed `samples` (N, 3) mg and AFTER_S of rest in their time. Yields a line per event sent and per ACK. Raises FirmwareError."""
        if self._firmware is not None:
            self._firmware.start()
        try:
            yield from self._play(np.concatenate([samples, _rest_after(samples)]))
        finally:
            if self._firmware is not None:
                self._firmware.stop()

    def _play(self, samples: Samples) -> Iterator[str]:
        start_s = time.monotonic()
        for at in range(0, len(samples), BLOCK_SAMPLES):
            self._worn.feed(samples[at : at + BLOCK_SAMPLES], Sensed())
            played_s = (at + BLOCK_SAMPLES) / RATE_HZ
            time.sleep(max(start_s + played_s / self._speed - time.monotonic(), 0))
            yield from (f"{played_s:7.2f} s  {text}" for text in self._exchange())

    def _exchange(self) -> Iterator[str]:
        for sealed in self._worn.take():
            self._line.write(sealed)
            frames = (item for item in self._reader.feed(sealed) if isinstance(item, Frame))
            yield from (_sent_text(frame) for frame in frames if frame.type not in QUIET)
        self._line.flush()
        yield from (_ack_text(ack) for ack in self._worn.hear(self._line.read()))


def main(argv: list[str]) -> int:
    """Run the subcommand. Returns the exit code; a bad file is one line on stderr and 1."""
    arguments = _parser().parse_args(argv)
    try:
        samples = load_recording(arguments.file, arguments.trial)
        _replay(samples, arguments.port or Path(tempfile.mkdtemp(prefix="jiahu-replay-")) / "wearable", arguments.speed)
    except (RecordingError, FirmwareError, OSError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _replay(samples: Samples, link: Path, speed: float) -> None:
    line = SerialBridge(link)
    line.plug()
    try:
        print(f"{len(samples) / RATE_HZ:.1f} s of acceleration. Configure a gateway with a wearable, address {ADDRESS}, on the port")
        print(f"  {link}\nwaiting until it opens the port ...", flush=True)
        while not line.is_heard():
            time.sleep(OPEN_POLL_S)
        for text in Player(line, speed=speed).play(samples):
            print(text, flush=True)
        print(f"done: {line.counts.written} frames sent, {line.counts.lost} lost")
    finally:
        line.unplug()


def _rest_after(samples: Samples) -> Samples:
    return to_samples(np.tile(resting_direction(samples), (round(AFTER_S * RATE_HZ), 1)))


def _sent_text(frame: Frame) -> str:
    key = parse_event_key(frame)
    if frame.type == FrameType.FALL_CANDIDATE and key is not None:
        peak_mg, turn = int.from_bytes(frame.payload[6:8], "little"), frame.payload[8]
        return f"sent FALL_CANDIDATE {key.event}: peak {peak_mg} mg, turned by {turn} degrees, window of {WINDOW_SAMPLES} samples at most"
    return f"sent {FrameType(frame.type).name}" if key is None else f"sent {FrameType(frame.type).name} {key.event}"


def _ack_text(ack: Ack) -> str:
    return f"ACK for event {ack.key.event} of type 0x{ack.type:02X}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators replay", description="Play a recording through a simulated wearable.")
    parser.add_argument("file", type=Path, metavar="FILE", help=".npz: data, offsets, fs, acc_lsb_per_g, or acc (g), fs; .csv: t,x,y,z")
    parser.add_argument("--port", type=Path, metavar="LINK", help="where to put the link to the port; default: a new temporary folder")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="times as fast as recorded; default 1")
    parser.add_argument("--trial", type=int, default=0, metavar="N", help="which trial of a file with many; default 0")
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0.1 <= speed <= 100:
        raise argparse.ArgumentTypeError("0.1..100")
    return speed
