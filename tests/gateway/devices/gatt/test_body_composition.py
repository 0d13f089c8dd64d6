"""Scales that measure the body's composition: every field, and the weight as the only reading. Bytes are arithmetic from the layout."""

from datetime import datetime

import pytest

from contract.quantities import QuantityName
from gateway.devices.driver import Measurement, Output, Reason, Refusal
from gateway.devices.gatt import outputs
from gateway.devices.gatt.body_composition import Packet, decode

ALL = "fe0ff100ea07030e07053b0270171c01302a28374836401f881334 3ada06".replace(" ", "")


def test_every_field_is_read() -> None:
    assert decode(bytes.fromhex(ALL)) == Packet(
        fat_pct=24.1,
        time=datetime(2026, 3, 14, 7, 5, 59),
        user=2,
        basal_metabolism_kj=6000,
        muscle_pct=28.4,
        masses_kg={"muscle_kg": 54.0, "fat_free_kg": 70.6, "soft_lean_kg": 69.48, "water_kg": 40.0},
        impedance_ohm=500.0,
        weight_kg=74.5,
        height_m=1.754,
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0004e600b036", [Measurement(QuantityName.WEIGHT, 70.0)]),
        ("0104e600543d", [Measurement(QuantityName.WEIGHT, 71.21)]),
        ("0000e600", []),
        ("0004ffffb036", [Refusal(Reason.UNRELIABLE)]),
        ("0004e600b0", [Refusal(Reason.TRUNCATED)]),
        ("0000e60001", [Refusal(Reason.LENGTH)]),
    ],
)
def test_only_the_weight_is_a_reading(text: str, wanted: list[Output]) -> None:
    assert outputs("2a9c", bytes.fromhex(text)) == wanted
