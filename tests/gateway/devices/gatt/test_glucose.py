"""Glucose meters: stored results with the meter's time, control solution that is nobody's blood, and the talk about records."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.quantities import QuantityName
from gateway.devices.driver import JSON, Measurement, Output, Reason, Refusal
from gateway.devices.gatt import outputs
from gateway.devices.gatt.glucose import Access, Packet, abort, decode, decode_access, describe, report_all, report_from

# 95 mg/dL is stated in a public TypeScript suite; the others are that frame with one field changed.
GOOD = "032a00ea0709180e1e05f6ff5fb011"
AT = datetime(2026, 9, 24, 14, 20, 5)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (GOOD, [Measurement(QuantityName.GLUCOSE, 5.27, measured_at=AT, is_history=True, new_within_s=300.0)]),
        (
            "060100ea0709180e1e0537c041",
            [Measurement(QuantityName.GLUCOSE, 5.5, measured_at=datetime(2026, 9, 24, 14, 30, 5), is_history=True, new_within_s=300.0)],
        ),
        ("060100ea0709180e1e0537c04a", [Refusal(Reason.NOT_THE_PERSON)]),
        ("060100ea0709180e1e05ff0741", [Refusal(Reason.UNRELIABLE)]),
        ("0e0100ea0709180e1e0537c0410400", [Refusal(Reason.UNRELIABLE)]),
        ("0e0100ea0709180e1e0537c0410100", [Measurement(QuantityName.GLUCOSE, 5.5, datetime(2026, 9, 24, 14, 30, 5), True, 300.0)]),
        ("0601000000091811111137c041", [Measurement(QuantityName.GLUCOSE, 5.5, measured_at=None, is_history=True, new_within_s=300.0)]),
        ("000100ea0709180e1e05", [Refusal(Reason.UNRELIABLE)]),
        ("01010000000000000000f6ff", [Refusal(Reason.UNRELIABLE)]),
        ("010100e307021b0b0a1e", [Refusal(Reason.TRUNCATED)]),
    ],
)
def test_only_the_persons_glucose_is_measured_out_of_the_memory(text: str, wanted: list[Output]) -> None:
    assert outputs("2a18", bytes.fromhex(text)) == wanted


# Stated in NordicSemiconductor/Android-BLE-Common-Library's tests, but for the last three: arithmetic from the layout.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0101", {"operation": "report", "direction": "to_device", "operator": "all"}),
        (
            "0103010201",
            {"operation": "report", "direction": "to_device", "operator": "greater_or_equal", "filter": "sequence", "minimum": 258},
        ),
        ("06000101", {"operation": "response", "request": 1, "code": 1, "ok": True}),
        ("06000106", {"operation": "response", "request": 1, "code": 6, "ok": False}),
        ("05000201", {"operation": "count", "count": 258}),
        ("0300", {"operation": "abort", "direction": "to_device", "operator": "null"}),
        (
            "01040101000300",
            {
                "operation": "report",
                "direction": "to_device",
                "operator": "within_range",
                "filter": "sequence",
                "minimum": 1,
                "maximum": 3,
            },
        ),
        (
            "0102010300",
            {"operation": "report", "direction": "to_device", "operator": "less_or_equal", "filter": "sequence", "maximum": 3},
        ),
    ],
)
def test_the_talk_about_records_is_understood_and_measures_nothing(text: str, wanted: dict[str, JSON]) -> None:
    step = decode_access(bytes.fromhex(text))
    assert isinstance(step, Access)
    assert describe(step) == wanted
    assert outputs("2a52", bytes.fromhex(text)) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.TRUNCATED),
        ("01", Reason.TRUNCATED),
        ("060101", Reason.TRUNCATED),
        ("0700", Reason.FORMAT),
        ("0107", Reason.FORMAT),
        ("010300", Reason.UNKNOWN_TYPE),
        ("010100", Reason.LENGTH),
    ],
)
def test_what_is_no_step_of_the_talk_is_refused(text: str, reason: Reason) -> None:
    assert decode_access(bytes.fromhex(text)) is reason


def test_what_is_written_to_the_meter_has_the_stated_bytes() -> None:
    assert (report_all().hex(), report_from(258).hex(), abort().hex()) == ("0101", "0103010201", "0300")


@pytest.mark.parametrize("length", range(15))
def test_no_truncation_is_taken_for_a_value(length: int) -> None:
    assert decode(bytes.fromhex(GOOD)[:length]) is Reason.TRUNCATED


@given(st.binary(max_size=40))
def test_any_bytes_give_a_packet_or_a_reason(value: bytes) -> None:
    found = decode(value)
    assert isinstance(found, Packet | Reason)
    assert not isinstance(found, Packet) or describe(found)
    assert isinstance(decode_access(value), Access | Reason)
