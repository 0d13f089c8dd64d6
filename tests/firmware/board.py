"""A board in memory: a clock that a test moves, a UART that takes as much as it is told, samples from a list."""

import ctypes
from collections import deque
from collections.abc import Iterable

from gateway.bridges.framing import Frame, FrameFault, FrameReader, seal
from tests.firmware import library as c

ADDRESS, BOOT = 77, 0xB007
VITALS, CANDIDATE, CHUNK, SOS, ACK = 0x01, 0x02, 0x06, 0x04, 0x7F


class Board:
    """A bridge on this board. One `tick` is one poll; it moves the clock by `tick_ms` and takes one sample, if any is left."""

    def __init__(self, library: ctypes.CDLL, *, rate_hz: int = 50, start_ms: int = 1000) -> None:
        self.now_ms = start_ms
        self.tick_ms = 1000 // rate_hz
        self.uart_space = 1000
        self.is_pressed = False
        self.samples: deque[c.Sample] = deque()
        self.received = bytearray()
        self.frames: list[tuple[int, Frame | FrameFault]] = []
        self.bridge = c.Bridge()
        self._library = library
        self._reader = FrameReader()
        self._memory = [(ctypes.c_uint32 * (windows * c.window_samples(rate_hz)))() for windows in (1, c.FALL_EVENTS_MAX)]
        self._hal = c.Hal(
            None,
            c.CLOCK(lambda _: self.now_ms % (1 << 32)),
            c.UART(self._uart_read),
            c.UART(self._uart_write),
            c.SAMPLE_NEXT(self._sample_next),
            c.SOS_IS_PRESSED(lambda _: self.is_pressed),
            c.RANDOM(lambda _: BOOT),
        )
        assert self.start(rate_hz=rate_hz) == c.OK

    def start(
        self,
        *,
        rate_hz: int = 50,
        address: int = ADDRESS,
        vitals_period_ms: int = 1000,
        space_samples: int | None = None,
        placement: int = c.WAIST,
    ) -> int:
        """bridge_init on this board; returns its status."""
        ring, windows = self._memory
        space = len(ring) if space_samples is None else space_samples
        config = c.Config(ring, windows, vitals_period_ms, space, address, rate_hz, placement)
        status: int = self._library.bridge_init(self.bridge, self._hal, config)
        return status

    def tick(self, times: int = 1) -> bool:
        """Poll so often; returns what the last poll said."""
        moved = False
        for _ in range(times):
            self.now_ms += self.tick_ms
            moved = self._library.bridge_poll(self.bridge)
        return moved

    def run(self, seconds: float) -> None:
        """Poll for so long."""
        self.tick(round(seconds * 1000 / self.tick_ms))

    def move(self, samples: Iterable[tuple[int, int, int]]) -> None:
        """Poll through a movement, one sample per poll."""
        for x, y, z in samples:
            self.samples.append(c.Sample(c.Acceleration(x, y, z), 3345, 0xFFFF, 72, 97, 90, True))
            self.tick()

    def press(self, seconds: float) -> None:
        """Hold the button for so long, then let it go for 0.1 s."""
        self.is_pressed = True
        self.run(seconds)
        self.is_pressed = False
        self.run(0.1)

    def acknowledge(self, event: int, frame_type: int, *, address: int = ADDRESS, boot: int = BOOT) -> None:
        """Let an ACK arrive at the next poll."""
        payload = boot.to_bytes(2, "little") + event.to_bytes(2, "little") + bytes([frame_type])
        self.received += seal(Frame(ACK, address, 0, payload))

    def sent(self, *types: int) -> list[Frame]:
        """Frames of these types that have come out of the UART, in order."""
        return [frame for _, frame in self.frames if isinstance(frame, Frame) and frame.type in types]

    def sent_at(self, frame_type: int) -> list[int]:
        """When the frames of a type came out, ms."""
        return [at for at, frame in self.frames if isinstance(frame, Frame) and frame.type == frame_type]

    def is_idle(self) -> bool:
        """bridge_is_idle."""
        idle: bool = self._library.bridge_is_idle(self.bridge)
        return idle

    def _uart_read(self, _: int | None, space: "ctypes._Pointer[ctypes.c_uint8]", length: int) -> int:
        part = bytes(self.received[:length])
        ctypes.memmove(space, part, len(part))
        del self.received[: len(part)]
        return len(part)

    def _uart_write(self, _: int | None, data: "ctypes._Pointer[ctypes.c_uint8]", length: int) -> int:
        taken = min(length, self.uart_space)
        self.frames += [(self.now_ms, frame) for frame in self._reader.feed(bytes(data[:taken]))]
        return taken

    def _sample_next(self, _: int | None, sample: "ctypes._Pointer[c.Sample]") -> bool:
        if not self.samples:
            return False
        sample[0] = self.samples.popleft()
        return True
