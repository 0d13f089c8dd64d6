"""From the bytes of an arrival to a message of the contract, or the reason why not. No I/O."""

from dataclasses import dataclass

from pydantic import ValidationError

from backend.config import explain
from backend.ingest.subscriber import Arrival
from contract import topics
from contract.events import Event
from contract.readings import SeriesBatch
from contract.status import GatewayStatus
from contract.stored import RefusedReason
from contract.topics import Leaf

Upward = SeriesBatch | Event | GatewayStatus
SHAPES: dict[Leaf, type[SeriesBatch] | type[Event] | type[GatewayStatus]] = {
    Leaf.SERIES: SeriesBatch,
    Leaf.EVENT: Event,
    Leaf.STATUS: GatewayStatus,
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that could be read, with its sender."""

    gateway_id: str
    message: Upward
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Reject:
    """Bytes that could not be read. `gateway_id` is None when not even the topic is ours."""

    gateway_id: str | None
    reason: RefusedReason
    detail: str
    digest: str
    arrival: Arrival


def decode(arrival: Arrival, *, bytes_max: int) -> Letter | Reject:
    """Read one arrival."""
    gateway_id: str | None = None
    try:
        topic = topics.parse(arrival.topic)
        gateway_id = topic.gateway_id
        shape = SHAPES[topic.leaf]
    except (ValueError, KeyError) as error:
        return _reject(arrival, gateway_id, RefusedReason.NOT_VALID, f"topic: {error}")
    if len(arrival.payload) > bytes_max:
        return _reject(arrival, gateway_id, RefusedReason.TOO_LARGE, f"more than {bytes_max} bytes")
    try:
        return Letter(gateway_id, shape.model_validate_json(arrival.payload), arrival)
    except ValidationError as error:
        is_json = error.errors()[0]["type"] != "json_invalid"
        reason = RefusedReason.NOT_VALID if is_json else RefusedReason.NOT_JSON
        return _reject(arrival, gateway_id, reason, explain(error, whole="message"))


def _reject(arrival: Arrival, gateway_id: str | None, reason: RefusedReason, detail: str) -> Reject:
    return Reject(gateway_id, reason, detail[:500], arrival.digest, arrival)
