"""The first stage on recorded falls at the waist. The recordings are not part of the project: see docs/falls.md."""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.library import detect

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "falls"
RATE_HZ = 50
EARLY_S, LATE_S = 1.5, 10.0  # a fall counts as found from 1.5 s before to 10 s after its impact: docs/falls.md, scoring
KEPT_MIN = 0.99
FALLS_LEAST = 1000  # so that an empty or cut file is no success


def falls(path: Path) -> Iterator[tuple[list[tuple[int, int, int]], float]]:
    """Recorded falls as mg at 50 Hz, by linear interpolation, each with its impact, s."""
    numpy = pytest.importorskip("numpy")
    group = dict(numpy.load(path))
    rate_hz, lsb_per_g = float(group["fs"]), float(group["acc_lsb_per_g"])
    for index in numpy.flatnonzero(group["is_fall"]):
        mg = group["data"][group["offsets"][index] : group["offsets"][index + 1], :3] * (1000 / lsb_per_g)
        times = numpy.arange(0, (len(mg) - 1) / rate_hz, 1 / RATE_HZ)
        axes = [numpy.interp(times, numpy.arange(len(mg)) / rate_hz, mg[:, axis]) for axis in range(3)]
        yield numpy.rint(numpy.stack(axes, 1)).astype(int).tolist(), float(group["t_ref"][index])


def is_kept(library: ctypes.CDLL, samples: list[tuple[int, int, int]], impact_s: float) -> bool:
    decided_s = [candidate.decided_index / RATE_HZ for candidate in detect(library, samples)]
    return any(-EARLY_S <= at - impact_s <= LATE_S for at in decided_s)


def test_at_least_99_of_100_recorded_falls_at_the_waist_are_kept(library: ctypes.CDLL) -> None:
    groups = sorted(RECORDINGS.glob("*waist*.npz"))
    if not groups:
        pytest.skip(f"the recordings are not here: {RECORDINGS}")
    kept = [is_kept(library, samples, impact_s) for group in groups for samples, impact_s in falls(group)]
    print(f"{sum(kept)} of {len(kept)} recorded falls at the waist kept")
    assert len(kept) > FALLS_LEAST
    assert sum(kept) >= KEPT_MIN * len(kept)
