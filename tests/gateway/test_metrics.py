"""The gateway's page, read by Prometheus's own parser."""

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.status import DeviceStatus, GatewayStatus
from gateway.metrics import State, render
from tests.gateway.home import NOW, seconds

WEARABLE = DeviceStatus(
    id="wearable-1",
    type="jiahu_wearable",
    is_lost=False,
    heard_at=NOW - seconds(2),
    frames=1234567,
    rejects={"crc": 3, "length": 1},
    battery_percent=81.5,
)
SILENT = DeviceStatus(id="oximeter-1", type="bci_oximeter", is_lost=True)
STATUS = GatewayStatus(online=True, at=NOW, waiting=40, oldest_waiting_at=NOW - seconds(90), shed=7, refused=2, devices=[WEARABLE, SILENT])
STATE = State(NOW, STATUS, is_connected=True, in_flight=3, step_s_max=0.0625, ports={"/dev/a": True, "/dev/b": False})


def samples(state: State) -> dict[tuple[str, ...], float]:
    """(name without prefix, label values in order) -> value."""
    families = text_string_to_metric_families(render(state))
    return {(one.name.removeprefix("jiahu_gateway_"), *one.labels.values()): one.value for family in families for one in family.samples}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (("outbox_waiting_entries",), 40),
        (("outbox_oldest_seconds",), 90),
        (("outbox_shed_readings_total",), 7),
        (("refused_messages_total",), 2),
        (("connected",), 1),
        (("in_flight_messages",), 3),
        (("step_seconds_max",), 0.0625),
        (("port_open", "/dev/a"), 1),
        (("port_open", "/dev/b"), 0),
        (("device_lost", "wearable-1", "jiahu_wearable"), 0),
        (("device_lost", "oximeter-1", "bci_oximeter"), 1),
        (("device_frames_total", "wearable-1", "jiahu_wearable"), 1234567),
        (("device_rejects_total", "wearable-1", "jiahu_wearable", "crc"), 3),
        (("device_rejects_total", "wearable-1", "jiahu_wearable", "length"), 1),
        (("device_heard_timestamp_seconds", "wearable-1", "jiahu_wearable"), (NOW - seconds(2)).timestamp()),
        (("device_battery_percent", "wearable-1", "jiahu_wearable"), 81.5),
    ],
)
def test_each_figure_is_read_back(key: tuple[str, ...], value: float) -> None:
    assert samples(STATE)[key] == value


def test_what_is_not_known_is_not_said() -> None:
    found = samples(STATE)
    assert ("device_battery_percent", "oximeter-1", "bci_oximeter") not in found
    assert ("device_heard_timestamp_seconds", "oximeter-1", "bci_oximeter") not in found


@pytest.mark.parametrize("oldest", [{"oldest_waiting_at": None}, {"oldest_waiting_at": NOW + seconds(5)}])
def test_an_age_is_never_negative(oldest: dict[str, Any]) -> None:
    assert samples(replace(STATE, status=STATUS.model_copy(update=oldest)))["outbox_oldest_seconds",] == 0


def test_every_family_says_its_type_and_what_it_is() -> None:
    families = [*text_string_to_metric_families(render(STATE))]
    assert all(family.documentation.endswith(".") and family.type in ("gauge", "counter") for family in families)
    assert len(families) == 13


def test_letters_that_the_format_uses_itself_are_escaped() -> None:
    strange = 'a"b\\c\nd'
    assert samples(replace(STATE, ports={strange: True}))["port_open", strange] == 1
