"""What every message shares: identifiers, instants, text, and how strange keys and numbers are met."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contract.message import INSTANT_MAX, INSTANT_MIN, SEQUENCE_MAX, DeviceId, Instant, LogId, Message, Sequence, Text

DEVICE_ID: TypeAdapter[str] = TypeAdapter(DeviceId)
LOG_ID: TypeAdapter[str] = TypeAdapter(LogId)
SEQUENCE: TypeAdapter[int] = TypeAdapter(Sequence)
TEXT: TypeAdapter[str] = TypeAdapter(Text)
INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


class Note(Message):
    """A message as simple as they come."""

    value: float


@pytest.mark.parametrize("name", ["w", "wearable-1", "9_a-b", "x" * 40])
def test_a_device_is_named_by_small_letters_digits_and_dashes(name: str) -> None:
    assert DEVICE_ID.validate_python(name) == name


@pytest.mark.parametrize("name", ["", "-a", "_a", "Wearable", "a b", "a/b", "a+", "a#", "x" * 41, "a\n", "手环", "a\x00"])
def test_other_names_of_devices_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        DEVICE_ID.validate_python(name)


@pytest.mark.parametrize("name", ["", "0" * 15, "0" * 17, "0123456789ABCDEF", "0123456789abcdeg", "0123456789abcdef\n"])
def test_a_log_is_named_by_sixteen_hexadecimal_digits_only(name: str) -> None:
    assert LOG_ID.validate_python("0123456789abcdef")
    with pytest.raises(ValidationError):
        LOG_ID.validate_python(name)


@pytest.mark.parametrize("sequence", [0, -1, SEQUENCE_MAX + 1])
def test_sequences_begin_at_one_and_fit_the_database(sequence: int) -> None:
    assert SEQUENCE.validate_python(1) == 1
    assert SEQUENCE.validate_python(SEQUENCE_MAX) == SEQUENCE_MAX < 2**63 - 1
    with pytest.raises(ValidationError):
        SEQUENCE.validate_python(sequence)


def test_text_may_have_lines_but_no_nul() -> None:
    assert TEXT.validate_python("跌倒\n后") == "跌倒\n后"
    with pytest.raises(ValidationError):
        TEXT.validate_python("a\x00b")


def test_an_instant_with_a_zone_becomes_utc() -> None:
    at = INSTANT.validate_python(datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=8))))
    assert (at, at.tzinfo) == (datetime(2026, 3, 1, tzinfo=UTC), UTC)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(datetime(2026, 3, 1, 8))


@pytest.mark.parametrize("at", [INSTANT_MIN - timedelta(milliseconds=1), INSTANT_MAX, datetime.max.replace(tzinfo=UTC)])
def test_an_instant_of_a_broken_clock_is_refused(at: datetime) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(at)


@given(st.datetimes(INSTANT_MIN.replace(tzinfo=None), datetime(2199, 12, 31), timezones=st.just(UTC)))
def test_an_instant_keeps_its_microseconds_on_the_wire(at: datetime) -> None:
    assert INSTANT.validate_json(INSTANT.dump_json(at)) == at


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(ValidationError):
        Note.model_validate_json(f'{{"value": {number}}}')


def test_keys_of_a_newer_version_are_ignored() -> None:
    assert Note.model_validate_json('{"value": 1, "mood": "good"}') == Note(value=1)


def test_a_message_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Note(value=1).value = 2
