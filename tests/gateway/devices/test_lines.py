"""Lines in a stream: whole however they are cut, and never kept without end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.devices.driver import Reason
from gateway.devices.lines import LineReader


def read(*pieces: bytes) -> list[str | Reason]:
    reader: LineReader[str] = LineReader(lambda line: None if line == "mute" else line, line_bytes_max=8)
    return [item for piece in pieces for item in reader.feed(piece)] + list(reader.end())


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"one\r\ntwo\n\n\r\nmute\nlast", ["one", "two", "last"]),
        (b"12345678\n123456789\nnext\n", ["12345678", Reason.LENGTH, "next"]),
        (b"\xff\xfe\nnext", [Reason.FORMAT, "next"]),
        (b"x" * 10_000, [Reason.LENGTH]),
        (b"", []),
    ],
)
def test_a_line_is_whole_or_refused(stream: bytes, wanted: list[str | Reason]) -> None:
    assert read(stream) == wanted
    assert read(*(bytes([byte]) for byte in stream)) == wanted


@given(st.lists(st.sampled_from([b"a", b"\n", b"\xff", b"0123456789", b"\r"]), max_size=30), st.integers(0, 100))
def test_any_cut_gives_the_same(parts: list[bytes], at: int) -> None:
    stream = b"".join(parts)
    assert read(stream[:at], stream[at:]) == read(stream)
