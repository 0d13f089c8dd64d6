"""An event: what it must carry, what it may carry, and which kinds are urgent."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from contract.events import URGENT, WINDOW_SAMPLES_MAX, AccelerationWindow, Event, EventKind

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)


def event(**changes: Any) -> dict[str, Any]:
    least = {"log_id": "0123456789abcdef", "sequence": 5, "event_id": "wearable-1:aa-1", "device": "wearable-1", "kind": "fall"}
    return least | {"at": NOW, "sent_at": NOW} | changes


def window(**changes: Any) -> dict[str, Any]:
    return {"rate_hz": 50, "x": [0, 1], "y": [-32768, 32767], "z": [1000, 980]} | changes


def test_an_event_needs_no_more_than_what_happened_where_and_when() -> None:
    least = Event.model_validate(event())
    assert (least.floor, least.confidence, least.detail, least.window) == (1, None, None, None)


def test_an_event_comes_back_from_the_wire_as_it_was() -> None:
    sent = Event.model_validate(event(floor=2, confidence=0.75, detail="x", window=window()))
    assert Event.model_validate_json(sent.model_dump_json()) == sent


def test_presses_falls_their_cancellations_smoke_gas_and_water_are_urgent_and_nothing_else() -> None:
    assert {"sos", "sos_cancelled", "fall", "fall_cancelled", "smoke", "gas", "water"} == URGENT


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_can_be_sent(kind: EventKind) -> None:
    assert Event.model_validate_json(Event.model_validate(event(kind=kind)).model_dump_json()).kind is kind


@pytest.mark.parametrize(
    "wrong",
    [
        {"log_id": ""},
        {"sequence": 0},
        {"floor": 0},
        {"event_id": ""},
        {"event_id": "x" * 101},
        {"event_id": "a b"},
        {"event_id": "手环:1"},
        {"event_id": "a\n"},
        {"device": "A"},
        {"kind": "earthquake"},
        {"at": NOW.replace(tzinfo=None)},
        {"at": NOW.replace(year=2200)},
        {"sent_at": None},
        {"confidence": -0.1},
        {"confidence": 1.1},
        {"confidence": float("nan")},
        {"detail": "x" * 201},
        {"detail": "a\x00"},
        {"window": {}},
    ],
)
def test_an_event_with_a_fault_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Event.model_validate(event(**wrong))


@pytest.mark.parametrize(
    "wrong",
    [{"rate_hz": 0}, {"rate_hz": 1001}, {"x": [32768]}, {"y": [-32769]}, {"z": [0.5]}, {"x": [0] * (WINDOW_SAMPLES_MAX + 1)}],
)
def test_a_window_with_a_fault_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AccelerationWindow.model_validate(window(**wrong))
