"""The first stage on recorded falls at every place on the body. The recordings are not part of the project: see docs/falls.md."""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.library import CHEST, WAIST, WRIST, detect

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "falls"
RATE_HZ = 50
EARLY_S, LATE_S = 1.5, 10.0  # a fall counts as found from 1.5 s before to 10 s after its impact: docs/falls.md, scoring
AFTER_S = 2.5  # a recording that ends sooner after its impact shows no first stage what comes after
EVERY = {"umafall_waist_20hz": 1, "umafall_chest_20hz": 1, "umafall_wrist_20hz": 1, "sisfall_waist_100hz": 4}  # 1 fall in so many
GROUPS = [
    # group, place, and how many falls that can be judged may be missed
    ("sisfall_waist_100hz", WAIST, 0),
    ("umafall_waist_20hz", WAIST, 0),
    ("umafall_chest_20hz", CHEST, 0),
    ("umafall_wrist_20hz", WRIST, 0),
    ("weda_wrist_50hz", WRIST, 0),
    ("smartfallmm_wrist_32hz", WRIST, 1),
]


def falls(path: Path, every: int) -> Iterator[tuple[list[tuple[int, int, int]], float]]:
    """Recorded falls that can be judged, as mg at 50 Hz, by linear interpolation, each with its impact, s."""
    numpy = pytest.importorskip("numpy")
    group = dict(numpy.load(path))
    rate_hz, lsb_per_g = float(group["fs"]), float(group["acc_lsb_per_g"])
    for index in numpy.flatnonzero(group["is_fall"])[::every]:
        mg = group["data"][group["offsets"][index] : group["offsets"][index + 1], :3] * (1000 / lsb_per_g)
        times = numpy.arange(0, (len(mg) - 1) / rate_hz, 1 / RATE_HZ)
        axes = [numpy.interp(times, numpy.arange(len(mg)) / rate_hz, mg[:, axis]) for axis in range(3)]
        impact_s = float(group["t_ref"][index])
        if times[-1] - impact_s >= AFTER_S:
            yield numpy.rint(numpy.stack(axes, 1)).astype(int).tolist(), impact_s


def is_kept(library: ctypes.CDLL, samples: list[tuple[int, int, int]], impact_s: float, placement: int) -> bool:
    decided_s = [candidate.decided_index / RATE_HZ for candidate in detect(library, samples, placement=placement)]
    return any(-EARLY_S <= at - impact_s <= LATE_S for at in decided_s)


@pytest.mark.parametrize(("group", "placement", "missed_max"), GROUPS)
def test_recorded_falls_are_kept(library: ctypes.CDLL, group: str, placement: int, missed_max: int) -> None:
    path = RECORDINGS / f"{group}.npz"
    if not path.exists():
        pytest.skip(f"the recordings are not here: {RECORDINGS}")
    kept = [is_kept(library, samples, impact_s, placement) for samples, impact_s in falls(path, EVERY.get(group, 1))]
    print(f"{group}: {sum(kept)} of {len(kept)} recorded falls kept")
    assert len(kept) > 30  # so that an empty or cut file is no success
    assert kept.count(False) <= missed_max
