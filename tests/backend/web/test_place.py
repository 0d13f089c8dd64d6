"""Links that open a route, and whom the pages may ask for pictures of a map."""

import pytest

from backend.config import MapConfig
from backend.web.place import route_link
from backend.web.shield import POLICY, Shield

TO = {"latitude": 29.5, "longitude": 106.5, "name": "人民医院 & Co"}


def test_a_route_is_filled_in_and_encoded() -> None:
    template = "https://uri.example.org/go?from={from_longitude},{from_latitude}&to={longitude},{latitude},{name}"
    link = "https://uri.example.org/go?from=1.0,2.0&to=106.5,29.5,%E4%BA%BA%E6%B0%91%E5%8C%BB%E9%99%A2%20%26%20Co"
    assert route_link(template, TO, {"latitude": 2.0, "longitude": 1.0}) == link
    assert route_link(template, TO).startswith("https://uri.example.org/go?from=,&to=")
    assert route_link(MapConfig().route, TO) == "geo:29.5,106.5?q=29.5,106.5"


@pytest.mark.parametrize(
    ("tiles", "subdomains", "origins"),
    [
        ("https://{s}.tiles.example.org/{z}/{x}/{y}.png", ["a", "b"], ["https://a.tiles.example.org", "https://b.tiles.example.org"]),
        ("http://127.0.0.1:8080/{z}/{x}/{y}.png", [], ["http://127.0.0.1:8080"]),
        (None, [], []),
    ],
)
def test_pictures_may_come_from_the_map_alone(tiles: str | None, subdomains: list[str], origins: list[str]) -> None:
    config = MapConfig(tiles=tiles, subdomains=subdomains, attribution="© somebody")
    assert config.origins == origins
    policy = Shield(None, config.origins)._headers["content-security-policy"]  # type: ignore[arg-type]
    assert policy == (f"{POLICY}; img-src 'self' {' '.join(origins)}" if origins else POLICY)


@pytest.mark.parametrize(
    "given",
    [
        {"tiles": "https://tiles.example.org/{z}/{x}.png", "attribution": "x"},
        {"tiles": "https://tiles.example.org/{z}/{x}/{y}.png"},
        {"tiles": "https://{s}.example.org/{z}/{x}/{y}.png", "attribution": "x"},
        {"tiles": "https://a.org; script-src *; x.org/{z}/{x}/{y}.png", "attribution": "x"},
        {"route": "javascript:alert({latitude},{longitude})"},
        {"route": "https://example.org/"},
    ],
)
def test_a_map_that_cannot_work_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        MapConfig.model_validate(given)
