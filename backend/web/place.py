"""Places on the pages: how far it is, and the link that opens a route."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from backend.dispatch.travel import crow_km


def route_link(template: str, to: Mapping[str, Any], start: Mapping[str, Any] | None = None) -> str:
    """The configured link with its places filled in, percent-encoded. A start that is not known stays empty.

    `to` and `start` have `latitude` and `longitude` in degrees (WGS 84), `to` may have a `name`.
    """
    filled = {
        "{latitude}": to["latitude"],
        "{longitude}": to["longitude"],
        "{name}": to.get("name", ""),
        "{from_latitude}": _of(start, "latitude"),
        "{from_longitude}": _of(start, "longitude"),
    }
    for place, value in filled.items():
        template = template.replace(place, quote(str(value), safe=""))
    return template


def is_placed(one: Mapping[str, Any] | None) -> bool:
    """True when it has coordinates."""
    return one is not None and one.get("latitude") is not None and one.get("longitude") is not None


def distance_km(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """As the crow flies; both are placed."""
    return crow_km((one["latitude"], one["longitude"]), (other["latitude"], other["longitude"]))


def _of(start: Mapping[str, Any] | None, key: str) -> Any:
    return "" if start is None or start.get(key) is None else start[key]
