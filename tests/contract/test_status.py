"""Status of a gateway: a last will says almost nothing, a regular one everything, and both within limits."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from contract.status import DEVICES_MAX, DeviceStatus, GatewayStatus

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
DEVICE = {"id": "wearable-1", "type": "jiahu_wearable", "is_lost": False}


def test_a_last_will_says_only_that_the_gateway_is_gone() -> None:
    will = GatewayStatus.model_validate_json('{"online": false, "at": "2026-03-01T03:12:00Z"}')
    assert (will.online, will.at, will.log_id, will.devices) == (False, NOW, None, [])


def test_a_full_status_comes_back_from_the_wire_as_it_was() -> None:
    device = DeviceStatus(
        id="wearable-1", type="jiahu_wearable", is_lost=True, heard_at=NOW, frames=9, rejects={"checksum": 2}, battery_percent=80
    )
    sent = GatewayStatus(
        online=True,
        at=NOW,
        version="1",
        log_id="0" * 16,
        started_at=NOW,
        waiting=3,
        oldest_waiting_at=NOW,
        commands_done=[4],
        devices=[device],
    )
    assert GatewayStatus.model_validate_json(sent.model_dump_json()) == sent


@pytest.mark.parametrize(
    "wrong",
    [
        {"online": None},
        {"at": None},
        {"waiting": -1},
        {"shed": -1},
        {"refused": -1},
        {"version": "1\x00"},
        {"commands_done": list(range(101))},
        {"devices": [DEVICE] * (DEVICES_MAX + 1)},
        {"devices": [DEVICE | {"id": "Ä"}]},
        {"devices": [DEVICE | {"battery_percent": 101}]},
        {"devices": [DEVICE | {"frames": -1}]},
        {"devices": [DEVICE | {"rejects": {"a\x00": 1}}]},
    ],
)
def test_a_status_with_a_fault_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GatewayStatus.model_validate({"online": True, "at": NOW} | wrong)
