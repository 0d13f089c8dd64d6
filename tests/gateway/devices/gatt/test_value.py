"""Fields of a value: read in order, refused when the value is too short or too long, and a clock that was never set is none."""

from datetime import datetime

import pytest

from gateway.devices.driver import Reason
from gateway.devices.gatt.value import VALUE_BYTES_MAX, Cut, Fields, ValueReader, date_time, parsed, reader_of


def test_fields_are_little_endian_and_in_order() -> None:
    fields = Fields(bytes.fromhex("01 0200 feff 030000 04000000 aa"))
    assert (fields.u8(), fields.u16(), fields.s16(), fields.u24(), fields.u32(), fields.left) == (1, 2, -2, 3, 4, 1)
    with pytest.raises(Cut):
        fields.u16()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("ea07030e07053b", datetime(2026, 3, 14, 7, 5, 59)),
        ("0000030e07053b", None),
        ("ea07000e07053b", None),
        ("ea07021e07053b", None),
        ("ea07030e18053b", None),
        ("ffff030e07053b", None),
    ],
)
def test_a_date_that_is_unknown_or_impossible_is_none(text: str, moment: datetime | None) -> None:
    assert date_time(Fields(bytes.fromhex(text))) == moment


@pytest.mark.parametrize(("value", "wanted"), [(b"", Reason.TRUNCATED), (b"\x01", 1), (b"\x01\x02", Reason.LENGTH)])
def test_a_value_is_whole_or_refused(value: bytes, wanted: object) -> None:
    assert parsed(value, Fields.u8) == wanted


def test_a_reader_gathers_a_value_however_it_is_cut_and_starts_anew() -> None:
    reader = ValueReader(lambda value: parsed(value, Fields.u16))
    for _ in range(2):
        assert [*reader.feed(b"\x01"), *reader.feed(b"\x02"), *reader.end()] == [0x0201]


def test_more_than_any_value_holds_is_not_kept() -> None:
    reader = ValueReader(lambda value: len(value))
    for _ in range(10):
        assert list(reader.feed(bytes(VALUE_BYTES_MAX))) == []
    assert list(reader.end()) == [Reason.LENGTH]


def test_a_characteristic_that_is_not_known_raises() -> None:
    with pytest.raises(KeyError):
        reader_of({"2a37": lambda value: value}, {"characteristic": "2a00"})
