"""Travel times from an own router, OSRM or Valhalla: optional, asked within a time limit, and never waited for longer.

Whoever asks has the fitted curve for when the answer is late, incomplete or none. Formats: OSRM HTTP API v1, service `table`; Valhalla API,
action `sources_to_targets`.
"""

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import httpx

from backend.config import PlanConfig, RouterConfig
from backend.dispatch.day.assemble import Day
from backend.dispatch.travel import Place

logger = logging.getLogger(__name__)

BLOCK = 50
"""Places on either side of one question: OSRM's own limit is 100 places in all (`--max-table-size`)."""
PLACES_MAX = 600
"""More are 144 questions or so; the curve answers at once."""

Table = list[list[float]]


class NoAnswer(ValueError):
    """The router has said something that is no table of times."""


REST_S = 60.0
"""A router that did not answer is left alone for so long: offers must not wait for it one after another."""


WINDOW_S = 10.0
"""Of this, at most the configured limit is spent on waiting for the router, then the curve serves."""


class Roads:
    """A router that is asked for tables of travel times. Safe to share; it holds no connection between questions.

    However many ask, it is waited for limit_s in all of any WINDOW_S: a slow answer to each must not add up to late offers.
    """

    def __init__(self, config: RouterConfig) -> None:
        self._config = config
        self._rests_until_s = -math.inf
        self._window_until_s = -math.inf
        self._left_s = config.limit_s

    async def minutes(self, points: Sequence[Place]) -> Table | None:
        """Minutes from each place to each other, a row per place; None when the router does not answer rightly within its time."""
        return await self._ask(points, points)

    async def seconds_to(self, starts: Sequence[Place], end: Place) -> list[float] | None:
        """Seconds from each place to one; None as `minutes`."""
        table = await self._ask(starts, [end])
        return None if table is None else [60 * row[0] for row in table]

    async def on_roads(self, day: Day) -> Day:
        """The day with the router's times, or as it is."""
        table = await self.minutes(day.points)
        return day if table is None else replace(day, instance=replace(day.instance, travel=table))

    async def _ask(self, starts: Sequence[Place], ends: Sequence[Place]) -> Table | None:
        if not starts or not ends or max(len(starts), len(ends)) > PLACES_MAX or time.monotonic() < self._rests_until_s:
            return None
        began_s = time.monotonic()
        if began_s >= self._window_until_s:
            self._window_until_s, self._left_s = began_s + WINDOW_S, self._config.limit_s
        if self._left_s <= 0:
            return None
        try:
            async with asyncio.timeout(self._left_s), httpx.AsyncClient(base_url=self._config.url) as client:
                return await self._blocks(client, starts, ends)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            if not (isinstance(error, TimeoutError) and self._left_s < self._config.limit_s):  # else others have used up the time
                self._rests_until_s = time.monotonic() + REST_S
            logger.warning("no travel times from the router: %s", type(error).__name__, extra={"event": "router_failed"})
            return None
        finally:
            self._left_s -= time.monotonic() - began_s

    async def _blocks(self, client: httpx.AsyncClient, starts: Sequence[Place], ends: Sequence[Place]) -> Table:
        rows: Table = []
        for first in range(0, len(starts), BLOCK):
            some = starts[first : first + BLOCK]
            parts = [await self._block(client, some, ends[at : at + BLOCK]) for at in range(0, len(ends), BLOCK)]
            rows += [[minutes for part in parts for minutes in part[number]] for number in range(len(some))]
        return rows

    async def _block(self, client: httpx.AsyncClient, starts: Sequence[Place], ends: Sequence[Place]) -> Table:
        ask = _osrm if self._config.kind == "osrm" else _valhalla
        seconds = await ask(client, self._config.profile, starts, ends)
        return _checked(seconds, len(starts), len(ends))


def roads_of(habits: PlanConfig) -> Roads | None:
    """The configured router, the same for the same configuration; None where there is none."""
    return None if habits.router is None else _router(habits.router)


@cache
def _router(config: RouterConfig) -> Roads:
    return Roads(config)


async def _osrm(client: httpx.AsyncClient, profile: str, starts: Sequence[Place], ends: Sequence[Place]) -> Any:
    places = ";".join(f"{longitude:.6f},{latitude:.6f}" for latitude, longitude in (*starts, *ends))
    sides = {
        "sources": ";".join(map(str, range(len(starts)))),
        "destinations": ";".join(map(str, range(len(starts), len(starts) + len(ends)))),
    }
    answer = await client.get(f"/table/v1/{profile}/{places}", params=sides | {"annotations": "duration"})
    return _json(answer).get("durations")


async def _valhalla(client: httpx.AsyncClient, profile: str, starts: Sequence[Place], ends: Sequence[Place]) -> Any:
    sides = {name: [{"lat": place[0], "lon": place[1]} for place in side] for name, side in (("sources", starts), ("targets", ends))}
    answer = await client.post("/sources_to_targets", json=sides | {"costing": profile})
    table = _json(answer).get("sources_to_targets")
    if not isinstance(table, list):
        return None
    return [[cell.get("time") if isinstance(cell, dict) else None for cell in row] for row in table if isinstance(row, list)]


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    answer.raise_for_status()
    said = answer.json()
    if not isinstance(said, dict):
        raise NoAnswer("the router's answer is no object")
    return said


def _checked(seconds: Any, rows: int, columns: int) -> Table:
    """Minutes. A place that no road leads to has null: such a table is no use, the curve must serve. Raises NoAnswer."""
    if not isinstance(seconds, list) or len(seconds) != rows:
        raise NoAnswer("the router's table has not as many rows as asked for")
    table = []
    for row in seconds:
        if not isinstance(row, list) or len(row) != columns:
            raise NoAnswer("a row of the router's table is not as long as asked for")
        if not all(isinstance(cell, int | float) and math.isfinite(cell) and cell >= 0 for cell in row):
            raise NoAnswer("the router knows no way between two places")
        table.append([cell / 60 for cell in row])
    return table
