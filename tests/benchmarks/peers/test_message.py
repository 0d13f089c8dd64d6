"""Messages that say their own number."""

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.message import COUNT_MAX, number_of, values_of
from contract.quantities import QUANTITIES, QuantityName


@given(st.integers(0, COUNT_MAX - 1))
def test_the_values_of_a_message_say_its_number(number: int) -> None:
    assert number_of(values_of(number)) == number


@given(st.integers(0, COUNT_MAX - 1))
def test_every_value_is_one_that_the_gateway_believes(number: int) -> None:
    values = values_of(number)
    assert QUANTITIES[QuantityName.HEART_RATE].is_plausible(values.heart_rate)
    assert QUANTITIES[QuantityName.SPO2].is_plausible(values.spo2)
    assert QUANTITIES[QuantityName.SKIN_TEMPERATURE].is_plausible(values.temperature / 100)
