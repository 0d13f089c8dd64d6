"""When an instrument speaks by itself: so many times a second, never more than a second's worth at once."""


class Rhythm:
    """State: when the next frame is due."""

    def __init__(self, per_s: float) -> None:
        self._period_s = 1 / per_s
        self._next_s: float | None = None

    def due(self, now_s: float) -> int:
        """How many frames are due by now; the first at the first call. What a long pause has missed stays missed, as with a real device."""
        if self._next_s is None or now_s - self._next_s > 1.0:
            self._next_s = now_s
        count = int((now_s - self._next_s) / self._period_s) + 1 if now_s >= self._next_s else 0
        self._next_s += count * self._period_s
        return count
