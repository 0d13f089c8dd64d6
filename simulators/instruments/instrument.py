"""What every simulated device is: bytes that it says by itself, and answers to what it is told. No port, no clock."""

from typing import Protocol


class Instrument(Protocol):
    """One device at the far end of a serial line. `now_s` is a monotonic time in seconds, given by the caller."""

    def write(self, now_s: float) -> bytes:
        """What it says by itself until now, since it was asked last."""
        ...

    def answer(self, data: bytes, now_s: float) -> bytes:
        """What it says to these bytes, which may be cut anywhere."""
        ...
