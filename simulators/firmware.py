"""The devices of `firmware_stubs` as the programs of its build: fed through their stdin, heard on pseudo terminals."""

import os
import struct
import subprocess
from pathlib import Path
from typing import Literal

from gateway.bridges.framing import CONTENT_BYTES_MAX, Frame, FrameReader
from simulators.home import RATE_HZ, Placement, Samples
from simulators.serial_bridge import SerialBridge
from simulators.wearable import Sensed
from simulators.wire import Ack, parse_ack

PROGRAM = Path(__file__).resolve().parents[1] / "firmware_stubs" / "build" / "wearable_host"
PROGRAMS = tuple(PROGRAM.with_name(name) for name in ("wearable_host", "bed_mat_host", "sos_pendant_host", "ble_bridge_host"))
STOP_TIMEOUT_S = 3.0

# One sample: x, y, z in mg, heart rate and SpO2 (0 none), skin temperature in 0.01 C, battery (255 unknown), buttons.
_RECORD = struct.Struct("<hhhBBhBB")
_NO_TEMPERATURE = 0x7FFF
_PRESSED = 1
_WORN = 2


class FirmwareError(Exception):
    """The C program has ended, or no longer reads its samples."""


def find_program() -> Path | None:
    """The wearable's program where `make -C firmware_stubs` has built it, with those of the other devices beside it."""
    return PROGRAM if all(os.access(program, os.X_OK) for program in PROGRAMS) else None


class FrameCutter:
    """Cuts a stream of frames into `00 .. 00` pieces, damaged or not, so that another device's frames can go in between."""

    def __init__(self) -> None:
        self._part = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Pieces completed by `data`. What is longer than any frame is passed on as it is."""
        *ended, rest = data.split(b"\0")
        pieces = []
        for end in ended:
            content, self._part = self._part + end, b""
            if content:
                pieces.append(b"\0" + content + b"\0")
        self._part += rest
        if len(self._part) > CONTENT_BYTES_MAX + 1:
            pieces.append(self._part)
            self._part = b""
        return pieces


class FirmwareDevice:
    """One device of the firmware, running on a line of its own; `take` gives what it sent. For one thread."""

    def __init__(
        self, program: Path, line: SerialBridge, address: int, *options: str, boot: int = 0, clock: Literal["real", "samples"] = "real"
    ) -> None:
        self.line = line
        self._command = [str(program), "--port", str(line.link), "--address", str(address), "--boot", str(boot), "--clock", clock, *options]
        self._address = address
        self._cutter = FrameCutter()
        self._reader = FrameReader()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Plug in the line and run the program on it. Raises OSError."""
        self.line.plug()
        # A group of its own: Ctrl-C is for us, and we end the program in order.
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, process_group=0)
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)

    def stop(self) -> None:
        """End the program and unplug."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        self.line.unplug()

    def feed_records(self, records: bytes) -> None:
        """Hand over what its sensors say, at most PIPE_BUF (4096) bytes: a pipe takes them whole or not at all. Raises FirmwareError."""
        if self._process is None or self._process.stdin is None:
            raise FirmwareError("the program was not started")
        try:
            written = os.write(self._process.stdin.fileno(), records)
        except BlockingIOError as error:
            raise FirmwareError("the program does not read its samples") from error
        except BrokenPipeError as error:
            raise FirmwareError(f"the program has ended with {self._process.wait(STOP_TIMEOUT_S)}") from error
        assert written == len(records)

    def take(self) -> list[bytes]:
        """Frames sent since the last call, oldest first."""
        return self._cutter.feed(self.line.read())

    def hear(self, data: bytes) -> list[Ack]:
        """Pass on bytes from the gateway. Returns the acknowledgements among them that were for this device."""
        if data:
            self.line.write(data)
        return self.acknowledgements(data)

    def acknowledgements(self, data: bytes) -> list[Ack]:
        """Those for this device in bytes from the gateway, cut anywhere."""
        frames = [item for item in self._reader.feed(data) if isinstance(item, Frame) and item.address == self._address]
        return [ack for ack in map(parse_ack, frames) if ack is not None]

    def fileno(self) -> int | None:
        """Descriptor that is ready when the program has sent something; None while it does not have its port open."""
        return self.line.fileno() if self.line.is_heard() else None


class FirmwareWearable(FirmwareDevice):
    """The wearable: feels samples."""

    def __init__(
        self,
        program: Path,
        line: SerialBridge,
        address: int,
        *,
        boot: int,
        clock: Literal["real", "samples"] = "real",
        placement: Placement = Placement.WAIST,
    ) -> None:
        super().__init__(program, line, address, "--rate", str(RATE_HZ), "--placement", placement, boot=boot, clock=clock)

    def feed(self, samples: Samples, sensed: Sensed) -> None:
        """Hand over samples (N, 3) mg, N at most 300, with what the other sensors say. Raises FirmwareError."""
        self.feed_records(b"".join(_record(sample, sensed) for sample in samples.tolist()))


def _record(sample: list[int], sensed: Sensed) -> bytes:
    temperature = _NO_TEMPERATURE if sensed.skin_temperature is None else round(sensed.skin_temperature * 100)
    buttons = _PRESSED * sensed.is_pressed | _WORN * sensed.is_worn
    battery = 255 if sensed.battery is None else sensed.battery
    return _RECORD.pack(*sample, sensed.heart_rate or 0, sensed.spo2 or 0, temperature, battery, buttons)
