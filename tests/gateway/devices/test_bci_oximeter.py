"""BCI oximeters: packets are found in any stream, and what has no value gives none."""

import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.bridges.framing import Frame
from gateway.devices.bci_oximeter import BciOximeter, Packet, decode
from gateway.devices.driver import Measurement, Output, Reason, Refusal

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "bci_oximeter.json"

# Bytes and values as stated in atick-faisal/berry-oximeter, tests/test_berry_oximeter.py.
STATED = [("8732054862", 72, 98), ("8828044b61", 75, 97)]
GOOD = bytes.fromhex("8732054862")


def vectors() -> list[dict[str, Any]]:
    return json.loads(VECTORS.read_text("utf-8")) if VECTORS.exists() else []


def expected(vector: dict[str, Any]) -> list[dict[str, Any]]:
    expect = vector["expect"]
    frames: list[dict[str, Any]] = expect.get("frames", [] if "error" in expect else [expect])
    return frames


def packets(*pieces: bytes) -> list[Packet]:
    driver = BciOximeter()
    return [item for piece in pieces for item in driver.packets(piece) if isinstance(item, Packet)]


def refusals(stream: bytes) -> list[Reason]:
    return [item for item in BciOximeter().packets(stream) if isinstance(item, Reason)]


def outputs(*pieces: bytes) -> list[Output]:
    driver = BciOximeter()
    return [output for piece in pieces for output in driver.feed(piece, 0.0)]


def agree(found: list[Packet], wanted: list[dict[str, Any]]) -> bool:
    shown = [{key: asdict(packet)[key] for key in one} for packet, one in zip(found, wanted, strict=True)]
    return shown == wanted


@pytest.mark.skipif(not VECTORS.exists(), reason=f"the vectors are not here: {VECTORS}")
@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
class TestVectors:
    """Frames of real devices and of the vendor's document, in a folder beside the checkout."""

    def test_whole(self, vector: dict[str, Any]) -> None:
        assert agree(packets(bytes.fromhex(vector["hex"])), expected(vector))

    def test_as_they_were_cut(self, vector: dict[str, Any]) -> None:
        chunks = vector.get("context", {}).get("chunks", [vector["hex"]])
        assert agree(packets(*map(bytes.fromhex, chunks)), expected(vector))

    def test_byte_by_byte(self, vector: dict[str, Any]) -> None:
        assert agree(packets(*(bytes([byte]) for byte in bytes.fromhex(vector["hex"]))), expected(vector))

    @pytest.mark.parametrize("seed", range(20))
    def test_cut_at_random_with_noise_around(self, vector: dict[str, Any], seed: int) -> None:
        # Noise without bit 7 in front, so that no false packet can begin in it.
        source = random.Random(seed)
        stream = bytes(source.randrange(0x80) for _ in range(source.randrange(20))) + bytes.fromhex(vector["hex"])
        edges = sorted(source.randrange(len(stream) + 1) for _ in range(4))
        pieces = [stream[start:end] for start, end in zip([0, *edges], [*edges, len(stream)], strict=True)]
        assert agree(packets(*pieces), expected(vector))


@pytest.mark.parametrize(("text", "pulse", "spo2"), STATED)
def test_stated_packets_give_the_stated_values(text: str, pulse: int, spo2: int) -> None:
    assert outputs(bytes.fromhex(text)) == [Measurement(QuantityName.SPO2, spo2), Measurement(QuantityName.HEART_RATE, pulse)]


# By plain arithmetic from the layout, BCI Protocol V1.2.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("c65a470c60", [Measurement(QuantityName.SPO2, 96), Measurement(QuantityName.HEART_RATE, 140)]),
        ("8732057f62", [Measurement(QuantityName.SPO2, 98), Measurement(QuantityName.HEART_RATE, 127)]),
        ("873245007f", [Measurement(QuantityName.HEART_RATE, 128)]),
        ("8732457f62", [Measurement(QuantityName.SPO2, 98)]),
        ("8732050062", [Measurement(QuantityName.SPO2, 98)]),
        ("8732054800", [Measurement(QuantityName.HEART_RATE, 72)]),
        ("8732457f7f", [Refusal(Reason.SEARCHING)]),
        ("8732254862", [Refusal(Reason.SEARCHING)]),
        ("8732154862", [Refusal(Reason.NO_CONTACT)]),
        ("9732054862", [Refusal(Reason.NO_CONTACT)]),
        ("a732054862", [Refusal(Reason.UNPLUGGED)]),
        ("8000507f7f", [Refusal(Reason.NO_CONTACT)]),
        ("a000407f7f", [Refusal(Reason.UNPLUGGED)]),
    ],
)
def test_what_has_no_value_gives_its_reason_instead(text: str, wanted: list[Output]) -> None:
    assert outputs(bytes.fromhex(text)) == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.LENGTH),
        ("87320548", Reason.LENGTH),
        ("873205486200", Reason.LENGTH),
        ("0732054862", Reason.SYNC),
        ("87b2054862", Reason.SYNC),
        ("87320548e2", Reason.SYNC),
    ],
)
def test_what_is_no_packet_is_refused(text: str, reason: Reason) -> None:
    assert decode(bytes.fromhex(text)) is reason


@pytest.mark.parametrize("length", range(1, 5))
def test_no_truncation_is_taken_for_a_packet_and_the_next_one_is_whole(length: int) -> None:
    assert outputs(GOOD[:length] + GOOD) == [Refusal(Reason.SYNC), *outputs(GOOD)]


@pytest.mark.parametrize(
    ("stream", "count"),
    [
        (b"\x01\x02\x03" + GOOD, 1),
        (GOOD + b"\x01\x02\x03" + GOOD, 1),
        (GOOD[:3] + GOOD + b"\x01", 2),
        (b"\x87\x87\x87" + GOOD, 3),
        (b"\x01" * 500, 1),
    ],
)
def test_each_run_of_stray_bytes_is_counted_once(stream: bytes, count: int) -> None:
    assert refusals(stream) == [Reason.SYNC] * count


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_however_cut_give_the_same(stream: bytes, at: int) -> None:
    driver = BciOximeter()
    assert [*driver.packets(stream[:at]), *driver.packets(stream[at:])] == [*BciOximeter().packets(stream)]


@given(st.binary(max_size=300))
def test_noise_never_costs_the_packet_behind_it(noise: bytes) -> None:
    assert packets(noise + GOOD)[-1] == decode(GOOD)


def test_an_oximeter_owns_its_port_and_takes_no_frames() -> None:
    with pytest.raises(NotImplementedError):
        BciOximeter().take(Frame(1, 1, 1, b""), 0.0)
    assert list(BciOximeter().tick(1e9)) == []
