"""The fuzz targets of every parser, for a moment and always the same; `make -C firmware_stubs fuzz` does it for long."""

import subprocess
from pathlib import Path

import pytest

from tests.firmware.conftest import FIRMWARE

TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in (FIRMWARE / "fuzz").glob("fuzz_*.c"))
SEED, INPUTS = "20240511", "4000"


@pytest.fixture(scope="module")
def steady(build: Path) -> Path:
    """Folder of the targets, with sanitizers where the compiler has them."""
    for flags in ([], ["STEADY_FLAGS="]):
        command = ["make", "-s", "-C", str(FIRMWARE), f"BUILD={build}", "steady", *flags]
        if subprocess.run(command, capture_output=True, timeout=240, check=False).returncode == 0:
            return build / "steady"
    pytest.fail("the fuzz targets do not compile")


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_parser(steady: Path, target: str) -> None:
    ran = subprocess.run([steady / target, SEED, INPUTS], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, f"{target} with seed {SEED}: {ran.stderr}"
