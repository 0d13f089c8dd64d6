"""What the web process counts of its requests: templates and classes, never an id."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from backend.config import Config, DatabaseConfig, MetricsConfig
from backend.db.pool import Pool
from backend.web.app import create_app
from simulators.servers import free_port
from tests.backend.metrics.pages import scrape, wrong
from tests.backend.web.conftest import Clock, SignedIn, eventually, listening, open_alert, serving

pytestmark = pytest.mark.store

REQUESTS = "jiahu_web_requests_total"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def app(street: Pool, database_url: str, clock: Clock, port: int) -> AsyncIterator[FastAPI]:
    """The application with a port for its figures."""
    made = create_app(Config(database=DatabaseConfig(url=database_url), metrics=MetricsConfig(web_port=port)), clock)
    async with made.router.lifespan_context(made):
        yield made


async def test_requests_are_counted_by_template_and_class(app: FastAPI, pool: Pool, signed_in: SignedIn, port: int) -> None:
    alert_id = await open_alert(pool)
    operator = await signed_in("wang")
    await operator.get(f"/api/alerts/{alert_id}")
    await operator.get("/api/alerts/999999")
    await operator.get("/no/such/page")
    await operator.post("/api/session", json={}, headers={"sec-fetch-site": "cross-site"})
    found = await asyncio.to_thread(scrape, port)
    assert {key: value for key, value in found.items() if key[0] == REQUESTS} == {
        (REQUESTS, "POST", "/api/session", "2xx"): 1,
        (REQUESTS, "GET", "/api/alerts/{alert_id}", "2xx"): 1,
        (REQUESTS, "GET", "/api/alerts/{alert_id}", "4xx"): 1,
        (REQUESTS, "GET", "none", "4xx"): 1,
        (REQUESTS, "POST", "none", "4xx"): 1,
    }
    assert found["jiahu_web_request_seconds_count", "GET", "/api/alerts/{alert_id}"] == 2


async def test_open_pages_are_counted_and_a_stream_counts_once_it_has_begun(app: FastAPI, port: int) -> None:
    async with serving(app) as url, listening(url, "wang"):
        found = await asyncio.to_thread(scrape, port)
        assert found["jiahu_web_live_pages",] == 1
        assert found[REQUESTS, "GET", "/api/live", "2xx"] == 1
    await eventually(lambda: not app.state.web.live.pages)


async def test_the_port_for_figures_tells_health_too(app: FastAPI, port: int) -> None:
    await eventually(lambda: not any(one.fault for one in app.state.health.is_ready()))
    assert await asyncio.to_thread(wrong, port) == {}


async def test_pages_do_not_tell_figures(app: FastAPI, anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/metrics")).status_code == 404
