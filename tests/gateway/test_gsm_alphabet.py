"""The 7-bit alphabet: where its characters stand, and how septets lie in octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gsm_alphabet import BASIC, SEPTETS, pack, text_of, unpack


@pytest.mark.parametrize(
    ("char", "septets"),
    [("@", (0,)), ("$", (2,)), ("\n", (10,)), ("_", (17,)), (" ", (32,)), ("A", (65,)), ("à", (127,)), ("€", (27, 101)), ("{", (27, 40))],
)
def test_characters_stand_where_the_standard_has_them(char: str, septets: tuple[int, ...]) -> None:
    assert SEPTETS[char] == septets
    assert text_of(list(septets)) == char


def test_the_basic_table_has_128_places() -> None:
    assert len(BASIC) == len(set(BASIC)) == 128


def test_hello_is_packed_as_everywhere() -> None:
    assert pack([SEPTETS[char][0] for char in "hello"]).hex() == "e8329bfd06"


@given(st.lists(st.integers(0, 127), max_size=160), st.integers(0, 6))
def test_what_is_packed_is_unpacked(septets: list[int], fill: int) -> None:
    assert unpack(pack(septets, fill=fill), len(septets), fill=fill) == septets


def test_more_septets_than_there_are_octets_for_are_refused() -> None:
    with pytest.raises(ValueError):
        unpack(b"\x00", 2)


def test_an_escape_that_nobody_knows_is_a_space() -> None:
    assert text_of([27, 1, 27, 27, 65, 27]) == "  A"
