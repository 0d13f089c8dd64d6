"""Every impact of every recording as a row of features: what the trees learn from and are judged by. Kept in build/ between runs."""

import hashlib
import inspect
import logging
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.falls import recordings
from benchmarks.falls.recordings import Trial
from gateway import fall, fall_features, fall_trigger
from gateway.fall_trigger import AFTER_S, BEFORE_S, halve, impacts, turn_over

CACHE = Path(__file__).parents[2] / "build" / "falls"
PEAK_G_LEAST = 1.55
"""Learned from are also impacts that no wearable would send: they are like those that it does."""
SAME_IMPACT_S = 1.05
EARLY_S = 1.5
"""A detection so long before the impact is another thing: our own choice, as the scorer has it."""
LOT = 20260315

Floats = NDArray[np.float64]
Variant = Callable[[Trial, int], Trial]

VARIANTS: dict[str, Variant] = {
    "50hz": lambda trial, _: recordings.at_rate(trial, 50),
    "25hz": lambda trial, _: recordings.at_rate(trial, 25),
    "4g": lambda trial, _: recordings.with_sensor(recordings.at_rate(trial, 50), 4, 0.0078),
    **{
        f"disturbed{number}": lambda trial, index, number=number: recordings.disturbed(trial, np.random.default_rng((LOT, number, index)))
        for number in range(1, 5)
    },
}
"""The recordings as another sensor would have made them: for learning (50hz and the disturbed) and for judging (the first three)."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Impacts of one group in one variant, columns of one length.

    `values` (N, features); `label` 1 the impact of a fall, 0 none, -1 near one, so neither; `trial` its number in the group's file;
    `peak_s`, `decided_s` seconds from the trial's start; `is_sent`: a wearable would send it; `peak_g`, `turn_deg` (NaN: not known).
    """

    values: Floats
    label: NDArray[np.int64]
    trial: NDArray[np.int64]
    peak_s: Floats
    decided_s: Floats
    is_sent: NDArray[np.bool_]
    peak_g: Floats
    turn_deg: Floats
    person: NDArray[np.str_]


def names() -> list[str]:
    """Of the features, in the order of the columns."""
    return list(fall_features.features([(0.0, 0.0, 1.0)] * 275, 50, 150))


def collect(jobs: list[tuple[str, str]]) -> dict[tuple[str, str], Examples]:
    """Examples of each (group, variant), made by two processes where they are not kept from an earlier run."""
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = [job for job in jobs if not _path(*job).exists()]
    if wanted:
        logging.getLogger(__name__).info("making the features of %d recordings, some minutes", len(wanted))
        largest_first = sorted(wanted, key=lambda job: -(recordings.FOLDER / f"{job[0]}.npz").stat().st_size)
        with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            list(pool.map(_make, largest_first))
    return {job: _read(*job) for job in jobs}


def _read(group: str, variant: str) -> Examples:
    with np.load(_path(group, variant)) as file:
        return Examples(**{key: file[key] for key in file.files})


def _make(job: tuple[str, str]) -> None:
    group, variant = job
    rows = [row for index, trial in enumerate(recordings.read(group)) for row in _rows(VARIANTS[variant](trial, index), index)]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    path = _path(group, variant)
    part = path.with_suffix(".part.npz")
    np.savez(part, **dict(zip(Examples.__dataclass_fields__, columns, strict=True)))  # type: ignore[arg-type]
    part.replace(path)


def _rows(trial: Trial, index: int) -> list[tuple[object, ...]]:
    rows, rate_hz = halve([tuple(row) for row in trial.g.tolist()], trial.rate_hz)
    trial = replace(trial, rate_hz=rate_hz)
    trigger = fall.DETECTORS[trial.placement].trigger
    before, after = int(BEFORE_S * rate_hz), int(AFTER_S * rate_hz)
    found: list[tuple[object, ...]] = []
    for peak in impacts(rows, rate_hz, PEAK_G_LEAST):
        start = max(0, peak - before)
        turn_deg = turn_over(rows, peak, rate_hz, trigger)
        values = fall_features.features(rows[start : peak + after], rate_hz, peak - start)
        peak_s, decided_s = peak / rate_hz, (peak + after - 1) / rate_hz
        is_sent = values["peak"] > trigger.peak_g and (turn_deg is None or turn_deg >= trigger.turn_deg)
        label = label_of(trial, peak_s, decided_s)
        found.append((list(values.values()), label, index, peak_s, decided_s, is_sent, values["peak"], values["turn"], trial.person))
    return found


def label_of(trial: Trial, peak_s: float, decided_s: float) -> int:
    """1, 0 or -1 as in Examples."""
    if not trial.is_fall or decided_s < trial.impact_s - EARLY_S:
        return 0
    return 1 if abs(peak_s - trial.impact_s) <= SAME_IMPACT_S else -1


def _path(group: str, variant: str) -> Path:
    """Named after all that decides what is in it: the recordings' size, and the programs."""
    programs = (recordings, fall_features, fall_trigger)
    told = "".join(map(inspect.getsource, programs)) + inspect.getsource(_rows) + inspect.getsource(label_of) + repr(fall.DETECTORS)
    size = (recordings.FOLDER / f"{group}.npz").stat().st_size
    return CACHE / f"{group}-{variant}-{hashlib.sha256(f'{told}{size}{LOT}{PEAK_G_LEAST}'.encode()).hexdigest()[:12]}.npz"
