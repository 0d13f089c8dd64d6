"""The list of quantities is complete, and its ranges let every healthy and every sick value through, but no broken one."""

import math

import pytest

from contract.quantities import QUANTITIES, Quantity, QuantityName


@pytest.mark.parametrize("name", QuantityName)
def test_every_quantity_is_fully_described(name: QuantityName) -> None:
    row = QUANTITIES[name]
    assert row.name is name
    assert row.title_zh and row.title_en and row.unit and row.range_source
    assert row.low < row.high


def test_codes_name_one_quantity_each() -> None:
    for codes in ([row.mdc for row in QUANTITIES.values()], [row.loinc for row in QUANTITIES.values()]):
        known = [code for code in codes if code is not None]
        assert len(set(known)) == len(known)


@pytest.mark.parametrize("row", QUANTITIES.values(), ids=lambda row: row.name)
def test_both_ends_of_a_range_are_believed_and_nothing_beyond(row: Quantity) -> None:
    assert row.is_plausible(row.low) and row.is_plausible(row.high)
    beyond = (math.nextafter(row.low, -math.inf), math.nextafter(row.high, math.inf), math.nan, math.inf, -math.inf)
    assert not any(map(row.is_plausible, beyond))


@pytest.mark.parametrize("name", [QuantityName.HEART_RATE, QuantityName.SPO2, QuantityName.RESPIRATION_RATE])
def test_a_zero_that_devices_send_for_unknown_is_never_a_value(name: QuantityName) -> None:
    assert not QUANTITIES[name].is_plausible(0)
