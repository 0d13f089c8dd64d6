"""Recorded falls and other activities: read from ../shared/data/falls, brought to other rates and sensors. None of it is in the project."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "falls"
GROUPS = {
    "trunk": (
        "daphnet_trunk_64hz",
        "sisfall_waist_100hz",
        "smartfallmm_hip_50hz",
        "umafall_chest_20hz",
        "umafall_waist_20hz",
    ),
    "wrist": ("smartfallmm_wrist_32hz", "umafall_wrist_20hz", "weda_wrist_50hz"),
}
"""Recordings by the trees that learn from them."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trial:
    """One recording: `g` (N, 3). `impact_s`: of a fall, seconds from its start. `person`: unique over all sets."""

    group: str
    name: str
    person: str
    is_elder: bool
    activity: str
    is_fall: bool
    impact_s: float
    rate_hz: float
    g: Array

    @property
    def placement(self) -> str:
        """Where the device was worn, as the configuration says it."""
        return self.group.split("_")[1]

    @property
    def duration_s(self) -> float:
        """Of the recording."""
        return len(self.g) / self.rate_hz


def missing() -> str | None:
    """Why there is nothing to read, or None."""
    wanted = [name for names in GROUPS.values() for name in names]
    absent = [name for name in wanted if not (FOLDER / f"{name}.npz").exists()]
    return f"the recordings {', '.join(absent)} are not in {FOLDER}" if absent else None


def read(group: str) -> Iterator[Trial]:
    """All trials of a group, in the order of its file."""
    with np.load(FOLDER / f"{group}.npz") as file:
        held = {key: file[key] for key in file.files}
    scale = 1 / float(held["acc_lsb_per_g"])
    for index, (start, end) in enumerate(zip(held["offsets"], held["offsets"][1:], strict=False)):
        yield Trial(
            group=group,
            name=str(held["trial"][index]),
            person=f"{held['source']}:{held['subject'][index]}",
            is_elder=bool(held["elder"][index]),
            activity=str(held["activity"][index]),
            is_fall=bool(held["is_fall"][index]),
            impact_s=float(held["t_ref"][index]),
            rate_hz=float(held["fs"]),
            g=held["data"][start:end, :3] * scale,
        )


def at_rate(trial: Trial, rate_hz: float) -> Trial:
    """The same at another rate: a windowed-sinc low-pass where it is lower, then straight lines between samples."""
    if rate_hz == trial.rate_hz:
        return trial
    g = _low_pass(trial.g, rate_hz / trial.rate_hz) if rate_hz < trial.rate_hz else trial.g
    times = np.arange(int((len(g) - 1) * rate_hz / trial.rate_hz) + 1) / rate_hz
    known = np.arange(len(g)) / trial.rate_hz
    return replace(trial, rate_hz=rate_hz, g=np.stack([np.interp(times, known, g[:, axis]) for axis in range(3)], 1))


def _low_pass(g: Array, share: float) -> Array:
    cut = 0.45 * share
    half = int(4 / share)
    offsets = np.arange(-half, half + 1)
    taps = 2 * cut * np.sinc(2 * cut * offsets) * np.hamming(len(offsets))
    taps /= taps.sum()
    padded = np.pad(g, ((half, half), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, axis], taps, "valid") for axis in range(3)], 1)


def with_sensor(trial: Trial, range_g: float, step_g: float) -> Trial:
    """The same as a sensor of this range and resolution would have given it."""
    return replace(trial, g=np.rint(np.clip(trial.g, -range_g, range_g) / step_g) * step_g)


def disturbed(trial: Trial, source: np.random.Generator) -> Trial:
    """The same on another device, somebody a little faster or slower: rate, gain (7 %), turn, range, resolution, pace (8 %) by lot."""
    other = at_rate(trial, float(source.choice([25, 33, 50, 50, 62.5])))
    gain, pace = source.uniform(0.93, 1.07), source.uniform(0.92, 1.08)
    worn = with_sensor(
        replace(other, g=gain * other.g @ rotation(source).T), float(source.choice([4, 8, 16])), float(source.choice([0.004, 0.0078, 0.03]))
    )
    return replace(worn, rate_hz=worn.rate_hz * pace, impact_s=worn.impact_s / pace)


def rotation(source: np.random.Generator) -> Array:
    """A turn by lot, every direction equally likely, (3, 3)."""
    w, x, y, z = (part := source.normal(size=4)) / math.sqrt(float(part @ part))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
