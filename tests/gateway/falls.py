"""Windows around an impact as a wearable sends them: drawn falls, and movements that are none. No recording is in them."""

import numpy as np

from contract.events import AccelerationWindow
from simulators.home import Placement, synthetic_fall

RATE_HZ = 50
BEFORE, AFTER = 3 * RATE_HZ, 5 * RATE_HZ // 2

Row = tuple[int, int, int]


def window(rows: list[Row], rate_hz: float = RATE_HZ) -> AccelerationWindow:
    """As it is in the contract."""
    return AccelerationWindow(rate_hz=rate_hz, x=[row[0] for row in rows], y=[row[1] for row in rows], z=[row[2] for row in rows])


def fall_trial(seed: int = 4, placement: str = "waist", *, standing_s: float = 6.0) -> list[Row]:
    """Standing, then a fall drawn by lot and 6 s on the floor, mg at RATE_HZ."""
    fall = synthetic_fall(seed, Placement(placement))
    standing = np.tile(fall[0], (round(standing_s * RATE_HZ), 1)) + np.random.default_rng(seed).normal(
        0, 15, (round(standing_s * RATE_HZ), 3)
    )
    return [(int(x), int(y), int(z)) for x, y, z in np.concatenate([np.rint(standing), fall]).tolist()]


def impact_row(rows: list[Row]) -> int:
    """Where |a| is largest."""
    return max(range(len(rows)), key=lambda row: sum(axis * axis for axis in rows[row]))


def fall_rows(seed: int = 4, placement: str = "waist") -> list[Row]:
    """The window of such a fall, its impact at row BEFORE."""
    rows = fall_trial(seed, placement)
    peak = impact_row(rows)
    return rows[peak - BEFORE : peak + AFTER]


def knock_rows() -> list[Row]:
    """Somebody who stands, knocks against something with 3 g, and stands."""
    return [(0, 0, 1000)] * BEFORE + [(0, 0, 3000)] + [(0, 0, 1000)] * (AFTER - 1)
