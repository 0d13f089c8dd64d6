"""Captured and stated frames of every device, kept in a folder beside the checkout: whole, byte by byte, and cut at random.

Each file is one protocol of `gateway.decode`, so this is also the test of what `python -m gateway decode` prints.
"""

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from gateway.decode import TYPES, decode

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "vectors"
CUTTING = ("chunks", "chunk_bytes")
SEEDS = range(10)
FOUND_IN_NOISE = frozenset(
    {
        *("bci_oximeter", "contec_v5", "contec_v7", "nonin_serial", "radar_sy", "radar_tinyframe"),
        *("hlk_ld2410", "hlk_ld2450", "enocean_esp3"),
    }
)

Vector = dict[str, Any]


def cases() -> list[Any]:
    """(type, vector) of every file that has a type here."""
    files = [FOLDER / f"{name}.json" for name in sorted(TYPES)]
    vectors = [(file.stem, vector) for file in files if file.exists() for vector in json.loads(file.read_text("utf-8"))]
    return [pytest.param(name, vector, id=f"{name}-{vector['name']}") for name, vector in vectors]


def framed_cases() -> list[Any]:
    """Those that are whole frames, to be found in a stream by themselves: not one value, one line, or one frame of the 25 of a packet."""
    return [case for case in cases() if is_framed(*case.values)]


def bytes_of(vector: Vector) -> bytes:
    return bytes.fromhex(vector["hex"]) if "hex" in vector else str(vector["text"]).encode()


def context_of(vector: Vector) -> dict[str, str]:
    return {key: str(value) for key, value in vector.get("context", {}).items() if key not in CUTTING}


def wanted(expect: dict[str, Any]) -> list[dict[str, Any]]:
    if "error" in expect:
        return []
    frames: list[dict[str, Any]] = expect.get("frames", [expect])
    return frames


def agrees(said: Any, expected: Any) -> bool:
    """True where all that is expected was said; other keys are no fault, but no value may stand for none or none for a value."""
    if isinstance(expected, dict):
        return isinstance(said, dict) and all(key in said and agrees(said[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(said, list) and len(said) == len(expected) and all(map(agrees, said, expected))
    if isinstance(expected, bool) or not isinstance(expected, int | float):
        return bool(said == expected) and type(said) is type(expected)
    return isinstance(said, int | float) and not isinstance(said, bool) and math.isclose(said, expected, rel_tol=1e-6)


def check(name: str, vector: Vector, pieces: list[bytes]) -> None:
    said = json.loads(json.dumps(list(decode(name, pieces, context_of(vector)))))
    frames = [one for one in said if "error" not in one]
    expected = wanted(vector["expect"])
    assert len(frames) == len(expected) and all(map(agrees, frames, expected)), (pieces, said, expected)
    if "error" in vector["expect"] or vector["expect"].get("rejects"):
        assert any("error" in one for one in said), said


def is_framed(name: str, vector: Vector) -> bool:
    is_alone = name == "nonin_serial" and "status" in vector["name"]
    return name in FOUND_IN_NOISE and "error" not in vector["expect"] and not is_alone


def check_in_noise(name: str, vector: Vector, seed: int) -> None:
    """Every frame is found in order behind noise. Without a checksum the noise itself may now and then look like a frame."""
    source = random.Random(seed)
    stream = source.randbytes(source.randrange(1, 40)) + bytes_of(vector)
    said = json.loads(json.dumps(list(decode(name, cut(stream, seed), context_of(vector)))))
    rest = iter(said)
    assert all(any(agrees(one, frame) for one in rest) for frame in wanted(vector["expect"])), (seed, stream.hex(), said)


def cut(data: bytes, seed: int) -> list[bytes]:
    source = random.Random(seed)
    edges = sorted(source.randrange(len(data) + 1) for _ in range(source.randrange(1, 8)))
    return [data[begin:end] for begin, end in zip([0, *edges], [*edges, len(data)], strict=True)]


@pytest.mark.skipif(not FOLDER.exists(), reason=f"the vectors are not here: {FOLDER}")
@pytest.mark.parametrize(("name", "vector"), cases())
class TestVectors:
    """Every frame of every file."""

    def test_whole(self, name: str, vector: Vector) -> None:
        check(name, vector, [bytes_of(vector)])

    def test_as_it_was_read(self, name: str, vector: Vector) -> None:
        context = vector.get("context", {})
        data, size = bytes_of(vector), context.get("chunk_bytes", 64)
        chunks = [bytes.fromhex(chunk) for chunk in context.get("chunks", ())]
        check(name, vector, chunks or [data[at : at + size] for at in range(0, len(data), size)])

    def test_byte_by_byte(self, name: str, vector: Vector) -> None:
        check(name, vector, [bytes([byte]) for byte in bytes_of(vector)])

    def test_cut_at_random(self, name: str, vector: Vector) -> None:
        for seed in SEEDS:
            check(name, vector, cut(bytes_of(vector), seed))


@pytest.mark.skipif(not FOLDER.exists(), reason=f"the vectors are not here: {FOLDER}")
@pytest.mark.parametrize(("name", "vector"), framed_cases())
def test_a_frame_is_found_behind_noise(name: str, vector: Vector) -> None:
    for seed in SEEDS:
        check_in_noise(name, vector, seed)


def test_every_file_of_frames_has_its_type() -> None:
    others = ("codes", "fhir_observation", "scaip", "sia_dc09")
    assert {file.stem for file in FOLDER.glob("*.json")} - {*others} <= {*TYPES}
