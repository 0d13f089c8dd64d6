"""What a serial line at one rate makes of bytes that were sent at another. A pseudo terminal itself carries them at any rate.

A byte on the line is a start bit 0, its bits with the lowest first, and a stop bit 1; between bytes the line is 1. The receiver waits for
the edge of a start bit and samples the middle of each bit by its own clock. It passes on what has no stop bit too, as Linux does.
"""

TOLERANCE = 0.02
"""So far rates may be apart: with ten bits a byte, 5 % moves the last sample by half a bit, and each end has its share of it."""


def heard(data: bytes, *, sent_baud: int, read_baud: int) -> bytes:
    """Bytes that a receiver at `read_baud` takes `data` for."""
    step = sent_baud / read_baud
    if abs(step - 1) <= TOLERANCE:
        return data
    line = [bit for byte in data for bit in (0, *(byte >> place & 1 for place in range(8)), 1)]
    found = bytearray()
    at = 0
    while (edge := _next_edge(line, at)) is not None:
        found.append(sum(_sample(line, edge + (place + 1.5) * step) << place for place in range(8)))
        at = max(edge + 1, round(edge + 9.5 * step))
    return bytes(found)


def _next_edge(line: list[int], at: int) -> int | None:
    return next((place for place in range(at, len(line)) if not line[place] and (place == 0 or line[place - 1])), None)


def _sample(line: list[int], at: float) -> int:
    return line[int(at)] if at < len(line) else 1
