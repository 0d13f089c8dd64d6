"""Promises about the C code that a compiler can keep: integers only, no heap, no writable globals, memory within its limits."""

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.firmware.conftest import FIRMWARE
from tests.firmware.library import MIRRORS

SOURCES = sorted((FIRMWARE / "src").glob("*.c"))
INCLUDES = [f"-I{FIRMWARE / 'include'}", f"-I{FIRMWARE / 'src'}"]
BORROWED = {"memcpy", "memmove", "memset"}


def compile_object(source: Path, folder: Path, *flags: str) -> Path:
    target = folder / f"{source.stem}.o"
    subprocess.run(["cc", "-std=c11", "-O1", "-ffreestanding", *flags, *INCLUDES, "-c", source, "-o", target], check=True, timeout=60)
    return target


def symbols(target: Path, *flags: str) -> list[list[str]]:
    listed = subprocess.run(["nm", *flags, target], check=True, capture_output=True, text=True, timeout=60)
    return [line.split() for line in listed.stdout.splitlines()]


@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="needs a compiler flag of x86-64 and of AArch64")
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_floating_point_is_used(build: Path, tmp_path: Path, source: Path) -> None:
    compile_object(source, tmp_path, "-mgeneral-regs-only")


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_there_is_no_writable_global(build: Path, tmp_path: Path, source: Path) -> None:
    kinds = {line[1] for line in symbols(compile_object(source, tmp_path), "--defined-only") if len(line) == 3}
    assert not kinds & set("bBdDC")


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_nothing_of_the_c_library_is_called_but_moving_bytes(build: Path, tmp_path: Path, source: Path) -> None:
    undefined = {line[-1] for line in symbols(compile_object(source, tmp_path, "-fno-stack-protector"), "--undefined-only")}
    assert {name for name in undefined if not name.startswith(("bridge_", "_GLOBAL_OFFSET"))} <= BORROWED


def test_the_structs_that_these_tests_mirror_have_the_sizes_of_the_c_structs(build: Path, tmp_path: Path) -> None:
    lines = "".join(f'    printf("{name} %zu\\n", sizeof(struct {name}));\n' for name in MIRRORS)
    source = tmp_path / "sizes.c"
    source.write_text(f'#include "bridge_main.h"\n#include <stdio.h>\nint main(void)\n{{\n{lines}}}\n')
    subprocess.run(["cc", "-std=c11", *INCLUDES, source, "-o", tmp_path / "sizes"], check=True, timeout=60)
    printed = subprocess.run([tmp_path / "sizes"], check=True, capture_output=True, text=True, timeout=60).stdout
    sizes = {name: int(size) for name, size in (line.split() for line in printed.splitlines())}
    assert sizes == {name: ctypes.sizeof(mirror) for name, mirror in MIRRORS.items()}


def test_detector_and_ring_stay_within_2_kib_at_50_hz() -> None:
    ring_bytes = 275 * ctypes.sizeof(ctypes.c_uint32)
    assert ring_bytes + ctypes.sizeof(MIRRORS["bridge_fall_detector"]) <= 2048
