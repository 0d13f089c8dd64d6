"""What noise does to the bytes of a serial line."""

from collections import deque
from dataclasses import dataclass

import numpy as np

GARBAGE_BYTES_MAX = 32


@dataclass(frozen=True, slots=True)
class LineRates:
    """How bad a serial line is. `loss` and `noise` are chances per byte, `garbage` and `repeat` per chunk; all 0..1."""

    loss: float = 0.0
    noise: float = 0.0
    garbage: float = 0.0
    repeat: float = 0.0
    delay_s: float = 0.0


class LineFaults:
    """Damages byte chunks as a bad line would; the same seed and chunks give the same damage. `rates` may be changed at any time."""

    def __init__(self, rates: LineRates, seed: int) -> None:
        self.rates = rates
        self._random = np.random.default_rng([seed, 0xFA])
        self._late: deque[tuple[float, bytes]] = deque()

    def push(self, chunk: bytes, now_s: float) -> None:
        """Put a chunk on the line: bytes vanish, one bit of a byte flips, the chunk comes twice, a burst of garbage precedes it."""
        if not any((self.rates.loss, self.rates.noise, self.rates.garbage, self.rates.repeat)):
            self._late.append((now_s + self.rates.delay_s, chunk))
            return
        copies = 2 if self._random.random() < self.rates.repeat else 1
        for _ in range(copies):
            self._late.append((now_s + self.rates.delay_s, self._garbage() + self._damaged(chunk)))

    def pull(self, now_s: float) -> list[bytes]:
        """Chunks that have arrived, in the order they were sent: a serial line never reorders."""
        arrived = []
        while self._late and self._late[0][0] <= now_s:
            arrived.append(self._late.popleft()[1])
        return arrived

    def _garbage(self) -> bytes:
        if self._random.random() >= self.rates.garbage:
            return b""
        return self._random.bytes(int(self._random.integers(1, GARBAGE_BYTES_MAX + 1)))

    def _damaged(self, chunk: bytes) -> bytes:
        data = np.frombuffer(chunk, np.uint8)
        flips = np.left_shift(1, self._random.integers(0, 8, len(data))) * (self._random.random(len(data)) < self.rates.noise)
        return (data ^ flips.astype(np.uint8))[self._random.random(len(data)) >= self.rates.loss].tobytes()
