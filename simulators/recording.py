"""Acceleration recorded by others, made into what our wearable samples: 50 Hz, mg, three axes."""

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.home import RATE_HZ, Samples, Vector, to_samples

FALL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "falls"
FALL_ACTIVITY = "F03"
"""SisFall: lateral slip."""
CSV_COLUMNS = ["t", "x", "y", "z"]
ROWS_MAX = 20_000_000
SECONDS_MAX = 24 * 3600
RATE_HZ_MAX = 10_000
G_MEDIAN_MIN, G_MEDIAN_MAX = 0.3, 3.0
"""A body at rest feels 1 g. Outside of these bounds the file is in another unit (9.8: m/s2, 1000: mg)."""
FILTER_TAPS = 41


class RecordingError(ValueError):
    """A file that is no recording; the message is one line."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One trial of a file: `samples` (N, 3) mg at 50 Hz."""

    file: Path
    trial: int
    samples: Samples

    @property
    def impact_s(self) -> float:
        """Seconds from the first sample to the largest acceleration."""
        return int(np.argmax(np.linalg.norm(self.samples.astype(float), axis=1))) / RATE_HZ


def load_recording(file: Path, trial: int = 0) -> Samples:
    """Read one recording as (N, 3) mg at 50 Hz.

    npz with `data` (rows, 3 or more), `offsets` (trials + 1), `fs` and `acc_lsb_per_g`: trial number `trial`. npz with `acc` (N, 3) in g
    and `fs`: one trial. csv with the header t,x,y,z: seconds and g, one trial. Raises RecordingError for anything else.
    """
    if file.suffix not in _READERS:
        raise RecordingError(f"{file}: neither .npz nor .csv")
    try:
        acceleration_g, rate_hz = _READERS[file.suffix](file, trial)
    except OSError as error:
        raise RecordingError(f"{file}: {error.strerror or error}") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RecordingError(f"{file}: {error.args[0] if error.args else error}") from error
    _check(file, acceleration_g, rate_hz)
    return to_samples(1000 * resample(acceleration_g, rate_hz))


def find_fall_recording() -> Recording | None:
    """A recorded fall from `../shared/data/falls` beside the checkout, always the same one; None where there is no such folder.

    The first lateral slip of the first waist set that has one, by order of names.
    """
    for file in sorted(FALL_DATA.glob("*waist*.npz")):
        with np.load(file, allow_pickle=False) as arrays:
            falls = np.flatnonzero(arrays["is_fall"] & (arrays["activity"] == FALL_ACTIVITY))
        if len(falls):
            trial = int(falls[0])
            return Recording(file, trial, load_recording(file, trial))
    return None


def resample(signal: Vector, rate_hz: float) -> Vector:
    """`signal` (N, 3) at `rate_hz` as (M, 3) at 50 Hz: what 50 Hz cannot carry is filtered out first, then straight lines."""
    if rate_hz > RATE_HZ:
        signal = _low_pass(signal, RATE_HZ / 2 / rate_hz)
    seconds = np.arange(int(len(signal) / rate_hz * RATE_HZ)) / RATE_HZ
    own_seconds = np.arange(len(signal)) / rate_hz
    return np.column_stack([np.interp(seconds, own_seconds, axis) for axis in signal.T])


def _low_pass(signal: Vector, cutoff: float) -> Vector:
    """Windowed sinc; `cutoff` is a share of the sample rate. The ends are held, so that gravity does not fade there."""
    taps = np.sinc(2 * cutoff * (np.arange(FILTER_TAPS) - FILTER_TAPS // 2)) * np.hamming(FILTER_TAPS)
    taps /= taps.sum()
    padded = np.pad(signal, ((FILTER_TAPS // 2, FILTER_TAPS // 2), (0, 0)), mode="edge")
    return np.column_stack([np.convolve(axis, taps, mode="valid") for axis in padded.T])


def _read_npz(file: Path, trial: int) -> tuple[Vector, float]:
    with np.load(file, allow_pickle=False) as arrays:
        names = set(arrays.files)
        if {"data", "offsets", "fs", "acc_lsb_per_g"} <= names:
            rows = _trial_rows(arrays["data"], arrays["offsets"], trial)
            return rows[:, :3] / float(arrays["acc_lsb_per_g"]), float(arrays["fs"])
        if {"acc", "fs"} <= names:
            _only_trial(trial)
            return np.asarray(arrays["acc"], np.float64), float(arrays["fs"])
    raise ValueError("has neither data, offsets, fs, acc_lsb_per_g nor acc, fs")


def _trial_rows(data: NDArray[Any], offsets: NDArray[Any], trial: int) -> NDArray[Any]:
    if not 0 <= trial < len(offsets) - 1:
        raise ValueError(f"has trials 0..{len(offsets) - 2}, not {trial}")
    return data[offsets[trial] : offsets[trial + 1]]


def _read_csv(file: Path, trial: int) -> tuple[Vector, float]:
    _only_trial(trial)
    with file.open(newline="", encoding="utf-8") as lines:
        rows = csv.reader(lines)
        header = [name.strip() for name in next(rows, [])]
        if header != CSV_COLUMNS:
            raise ValueError(f"the header must be {','.join(CSV_COLUMNS)}, not {','.join(header)}")
        table = np.array([_numbers(row, rows.line_num) for row in rows if row])
    if len(table) < 2:
        raise ValueError("has fewer than two rows")
    steps = np.diff(table[:, 0])
    if not (steps > 0).all():
        raise ValueError(f"t must grow; it does not after row {int(np.argmin(steps > 0)) + 1}")
    rate_hz = 1 / float(np.median(steps))
    seconds = np.arange(table[0, 0], table[-1, 0], 1 / rate_hz)
    return np.column_stack([np.interp(seconds, table[:, 0], axis) for axis in table[:, 1:].T]), rate_hz


def _numbers(row: list[str], line: int) -> list[float]:
    if len(row) != len(CSV_COLUMNS):
        raise ValueError(f"line {line} has {len(row)} columns, not {len(CSV_COLUMNS)}")
    try:
        return [float(cell) for cell in row]
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from error


def _only_trial(trial: int) -> None:
    if trial != 0:
        raise ValueError(f"holds one trial, 0, not {trial}")


def _check(file: Path, signal: Vector, rate_hz: float) -> None:
    """Refuse what cannot be played: shape, rate, length, gaps, unit."""
    if signal.ndim != 2 or signal.shape[1] != 3:
        raise RecordingError(f"{file}: three columns are needed, not an array of shape {signal.shape}")
    if not 1 <= rate_hz <= RATE_HZ_MAX:
        raise RecordingError(f"{file}: {rate_hz:g} samples per second; 1..{RATE_HZ_MAX} can be played")
    if not 1 <= len(signal) / rate_hz <= SECONDS_MAX or len(signal) > ROWS_MAX:
        raise RecordingError(f"{file}: lasts {len(signal) / rate_hz:g} s; 1 s to a day can be played")
    if not np.isfinite(signal).all():
        raise RecordingError(f"{file}: holds values that are not numbers")
    median_g = float(np.median(np.linalg.norm(signal, axis=1)))
    if not G_MEDIAN_MIN <= median_g <= G_MEDIAN_MAX:
        raise RecordingError(f"{file}: half of the accelerations exceed {median_g:g}, so they are hardly in g")


_READERS = {".npz": _read_npz, ".csv": _read_csv}
