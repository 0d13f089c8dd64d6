"""Builds the C code once per run, with the compiler that is there."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.firmware.library import load

FIRMWARE = Path(__file__).parents[2] / "firmware_stubs"


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with libbridge.so and the four devices as programs."""
    if not shutil.which("cc") or not shutil.which("make"):
        pytest.skip("a C compiler and make are needed to test the firmware")
    folder = tmp_path_factory.mktemp("firmware")
    made = subprocess.run(["make", "-C", str(FIRMWARE), f"BUILD={folder}"], capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="session")
def library(build: Path) -> ctypes.CDLL:
    return load(build / "libbridge.so")


@pytest.fixture(scope="session")
def wearable_host(build: Path) -> Path:
    return build / "wearable_host"
