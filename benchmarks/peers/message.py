"""The message of the load: three values of one device that together say its number, so that a lost value is a lost message."""

from typing import NamedTuple

DEVICES = 20
RATES = 250
SATURATIONS = 100
TEMPERATURES = 4_000
COUNT_MAX = RATES * SATURATIONS * TEMPERATURES
COLDEST = 500
"""5.00 Cel: the lowest that the gateway finds plausible. The highest used is 44.99 Cel."""


class Values(NamedTuple):
    """Heart rate per minute, SpO2 in percent, temperature in 0.01 Cel."""

    heart_rate: int
    spo2: int
    temperature: int


def values_of(number: int) -> Values:
    """The three values of a message; numbers below COUNT_MAX never share all three."""
    rest, rate = divmod(number, RATES)
    temperature, spo2 = divmod(rest, SATURATIONS)
    return Values(rate + 1, spo2 + 1, temperature + COLDEST)


def number_of(values: Values) -> int:
    """Inverse of `values_of`."""
    return ((values.temperature - COLDEST) * SATURATIONS + values.spo2 - 1) * RATES + values.heart_rate - 1
