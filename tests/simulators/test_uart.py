"""Bytes at the wrong rate are noise, at the right one themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.uart import heard


@given(st.binary(max_size=50), st.sampled_from([9600, 115_200]), st.integers(-1, 1))
def test_within_the_tolerance_of_both_clocks_everything_arrives(data: bytes, baud: int, percent: int) -> None:
    assert heard(data, sent_baud=baud, read_baud=baud * (100 + percent) // 100) == data


@pytest.mark.parametrize(
    ("sent", "read", "wanted"),
    [
        (9600, 19_200, "6666fe"),  # each bit is sampled twice
        (19_200, 9600, "cf"),
        (9600, 9600, "5570"),
    ],
)
def test_a_byte_at_the_wrong_rate_is_what_its_bits_look_like(sent: int, read: int, wanted: str) -> None:
    assert heard(bytes.fromhex("5570"), sent_baud=sent, read_baud=read).hex() == wanted


@given(st.binary(max_size=200), st.integers(300, 4_000_000), st.integers(300, 4_000_000))
def test_any_rates_end_and_give_no_more_than_the_line_can_carry(data: bytes, sent: int, read: int) -> None:
    assert len(heard(data, sent_baud=sent, read_baud=read)) <= 5 * len(data)
