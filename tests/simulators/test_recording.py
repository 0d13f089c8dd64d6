"""Recordings of others become 50 Hz samples in mg, or are refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulators.recording import FALL_DATA, RecordingError, find_fall_recording, load_recording, resample

UPRIGHT_G = np.tile([0.0, -1.0, 0.0], (400, 1))


def npz(folder: Path, **arrays: Any) -> Path:
    file = folder / "own.npz"
    np.savez(file, **arrays)
    return file


def csv(folder: Path, text: str) -> Path:
    file = folder / "own.csv"
    file.write_text(text, "utf-8")
    return file


def rows(count: int, step_s: float = 0.02) -> str:
    return "t,x,y,z\n" + "".join(f"{index * step_s:.4f},0,-1,0.5\n" for index in range(count))


def test_an_npz_of_g_at_100_hz_becomes_mg_at_50(tmp_path: Path) -> None:
    samples = load_recording(npz(tmp_path, acc=UPRIGHT_G, fs=100))
    assert samples.dtype == np.int16
    assert np.array_equal(samples, np.tile([0, -1000, 0], (200, 1)))


def test_a_trial_of_many_is_chosen_by_number(tmp_path: Path) -> None:
    data = np.concatenate([np.tile([0, 512, 0, 9, 9, 9], (100, 1)), np.tile([0, 0, 512, 9, 9, 9], (200, 1))]).astype(np.int16)
    file = npz(tmp_path, data=data, offsets=np.array([0, 100, 300]), fs=50.0, acc_lsb_per_g=512.0)
    assert np.array_equal(load_recording(file, 0), np.tile([0, 1000, 0], (100, 1)))
    assert np.array_equal(load_recording(file, 1), np.tile([0, 0, 1000], (200, 1)))
    with pytest.raises(RecordingError, match=r"has trials 0\.\.1, not 2"):
        load_recording(file, 2)


def test_a_csv_of_seconds_and_g_is_read(tmp_path: Path) -> None:
    samples = load_recording(csv(tmp_path, rows(101)))
    assert np.array_equal(samples, np.tile([0, -1000, 500], (100, 1)))


@pytest.mark.parametrize("rate_hz", [20, 50, 64, 100, 200])
def test_resampling_keeps_a_slow_swing(rate_hz: int) -> None:
    seconds = np.arange(10 * rate_hz) / rate_hz
    slow = np.column_stack([np.sin(2 * np.pi * seconds), np.ones(len(seconds)), np.zeros(len(seconds))])
    result = resample(slow, rate_hz)
    expected = np.sin(2 * np.pi * np.arange(500) / 50)
    assert result.shape == (500, 3)
    assert np.abs(result[25:-25, 0] - expected[25:-25]).max() < 0.02
    assert result[:, 1] == pytest.approx(1)


def test_resampling_takes_out_what_50_hz_cannot_carry() -> None:
    fast = np.tile(np.sin(2 * np.pi * 45 * np.arange(1000) / 200)[:, None], (1, 3))
    assert np.abs(resample(fast, 200)[10:-10]).max() < 0.05


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0,0,-1,0\n", "the header must be t,x,y,z, not 0,0,-1,0"),
        ("", "the header must be t,x,y,z"),
        ("t,x,y,z\n0,0,-1,0\n", "fewer than two rows"),
        ("t,x,y,z\n0,0,-1,0\n0.02,0,-1\n", "line 3 has 3 columns, not 4"),
        ("t,x,y,z\n0,0,-1,0\n0.02,0,one,0\n", "line 3: could not convert string to float: 'one'"),
        ("t,x,y,z\n0,0,-1,0\n0.02,0,-1,0\n0.02,0,-1,0\n", "t must grow; it does not after row 2"),
        ("t,x,y,z\n0,0,-1,0\n0.02,0,-1,0\n", "1 s to a day can be played"),
        (rows(100).replace("-1", "-9.81"), "hardly in g"),
        (rows(100).replace("-1", "nan"), "not numbers"),
    ],
)
def test_a_bad_csv_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(RecordingError) as refused:
        load_recording(csv(tmp_path, text))
    assert told in str(refused.value)
    assert "own.csv" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"acc": UPRIGHT_G}, "has neither"),
        ({"acc": UPRIGHT_G[:, :2], "fs": 50}, r"not an array of shape \(400, 2\)"),
        ({"acc": UPRIGHT_G, "fs": 0}, "0 samples per second"),
        ({"acc": UPRIGHT_G, "fs": np.nan}, "nan samples per second"),
        ({"acc": 1000 * UPRIGHT_G, "fs": 50}, "hardly in g"),
        ({"acc": np.array(["a", "b"]), "fs": 50}, "could not convert"),
        ({"acc": np.array([None]), "fs": 50}, "allow_pickle"),
    ],
)
def test_a_bad_npz_is_refused_in_one_line(tmp_path: Path, arrays: dict[str, Any], told: str) -> None:
    with pytest.raises(RecordingError, match=told) as refused:
        load_recording(npz(tmp_path, **arrays))
    assert "\n" not in str(refused.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.npz").write_bytes(b"not a zip")
    for file, told in ((tmp_path / "own.mat", "neither"), (tmp_path / "absent.csv", "No such file"), (tmp_path / "own.npz", "own.npz")):
        with pytest.raises(RecordingError, match=told):
            load_recording(file)


def test_one_trial_has_number_0(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds one trial"):
        load_recording(csv(tmp_path, rows(100)), 1)


def test_the_recorded_fall_is_always_the_same_and_hard() -> None:
    recording = find_fall_recording()
    if recording is None:
        pytest.skip(f"no recordings in {FALL_DATA}")
    again = find_fall_recording()
    assert again is not None
    assert np.array_equal(recording.samples, again.samples)
    assert np.linalg.norm(recording.samples.astype(float), axis=1).max() > 2500


def test_without_recordings_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.recording.FALL_DATA", tmp_path)
    assert find_fall_recording() is None
