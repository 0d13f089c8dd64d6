"""Travel times from a router of our own making, that speaks OSRM's and Valhalla's table formats over real HTTP."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from backend.config import RouterConfig
from backend.dispatch.roads import PLACES_MAX, WINDOW_S, Roads

HOMES = [(29.5 + 0.01 * number, 106.5) for number in range(120)]


class Router(ThreadingHTTPServer):
    """Seconds between two places: their difference of latitude in hundredths of a degree, times 90; `spoils` changes an answer."""

    spoils: str = ""
    asked = 0

    def __init__(self) -> None:
        self.answers = threading.Event()
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    """One question."""

    server: Router

    def do_GET(self) -> None:
        """OSRM: /table/v1/driving/lon,lat;lon,lat?sources=0;1&destinations=2"""
        path = urlsplit(self.path)
        places = [float(one.split(",")[1]) for one in path.path.removeprefix("/table/v1/driving/").split(";")]
        if len(places) > 100:
            self._say({"code": "TooBig"}, 400)
            return
        sides = [[places[int(at)] for at in parse_qs(path.query)[side][0].split(";")] for side in ("sources", "destinations")]
        self._say({"code": "Ok", "durations": self._table(*sides)})

    def do_POST(self) -> None:
        """Valhalla: /sources_to_targets"""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert asked["costing"] == "auto"
        table = self._table(*([one["lat"] for one in asked[side]] for side in ("sources", "targets")))
        self._say({"sources_to_targets": [[{"time": one, "distance": 1} for one in row] for row in table]})

    def _table(self, starts: list[float], ends: list[float]) -> list[list[float | None]]:
        table: list[list[float | None]] = [[round(abs(one - other) * 100) * 90.0 for other in ends] for one in starts]
        if self.server.spoils == "null":
            table[0][-1] = None
        return table[1:] if self.server.spoils == "short" else table

    def _say(self, said: Any, status: int = 200) -> None:
        self.server.asked += 1
        if self.server.spoils == "slow":
            self.server.answers.wait(30)
        body = b"<html>" if self.server.spoils == "html" else json.dumps(said).encode()
        self.send_response(500 if self.server.spoils == "broken" else status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture
def router() -> Iterator[Router]:
    with Router() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.answers.set()
        server.shutdown()
        thread.join()


def roads(router: Router, kind: Literal["osrm", "valhalla"] = "osrm") -> Roads:
    profile = "driving" if kind == "osrm" else "auto"
    return Roads(RouterConfig(kind=kind, url=router.url, profile=profile, limit_s=5 if router.spoils != "slow" else 0.2))


@pytest.mark.parametrize("kind", ["osrm", "valhalla"])
async def test_a_table_has_a_row_for_each_place_and_minutes(router: Router, kind: Literal["osrm", "valhalla"]) -> None:
    assert await roads(router, kind).minutes(HOMES[:3]) == [[0.0, 1.5, 3.0], [1.5, 0.0, 1.5], [3.0, 1.5, 0.0]]
    assert await roads(router, kind).seconds_to(HOMES[:2], HOMES[4]) == [360.0, 270.0]


async def test_many_places_are_asked_for_in_parts_that_the_router_takes(router: Router) -> None:
    table = await roads(router).minutes(HOMES)
    assert table is not None
    assert router.asked == 9
    assert (table[0][119], table[119][0], table[60][61]) == (178.5, 178.5, 1.5)
    assert await roads(router).minutes(HOMES * (PLACES_MAX // len(HOMES) + 1)) is None


@pytest.mark.parametrize("spoils", ["null", "short", "html", "broken", "slow"])
async def test_an_answer_that_is_none_leaves_the_work_to_the_curve(router: Router, spoils: str) -> None:
    router.spoils = spoils
    assert await roads(router).minutes(HOMES[:3]) is None


async def test_a_router_that_did_not_answer_is_left_alone_for_a_while(router: Router) -> None:
    asks = roads(router)
    router.spoils = "broken"
    assert [await asks.minutes(HOMES[:2]) for _ in range(3)] == [None, None, None]
    assert router.asked == 1


async def test_slow_answers_to_many_do_not_add_up(router: Router) -> None:
    asks = Roads(RouterConfig(url=router.url, limit_s=0.2))
    began_s, answered = time.monotonic(), 0
    while await asks.seconds_to(HOMES[:1], HOMES[1]) is not None:
        answered += 1
    assert answered > 0
    assert time.monotonic() - began_s < WINDOW_S / 2


async def test_where_nobody_listens_the_curve_serves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert await Roads(RouterConfig(url=f"http://127.0.0.1:{port}")).minutes(HOMES[:2]) is None


async def test_a_url_that_is_none_is_refused_at_the_start_and_stops_no_offer() -> None:
    with pytest.raises(ValidationError, match="not a URL"):
        RouterConfig(url="http://[::1")
    unchecked = RouterConfig.model_construct(kind="osrm", url="http://[::1", profile="driving", limit_s=1.0)
    assert await Roads(unchecked).minutes(HOMES[:2]) is None
