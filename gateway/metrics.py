"""The gateway's figures as Prometheus reads them. Pure: from what the main loop said last to text.

Written by hand: the client library would be one more dependency in every home, and 1.1 MiB of memory (measured on x86-64, Python 3.11).
Source: Prometheus, "Exposition formats", text-based format 0.0.4.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from contract.status import GatewayStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class State:
    """What the main loop says of itself once a second. `at`: the time in the home; `step_s_max`: the longest step within a minute."""

    at: datetime
    status: GatewayStatus
    is_connected: bool
    in_flight: int
    step_s_max: float
    ports: dict[str, bool]
    """Path of a port: is it open?"""


def render(state: State) -> str:
    """The whole page, one family after the other."""
    status = state.status
    oldest_s = max(0.0, (state.at - status.oldest_waiting_at).total_seconds()) if status.oldest_waiting_at else 0.0
    devices = [({"device": one.id, "type": one.type}, one) for one in status.devices]
    rejects = [(labels | {"reason": reason}, count) for labels, one in devices for reason, count in one.rejects.items()]
    batteries = [(labels, one.battery_percent) for labels, one in devices if one.battery_percent is not None]
    heard = [(labels, one.heard_at.timestamp()) for labels, one in devices if one.heard_at is not None]
    ports = [({"port": path}, is_open) for path, is_open in state.ports.items()]
    families = (
        _one("outbox_waiting_entries", "gauge", "Readings and events that the backend has not stored yet.", status.waiting),
        _one("outbox_oldest_seconds", "gauge", "Age of the oldest of them, 0 when none waits.", oldest_s),
        _one("outbox_shed_readings_total", "counter", "Readings that gave way because the outbox was full.", status.shed),
        _one("refused_messages_total", "counter", "Messages that the backend could not read.", status.refused),
        _one("connected", "gauge", "1 while connected to the broker, else 0.", state.is_connected),
        _one("in_flight_messages", "gauge", "Messages sent and not answered yet.", state.in_flight),
        _one("step_seconds_max", "gauge", "Longest step of the main loop within a minute; it waits 0.05 s for devices.", state.step_s_max),
        _family("port_open", "gauge", "1 while the serial port can be read.", ports),
        _family("device_lost", "gauge", "1 while the device is not heard.", [(labels, one.is_lost) for labels, one in devices]),
        _family(
            "device_frames_total", "counter", "Frames or values that could be read.", [(labels, one.frames) for labels, one in devices]
        ),
        _family("device_rejects_total", "counter", "What could not be used, by reason.", rejects),
        _family("device_heard_timestamp_seconds", "gauge", "When it was heard last, since 1970.", heard),
        _family("device_battery_percent", "gauge", "Charge of its battery.", batteries),
    )
    return "".join(families)


def _one(name: str, kind: str, what: str, value: float) -> str:
    return _family(name, kind, what, [({}, value)])


def _family(name: str, kind: str, what: str, values: Iterable[tuple[Labels, float]]) -> str:
    lines = [f"jiahu_gateway_{name}{_labels(labels)} {float(value):.17g}" for labels, value in values]
    head = [f"# HELP jiahu_gateway_{name} {what}", f"# TYPE jiahu_gateway_{name} {kind}"]
    return "\n".join([*head, *lines, ""])


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{key}="{value.translate(ESCAPES)}"' for key, value in labels.items())
    return f"{{{inner}}}" if inner else ""
